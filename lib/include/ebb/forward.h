// The forward process on tensors: what ebb_forward() and ebb_posterior() give as weights, carried out on a device by the op that
// the sampler loop is made of.
#ifndef EBB_FORWARD_H
#define EBB_FORWARD_H

#include <stddef.h>
#include <stdint.h>

#include <ebb/device.h>
#include <ebb/error.h>
#include <ebb/schedule.h>

// A draw from the normal distribution `g`, element by element: out = g->x * x + g->x0 * x0 + g->sd * noise. One step or the closed
// form of q(x_t | x_s) with g of ebb_forward(), the posterior q(x_s | x_t, x_0) with g of ebb_posterior(). `count` floats each,
// owned by the caller; an input whose weight is 0 may be NULL; out may be one of them. EBB_INVALID: a weight that is not
// finite, an input that is missing.
EBB_API enum ebb_result ebb_gaussian_draw(struct ebb_device *device, const struct ebb_gaussian *g, const float *x, const float *x0,
                                          const float *noise, float *out, size_t count, struct ebb_error *error);

// Standard normal noise as a sampler draws it: element i of draw `draw` of clip `clip` depends on these and `seed` alone. Draw 0 is
// the noise a clip starts from, its elements in the order of (c, h, w).
EBB_API void ebb_normal_noise(uint64_t seed, uint64_t clip, uint32_t draw, float *out, size_t count);

#endif
