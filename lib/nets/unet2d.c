// SPDX-License-Identifier: LGPL-2.1-or-later
// UNet2DModel, as diffusers has it: Ho et al. 2020 with the options of Song et al. 2021 and Dhariwal & Nichol
// 2021.
#include "nets/unet2d.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"
#include "nets/skip.h"
#include "nets/unet.h"

void ebb_unet_config_default(struct ebb_unet_config *config)
{
    *config = (struct ebb_unet_config){
        .in_channels = 3,
        .out_channels = 3,
        .flip_sin_to_cos = true,
        .levels = 4,
        .block_out_channels = {224, 448, 672, 896},
        .down = {EBB_BLOCK_PLAIN, EBB_BLOCK_ATTENTION, EBB_BLOCK_ATTENTION, EBB_BLOCK_ATTENTION},
        .up = {EBB_BLOCK_ATTENTION, EBB_BLOCK_ATTENTION, EBB_BLOCK_ATTENTION, EBB_BLOCK_PLAIN},
        .layers_per_block = 2,
        .mid = true,
        .add_attention = true,
        .mid_block_scale_factor = 1,
        .downsample_padding = 1,
        .attention_head_dim = 8,
        .embed_act = EBB_ACT_SILU,
        .style = {.groups = 32, .eps = 1e-5f, .act = EBB_ACT_SILU},
    };
}

bool ebb_unet_block_skips(enum ebb_unet_block block)
{
    return block == EBB_BLOCK_SKIP || block == EBB_BLOCK_ATTENTION_SKIP;
}

// ---- layout: which weights there are ----

void ebb_unet_up_channels(const struct ebb_unet_config *c, int i, int *out, int *below, int *next)
{
    int last = c->levels - 1;
    *out = c->block_out_channels[last - i];
    *below = c->block_out_channels[last - (i ? i - 1 : 0)];
    *next = c->block_out_channels[i < last ? last - i - 1 : 0];
}

static void want_up(struct ebb_unet *u, int i)
{
    const struct ebb_unet_config *c = &u->config;
    struct ebb_unet_level *level = &u->up[i];
    int out, below, next;
    ebb_unet_up_channels(c, i, &out, &below, &next);
    if (ebb_unet_block_skips(c->up[i])) {
        ebb_want_skip_up(&u->down, level, i, below, out, next);
        return;
    }
    char path[32];
    snprintf(path, sizeof(path), "up_blocks.%d", i);

    level->attention = c->up[i] == EBB_BLOCK_ATTENTION;
    level->resample_resnet = c->up[i] == EBB_BLOCK_RESNET || (level->attention && c->upsample_resnet);
    for (int j = 0; j <= c->layers_per_block; j++)
        ebb_want_unet_layer(&u->down, level, path, j,
                            (j ? out : below) + (j == c->layers_per_block ? next : out), out);
    if (i < c->levels - 1)
        ebb_want_unet_resample(&u->down, level, path, "upsamplers", out);
}

static void want_all(struct ebb_unet *u)
{
    const struct ebb_unet_config *c = &u->config;
    int first = c->block_out_channels[0];
    ebb_want_down(&u->down, &u->weights, c);
    for (int i = 0; i < c->levels; i++)
        want_up(u, i);
    u->norm_out = ebb_want_norm(&u->weights, first, "", "conv_norm_out");
    u->conv_out = ebb_want_conv(&u->weights, first, c->out_channels, 3, "", "conv_out");
}

// ---- checks ----

static enum ebb_result check_level(const struct ebb_unet_config *c, int i, struct ebb_error *error)
{
    int out, below, next, groups = c->style.groups, layers = c->layers_per_block;
    ebb_unet_up_channels(c, i, &out, &below, &next);
    enum ebb_result result = ebb_down_divides(groups, out, "norm_num_groups", error);
    for (int j = 0; result == EBB_OK && j <= layers; j++)
        result = ebb_down_divides(groups, (j ? out : below) + (j == layers ? next : out), "norm_num_groups",
                                  error);
    if (result == EBB_OK && c->up[i] == EBB_BLOCK_ATTENTION)
        result = ebb_down_check_attention(c, out, error);
    return result;
}

