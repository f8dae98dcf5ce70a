// SPDX-License-Identifier: LGPL-2.1-or-later
// See down.h. Ho et al. 2020 with the options of Song et al. 2021 and Dhariwal and Nichol 2021.
#include "nets/down.h"

#include <stdio.h>

#include "base/base.h"
#include "nets/skip.h"

// ---- layout: which weights there are ----

static void want_attention(struct ebb_down *d, struct ebb_spatial_attention *a, const char *prefix,
                           int channels, int groups)
{
    int width = d->config->attention_head_dim ? d->config->attention_head_dim : channels;
    ebb_want_attention(a, d->weights, prefix, channels, channels / width, width, groups);
}

void ebb_want_unet_layer(struct ebb_down *d, struct ebb_unet_level *level, const char *path, int index,
                         int cin, int cout)
{
    char prefix[96];
    snprintf(prefix, sizeof(prefix), "%s.resnets.%d.", path, index);
    ebb_want_resnet(&level->resnets[index], d->weights, prefix, cin, cout, d->embed.width,
                    d->config->style.film);
    if (level->attention) {
        snprintf(prefix, sizeof(prefix), "%s.attentions.%d.", path, index);
        want_attention(d, &level->attentions[index], prefix, cout, d->config->style.groups);
    }
}

void ebb_want_unet_resample(struct ebb_down *d, struct ebb_unet_level *level, const char *path,
                            const char *name, int channels)
{
    char prefix[96];
    snprintf(prefix, sizeof(prefix), "%s.%s.0.", path, name);
    if (level->resample_resnet)
        ebb_want_resnet(&level->resample_block, d->weights, prefix, channels, channels, d->embed.width,
                        d->config->style.film);
    else
        level->resample_conv = ebb_want_conv(d->weights, channels, channels, 3, prefix, "conv");
}

static void want_down(struct ebb_down *d, int i)
{
    const struct ebb_unet_config *c = d->config;
    struct ebb_unet_level *level = &d->level[i];
    int cin = c->block_out_channels[i ? i - 1 : 0], cout = c->block_out_channels[i];
    char path[32];
    snprintf(path, sizeof(path), "down_blocks.%d", i);

    level->attention = c->down[i] == EBB_BLOCK_ATTENTION;
    level->resample_resnet = c->down[i] == EBB_BLOCK_RESNET || (level->attention && c->downsample_resnet);
    for (int j = 0; j < c->layers_per_block; j++)
        ebb_want_unet_layer(d, level, path, j, j ? cout : cin, cout);
    if (i < c->levels - 1)
        ebb_want_unet_resample(d, level, path, "downsamplers", cout);
}

static void want_mid(struct ebb_down *d)
{
    const struct ebb_unet_config *c = d->config;
    int channels = c->block_out_channels[c->levels - 1];
    for (int j = 0; j < 2; j++) {
        char prefix[40];
        snprintf(prefix, sizeof(prefix), "mid_block.resnets.%d.", j);
        ebb_want_resnet(&d->mid[j], d->weights, prefix, channels, channels, d->embed.width, c->style.film);
    }
    // Upstream drops the norm here, and here only, when the time scales and shifts and no groups are given.
    int groups = c->attn_norm_num_groups ? c->attn_norm_num_groups
                 : c->style.film         ? 0
                                         : ebb_style_groups(&c->style, channels);
    if (c->add_attention)
        want_attention(d, &d->mid_attention, "mid_block.attentions.0.", channels, groups);
}

// 2 x - 1 as a 1x1 convolution, so that the border still sees zeros outside.
static void want_center(struct ebb_down *d)
{
    int channels = d->config->in_channels;
    d->center = ebb_want_conv(&d->own, channels, channels, 1, "", "center_input_sample");
    if (d->own.failed)
        return;
    for (int i = 0; i < 2; i++) {
        struct ebb_wanted *row = d->own.items[i];
        row->data = ebb_alloc((size_t)channels, (i ? 1 : (size_t)channels) * sizeof(float));
        row->weight.data = row->data;
        d->own.failed |= !row->data;
    }
    for (int i = 0; !d->own.failed && i < channels; i++) {
        d->own.items[0]->data[i * channels + i] = 2;
        d->own.items[1]->data[i] = -1;
    }
}

