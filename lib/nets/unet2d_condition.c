// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nets/unet2d_condition.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"
#include "nets/simple_cross.h"
#include "nets/unet.h"

struct condition_layer {
    struct ebb_resnet resnet;
    struct ebb_transformer transformer[EBB_MAX_TRANSFORMERS];
    struct ebb_simple_cross simple;
    struct ebb_spatial_attention attention;
};

// A level on the way down or up; which of a layer's attentions there is, `kind` says.
struct condition_level {
    enum ebb_unet_block kind;
    int layers, transformers;
    struct condition_layer layer[EBB_MAX_LAYERS + 1];
    bool resampled;
    struct ebb_resnet resample_block; // of EBB_BLOCK_RESNET and EBB_BLOCK_SIMPLE_CROSS
    struct ebb_layer resample_conv;   // of the others
};

struct ebb_condition {
    struct ebb_condition_config config;
    struct condition_level down[EBB_MAX_LEVELS], up[EBB_MAX_LEVELS];
    struct condition_level mid; // one layer
    struct ebb_resnet mid_last; // behind its attention
    struct ebb_layer text_projection;
};

// Levels that change their size by residual blocks also scale their sums.
static bool by_resnets(enum ebb_unet_block kind)
{
    return kind == EBB_BLOCK_RESNET || kind == EBB_BLOCK_SIMPLE_CROSS;
}

static const enum ebb_unet_block mid_kinds[] = {
    [EBB_MID_NONE] = EBB_BLOCK_PLAIN,
    [EBB_MID_PLAIN] = EBB_BLOCK_PLAIN,
    [EBB_MID_CROSS] = EBB_BLOCK_CROSS,
    [EBB_MID_SIMPLE_CROSS] = EBB_BLOCK_SIMPLE_CROSS,
};

// ---- layout: which weights there are ----

// What the layers of a level have in common while their weights are listed.
struct level_layout {
    struct ebb_unet *unet;
    const struct ebb_condition_config *config;
    const struct ebb_condition_level *from; // with the text and the heads of transformers
    int head_dim, channels;
    const int *depth; // by layer
    bool only_cross;
    const char *path;
};

static void want_transformers(const struct level_layout *l, struct condition_layer *layer, int index)
{
    for (int k = 0; k < l->from->transformers; k++) {
        struct ebb_transformer_shape shape = {
            .channels = l->channels,
            .heads = l->from->heads,
            .groups = l->config->unet.style.groups,
            .depth = l->depth[index],
            .text = l->from->text[k],
            .first_sees_text = l->from->text[k] && l->only_cross,
            .linear = l->config->linear_projection,
        };
        char prefix[64];
        snprintf(prefix, sizeof(prefix), "%s.attentions.%d.", l->path, index * l->from->transformers + k);
        ebb_want_transformer(&layer->transformer[k], &l->unet->weights, prefix, &shape);
    }
}

static void want_attention(const struct level_layout *l, const struct condition_level *level,
                           struct condition_layer *layer, int index)
{
    const struct ebb_condition_config *c = l->config;
    int groups = c->unet.style.groups;
    char prefix[64];
    snprintf(prefix, sizeof(prefix), "%s.attentions.%d.", l->path, index);
    if (level->kind == EBB_BLOCK_CROSS)
        want_transformers(l, layer, index);
    if (level->kind == EBB_BLOCK_ATTENTION)
        ebb_want_attention(&layer->attention, &l->unet->weights, prefix, l->channels,
                           l->channels / l->head_dim, l->head_dim, groups);
    if (level->kind == EBB_BLOCK_SIMPLE_CROSS)
        ebb_want_simple_cross(&layer->simple, &l->unet->weights, prefix,
                              &(struct ebb_simple_cross_shape){.channels = l->channels,
                                                               .head_dim = l->head_dim,
                                                               .groups = groups,
                                                               .text = l->from->text[0],
                                                               .text_norm = c->text_norm,
                                                               .only_cross = l->only_cross});
}

