// SPDX-License-Identifier: LGPL-2.1-or-later
// The way down of a U-Net and its middle, which UNet2DModel and the classifier share, with the same weight
// names.
#ifndef EBB_NETS_DOWN_H
#define EBB_NETS_DOWN_H

#include "nets/embed.h"
#include "nets/unet2d.h"

struct ebb_unet_level {
    struct ebb_resnet resnets[EBB_MAX_LAYERS + 1];
    struct ebb_spatial_attention attentions[EBB_MAX_LAYERS + 1];
    bool attention;
    bool resample_resnet; // resampled by a residual block, otherwise by a convolution
    struct ebb_resnet resample_block;
    struct ebb_layer resample_conv;
    struct ebb_layer skip_conv, skip_norm; // of Skip blocks: skip.h
};

struct ebb_down {
    const struct ebb_unet_config *config; // borrowed from the network
    struct ebb_weights *weights;          // borrowed too: the network's weights
    struct ebb_embed embed;
    struct ebb_layer center;         // 1x1 convolution 2 x - 1, made here and not read from a file
    struct ebb_weights own;          // holds the weights of `center` and `smooth_image`
    struct ebb_weight *smooth_image; // of Skip blocks; made here too
    struct ebb_layer conv_in;
    struct ebb_unet_level level[EBB_MAX_LEVELS];
    struct ebb_resnet mid[2];
    struct ebb_spatial_attention mid_attention;
};

// Checks of the config's values: for the whole way down, for one group norm, for one attention.
enum ebb_result ebb_down_check(const struct ebb_unet_config *config, struct ebb_error *error);
enum ebb_result ebb_down_divides(int groups, int channels, const char *key, struct ebb_error *error);
enum ebb_result ebb_down_check_attention(const struct ebb_unet_config *config, int channels,
                                         struct ebb_error *error);

// Asks for the weights of the embedding, the first convolution, the levels and the middle.
void ebb_want_down(struct ebb_down *down, struct ebb_weights *weights, const struct ebb_unet_config *config);
void ebb_down_clear(struct ebb_down *down); // frees `own`
// Of these, the embedding, the first convolution and, before it, the convolution that centres the input.
void ebb_want_first(struct ebb_down *down, struct ebb_weights *weights, const struct ebb_unet_config *config,
                    int kernel);
// Ask for the weights of one level, on the way down or up: of layer `index`, and of the change of size
// behind the last layer.
void ebb_want_unet_layer(struct ebb_down *down, struct ebb_unet_level *level, const char *path, int index,
                         int cin, int cout);
void ebb_want_unet_resample(struct ebb_down *down, struct ebb_unet_level *level, const char *path,
                            const char *name, int channels);
struct ebb_node *ebb_unet_layer(struct ebb_graph *g, const struct ebb_down *down,
                                const struct ebb_unet_level *level, int j, struct ebb_node *x,
                                struct ebb_node *time);

// States of the way down that the way up reads, newest last.
struct ebb_skips {
    struct ebb_node *node[EBB_MAX_LEVELS * (EBB_MAX_LAYERS + 1)];
    struct ebb_node *input; // what conv_in saw
    int count;
};

// The network's first convolution, whose result is the first of the skips.
struct ebb_node *ebb_skips_begin(struct ebb_graph *g, const struct ebb_down *down, struct ebb_node *x,
                                 struct ebb_skips *skips);
// The newest skip, which is taken away. The first of all is the largest and waits longest, and few
// multiplications make it: where it is large, it is made once more rather than kept.
struct ebb_node *ebb_skips_take(struct ebb_graph *g, const struct ebb_down *down, struct ebb_skips *skips);

// x (n, h, w, in_channels) -> the middle's result. `time` is the activated embedding. `skips`, zeroed
// before, is filled.
struct ebb_node *ebb_down(struct ebb_graph *g, const struct ebb_down *down, struct ebb_node *x,
                          struct ebb_node *time, struct ebb_skips *skips);

#endif
