// A dispatch that is no part of a program: its buffers are given with it.
#ifndef EBB_BACKEND_VULKAN_CALL_H
#define EBB_BACKEND_VULKAN_CALL_H

#include "backend/op.h"
#include "backend/vulkan/kernel.h"

struct ebb_vk_call {
    struct ebb_vk_dispatch dispatch; // without its set
    const struct ebb_vk_memory *inside[EBB_VK_INSIDE], *outside[EBB_VK_OUTSIDES];
};

// Fills call->dispatch: `groups` workgroups of a shader that takes no constants.
enum ebb_result ebb_vk_call_make(struct ebb_vk *vk, enum ebb_vk_shader shader, const void *push, size_t size, size_t groups,
                                 struct ebb_vk_call *call, struct ebb_error *error);
// Into the open command buffer.
enum ebb_result ebb_vk_call_record(struct ebb_vk *vk, struct ebb_vk_call *call, struct ebb_error *error);

// ---- blend.c ----
enum ebb_result ebb_vk_blend_calls(struct ebb_vk *vk, const struct ebb_blend *blend, struct ebb_vk_call calls[2], int *count,
                                   struct ebb_error *error);
enum ebb_result ebb_vk_blend(struct ebb_device *device, const struct ebb_blend *blend, struct ebb_error *error);

// ---- measure.c ----
enum ebb_result ebb_vk_threshold_call(struct ebb_vk *vk, const struct ebb_threshold *threshold, struct ebb_vk_call *call,
                                      struct ebb_error *error);
enum ebb_result ebb_vk_threshold(struct ebb_device *device, const struct ebb_threshold *threshold, struct ebb_error *error);
enum ebb_result ebb_vk_measure(struct ebb_device *device, enum ebb_measure what, struct ebb_buffer *src, size_t offset,
                               size_t count, double *value, struct ebb_error *error);

#endif
