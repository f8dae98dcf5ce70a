// The way down of a U-Net and its middle: what UNet2DModel and the classifier have in common, by the same names.
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
};

struct ebb_down {
    const struct ebb_unet_config *config; // borrowed from the network
    struct ebb_weights *weights;          // so are the rows of the file
    struct ebb_embed embed;
    struct ebb_layer center; // 1x1: 2 x - 1; our own, not in the file
    struct ebb_weights own;
    struct ebb_layer conv_in;
    struct ebb_unet_level level[EBB_MAX_LEVELS];
    struct ebb_resnet mid[2];
    struct ebb_spatial_attention mid_attention;
};

// Whether the numbers of the config go together, as far as this half is concerned.
enum ebb_result ebb_down_check(const struct ebb_unet_config *config, struct ebb_error *error);
enum ebb_result ebb_down_divides(int groups, int channels, const char *key, struct ebb_error *error);
enum ebb_result ebb_down_check_attention(const struct ebb_unet_config *config, int channels, struct ebb_error *error);

// Lays it out: the embedding, the first convolution, levels, middle.
void ebb_want_down(struct ebb_down *down, struct ebb_weights *weights, const struct ebb_unet_config *config);
void ebb_down_clear(struct ebb_down *down); // what is its own

// Rows of one level on either way: layer `index`, and what follows the last one.
void ebb_want_unet_layer(struct ebb_down *down, struct ebb_unet_level *level, const char *path, int index, int cin, int cout);
void ebb_want_unet_resample(struct ebb_down *down, struct ebb_unet_level *level, const char *path, const char *name, int channels);
struct ebb_node *ebb_unet_layer(struct ebb_graph *g, const struct ebb_down *down, const struct ebb_unet_level *level, int j,
                                struct ebb_node *x, struct ebb_node *time);

struct ebb_skips {
    struct ebb_node *node[EBB_MAX_LEVELS * (EBB_MAX_LAYERS + 1)];
    int count;
};

// x (n, h, w, in_channels) -> the middle's result; `skips` (zeroed) takes what the way up reads. `time` is the activated
// embedding.
struct ebb_node *ebb_down(struct ebb_graph *g, const struct ebb_down *down, struct ebb_node *x, struct ebb_node *time,
                          struct ebb_skips *skips);

#endif
