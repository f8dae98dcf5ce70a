// UNet2DModel, as diffusers has it: Ho et al. 2020 with the options of Song et al. 2021 and Dhariwal & Nichol 2021.
#include "nets/unet2d.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"
#include "nets/embed.h"

struct level {
    struct ebb_resnet resnets[EBB_MAX_LAYERS + 1];
    struct ebb_spatial_attention attentions[EBB_MAX_LAYERS + 1];
    bool attention;
    bool resample_resnet; // resampled by a residual block, otherwise by a convolution
    struct ebb_resnet resample_block;
    struct ebb_layer resample_conv;
};

struct ebb_unet {
    struct ebb_unet_config config;
    struct ebb_weights weights;
    struct ebb_embed embed;
    struct ebb_layer center; // 1x1: 2 x - 1; our own, not in the file
    struct ebb_weights own;

    struct ebb_layer conv_in, norm_out, conv_out;
    struct level down[EBB_MAX_LEVELS], up[EBB_MAX_LEVELS];
    struct ebb_resnet mid[2];
    struct ebb_spatial_attention mid_attention;
};

void ebb_unet_config_default(struct ebb_unet_config *config)
{
    *config = (struct ebb_unet_config){
        .in_channels = 3, .out_channels = 3, .flip_sin_to_cos = true,
        .levels = 4, .block_out_channels = {224, 448, 672, 896},
        .down = {EBB_BLOCK_PLAIN, EBB_BLOCK_ATTENTION, EBB_BLOCK_ATTENTION, EBB_BLOCK_ATTENTION},
        .up = {EBB_BLOCK_ATTENTION, EBB_BLOCK_ATTENTION, EBB_BLOCK_ATTENTION, EBB_BLOCK_PLAIN},
        .layers_per_block = 2, .mid = true, .add_attention = true, .mid_block_scale_factor = 1,
        .downsample_padding = 1, .attention_head_dim = 8,
        .style = {.groups = 32, .eps = 1e-5f, .act = EBB_ACT_SILU},
    };
}

// ---- layout: which weights there are ----

static void want_attention(struct ebb_unet *u, struct ebb_spatial_attention *a, const char *prefix, int channels,
                           int groups)
{
    int width = u->config.attention_head_dim ? u->config.attention_head_dim : channels;
    ebb_want_attention(a, &u->weights, prefix, channels, channels / width, width, groups);
}

static void want_layer(struct ebb_unet *u, struct level *level, const char *path, int index, int cin, int cout)
{
    char prefix[96];
    snprintf(prefix, sizeof(prefix), "%s.resnets.%d.", path, index);
    ebb_want_resnet(&level->resnets[index], &u->weights, prefix, cin, cout, u->embed.width, u->config.style.film);
    if (level->attention) {
        snprintf(prefix, sizeof(prefix), "%s.attentions.%d.", path, index);
        want_attention(u, &level->attentions[index], prefix, cout, u->config.style.groups);
    }
}

static void want_resample(struct ebb_unet *u, struct level *level, const char *path, const char *name, int channels)
{
    char prefix[96];
    snprintf(prefix, sizeof(prefix), "%s.%s.0.", path, name);
    if (level->resample_resnet)
        ebb_want_resnet(&level->resample_block, &u->weights, prefix, channels, channels, u->embed.width,
                        u->config.style.film);
    else
        level->resample_conv = ebb_want_conv(&u->weights, channels, channels, 3, prefix, "conv");
}

static void want_down(struct ebb_unet *u, int i)
{
    const struct ebb_unet_config *c = &u->config;
    struct level *level = &u->down[i];
    int cin = c->block_out_channels[i ? i - 1 : 0], cout = c->block_out_channels[i];
    char path[32];
    snprintf(path, sizeof(path), "down_blocks.%d", i);

    level->attention = c->down[i] == EBB_BLOCK_ATTENTION;
    level->resample_resnet = c->down[i] == EBB_BLOCK_RESNET || (level->attention && c->downsample_resnet);
    for (int j = 0; j < c->layers_per_block; j++)
        want_layer(u, level, path, j, j ? cout : cin, cout);
    if (i < c->levels - 1)
        want_resample(u, level, path, "downsamplers", cout);
}