static void want_resnet(const struct level_layout *l, struct ebb_resnet *block, const char *name, int index,
                        int cin)
{
    char prefix[64];
    snprintf(prefix, sizeof(prefix), "%s.%s.%d.", l->path, name, index);
    ebb_want_resnet(block, &l->unet->weights, prefix, cin, l->channels, l->unet->down.embed.width,
                    l->config->unet.style.film);
}

// The change of size behind a level's layers.
static void want_resample(const struct level_layout *l, struct condition_level *level, const char *name)
{
    char prefix[64];
    level->resampled = true;
    snprintf(prefix, sizeof(prefix), "%s.%s.0.", l->path, name);
    if (by_resnets(level->kind))
        want_resnet(l, &level->resample_block, name, 0, l->channels);
    else
        level->resample_conv = ebb_want_conv(&l->unet->weights, l->channels, l->channels, 3, prefix, "conv");
}

static void want_down(struct ebb_unet *u, const struct ebb_condition_config *c, int i)
{
    struct condition_level *level = &u->condition->down[i];
    char path[32];
    snprintf(path, sizeof(path), "down_blocks.%d", i);
    struct level_layout l = {.unet = u,
                             .config = c,
                             .from = &c->level[i],
                             .head_dim = c->level[i].head_dim,
                             .channels = c->unet.block_out_channels[i],
                             .depth = c->level[i].depth,
                             .only_cross = c->level[i].only_cross,
                             .path = path};
    level->kind = c->unet.down[i];
    level->layers = c->level[i].layers;
    level->transformers = c->level[i].transformers;
    for (int j = 0; j < level->layers; j++) {
        want_resnet(&l, &level->layer[j].resnet, "resnets", j,
                    j ? l.channels : c->unet.block_out_channels[i ? i - 1 : 0]);
        want_attention(&l, level, &level->layer[j], j);
    }
    if (i < c->unet.levels - 1)
        want_resample(&l, level, "downsamplers");
}

// diffusers turns every list around for the way up, except the widths of heads.
static void want_up(struct ebb_unet *u, const struct ebb_condition_config *c, int i)
{
    struct condition_level *level = &u->condition->up[i];
    const struct ebb_condition_level *from = &c->level[c->unet.levels - 1 - i];
    int out, below, next;
    ebb_unet_up_channels(&c->unet, i, &out, &below, &next);
    char path[32];
    snprintf(path, sizeof(path), "up_blocks.%d", i);
    struct level_layout l = {.unet = u,
                             .config = c,
                             .from = from,
                             .head_dim = c->level[i].head_dim,
                             .channels = out,
                             .depth = c->up_depth[i],
                             .only_cross = from->only_cross,
                             .path = path};
    level->kind = c->unet.up[i];
    level->layers = from->layers + 1;
    level->transformers = from->transformers;
    for (int j = 0; j < level->layers; j++) {
        want_resnet(&l, &level->layer[j].resnet, "resnets", j,
                    (j ? out : below) + (j == from->layers ? next : out));
        want_attention(&l, level, &level->layer[j], j);
    }
    if (i < c->unet.levels - 1)
        want_resample(&l, level, "upsamplers");
}

static void want_mid(struct ebb_unet *u, const struct ebb_condition_config *c)
{
    struct ebb_condition *own = u->condition;
    const struct ebb_condition_level *from = &c->level[c->unet.levels - 1];
    struct level_layout l = {.unet = u,
                             .config = c,
                             .from = from,
                             .head_dim = from->head_dim,
                             .channels = c->unet.block_out_channels[c->unet.levels - 1],
                             .depth = from->depth,
                             .only_cross = c->mid == EBB_MID_SIMPLE_CROSS && c->mid_only_cross,
                             .path = "mid_block"};
    own->mid.kind = mid_kinds[c->mid];
    own->mid.layers = 1;
    own->mid.transformers = from->transformers;
    want_resnet(&l, &own->mid.layer[0].resnet, "resnets", 0, l.channels);
    want_attention(&l, &own->mid, &own->mid.layer[0], 0);
    if (c->mid != EBB_MID_PLAIN)
        want_resnet(&l, &own->mid_last, "resnets", 1, l.channels);
}

