// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nets/blocks.h"

#include <stdio.h>

int ebb_style_groups(const struct ebb_style *style, int channels)
{
    int most = channels / 4 < 32 ? channels / 4 : 32;
    return style->groups ? style->groups : most;
}

void ebb_want_resnet(struct ebb_resnet *block, struct ebb_weights *weights, const char *prefix, int cin,
                     int cout, int time, bool film)
{
    block->norm1 = ebb_want_norm(weights, cin, prefix, "norm1");
    block->conv1 = ebb_want_conv(weights, cin, cout, 3, prefix, "conv1");
    if (time)
        block->time = ebb_want_linear(weights, time, film ? 2 * cout : cout, prefix, "time_emb_proj");
    block->norm2 = ebb_want_norm(weights, cout, prefix, "norm2");
    block->conv2 = ebb_want_conv(weights, cout, cout, 3, prefix, "conv2");
    if (cin != cout)
        block->shortcut = ebb_want_conv(weights, cin, cout, 1, prefix, "conv_shortcut");
}

struct ebb_node *ebb_conv(struct ebb_graph *g, struct ebb_node *x, const struct ebb_layer *layer)
{
    return ebb_conv2d(g, x, layer->weight, layer->bias, 1, EBB_PAD_SAME);
}

struct ebb_node *ebb_norm(struct ebb_graph *g, struct ebb_node *x, const struct ebb_style *style,
                          const struct ebb_layer *layer)
{
    return ebb_group_norm(g, x, ebb_style_groups(style, layer->weight->cout), style->eps, layer->weight,
                          layer->bias);
}

static struct ebb_node *resized(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *smooth,
                                enum ebb_resample resample)
{
    x = resample == EBB_UP ? ebb_upsample(g, x) : x;
    x = resample != EBB_KEEP_SIZE && smooth ? ebb_conv2d(g, x, smooth, NULL, 1, EBB_PAD_SAME) : x;
    return resample == EBB_DOWN ? ebb_avg_pool(g, x) : x;
}

struct ebb_node *ebb_resnet(struct ebb_graph *g, const struct ebb_resnet *block,
                            const struct ebb_style *style, struct ebb_node *x, struct ebb_node *time,
                            enum ebb_resample resample)
{
    int groups = block->groups1 ? block->groups1 : ebb_style_groups(style, block->norm1.weight->cout);
    struct ebb_node *h = ebb_group_norm(g, x, groups, style->eps, block->norm1.weight, block->norm1.bias);
    h = ebb_activate(g, h, style->act);
    h = ebb_conv(g, resized(g, h, block->smooth, resample), &block->conv1);

    struct ebb_node *t = time ? ebb_linear(g, time, block->time.weight, block->time.bias) : NULL;
    if (t && !style->film)
        h = ebb_add_channels(g, h, t);
    h = ebb_norm(g, h, style, &block->norm2);
    if (t && style->film)
        h = ebb_film(g, h, t);

    x = resized(g, x, block->smooth, resample);
    x = block->shortcut.weight ? ebb_conv(g, x, &block->shortcut) : x;
    h = ebb_add(g, ebb_conv(g, ebb_activate(g, h, style->act), &block->conv2), x);
    return style->sum_factor != 0 ? ebb_scale(g, h, style->sum_factor) : h;
}

void ebb_want_attention(struct ebb_spatial_attention *block, struct ebb_weights *weights, const char *prefix,
                        int channels, int heads, int width, int groups)
{
    int inner = heads * width;
    block->groups = groups;
    block->heads = heads;
    if (groups)
        block->norm = ebb_want_norm(weights, channels, prefix, "group_norm");
    block->q = ebb_want_linear(weights, channels, inner, prefix, "to_q");
    block->k = ebb_want_linear(weights, channels, inner, prefix, "to_k");
    block->v = ebb_want_linear(weights, channels, inner, prefix, "to_v");
    block->out = ebb_want_linear(weights, inner, channels, prefix, "to_out.0");
}

struct ebb_node *ebb_spatial_attention(struct ebb_graph *g, const struct ebb_spatial_attention *block,
                                       float eps, struct ebb_node *x)
{
    struct ebb_node *h = x;
    if (block->groups)
        h = ebb_group_norm(g, x, block->groups, eps, block->norm.weight, block->norm.bias);
    struct ebb_node *q = ebb_linear(g, h, block->q.weight, block->q.bias);
    struct ebb_node *k = ebb_linear(g, h, block->k.weight, block->k.bias);
    struct ebb_node *v = ebb_linear(g, h, block->v.weight, block->v.bias);
    h = ebb_attention(g, q, k, v, block->heads);
    return ebb_add(g, ebb_linear(g, h, block->out.weight, block->out.bias), x);
}
