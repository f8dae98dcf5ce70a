// SPDX-License-Identifier: LGPL-2.1-or-later
// A program prepared for Vulkan: dispatches of its ops, with constants and packed weights on the device.
#ifndef EBB_BACKEND_VULKAN_PROGRAM_H
#define EBB_BACKEND_VULKAN_PROGRAM_H

#include "backend/backend.h"
#include "backend/vulkan/ops.h"

struct ebb_vk_program {
    struct ebb_vk_translation ops; // the dispatches, and a copy of the source program
    VkDescriptorPool pool;
    struct ebb_vk_memory scratch; // constants, statistics, partial sums
    struct ebb_vk_sets *outside;  // of the buffers given to run()
};

enum ebb_result ebb_vk_prepare(struct ebb_device *device, const struct ebb_program *source, void **prepared,
                               struct ebb_error *error);
enum ebb_result ebb_vk_run(struct ebb_device *device, void *prepared, int step,
                           struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                           struct ebb_error *error);
// The memory of a run's inputs and outputs, in the order of its descriptor set.
void ebb_vk_outside(const struct ebb_vk_program *program, struct ebb_buffer *const *inputs,
                    struct ebb_buffer *const *outputs, const struct ebb_vk_memory *memory[EBB_VK_OUTSIDES]);
void ebb_vk_program_release(struct ebb_device *device, void *prepared);

#endif