static void want_all(struct ebb_unet *u, const struct ebb_condition_config *c)
{
    int first = c->unet.block_out_channels[0];
    ebb_want_first(&u->down, &u->weights, &u->config, c->kernel_in);
    if (c->text_width)
        u->condition->text_projection = ebb_want_linear(&u->weights, c->text_width, c->level[0].text[0], "",
                                                        "encoder_hid_proj");
    for (int i = 0; i < c->unet.levels; i++)
        want_down(u, c, i);
    if (c->mid != EBB_MID_NONE)
        want_mid(u, c);
    for (int i = 0; i < c->unet.levels; i++)
        want_up(u, c, i);
    u->norm_out = ebb_want_norm(&u->weights, first, "", "conv_norm_out");
    u->conv_out = ebb_want_conv(&u->weights, first, c->unet.out_channels, c->kernel_out, "", "conv_out");
}

// ---- which text the network sees ----

// Whether simple cross attention is at a level, on the way down or up or in the middle.
static bool has_simple_cross(const struct ebb_condition_config *c, int level)
{
    int last = c->unet.levels - 1;
    return c->unet.down[level] == EBB_BLOCK_SIMPLE_CROSS ||
           c->unet.up[last - level] == EBB_BLOCK_SIMPLE_CROSS ||
           (level == last && c->mid == EBB_MID_SIMPLE_CROSS);
}

// Calls `see` for every attention that sees text: `which` text, its width, and the width of the places there.
static void each_text(const struct ebb_condition_config *c,
                      void (*see)(void *user, int which, int width, int places), void *user)
{
    int last = c->unet.levels - 1;
    for (int i = 0; i <= last; i++) {
        const struct ebb_condition_level *level = &c->level[i];
        int channels = c->unet.block_out_channels[i];
        enum ebb_unet_block mid = i == last ? mid_kinds[c->mid] : EBB_BLOCK_PLAIN;
        bool cross = c->unet.down[i] == EBB_BLOCK_CROSS || c->unet.up[last - i] == EBB_BLOCK_CROSS ||
                     mid == EBB_BLOCK_CROSS;
        bool simple = has_simple_cross(c, i);
        for (int k = 0; cross && k < level->transformers; k++)
            if (level->text[k])
                see(user, c->two_texts && k > 1, level->text[k],
                    ebb_transformer_width(channels, level->heads));
        if (simple)
            see(user, 0, level->text[0], channels);
    }
}

// Of all attentions: the width of their text, 0: none yet, -1: not all the same; whether it is always as wide
// as the places.
struct text_widths {
    int width[EBB_UNET_TEXTS];
    bool as_places;
};

static void see_text(void *user, int which, int width, int places)
{
    struct text_widths *t = user;
    t->width[which] = t->width[which] == 0 || t->width[which] == width ? width : -1;
    t->as_places = t->as_places && width == places;
}

static struct text_widths texts_of(const struct ebb_condition_config *c)
{
    struct text_widths t = {.as_places = true};
    each_text(c, see_text, &t);
    return t;
}

int ebb_condition_text_width(const struct ebb_condition *own, int which)
{
    int width = texts_of(&own->config).width[which];
    return width < 0 ? 0 : which == 0 && own->config.text_width ? own->config.text_width : width;
}

bool ebb_condition_may_lack_text(const struct ebb_condition *own)
{
    return texts_of(&own->config).as_places && !own->config.text_width;
}

// ---- checks ----

