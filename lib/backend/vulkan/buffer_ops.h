// SPDX-License-Identifier: LGPL-2.1-or-later
// The operations on whole buffers that the reverse process needs beside networks: blend, threshold, sum of
// squares.
#ifndef EBB_BACKEND_VULKAN_BUFFER_OPS_H
#define EBB_BACKEND_VULKAN_BUFFER_OPS_H

#include "backend/backend.h"
#include "backend/vulkan/pipeline.h"
#include "backend/vulkan/record.h"

extern const struct ebb_vk_part ebb_vk_buffer_ops_part;

// A dispatch that is no part of a program: its buffers are given with it.
struct ebb_vk_call {
    struct ebb_vk_dispatch dispatch; // without its set
    const struct ebb_vk_memory *inside[EBB_VK_INSIDE], *outside[EBB_VK_OUTSIDES];
};

// For tapes, which record them; the lock is held. A blend takes up to two calls.
enum ebb_result ebb_vk_blend_calls(struct ebb_vk *vk, const struct ebb_blend *blend,
                                   struct ebb_vk_call calls[2], int *count, struct ebb_error *error);
enum ebb_result ebb_vk_threshold_call(struct ebb_vk *vk, const struct ebb_threshold *threshold,
                                      struct ebb_vk_call *call, struct ebb_error *error);

enum ebb_result ebb_vk_blend(struct ebb_device *device, const struct ebb_blend *blend,
                             struct ebb_error *error);
enum ebb_result ebb_vk_threshold(struct ebb_device *device, const struct ebb_threshold *threshold,
                                 struct ebb_error *error);
enum ebb_result ebb_vk_sum_squares(struct ebb_device *device, struct ebb_buffer *src, size_t offset,
                                   size_t count, double *sum, struct ebb_error *error);

#endif
