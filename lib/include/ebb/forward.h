// SPDX-License-Identifier: LGPL-2.1-or-later
// Lab (see ebb/lab.h): the forward process on tensors. ebb_schedule_forward() and ebb_schedule_posterior()
// give its weights as numbers; ebb_gaussian_draw() applies them on a device, with the operation that
// samplers use.
#ifndef EBB_FORWARD_H
#define EBB_FORWARD_H

#include <stddef.h>
#include <stdint.h>

#include <ebb/device.h>
#include <ebb/error.h>
#include <ebb/schedule.h>

EBB_BEGIN_DECLS

// A draw from the normal distribution `g`, element by element: out = g->x * x + g->x0 * x0 + g->sd * noise.
// With `g` of ebb_schedule_forward() it is q(x_t | x_s), for one step or many; with `g` of
// ebb_schedule_posterior() it is the posterior q(x_s | x_t, x_0). Each array has `count` floats and belongs
// to the caller. An input of weight 0 may be NULL; `out` may be one of the inputs. EBB_INVALID: a weight is
// not finite, or an input is missing.
EBB_API enum ebb_result ebb_gaussian_draw(struct ebb_device *device, const struct ebb_gaussian *g,
                                          const float *x, const float *x0, const float *noise, float *out,
                                          size_t count, struct ebb_error *error);

// Standard normal noise as a sampler draws it. An element depends on the seed, the clip, the draw and its
// own index, and on nothing else. Draw 0 is the noise that a clip starts from, in (c, h, w) order.
EBB_API void ebb_noise_normal(uint64_t seed, uint64_t clip, uint32_t draw, float *out, size_t count);

EBB_END_DECLS

#endif