static enum ebb_result check_heads(enum ebb_unet_block kind, int channels, int heads, int head_dim,
                                   struct ebb_error *error)
{
    if (kind == EBB_BLOCK_CROSS && heads > channels)
        return ebb_fail(error, EBB_UNSUPPORTED, "\"attention_head_dim\" is %d, expected at most %d heads",
                        heads, channels);
    if (kind == EBB_BLOCK_ATTENTION && head_dim > channels)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "\"attention_head_dim\" is %d, expected at most %d, the channels there", head_dim,
                        channels);
    if (kind == EBB_BLOCK_SIMPLE_CROSS && channels % head_dim)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "\"attention_head_dim\" is %d, expected a divisor of %d channels", head_dim,
                        channels);
    return EBB_OK;
}

static enum ebb_result check_level(const struct ebb_condition_config *c, int i, struct ebb_error *error)
{
    const struct ebb_condition_level *level = &c->level[i], *up = &c->level[c->unet.levels - 1 - i];
    int out, below, next, groups = c->unet.style.groups;
    ebb_unet_up_channels(&c->unet, i, &out, &below, &next);
    enum ebb_result result = ebb_down_divides(groups, c->unet.block_out_channels[i], "norm_num_groups",
                                              error);
    for (int j = 0; result == EBB_OK && j <= up->layers; j++)
        result = ebb_down_divides(groups, (j ? out : below) + (j == up->layers ? next : out),
                                  "norm_num_groups", error);
    if (result == EBB_OK)
        result = check_heads(c->unet.down[i], c->unet.block_out_channels[i], level->heads, level->head_dim,
                             error);
    // As in diffusers: the way up has the levels in reverse, but for the width of a head.
    return result == EBB_OK ? check_heads(c->unet.up[i], out, up->heads, level->head_dim, error) : result;
}

static enum ebb_result check_text(const struct ebb_condition_config *c, struct ebb_error *error)
{
    struct text_widths t = texts_of(c);
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        if (t.width[i] < 0 && !t.as_places)
            return ebb_fail(error, EBB_UNSUPPORTED,
                            "\"cross_attention_dim\" has several widths, expected one for the text, or "
                            "everywhere that of the channels");
    if (c->text_width && t.width[0] < 0)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "\"cross_attention_dim\" has several widths, expected one with \"encoder_hid_dim\"");
    return EBB_OK;
}

// diffusers makes the layer norm of text as wide as the places that see it, and the group norm as the text.
static enum ebb_result check_text_norm(const struct ebb_condition_config *c, struct ebb_error *error)
{
    for (int i = 0; c->text_norm != EBB_TEXT_NORM_NONE && i < c->unet.levels; i++) {
        int text = c->level[i].text[0], channels = c->unet.block_out_channels[i];
        if (!has_simple_cross(c, i))
            continue;
        if (c->text_norm == EBB_TEXT_NORM_LAYER && text != channels)
            return ebb_fail(error, EBB_UNSUPPORTED,
                            "\"cross_attention_dim\" is %d, expected %d, the channels, with "
                            "\"cross_attention_norm\" \"layer_norm\"",
                            text, channels);
        if (c->text_norm == EBB_TEXT_NORM_GROUP && text % EBB_TEXT_GROUPS)
            return ebb_fail(error, EBB_UNSUPPORTED,
                            "\"cross_attention_dim\" is %d, expected a multiple of %d with "
                            "\"cross_attention_norm\" \"group_norm\"",
                            text, EBB_TEXT_GROUPS);
    }
    return EBB_OK;
}

static enum ebb_result check_mid(const struct ebb_condition_config *c, struct ebb_error *error)
{
    const struct ebb_condition_level *level = &c->level[c->unet.levels - 1];
    return check_heads(mid_kinds[c->mid], c->unet.block_out_channels[c->unet.levels - 1], level->heads,
                       level->head_dim, error);
}

