// SPDX-License-Identifier: LGPL-2.1-or-later
// Buffers of floats on a device, and the operations on them that the reverse process needs beside networks.
// Work on a device is ordered: an operation sees the results of all earlier ones. Only ebb_buffer_read()
// and ebb_sum_squares() wait for the device. A run creates and destroys no buffers.
#ifndef EBB_BACKEND_BUFFER_H
#define EBB_BACKEND_BUFFER_H

#include <stddef.h>

#include <ebb/error.h>

#include "backend/device.h"

struct ebb_buffer;
// A zeroed buffer; it keeps a reference to the device. NULL on failure; `count` 0 is a failure.
struct ebb_buffer *ebb_buffer_create(struct ebb_device *device, size_t count, struct ebb_error *error);
void ebb_buffer_destroy(struct ebb_buffer **buffer);
size_t ebb_buffer_count(const struct ebb_buffer *buffer);
enum ebb_result ebb_buffer_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                                 struct ebb_error *error);
enum ebb_result ebb_buffer_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                                struct ebb_error *error);

// A weighted sum of buffers, with which all samplers make their steps: dst[i] = clamp(sum_k weight_k
// src_k[i]) / divide. dst may be one of the sources, at the same offset. `copies` of the result are written
// one after the other.
struct ebb_blend {
    struct ebb_buffer *dst;
    int terms;  // 1..8
    int copies; // of the result; 0: one
    struct ebb_buffer *src[8];
    float weight[8];
    struct ebb_buffer *noise_scale;                       // per-element factor on the last term; NULL: none
    float clamp;                                          // > 0: to [-clamp, clamp], before dividing; 0: none
    float divide;                                         // 0: none
    size_t count;                                         // floats
    size_t dst_offset, src_offset[8], noise_scale_offset; // floats
};
enum ebb_result ebb_blend_check(const struct ebb_device *device, const struct ebb_blend *blend,
                                struct ebb_error *error);
enum ebb_result ebb_blend(struct ebb_device *device, const struct ebb_blend *blend, struct ebb_error *error);

// Dynamic thresholding (Saharia 2022), in place: x = clamp(x, -q, q) / q, where q is the `ratio`-quantile
// of |x|, linear between ranks, but at least 1 and at most `most`.
struct ebb_threshold {
    struct ebb_buffer *x;
    size_t offset, count; // floats; 1 and more
    float ratio, most;    // ratio in (0, 1], most >= 1
};
enum ebb_result ebb_threshold_check(const struct ebb_device *device, const struct ebb_threshold *threshold,
                                    struct ebb_error *error);
enum ebb_result ebb_threshold(struct ebb_device *device, const struct ebb_threshold *threshold,
                              struct ebb_error *error);

// The sum of the squares of `count` floats from `offset` on.
enum ebb_result ebb_sum_squares(struct ebb_device *device, struct ebb_buffer *src, size_t offset,
                                size_t count, double *sum, struct ebb_error *error);

#endif
