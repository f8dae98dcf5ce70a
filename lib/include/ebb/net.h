// SPDX-License-Identifier: LGPL-2.1-or-later
// Lab (see ebb/lab.h): one network of a model folder (unet/, vae/ or vocoder/) on its own, to compare it with
// PyTorch and to measure it. Arrays are float32, row-major (n, c, h, w) as in PyTorch, and belong to the
// caller.
#ifndef EBB_NET_H
#define EBB_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/device.h>
#include <ebb/error.h>

EBB_BEGIN_DECLS

struct ebb_net;

// Opens a folder with config.json and weights: a U-Net (UNet2DModel, UNet2DConditionModel,
// AudioLDM2UNet2DConditionModel), an AutoencoderKL, a SpeechT5HifiGan or a text encoder. An option that Ebb
// does not have is refused here; the error names file, key and value. NULL as `device` is the one that "auto"
// chooses. NULL on failure.
EBB_API struct ebb_net *ebb_net_open(const char *folder, struct ebb_device *device, struct ebb_error *error);
EBB_API void ebb_net_close(struct ebb_net **net);

// The class's name, "UNet2DModel" or another of the above; a static string.
EBB_API const char *ebb_net_class(const struct ebb_net *net);

// Width of the states of text `which` (0; AudioLDM2 also has 1) that a U-Net sees; 0: there is no such text.
EBB_API int ebb_net_text_width(const struct ebb_net *net, int which);
// Numbers in a class_vector for one item (see below); 0: the network has no classes.
EBB_API int ebb_net_class_vector(const struct ebb_net *net);

enum ebb_net_pass {
    EBB_NET_FORWARD, // U-Net: (n, in, h, w) -> (n, out, h, w); vocoder: (n, 1, frames, bands) -> (n, 1, 1,
                     // samples)
    EBB_NET_ENCODE,  // autoencoder: (n, in, h, w) -> (n, 2 * latent, h', w'): mean, then standard deviation
    EBB_NET_DECODE,  // autoencoder: (n, latent, h, w) -> (n, out, h', w'); no scaling factor is applied
};

// Shape of the output for an input of shape `input`. EBB_INVALID: a size does not fit; the error names it.
EBB_API enum ebb_result ebb_net_shape(struct ebb_net *net, enum ebb_net_pass pass, const int input[4],
                                      int output[4], struct ebb_error *error);

// Text that a U-Net sees, as a text encoder states it: (n, tokens, width).
struct ebb_net_text {
    const float *states; // NULL: not given; a network that can do without then attends to its own places
    int tokens;
    const float *mask; // (n, tokens), 1: seen, 0: not seen; NULL: all are seen
};

struct ebb_net_inputs {
    double timestep;   // U-Net: the scheduler's timestep, may be fractional
    const int *labels; // U-Net with classes: n of them, -1: zeros; NULL: zeros
    // In place of `labels`: n rows of ebb_net_class_vector() numbers. For class_embed_type "identity" a row
    // is as wide as the embedding, for "projection" and "simple_projection" it is what is projected, for
    // "timestep" it is a label, which may be fractional. NULL: zeros.
    const float *class_vector;
    struct ebb_net_text text[2];
    bool bf16; // U-Net: convolutions in bfloat16, on processors that have such arithmetic; others use float32
};

// Runs the network once. The first call with a shape makes a plan; later calls with that shape allocate
// nothing.
EBB_API enum ebb_result ebb_net_run(struct ebb_net *net, enum ebb_net_pass pass, const int shape[4],
                                    const float *input, const struct ebb_net_inputs *inputs, float *output,
                                    struct ebb_error *error);

// Text encoders: n texts of so many tokens each, shape (n, tokens). The states are `last` (n, tokens, width)
// and, for classes that have one for the whole text, `pooled` (n, width), projected where the class projects
// it; otherwise pooled[1] is 0.
EBB_API enum ebb_result ebb_net_text_shape(struct ebb_net *net, const int shape[2], int last[3],
                                           int pooled[2], struct ebb_error *error);

// Runs a text encoder once. Tokens that are pads by the config are not seen, except by CLIP, as in the
// pipelines of diffusers. `pooled` may be NULL. EBB_INVALID: an id is outside the vocabulary.
EBB_API enum ebb_result ebb_net_run_text(struct ebb_net *net, const int shape[2], const int *ids, float *last,
                                         float *pooled, struct ebb_error *error);

EBB_END_DECLS

#endif
