// SPDX-License-Identifier: LGPL-2.1-or-later
// See skip.h. Names and habits are those of diffusers' SkipDownBlock2D and its three relatives.
#include "nets/skip.h"

#include <math.h>
#include <stdio.h>

#include "base/base.h"

enum { IMAGE = 3, ATTENTION_GROUPS = 32 }; // channels of the image; upstream has these numbers in its code

static struct ebb_style style_of(const struct ebb_down *d)
{
    struct ebb_style style = d->config->style;
    style.groups = 0;
    style.sum_factor = (float)M_SQRT1_2;
    return style;
}

// ---- layout ----

// 1 3 3 1 around a factor of two is 1 2 1 before the mean of two pixels, and after the repetition of one: a
// 3x3 filter in either direction, here as a convolution of each channel by itself.
static struct ebb_weight *smooth_of(struct ebb_down *d, int channels)
{
    static const float line[3] = {0.25f, 0.5f, 0.25f};
    for (int i = 0; i < d->own.count; i++)
        if (d->own.items[i]->weight.kh == 3 && d->own.items[i]->weight.cout == channels)
            return &d->own.items[i]->weight;
    struct ebb_weight *weight = ebb_want(&d->own, 4, channels, channels, 3, "", "smooth");
    float *data = weight ? ebb_alloc((size_t)channels * (size_t)channels, 9 * sizeof(float)) : NULL;
    d->own.failed |= !data;
    if (!data)
        return NULL;
    weight->data = d->own.items[d->own.count - 1]->data = data;
    for (size_t c = 0, n = (size_t)channels; c < n; c++)
        for (size_t k = 0; k < 9; k++)
            data[(c * 9 + k) * n + c] = line[k / 3] * line[k % 3];
    return weight;
}

static void want_resnet(struct ebb_down *d, struct ebb_resnet *block, const char *path, int j, int cin,
                        int cout)
{
    char prefix[96];
    snprintf(prefix, sizeof(prefix), "%s.resnets.%d.", path, j);
    ebb_want_resnet(block, d->weights, prefix, cin, cout, d->embed.width, d->config->style.film);
}

static void want_attention(struct ebb_down *d, struct ebb_spatial_attention *block, const char *path, int j,
                           int channels)
{
    int width = d->config->attention_head_dim ? d->config->attention_head_dim : channels;
    char prefix[96];
    snprintf(prefix, sizeof(prefix), "%s.attentions.%d.", path, j);
    ebb_want_attention(block, d->weights, prefix, channels, channels / width, width, ATTENTION_GROUPS);
}

// A block that resamples has a convolution on its shortcut, though the channels stay.
static void want_resample(struct ebb_down *d, struct ebb_resnet *block, const char *path, const char *name,
                          int channels)
{
    char prefix[96];
    snprintf(prefix, sizeof(prefix), "%s.%s.", path, name);
    ebb_want_resnet(block, d->weights, prefix, channels, channels, d->embed.width, d->config->style.film);
    block->shortcut = ebb_want_conv(d->weights, channels, channels, 1, prefix, "conv_shortcut");
    block->smooth = smooth_of(d, channels);
    d->smooth_image = smooth_of(d, IMAGE);
}

void ebb_want_skip_down(struct ebb_down *d, int i)
{
    const struct ebb_unet_config *c = d->config;
    struct ebb_unet_level *level = &d->level[i];
    int cin = c->block_out_channels[i ? i - 1 : 0], cout = c->block_out_channels[i];
    char path[32];
    snprintf(path, sizeof(path), "down_blocks.%d", i);
    level->attention = c->down[i] == EBB_BLOCK_ATTENTION_SKIP;
    for (int j = 0; j < c->layers_per_block; j++) {
        want_resnet(d, &level->resnets[j], path, j, j ? cout : cin, cout);
        if (level->attention)
            want_attention(d, &level->attentions[j], path, j, cout);
    }
    if (i == c->levels - 1)
        return;
    want_resample(d, &level->resample_block, path, "resnet_down", cout);
    level->skip_conv = ebb_want_conv(d->weights, IMAGE, cout, 1, path, ".skip_conv");
}

// Upstream forgets a bracket where it divides the channels by 4, with attention alone.
static int groups_up(bool attention, int x, int skip)
{
    int groups = attention ? x + skip / 4 : (x + skip) / 4;
    return groups < 32 ? groups : 32;
}

void ebb_want_skip_up(struct ebb_down *d, struct ebb_unet_level *level, int i, int below, int out, int next)
{
    const struct ebb_unet_config *c = d->config;
    char path[32];
    snprintf(path, sizeof(path), "up_blocks.%d", i);
    level->attention = c->up[i] == EBB_BLOCK_ATTENTION_SKIP;
    for (int j = 0; j <= c->layers_per_block; j++) {
        int x = j ? out : below, skip = j == c->layers_per_block ? next : out;
        want_resnet(d, &level->resnets[j], path, j, x + skip, out);
        level->resnets[j].groups1 = groups_up(level->attention, x, skip);
    }
    if (level->attention)
        want_attention(d, &level->attentions[0], path, 0, out);
    if (i == c->levels - 1)
        return;
    want_resample(d, &level->resample_block, path, "resnet_up", out);
    level->skip_conv = ebb_want_conv(d->weights, out, IMAGE, 3, path, ".skip_conv");
    level->skip_norm = ebb_want_norm(d->weights, out, path, ".skip_norm");
}

// ---- checks ----