static enum ebb_result check(const struct ebb_condition_config *c, struct ebb_error *error)
{
    const struct ebb_unet_config *u = &c->unet;
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < u->levels; i++)
        result = check_level(c, i, error);
    if (result == EBB_OK)
        result = check_mid(c, error);
    if (result == EBB_OK)
        result = check_text(c, error);
    if (result == EBB_OK)
        result = check_text_norm(c, error);
    if (result == EBB_OK && u->classes_beside && u->classes == EBB_CLASS_NONE)
        result = ebb_fail(error, EBB_UNSUPPORTED,
                          "\"class_embeddings_concat\" is true, expected a \"class_embed_type\" with it");
    if (result == EBB_OK && u->time == EBB_TIME_POSITIONAL && u->block_out_channels[0] / 2 <= u->freq_shift)
        result = ebb_fail(error, EBB_UNSUPPORTED, "\"freq_shift\" is %g, expected less than %d",
                          u->freq_shift, u->block_out_channels[0] / 2);
    if (result == EBB_OK && u->time == EBB_TIME_FOURIER && u->time_embedding_dim % 2)
        result = ebb_fail(error, EBB_UNSUPPORTED, "\"time_embedding_dim\" is %d, expected an even number",
                          u->time_embedding_dim);
    return result;
}

// ---- life ----

struct ebb_unet *ebb_unet_condition_create(const struct ebb_condition_config *config, struct ebb_error *error)
{
    if (check(config, error))
        return NULL;

    struct ebb_unet *unet = ebb_alloc(1, sizeof(*unet));
    if (unet && (unet->condition = ebb_alloc(1, sizeof(*unet->condition)))) {
        unet->config = config->unet;
        unet->condition->config = *config;
        want_all(unet, config);
        if (!unet->weights.failed && !unet->down.own.failed)
            return unet;
    }
    if (unet)
        ebb_unet_destroy(&unet);
    ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the network");
    return NULL;
}

static void clear_level(struct condition_level *level)
{
    for (int j = 0; j < level->layers; j++)
        for (int k = 0; k < EBB_MAX_TRANSFORMERS; k++)
            ebb_transformer_clear(&level->layer[j].transformer[k]);
}

void ebb_condition_destroy(struct ebb_condition **condition)
{
    struct ebb_condition *own = *condition;
    *condition = NULL;
    if (!own)
        return;
    for (int i = 0; i < EBB_MAX_LEVELS; i++) {
        clear_level(&own->down[i]);
        clear_level(&own->up[i]);
    }
    clear_level(&own->mid);
    free(own);
}

// ---- the network ----

// What all blocks see.
struct block_inputs {
    const struct ebb_unet *unet;
    struct ebb_node *embedding, *active; // as it is, and activated
    struct ebb_text_states text[EBB_UNET_TEXTS];
    struct ebb_skips skips;
    int h[EBB_MAX_LEVELS], w[EBB_MAX_LEVELS];
};

static struct ebb_style style_of(const struct ebb_condition_config *c, enum ebb_unet_block kind, bool mid)
{
    struct ebb_style style = c->unet.style;
    double factor = mid ? c->unet.mid_block_scale_factor : by_resnets(kind) ? c->resnet_out_scale_factor : 1;
    style.sum_factor = factor == 1 ? 0 : (float)(1 / factor);
    return style;
}

static struct ebb_node *time_of(const struct block_inputs *s, enum ebb_unet_block kind)
{
    return s->unet->condition->config.skip_time_act && by_resnets(kind) ? s->embedding : s->active;
}

static struct ebb_node *attend(struct ebb_graph *g, const struct block_inputs *s,
                               const struct condition_level *level, const struct condition_layer *layer,
                               struct ebb_node *x)
{
    const struct ebb_condition_config *c = &s->unet->condition->config;
    if (level->kind == EBB_BLOCK_SIMPLE_CROSS)
        return ebb_simple_cross(g, &layer->simple, x, s->text[0].states);
    if (level->kind == EBB_BLOCK_ATTENTION)
        return ebb_spatial_attention(g, &layer->attention, c->unet.style.eps, x);
    for (int k = 0; level->kind == EBB_BLOCK_CROSS && k < level->transformers; k++)
        x = ebb_transformer(g, &layer->transformer[k], x, &s->text[c->two_texts && k > 1]);
    return x;
}

