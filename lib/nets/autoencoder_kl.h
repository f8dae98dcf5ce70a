// SPDX-License-Identifier: LGPL-2.1-or-later
// AutoencoderKL: its config, and making it. For lib/nets, lib/diffusers and lib/model.
#ifndef EBB_NETS_AUTOENCODER_KL_H
#define EBB_NETS_AUTOENCODER_KL_H

#include "nets/blocks.h"
#include "nets/nets.h"

struct ebb_autoencoder_config {
    int in_channels, out_channels, latent_channels;
    int levels;
    int block_out_channels[EBB_MAX_LEVELS];
    bool down_attention[EBB_MAX_LEVELS], up_attention[EBB_MAX_LEVELS]; // AttnDownEncoderBlock2D,
                                                                       // AttnUpDecoderBlock2D
    int layers_per_block;
    bool mid_block_add_attention, use_quant_conv, use_post_quant_conv;
    double scaling_factor, shift_factor; // a diffusion network's latent = (z - shift) * scaling
    struct ebb_style style;
};
void ebb_autoencoder_config_default(struct ebb_autoencoder_config *config); // the class's defaults
// Makes the network without its weights' numbers. NULL with EBB_UNSUPPORTED: values of the config
// contradict each other.

struct ebb_autoencoder *ebb_autoencoder_create(const struct ebb_autoencoder_config *config,
                                               struct ebb_error *error);
void ebb_autoencoder_destroy(struct ebb_autoencoder **net);
struct ebb_weights *ebb_autoencoder_weights(struct ebb_autoencoder *net);
const struct ebb_autoencoder_config *ebb_autoencoder_config(const struct ebb_autoencoder *net);

#endif