void ebb_want_first(struct ebb_down *d, struct ebb_weights *weights, const struct ebb_unet_config *c,
                    int kernel)
{
    d->weights = weights;
    d->config = c;
    if (c->center_input_sample)
        want_center(d);
    ebb_want_embed(&d->embed, weights, c);
    d->conv_in = ebb_want_conv(weights, c->in_channels, c->block_out_channels[0], kernel, "", "conv_in");
}

void ebb_want_down(struct ebb_down *d, struct ebb_weights *weights, const struct ebb_unet_config *c)
{
    ebb_want_first(d, weights, c, 3);
    for (int i = 0; i < c->levels; i++)
        (ebb_unet_block_skips(c->down[i]) ? ebb_want_skip_down : want_down)(d, i);
    if (c->mid)
        want_mid(d);
}

void ebb_down_clear(struct ebb_down *d)
{
    ebb_weights_clear(&d->own);
}

// ---- checks ----

enum ebb_result ebb_down_divides(int groups, int channels, const char *key, struct ebb_error *error)
{
    if (groups > 0 && channels % groups == 0)
        return EBB_OK;
    if (groups == 0)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "\"%s\" is null, expected a number where there are no Skip blocks", key);
    return ebb_fail(error, EBB_UNSUPPORTED, "\"%s\" is %d, expected a divisor of %d channels", key, groups,
                    channels);
}

enum ebb_result ebb_down_check_attention(const struct ebb_unet_config *c, int channels,
                                         struct ebb_error *error)
{
    if (c->attention_head_dim <= channels)
        return EBB_OK;
    return ebb_fail(error, EBB_UNSUPPORTED,
                    "\"attention_head_dim\" is %d, expected at most %d, the channels there",
                    c->attention_head_dim, channels);
}

static enum ebb_result check_levels(const struct ebb_unet_config *c, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < c->levels; i++) {
        result = ebb_down_divides(c->style.groups, c->block_out_channels[i], "norm_num_groups", error);
        if (result == EBB_OK && c->down[i] == EBB_BLOCK_ATTENTION)
            result = ebb_down_check_attention(c, c->block_out_channels[i], error);
    }
    return result;
}

enum ebb_result ebb_down_check(const struct ebb_unet_config *c, struct ebb_error *error)
{
    int lowest = c->block_out_channels[c->levels - 1];
    bool skips = false;
    for (int i = 0; i < c->levels; i++)
        skips |= ebb_unet_block_skips(c->down[i]);
    enum ebb_result result = skips ? ebb_skip_check_down(c, error) : check_levels(c, error);
    if (result == EBB_OK && c->mid)
        result = ebb_down_divides(ebb_style_groups(&c->style, lowest), lowest, "norm_num_groups", error);
    if (result == EBB_OK && c->mid && c->add_attention)
        result = ebb_down_check_attention(c, lowest, error);
    if (result == EBB_OK && c->mid && c->add_attention && c->attn_norm_num_groups)
        result = ebb_down_divides(c->attn_norm_num_groups, lowest, "attn_norm_num_groups", error);
    if (result == EBB_OK && c->time == EBB_TIME_LEARNED && c->num_train_timesteps < 1)
        result =
            ebb_fail(error, EBB_UNSUPPORTED,
                     "\"num_train_timesteps\" is missing, expected for \"time_embedding_type\" \"learned\"");
    if (result == EBB_OK && c->time == EBB_TIME_POSITIONAL && c->block_out_channels[0] / 2 <= c->freq_shift)
        result = ebb_fail(error, EBB_UNSUPPORTED, "\"freq_shift\" is %g, expected less than %d",
                          c->freq_shift, c->block_out_channels[0] / 2);
    return result;
}

