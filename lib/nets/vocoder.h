// SPDX-License-Identifier: LGPL-2.1-or-later
// The vocoder HiFi-GAN: its config, and making it. For lib/nets, lib/diffusers and lib/model.
#ifndef EBB_NETS_VOCODER_H
#define EBB_NETS_VOCODER_H

#include "nets/nets.h"
#include "nets/weights.h"

enum {
    EBB_VOCODER_STAGES = 10,
    EBB_VOCODER_KERNELS = 8,   // blocks of a stage
    EBB_VOCODER_DILATIONS = 8, // layers of a block
    EBB_VOCODER_WIDEST = 255,  // kernel, rate, dilation
};

struct ebb_vocoder_config {
    int bands, channels, sample_rate; // channels: after the first convolution; each stage halves them
    int stages, rates[EBB_VOCODER_STAGES], kernels[EBB_VOCODER_STAGES];
    int blocks, block_kernels[EBB_VOCODER_KERNELS];
    int layers[EBB_VOCODER_KERNELS], dilations[EBB_VOCODER_KERNELS][EBB_VOCODER_DILATIONS];
    float slope;    // of the leaky ReLU, but for the last one
    bool normalize; // the mel is first made (mel - mean) / scale, by bands
};

// Makes the network without its weights' numbers. NULL with EBB_UNSUPPORTED: values of the config
// contradict each other.
struct ebb_vocoder *ebb_vocoder_create(const struct ebb_vocoder_config *config, struct ebb_error *error);
void ebb_vocoder_destroy(struct ebb_vocoder **vocoder);
struct ebb_weights *ebb_vocoder_weights(struct ebb_vocoder *vocoder);

#endif