static void want_mid(struct ebb_unet *u)
{
    const struct ebb_unet_config *c = &u->config;
    int channels = c->block_out_channels[c->levels - 1];
    for (int j = 0; j < 2; j++) {
        char prefix[40];
        snprintf(prefix, sizeof(prefix), "mid_block.resnets.%d.", j);
        ebb_want_resnet(&u->mid[j], &u->weights, prefix, channels, channels, u->embed.width, c->style.film);
    }
    // Upstream drops the norm here, and here only, when the time scales and shifts and no groups are given.
    int groups = c->attn_norm_num_groups ? c->attn_norm_num_groups : c->style.film ? 0 : c->style.groups;
    if (c->add_attention)
        want_attention(u, &u->mid_attention, "mid_block.attentions.0.", channels, groups);
}

// Channels of up block `i` (0: the lowest level), of what comes from below it, and of the first skip of the next.
static void up_channels(const struct ebb_unet_config *c, int i, int *out, int *below, int *next)
{
    int last = c->levels - 1;
    *out = c->block_out_channels[last - i];
    *below = c->block_out_channels[last - (i ? i - 1 : 0)];
    *next = c->block_out_channels[i < last ? last - i - 1 : 0];
}

static void want_up(struct ebb_unet *u, int i)
{
    const struct ebb_unet_config *c = &u->config;
    struct level *level = &u->up[i];
    int out, below, next;
    up_channels(c, i, &out, &below, &next);
    char path[32];
    snprintf(path, sizeof(path), "up_blocks.%d", i);

    level->attention = c->up[i] == EBB_BLOCK_ATTENTION;
    level->resample_resnet = c->up[i] == EBB_BLOCK_RESNET || (level->attention && c->upsample_resnet);
    for (int j = 0; j <= c->layers_per_block; j++)
        want_layer(u, level, path, j, (j ? out : below) + (j == c->layers_per_block ? next : out), out);
    if (i < c->levels - 1)
        want_resample(u, level, path, "upsamplers", out);
}

// 2 x - 1 as a 1x1 convolution, so that the border still sees zeros outside.
static void want_center(struct ebb_unet *u)
{
    int channels = u->config.in_channels;
    u->center = ebb_want_conv(&u->own, channels, channels, 1, "", "center_input_sample");
    if (u->own.failed)
        return;
    for (int i = 0; i < 2; i++) {
        struct ebb_wanted *row = u->own.items[i];
        row->data = ebb_alloc((size_t)channels, (i ? 1 : (size_t)channels) * sizeof(float));
        row->weight.data = row->data;
        u->own.failed |= !row->data;
    }
    for (int i = 0; !u->own.failed && i < channels; i++) {
        u->own.items[0]->data[i * channels + i] = 2;
        u->own.items[1]->data[i] = -1;
    }
}

static void want_all(struct ebb_unet *u)
{
    const struct ebb_unet_config *c = &u->config;
    int first = c->block_out_channels[0];
    if (c->center_input_sample)
        want_center(u);
    ebb_want_embed(&u->embed, &u->weights, c);
    u->conv_in = ebb_want_conv(&u->weights, c->in_channels, first, 3, "", "conv_in");
    for (int i = 0; i < c->levels; i++)
        want_down(u, i);
    if (c->mid)
        want_mid(u);
    for (int i = 0; i < c->levels; i++)
        want_up(u, i);
    u->norm_out = ebb_want_norm(&u->weights, first, "", "conv_norm_out");
    u->conv_out = ebb_want_conv(&u->weights, first, c->out_channels, 3, "", "conv_out");
}

// ---- checks ----

static enum ebb_result divides(int groups, int channels, const char *key, struct ebb_error *error)
{
    if (groups > 0 && channels % groups == 0)
        return EBB_OK;
    return ebb_fail(error, EBB_UNSUPPORTED, "\"%s\" is %d, expected a divisor of %d channels", key, groups, channels);
}

static enum ebb_result check_attention(const struct ebb_unet_config *c, int channels, struct ebb_error *error)
{
    if (c->attention_head_dim <= channels)
        return EBB_OK;
    return ebb_fail(error, EBB_UNSUPPORTED, "\"attention_head_dim\" is %d, expected at most %d, the channels there",
                    c->attention_head_dim, channels);
}

