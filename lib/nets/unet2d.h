// SPDX-License-Identifier: LGPL-2.1-or-later
// UNet2DModel: its config, and making it. For lib/nets, lib/diffusers and lib/model.
#ifndef EBB_NETS_UNET2D_H
#define EBB_NETS_UNET2D_H

#include "nets/blocks.h"
#include "nets/nets.h"

enum ebb_unet_block {
    EBB_BLOCK_PLAIN,
    EBB_BLOCK_ATTENTION,
    EBB_BLOCK_RESNET,
    EBB_BLOCK_SKIP,
    EBB_BLOCK_ATTENTION_SKIP,
    EBB_BLOCKS, // those of UNet2DModel
    EBB_BLOCK_CROSS,
    EBB_BLOCK_SIMPLE_CROSS
};
enum ebb_time_embedding { EBB_TIME_POSITIONAL, EBB_TIME_FOURIER, EBB_TIME_LEARNED };
enum ebb_class_embedding {
    EBB_CLASS_NONE,
    EBB_CLASS_TABLE,
    EBB_CLASS_TIMESTEP,
    EBB_CLASS_IDENTITY,
    EBB_CLASS_PROJECTION,       // two layers on a vector
    EBB_CLASS_SIMPLE_PROJECTION // one layer on a vector
};

// Fields have the names of config.json's keys where those are clear.
struct ebb_unet_config {
    int in_channels, out_channels;
    bool center_input_sample; // the network sees 2 x - 1
    enum ebb_time_embedding time;
    int time_embedding_dim; // width of the embedding, 0: 4 * block_out_channels[0]
    double freq_shift;
    bool flip_sin_to_cos;
    int num_train_timesteps; // rows of the learned time embedding
    enum ebb_class_embedding classes;
    int num_class_embeds; // rows of the class table
    // What UNet2DConditionModel alone has.
    bool fourier_of_time;                       // a Fourier embedding of the timestep, not of its logarithm
    int class_vector;                           // width of a vector that is projected
    bool classes_beside;                        // beside the time embedding; otherwise they are added to it
    enum ebb_act embed_act, time_act, last_act; // between the layers; behind time's; behind time and class

    int levels;
    int block_out_channels[EBB_MAX_LEVELS];
    enum ebb_unet_block down[EBB_MAX_LEVELS], up[EBB_MAX_LEVELS];
    int layers_per_block;
    bool mid, add_attention; // a middle block at all; attention in it
    double mid_block_scale_factor;
    int downsample_padding; // 0 or 1
    bool downsample_resnet, upsample_resnet;
    int attention_head_dim;   // width of a head, 0: one head
    int attn_norm_num_groups; // of the middle attention's norm, 0: as the rest
    struct ebb_style style;
    int sample_size[2]; // h and w in training; 0: not known
};
void ebb_unet_config_default(struct ebb_unet_config *config); // the class's defaults

// Whether a block is one of skip.h.
bool ebb_unet_block_skips(enum ebb_unet_block block);

// Channels of up block `i` (0: the lowest level): its output, its input from the level below, and the first
// skip of the next block.
void ebb_unet_up_channels(const struct ebb_unet_config *config, int i, int *out, int *below, int *next);

// Makes the network without its weights' numbers. NULL with EBB_UNSUPPORTED: values of the config
// contradict each other.
struct ebb_unet *ebb_unet_create(const struct ebb_unet_config *config, struct ebb_error *error);
void ebb_unet_destroy(struct ebb_unet **unet);
struct ebb_weights *ebb_unet_weights(struct ebb_unet *unet);
const struct ebb_unet_config *ebb_unet_config(const struct ebb_unet *unet);

#endif