static enum ebb_result check(const struct ebb_unet_config *c, struct ebb_error *error)
{
    bool skips = false;
    for (int i = 0; i < c->levels; i++)
        skips |= ebb_unet_block_skips(c->up[i]);
    enum ebb_result result = skips ? ebb_skip_check_up(c, error) : EBB_OK;
    for (int i = 0; !skips && result == EBB_OK && i < c->levels; i++)
        result = check_level(c, i, error);
    if (result == EBB_OK)
        result = ebb_down_divides(ebb_style_groups(&c->style, c->block_out_channels[0]),
                                  c->block_out_channels[0], "norm_num_groups", error);
    return result == EBB_OK ? ebb_down_check(c, error) : result;
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
    if (unet && !unet->weights.failed && !unet->down.own.failed)
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
    ebb_down_clear(&(*unet)->down);
    ebb_condition_destroy(&(*unet)->condition);
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

static struct ebb_node *up_block(struct ebb_graph *g, const struct ebb_unet *u, int i, struct ebb_node *x,
                                 struct ebb_node *time, struct ebb_skips *skips, struct ebb_node **image)
{
    const struct ebb_unet_level *level = &u->up[i];
    if (ebb_unet_block_skips(u->config.up[i]))
        return ebb_skip_up(g, &u->down, level, i, x, time, skips, image);
    for (int j = 0; j <= u->config.layers_per_block; j++)
        x = ebb_unet_layer(g, &u->down, level, j, ebb_concat(g, x, ebb_skips_take(g, &u->down, skips)), time);
    if (i == u->config.levels - 1)
        return x;
    if (level->resample_resnet)
        return ebb_resnet(g, &level->resample_block, &u->config.style, x, time, EBB_UP);
    return ebb_conv(g, ebb_upsample(g, x), &level->resample_conv);
}

static struct ebb_node *plain_net(struct ebb_graph *g, const struct ebb_unet *u, int n, struct ebb_node *x)
{
    const struct ebb_unet_config *c = &u->config;
    struct ebb_skips skips = {.count = 0};
    struct ebb_node *image = NULL; // beside the features, of Skip blocks
    struct ebb_node *time = ebb_activate(g, ebb_embed(g, &u->down.embed, n), c->style.act);
    x = ebb_down(g, &u->down, x, time, &skips);
    for (int i = 0; i < c->levels; i++)
        x = up_block(g, u, i, x, time, &skips, &image);
    // SiLU here, whatever the blocks use.
    x = ebb_activate(g, ebb_norm(g, x, &c->style, &u->norm_out), EBB_ACT_SILU);
    x = ebb_conv(g, x, &u->conv_out);
    return image ? ebb_add(g, x, image) : x;
}

enum ebb_result ebb_unet_build(const struct ebb_unet *u, struct ebb_graph *g, const struct ebb_unet_shape *s,
                               struct ebb_error *error)
{
    int multiple = ebb_unet_multiple(u);
    if (s->h % multiple || s->w % multiple)
        return ebb_fail(error, EBB_INVALID,
                        "%d x %d is not a size this network takes: both must be multiples of %d", s->h, s->w,
                        multiple);
    enum ebb_result result = u->condition ? ebb_condition_check_shape(u, s, error)
                             : s->tokens[0] || s->tokens[1]
                                 ? ebb_fail(error, EBB_INVALID, "text was given, the network sees none")
                                 : EBB_OK;
    if (result != EBB_OK)
        return result;

    struct ebb_node *x = ebb_input(g, s->n, s->h, s->w, u->config.in_channels - s->condition);
    if (s->condition)
        x = ebb_concat(g, x, ebb_input(g, s->n, s->h, s->w, s->condition));
    x = s->turned ? ebb_turn(g, x) : x;
    x = u->condition ? ebb_condition_net(g, u, s, x) : plain_net(g, u, s->n, x);
    ebb_output(g, s->turned ? ebb_turn(g, x) : x);
    return ebb_graph_failed(g, error);
}

// ---- what the engines ask ----

int ebb_unet_step_inputs(const struct ebb_unet *unet, int width[2])
{
    width[0] = unet->down.embed.time_input;
    width[1] = unet->down.embed.class_input;
    return width[1] ? 2 : 1;
}

void ebb_unet_embed(const struct ebb_unet *unet, double timestep, int label, const float *class_vector,
                    float *time_row, float *class_row)
{
    ebb_embed_time(&unet->down.embed, timestep, time_row);
    if (unet->down.embed.class_input && class_row)
        ebb_embed_class(&unet->down.embed, label, class_vector, class_row);
}

int ebb_unet_class_vector(const struct ebb_unet *unet)
{
    return unet->config.classes == EBB_CLASS_NONE ? 0 : ebb_embed_class_vector(&unet->down.embed);
}

int ebb_unet_text_width(const struct ebb_unet *unet, int which)
{
    return unet->condition ? ebb_condition_text_width(unet->condition, which) : 0;
}

bool ebb_unet_may_lack_text(const struct ebb_unet *unet)
{
    return !unet->condition || ebb_condition_may_lack_text(unet->condition);
}

double ebb_unet_output_scale(const struct ebb_unet *unet, double timestep)
{
    return unet->config.time == EBB_TIME_FOURIER && !unet->config.fourier_of_time ? 1 / timestep : 1;
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
    return unet->condition ? 1 : 1 << (unet->config.levels - 1);
}