static struct ebb_node *down_level(struct ebb_graph *g, struct block_inputs *s, int i, struct ebb_node *x)
{
    const struct ebb_condition *own = s->unet->condition;
    const struct condition_level *level = &own->down[i];
    struct ebb_style style = style_of(&own->config, level->kind, false);
    struct ebb_node *time = time_of(s, level->kind);
    for (int j = 0; j < level->layers; j++) {
        x = ebb_resnet(g, &level->layer[j].resnet, &style, x, time, EBB_KEEP_SIZE);
        s->skips.node[s->skips.count++] = x = attend(g, s, level, &level->layer[j], x);
    }
    if (!level->resampled)
        return x;
    if (by_resnets(level->kind))
        x = ebb_resnet(g, &level->resample_block, &style, x, time, EBB_DOWN);
    else
        x = ebb_conv2d(g, x, level->resample_conv.weight, level->resample_conv.bias, 2,
                       own->config.unet.downsample_padding ? EBB_PAD_SAME : EBB_PAD_RIGHT_BOTTOM);
    return s->skips.node[s->skips.count++] = x;
}

static struct ebb_node *mid_level(struct ebb_graph *g, const struct block_inputs *s, struct ebb_node *x)
{
    const struct ebb_condition *own = s->unet->condition;
    const struct condition_level *level = &own->mid;
    struct ebb_style style = style_of(&own->config, level->kind, true);
    struct ebb_node *time = time_of(s, level->kind);
    x = ebb_resnet(g, &level->layer[0].resnet, &style, x, time, EBB_KEEP_SIZE);
    if (own->config.mid == EBB_MID_PLAIN)
        return x;
    x = attend(g, s, level, &level->layer[0], x);
    return ebb_resnet(g, &own->mid_last, &style, x, time, EBB_KEEP_SIZE);
}

static struct ebb_node *up_level(struct ebb_graph *g, struct block_inputs *s, int i, struct ebb_node *x)
{
    const struct ebb_condition *own = s->unet->condition;
    const struct condition_level *level = &own->up[i];
    struct ebb_style style = style_of(&own->config, level->kind, false);
    struct ebb_node *time = time_of(s, level->kind);
    for (int j = 0; j < level->layers; j++) {
        x = ebb_concat(g, x, ebb_skips_take(g, &s->unet->down, &s->skips));
        x = ebb_resnet(g, &level->layer[j].resnet, &style, x, time, EBB_KEEP_SIZE);
        x = attend(g, s, level, &level->layer[j], x);
    }
    if (!level->resampled)
        return x;
    if (by_resnets(level->kind))
        return ebb_resnet(g, &level->resample_block, &style, x, time, EBB_UP);
    int above = own->config.unet.levels - 2 - i;
    return ebb_conv(g, ebb_upsample_to(g, x, s->h[above], s->w[above]), &level->resample_conv);
}

// Inputs for the texts, in the order of nets.h; their masks are step inputs behind those of the embedding.
static void declare_texts(struct ebb_graph *g, struct block_inputs *s, const struct ebb_unet_shape *shape)
{
    const struct ebb_condition *own = s->unet->condition;
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        if (shape->tokens[i])
            s->text[i].states = ebb_input(g, shape->n, 1, shape->tokens[i], ebb_condition_text_width(own, i));
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        if (shape->masked[i])
            s->text[i].mask = ebb_step_input(g, shape->n, shape->tokens[i]);
    if (s->text[0].states && own->config.text_width)
        s->text[0].states = ebb_linear(g, s->text[0].states, own->text_projection.weight,
                                       own->text_projection.bias);
}

