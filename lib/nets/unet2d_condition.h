// SPDX-License-Identifier: LGPL-2.1-or-later
// UNet2DConditionModel and AudioLDM2UNet2DConditionModel: U-Nets with transformers, which see text. Their
// handle is struct ebb_unet, as UNet2DModel's is.
#ifndef EBB_NETS_UNET2D_CONDITION_H
#define EBB_NETS_UNET2D_CONDITION_H

#include "nets/transformer.h"
#include "nets/unet2d.h"

enum { EBB_MAX_TRANSFORMERS = 4 }; // behind one residual block

enum ebb_condition_mid { EBB_MID_NONE, EBB_MID_PLAIN, EBB_MID_CROSS, EBB_MID_SIMPLE_CROSS };
enum ebb_text_norm { EBB_TEXT_NORM_NONE, EBB_TEXT_NORM_LAYER, EBB_TEXT_NORM_GROUP };

struct ebb_condition_level {
    int layers;
    int heads;                      // of transformers
    int head_dim;                   // width of a head of the other attentions
    int transformers;               // behind each residual block
    int text[EBB_MAX_TRANSFORMERS]; // width of the text that each of them sees; 0: it sees the places alone
    int depth[EBB_MAX_LAYERS];      // of the transformers behind each residual block
    bool only_cross;                // no attention of the places to each other
};

// Levels go from the highest to the lowest, except `up_depth`, which begins at the lowest.
struct ebb_condition_config {
    struct ebb_unet_config unet; // what UNet2DModel has too; its layers_per_block, mid and heads are not used
    struct ebb_condition_level level[EBB_MAX_LEVELS];
    int up_depth[EBB_MAX_LEVELS][EBB_MAX_LAYERS + 1];
    enum ebb_condition_mid mid;
    bool mid_only_cross, linear_projection, skip_time_act;
    double resnet_out_scale_factor; // of blocks that are resampled by residual blocks
    enum ebb_text_norm text_norm;   // of simple cross attention
    int text_width;                 // of text that is projected to what the levels see; 0: it is not
    int kernel_in, kernel_out;
    bool two_texts; // AudioLDM2: a transformer from the third on sees the second text
};

// Makes the network without its weights' numbers. NULL with EBB_UNSUPPORTED: values of the config contradict
// each other.
struct ebb_unet *ebb_unet_condition_create(const struct ebb_condition_config *config,
                                           struct ebb_error *error);

#endif