static enum ebb_result check_block(const struct ebb_unet_config *c, enum ebb_unet_block block, int channels,
                                   struct ebb_error *error)
{
    int groups = ebb_style_groups(&(struct ebb_style){.groups = 0}, channels);
    if (groups < 1 || channels % groups)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "\"block_out_channels\" has %d, which %d groups of a Skip block do not divide",
                        channels, groups);
    if (block != EBB_BLOCK_ATTENTION_SKIP)
        return EBB_OK;
    if (channels % ATTENTION_GROUPS)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "\"block_out_channels\" has %d, expected a multiple of %d where an AttnSkip block is",
                        channels, ATTENTION_GROUPS);
    return ebb_down_check_attention(c, channels, error);
}

// All blocks of one way, or none: the image would not have the features' size.
static enum ebb_result check_family(const struct ebb_unet_config *c, const enum ebb_unet_block *blocks,
                                    const char *key, struct ebb_error *error)
{
    for (int i = 0; i < c->levels; i++)
        if (!ebb_unet_block_skips(blocks[i]))
            return ebb_fail(error, EBB_UNSUPPORTED,
                            "\"%s\" has Skip blocks beside others, expected Skip blocks alone", key);
    return EBB_OK;
}

enum ebb_result ebb_skip_check_down(const struct ebb_unet_config *c, struct ebb_error *error)
{
    enum ebb_result result = check_family(c, c->down, "down_block_types", error);
    if (result == EBB_OK && c->in_channels != IMAGE)
        result = ebb_fail(error, EBB_UNSUPPORTED, "\"in_channels\" is %d, expected %d with Skip blocks",
                          c->in_channels, IMAGE);
    for (int i = 0; result == EBB_OK && i < c->levels; i++)
        result = check_block(c, c->down[i], c->block_out_channels[i], error);
    return result;
}

static enum ebb_result check_level_up(const struct ebb_unet_config *c, int i, struct ebb_error *error)
{
    int out, below, next;
    ebb_unet_up_channels(c, i, &out, &below, &next);
    enum ebb_result result = check_block(c, c->up[i], out, error);
    for (int j = 0; result == EBB_OK && j <= c->layers_per_block; j++) {
        int x = j ? out : below, skip = j == c->layers_per_block ? next : out;
        int groups = groups_up(c->up[i] == EBB_BLOCK_ATTENTION_SKIP, x, skip);
        if ((x + skip) % groups)
            result = ebb_fail(error, EBB_UNSUPPORTED,
                              "\"block_out_channels\": %d + %d channels meet on the way up, which %d groups "
                              "do not divide",
                              x, skip, groups);
    }
    return result;
}

enum ebb_result ebb_skip_check_up(const struct ebb_unet_config *c, struct ebb_error *error)
{
    enum ebb_result result = check_family(c, c->up, "up_block_types", error);
    if (result == EBB_OK && c->out_channels != IMAGE)
        result = ebb_fail(error, EBB_UNSUPPORTED, "\"out_channels\" is %d, expected %d with Skip blocks",
                          c->out_channels, IMAGE);
    for (int i = 0; result == EBB_OK && i < c->levels; i++)
        result = check_level_up(c, i, error);
    return result;
}

// ---- the network ----

static struct ebb_node *attend(struct ebb_graph *g, const struct ebb_spatial_attention *block, float eps,
                               struct ebb_node *x)
{
    return ebb_scale(g, ebb_spatial_attention(g, block, eps, x), (float)M_SQRT1_2);
}

static struct ebb_node *smoothed(struct ebb_graph *g, const struct ebb_down *d, struct ebb_node *image)
{
    return ebb_conv2d(g, image, d->smooth_image, NULL, 1, EBB_PAD_SAME);
}

struct ebb_node *ebb_skip_down(struct ebb_graph *g, const struct ebb_down *d, int i, struct ebb_node *x,
                               struct ebb_node *time, struct ebb_skips *skips, struct ebb_node **image)
{
    const struct ebb_unet_level *level = &d->level[i];
    struct ebb_style style = style_of(d);
    for (int j = 0; j < d->config->layers_per_block; j++) {
        x = ebb_resnet(g, &level->resnets[j], &style, x, time, EBB_KEEP_SIZE);
        if (level->attention)
            x = attend(g, &level->attentions[j], style.eps, x);
        skips->node[skips->count++] = x;
    }
    if (i == d->config->levels - 1)
        return x;
    x = ebb_resnet(g, &level->resample_block, &style, x, time, EBB_DOWN);
    *image = ebb_avg_pool(g, smoothed(g, d, *image));
    x = ebb_add(g, ebb_conv(g, *image, &level->skip_conv), x);
    return skips->node[skips->count++] = x;
}

struct ebb_node *ebb_skip_up(struct ebb_graph *g, const struct ebb_down *d,
                             const struct ebb_unet_level *level, int i, struct ebb_node *x,
                             struct ebb_node *time, struct ebb_skips *skips, struct ebb_node **image)
{
    struct ebb_style style = style_of(d);
    for (int j = 0; j <= d->config->layers_per_block; j++)
        x = ebb_resnet(g, &level->resnets[j], &style, ebb_concat(g, x, skips->node[--skips->count]), time,
                       EBB_KEEP_SIZE);
    if (level->attention)
        x = attend(g, &level->attentions[0], style.eps, x);
    if (*image)
        *image = smoothed(g, d, ebb_upsample(g, *image));
    if (i == d->config->levels - 1)
        return x;
    struct ebb_node *more = ebb_activate(g, ebb_norm(g, x, &style, &level->skip_norm), EBB_ACT_SILU);
    more = ebb_conv(g, more, &level->skip_conv);
    *image = *image ? ebb_add(g, *image, more) : more;
    return ebb_resnet(g, &level->resample_block, &style, x, time, EBB_UP);
}