static enum ebb_result check_level(const struct ebb_unet_config *c, int i, struct ebb_error *error)
{
    int out, below, next, groups = c->style.groups, layers = c->layers_per_block;
    up_channels(c, i, &out, &below, &next);
    enum ebb_result result = divides(groups, out, "norm_num_groups", error);
    for (int j = 0; !result && j <= layers; j++)
        result = divides(groups, (j ? out : below) + (j == layers ? next : out), "norm_num_groups", error);
    if (!result && (c->up[i] == EBB_BLOCK_ATTENTION || c->down[c->levels - 1 - i] == EBB_BLOCK_ATTENTION))
        result = check_attention(c, out, error);
    return result;
}

static enum ebb_result check(const struct ebb_unet_config *c, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; !result && i < c->levels; i++)
        result = check_level(c, i, error);

    int lowest = c->block_out_channels[c->levels - 1];
    if (!result && c->mid && c->add_attention)
        result = check_attention(c, lowest, error);
    if (!result && c->mid && c->add_attention && c->attn_norm_num_groups)
        result = divides(c->attn_norm_num_groups, lowest, "attn_norm_num_groups", error);
    if (!result && c->time == EBB_TIME_LEARNED && c->num_train_timesteps < 1)
        result = ebb_fail(error, EBB_UNSUPPORTED,
                          "\"num_train_timesteps\" is missing, expected for \"time_embedding_type\" \"learned\"");
    if (!result && c->time == EBB_TIME_POSITIONAL && c->block_out_channels[0] / 2 <= c->freq_shift)
        result = ebb_fail(error, EBB_UNSUPPORTED, "\"freq_shift\" is %g, expected less than %d", c->freq_shift,
                          c->block_out_channels[0] / 2);
    return result;
}

struct ebb_unet *ebb_unet_create(const struct ebb_unet_config *config, struct ebb_error *error)
{
    if (check(config, error))
        return NULL;

    struct ebb_unet *unet = ebb_alloc(1, sizeof(*unet));
    if (unet) {
        unet->config = *config;
        want_all(unet);
    }
    if (unet && !unet->weights.failed && !unet->own.failed)
        return unet;

    ebb_unet_destroy(&unet);
    ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the network");
    return NULL;
}

void ebb_unet_destroy(struct ebb_unet **unet)
{
    if (!*unet)
        return;
    ebb_weights_clear(&(*unet)->weights);
    ebb_weights_clear(&(*unet)->own);
    free(*unet);
    *unet = NULL;
}

struct ebb_weights *ebb_unet_weights(struct ebb_unet *unet)
{
    return &unet->weights;
}

const struct ebb_unet_config *ebb_unet_config(const struct ebb_unet *unet)
{
    return &unet->config;
}

// ---- the network ----

struct skips {
    struct ebb_node *node[EBB_MAX_LEVELS * (EBB_MAX_LAYERS + 1)];
    int count;
};

static struct ebb_node *layer(struct ebb_graph *g, const struct ebb_unet *u, const struct level *level, int j,
                              struct ebb_node *x, struct ebb_node *time)
{
    const struct ebb_style *style = &u->config.style;
    x = ebb_resnet(g, &level->resnets[j], style, x, time, EBB_KEEP_SIZE);
    return level->attention ? ebb_spatial_attention(g, &level->attentions[j], style->eps, x) : x;
}

static struct ebb_node *down_block(struct ebb_graph *g, const struct ebb_unet *u, int i, struct ebb_node *x,
                                   struct ebb_node *time, struct skips *skips)
{
    const struct level *level = &u->down[i];
    for (int j = 0; j < u->config.layers_per_block; j++)
        skips->node[skips->count++] = x = layer(g, u, level, j, x, time);
    if (i == u->config.levels - 1)
        return x;

    if (level->resample_resnet)
        x = ebb_resnet(g, &level->resample_block, &u->config.style, x, time, EBB_DOWN);
    else
        x = ebb_conv2d(g, x, level->resample_conv.weight, level->resample_conv.bias, 2,
                       u->config.downsample_padding ? EBB_PAD_SAME : EBB_PAD_RIGHT_BOTTOM);
    return skips->node[skips->count++] = x;
}