struct ebb_node *ebb_condition_net(struct ebb_graph *g, const struct ebb_unet *u,
                                   const struct ebb_unet_shape *shape, struct ebb_node *x)
{
    const struct ebb_condition_config *c = &u->condition->config;
    struct block_inputs s = {.unet = u,
                             .h = {shape->turned ? shape->w : shape->h},
                             .w = {shape->turned ? shape->h : shape->w}};
    for (int i = 1; i < c->unet.levels; i++) {
        s.h[i] = (s.h[i - 1] + 1) / 2;
        s.w[i] = (s.w[i - 1] + 1) / 2;
    }
    s.embedding = ebb_embed(g, &u->down.embed, shape->n);
    s.active = ebb_activate(g, s.embedding, c->unet.style.act);
    declare_texts(g, &s, shape);

    if (c->unet.center_input_sample)
        x = ebb_conv(g, x, &u->down.center);
    x = ebb_skips_begin(g, &u->down, x, &s.skips);
    for (int i = 0; i < c->unet.levels; i++)
        x = down_level(g, &s, i, x);
    if (c->mid != EBB_MID_NONE)
        x = mid_level(g, &s, x);
    for (int i = 0; i < c->unet.levels; i++)
        x = up_level(g, &s, i, x);
    x = ebb_activate(g, ebb_norm(g, x, &c->unet.style, &u->norm_out), c->unet.style.act);
    return ebb_conv(g, x, &u->conv_out);
}

// ---- what it may be asked for ----

// Only convolutions, and upsampling in front of one, give way to a size that does not halve.
static bool halves(const struct ebb_unet_config *c, int level)
{
    enum ebb_unet_block up = c->up[c->levels - 2 - level];
    return c->downsample_padding == 0 || by_resnets(c->down[level]) || by_resnets(up) ||
           up == EBB_BLOCK_ATTENTION;
}

static enum ebb_result check_size(const struct ebb_unet_config *c, int h, int w, struct ebb_error *error)
{
    int height = h, width = w;
    for (int i = 0; i < c->levels - 1; i++, height = (height + 1) / 2, width = (width + 1) / 2)
        if (halves(c, i) && (height % 2 || width % 2))
            return ebb_fail(
                error, EBB_INVALID,
                "%d x %d is not a size this network takes: its level %d has %d x %d, expected even "
                "numbers; multiples of %d always fit",
                h, w, i, height, width, 1 << (c->levels - 1));
    return EBB_OK;
}

enum ebb_result ebb_condition_check_shape(const struct ebb_unet *u, const struct ebb_unet_shape *s,
                                          struct ebb_error *error)
{
    const struct ebb_condition *own = u->condition;
    bool simple = false;
    if (check_size(&own->config.unet, s->h, s->w, error) != EBB_OK)
        return EBB_INVALID;
    for (int i = 0; i < own->config.unet.levels; i++)
        simple |= has_simple_cross(&own->config, i);
    for (int i = 0; i < EBB_UNET_TEXTS; i++) {
        int width = ebb_condition_text_width(own, i);
        if (s->tokens[i] && !width)
            return ebb_fail(error, EBB_INVALID, "a text %d was given, the network sees none", i + 1);
        if (width && !s->tokens[i] && !ebb_condition_may_lack_text(own))
            return ebb_fail(error, EBB_INVALID, "the network needs text %d, states of %d numbers a token",
                            i + 1, width);
        if (s->masked[i] && !s->tokens[i])
            return ebb_fail(error, EBB_INVALID, "a mask of text %d, which was not given", i + 1);
        if (s->masked[i] && simple)
            return ebb_fail(error, EBB_UNSUPPORTED, "a mask of the text with SimpleCrossAttn blocks");
    }
    bool both = ebb_condition_text_width(own, 0) && ebb_condition_text_width(own, 1);
    if (both && !s->tokens[0] != !s->tokens[1])
        return ebb_fail(error, EBB_INVALID, "one of two texts was given, the network needs both");
    return EBB_OK;
}