// ---- the network ----

struct ebb_node *ebb_unet_layer(struct ebb_graph *g, const struct ebb_down *d,
                                const struct ebb_unet_level *level, int j, struct ebb_node *x,
                                struct ebb_node *time)
{
    const struct ebb_style *style = &d->config->style;
    x = ebb_resnet(g, &level->resnets[j], style, x, time, EBB_KEEP_SIZE);
    return level->attention ? ebb_spatial_attention(g, &level->attentions[j], style->eps, x) : x;
}

static struct ebb_node *down_block(struct ebb_graph *g, const struct ebb_down *d, int i, struct ebb_node *x,
                                   struct ebb_node *time, struct ebb_skips *skips, struct ebb_node **image)
{
    const struct ebb_unet_level *level = &d->level[i];
    if (ebb_unet_block_skips(d->config->down[i]))
        return ebb_skip_down(g, d, i, x, time, skips, image);
    for (int j = 0; j < d->config->layers_per_block; j++)
        skips->node[skips->count++] = x = ebb_unet_layer(g, d, level, j, x, time);
    if (i == d->config->levels - 1)
        return x;

    if (level->resample_resnet)
        x = ebb_resnet(g, &level->resample_block, &d->config->style, x, time, EBB_DOWN);
    else
        x = ebb_conv2d(g, x, level->resample_conv.weight, level->resample_conv.bias, 2,
                       d->config->downsample_padding ? EBB_PAD_SAME : EBB_PAD_RIGHT_BOTTOM);
    return skips->node[skips->count++] = x;
}

static struct ebb_node *rescaled(struct ebb_graph *g, const struct ebb_down *d, struct ebb_node *x)
{
    double factor = d->config->mid_block_scale_factor;
    return factor == 1 ? x : ebb_scale(g, x, (float)(1 / factor));
}

static struct ebb_node *mid_block(struct ebb_graph *g, const struct ebb_down *d, struct ebb_node *x,
                                  struct ebb_node *time)
{
    const struct ebb_style *style = &d->config->style;
    x = rescaled(g, d, ebb_resnet(g, &d->mid[0], style, x, time, EBB_KEEP_SIZE));
    if (d->config->add_attention)
        x = rescaled(g, d, ebb_spatial_attention(g, &d->mid_attention, style->eps, x));
    return rescaled(g, d, ebb_resnet(g, &d->mid[1], style, x, time, EBB_KEEP_SIZE));
}

struct ebb_node *ebb_skips_begin(struct ebb_graph *g, const struct ebb_down *d, struct ebb_node *x,
                                 struct ebb_skips *skips)
{
    skips->input = x;
    return skips->node[skips->count++] = ebb_conv(g, x, &d->conv_in);
}

struct ebb_node *ebb_skips_take(struct ebb_graph *g, const struct ebb_down *d, struct ebb_skips *skips)
{
    const size_t large = 1 << 22; // numbers: 16 MB
    struct ebb_node *skip = skips->node[--skips->count];
    return skips->count == 0 && ebb_node_count(skip) >= large ? ebb_conv(g, skips->input, &d->conv_in) : skip;
}

struct ebb_node *ebb_down(struct ebb_graph *g, const struct ebb_down *d, struct ebb_node *x,
                          struct ebb_node *time, struct ebb_skips *skips)
{
    if (d->config->center_input_sample)
        x = ebb_conv(g, x, &d->center);
    struct ebb_node *image = x; // beside the features, of Skip blocks
    x = ebb_skips_begin(g, d, x, skips);
    for (int i = 0; i < d->config->levels; i++)
        x = down_block(g, d, i, x, time, skips, &image);
    return d->config->mid ? mid_block(g, d, x, time) : x;
}