static struct ebb_node *rescaled(struct ebb_graph *g, const struct ebb_unet *u, struct ebb_node *x)
{
    double factor = u->config.mid_block_scale_factor;
    return factor == 1 ? x : ebb_scale(g, x, (float)(1 / factor));
}

static struct ebb_node *mid_block(struct ebb_graph *g, const struct ebb_unet *u, struct ebb_node *x,
                                  struct ebb_node *time)
{
    const struct ebb_style *style = &u->config.style;
    x = rescaled(g, u, ebb_resnet(g, &u->mid[0], style, x, time, EBB_KEEP_SIZE));
    if (u->config.add_attention)
        x = rescaled(g, u, ebb_spatial_attention(g, &u->mid_attention, style->eps, x));
    return rescaled(g, u, ebb_resnet(g, &u->mid[1], style, x, time, EBB_KEEP_SIZE));
}

static struct ebb_node *up_block(struct ebb_graph *g, const struct ebb_unet *u, int i, struct ebb_node *x,
                                 struct ebb_node *time, struct skips *skips)
{
    const struct level *level = &u->up[i];
    for (int j = 0; j <= u->config.layers_per_block; j++)
        x = layer(g, u, level, j, ebb_concat(g, x, skips->node[--skips->count]), time);
    if (i == u->config.levels - 1)
        return x;
    if (level->resample_resnet)
        return ebb_resnet(g, &level->resample_block, &u->config.style, x, time, EBB_UP);
    return ebb_conv(g, ebb_upsample(g, x), &level->resample_conv);
}

enum ebb_result ebb_unet_build(const struct ebb_unet *u, struct ebb_graph *g, int n, int h, int w, int condition,
                               struct ebb_error *error)
{
    const struct ebb_unet_config *c = &u->config;
    int multiple = ebb_unet_multiple(u);
    if (h % multiple || w % multiple)
        return ebb_fail(error, EBB_INVALID, "%d x %d is not a size this network takes: both must be multiples of %d", h,
                        w, multiple);

    struct skips skips = {.count = 0};
    struct ebb_node *x = ebb_input(g, n, h, w, c->in_channels - condition);
    if (condition)
        x = ebb_concat(g, x, ebb_input(g, n, h, w, condition));
    struct ebb_node *time = ebb_activate(g, ebb_embed(g, &u->embed, n), c->style.act);
    if (c->center_input_sample)
        x = ebb_conv(g, x, &u->center);
    skips.node[skips.count++] = x = ebb_conv(g, x, &u->conv_in);
    for (int i = 0; i < c->levels; i++)
        x = down_block(g, u, i, x, time, &skips);
    if (c->mid)
        x = mid_block(g, u, x, time);
    for (int i = 0; i < c->levels; i++)
        x = up_block(g, u, i, x, time, &skips);
    // SiLU here, whatever the blocks use.
    x = ebb_activate(g, ebb_norm(g, x, &c->style, &u->norm_out), EBB_ACT_SILU);
    ebb_output(g, ebb_conv(g, x, &u->conv_out));
    return ebb_graph_failed(g, error);
}

// ---- what the engines ask ----

int ebb_unet_step_inputs(const struct ebb_unet *unet, int width[2])
{
    width[0] = unet->embed.time_input;
    width[1] = unet->embed.class_input;
    return width[1] ? 2 : 1;
}

void ebb_unet_embed(const struct ebb_unet *unet, double timestep, int label, const float *class_vector, float *time_row,
                    float *class_row)
{
    ebb_embed_time(&unet->embed, timestep, time_row);
    if (unet->embed.class_input && class_row)
        ebb_embed_class(&unet->embed, label, class_vector, class_row);
}

double ebb_unet_output_scale(const struct ebb_unet *unet, double timestep)
{
    return unet->config.time == EBB_TIME_FOURIER ? 1 / timestep : 1;
}

int ebb_unet_in_channels(const struct ebb_unet *unet)
{
    return unet->config.in_channels;
}

int ebb_unet_out_channels(const struct ebb_unet *unet)
{
    return unet->config.out_channels;
}

int ebb_unet_classes(const struct ebb_unet *unet)
{
    return unet->config.classes == EBB_CLASS_TABLE ? unet->config.num_class_embeds : 0;
}

int ebb_unet_multiple(const struct ebb_unet *unet)
{
    return 1 << (unet->config.levels - 1);
}
