// SPDX-License-Identifier: LGPL-2.1-or-later
// Blocks of U-Nets and autoencoders: residual blocks, attention, convolutions.
#ifndef EBB_NETS_BLOCKS_H
#define EBB_NETS_BLOCKS_H

#include "nets/weights.h"

enum { EBB_MAX_LEVELS = 10, EBB_MAX_LAYERS = 16, EBB_MAX_CHANNELS = 16384 };

// Settings that all blocks of a network share.
struct ebb_style {
    int groups; // of the group norms; 0: of four channels each, 32 at most
    float eps;
    enum ebb_act act;
    bool film;        // the time scales and shifts after the second norm; otherwise it is added before it
    float sum_factor; // of the sum of a block and its shortcut; 0: 1
};
int ebb_style_groups(const struct ebb_style *style, int channels);

struct ebb_resnet {
    struct ebb_layer norm1, conv1, time, norm2, conv2, shortcut; // time, shortcut: NULL weights where there
                                                                 // is none
    int groups1;                                                 // of norm1; 0: the style's
    struct ebb_weight *smooth; // what is resampled goes through this filter; NULL: none
};

// Weights of a residual block; `time` is the width of the time embedding, 0: none.
void ebb_want_resnet(struct ebb_resnet *block, struct ebb_weights *weights, const char *prefix, int cin,
                     int cout, int time, bool film);

enum ebb_resample { EBB_KEEP_SIZE, EBB_DOWN, EBB_UP };

// x (n, h, w, cin) -> (n, h', w', cout); `time` (n, 1, 1, width) is the embedding, activated where the
// network does that, NULL: none.
struct ebb_node *ebb_resnet(struct ebb_graph *g, const struct ebb_resnet *block,
                            const struct ebb_style *style, struct ebb_node *x, struct ebb_node *time,
                            enum ebb_resample resample);

struct ebb_spatial_attention {
    struct ebb_layer norm, q, k, v, out; // norm: NULL weights where there is none
    int groups, heads;
};

// `groups` 0: no norm. heads * width need not be all of the channels.
void ebb_want_attention(struct ebb_spatial_attention *block, struct ebb_weights *weights, const char *prefix,
                        int channels, int heads, int width, int groups);

// x + attention between all places of x.
struct ebb_node *ebb_spatial_attention(struct ebb_graph *g, const struct ebb_spatial_attention *block,
                                       float eps, struct ebb_node *x);

// A convolution and a group norm outside of blocks.
struct ebb_node *ebb_conv(struct ebb_graph *g, struct ebb_node *x, const struct ebb_layer *layer);
struct ebb_node *ebb_norm(struct ebb_graph *g, struct ebb_node *x, const struct ebb_style *style,
                          const struct ebb_layer *layer);

#endif
