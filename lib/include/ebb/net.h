// One network of a model folder on its own (unet/, vae/), with PyTorch's shapes: for checking against PyTorch and for
// measuring. Arrays are float32, row-major (n, c, h, w), owned by the caller.
#ifndef EBB_NET_H
#define EBB_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/device.h>
#include <ebb/error.h>

struct ebb_net;

// Opens a folder with config.json and safetensors: UNet2DModel or AutoencoderKL. Every option that is not supported
// is refused here, with file, key and value named. NULL on failure.
EBB_API struct ebb_net *ebb_net_open(const char *folder, struct ebb_device *device, struct ebb_error *error);
EBB_API void ebb_net_close(struct ebb_net **net);

// "UNet2DModel" or "AutoencoderKL"; a static string.
EBB_API const char *ebb_net_class(const struct ebb_net *net);
EBB_API uint64_t ebb_net_parameters(const struct ebb_net *net);

enum ebb_net_pass {
    EBB_NET_FORWARD, // U-Net: (n, in, h, w) -> (n, out, h, w)
    EBB_NET_ENCODE,  // autoencoder: (n, in, h, w) -> (n, 2 * latent, h', w'): mean, then standard deviation
    EBB_NET_DECODE,  // autoencoder: (n, latent, h, w) -> (n, out, h', w'); no scaling factor is applied
};

// Shape of the output for an input of this shape. EBB_INVALID says which size does not fit.
EBB_API enum ebb_result ebb_net_shape(struct ebb_net *net, enum ebb_net_pass pass, const int input[4], int output[4],
                                      struct ebb_error *error);

struct ebb_net_inputs {
    double timestep;         // U-Net: as the scheduler gives it, may be fractional
    const int *labels;       // U-Net with classes: n of them, -1: zeros; NULL: zeros
    const float *class_vector; // class_embed_type "identity": n rows as wide as the embedding, "timestep": n labels that
                               // may be fractional, in place of `labels`; NULL: zeros
};

// One pass. Plans on first use of a shape; calls with the same shape allocate nothing.
EBB_API enum ebb_result ebb_net_run(struct ebb_net *net, enum ebb_net_pass pass, const int shape[4], const float *input,
                                    const struct ebb_net_inputs *inputs, float *output, struct ebb_error *error);

#endif
