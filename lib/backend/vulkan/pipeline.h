// SPDX-License-Identifier: LGPL-2.1-or-later
// Pipelines of the shaders, and the descriptor sets that give them their buffers. The caller holds the
// lock.
#ifndef EBB_BACKEND_VULKAN_PIPELINE_H
#define EBB_BACKEND_VULKAN_PIPELINE_H

#include "backend/vulkan/device.h"

extern const struct ebb_vk_part ebb_vk_pipeline_part;

// EBB_VK_SOFTMAX for 'softmax', and so on: the list of shaders is in shaders/meson.build.
enum ebb_vk_shader {
#define SHADER(NAME, name, variants) EBB_VK_##NAME,
#include "shaders.h"
#undef SHADER
    EBB_VK_SHADERS
};

// Place of an operand; the numbers are those of operands.glsl.
enum ebb_vk_bank { EBB_VK_NONE, EBB_VK_ARENA, EBB_VK_HALF, EBB_VK_STEPS, EBB_VK_OUTSIDE };

enum { EBB_VK_SPECS = 13 };

struct ebb_vk_specs {
    uint32_t value[EBB_VK_SPECS]; // constant_id 1..13
};

// The pipeline of a shader with these constants, made on first use and kept.
enum ebb_result ebb_vk_pipeline_get(struct ebb_vk *vk, enum ebb_vk_shader shader,
                                    const struct ebb_vk_specs *specs, VkPipeline *pipeline,
                                    struct ebb_error *error);

// ---- descriptor sets: one for each combination of buffers ----

struct ebb_vk_sets;

// Room for `capacity` sets; `sets` is set on success alone.
enum ebb_result ebb_vk_sets_create(struct ebb_vk *vk, int capacity, struct ebb_vk_sets **sets,
                                   struct ebb_error *error);
void ebb_vk_sets_destroy(struct ebb_vk *vk, struct ebb_vk_sets **sets);

// Finds or makes the sets of these buffers: `inside` (EBB_VK_INSIDE buffers; NULL: no such set) and
// `outside` (EBB_VK_OUTSIDES). NULL entries repeat the first buffer. When the room is used up, the call waits
// for the device and frees all sets. A recording that is played again therefore needs room for all its sets.
enum ebb_result ebb_vk_sets_find(struct ebb_vk *vk, struct ebb_vk_sets *sets,
                                 const struct ebb_vk_memory *const *inside,
                                 const struct ebb_vk_memory *const *outside, VkDescriptorSet found[2],
                                 struct ebb_error *error);

// Writes `count` storage buffers into a set, from binding 0 on; NULL entries repeat the first buffer.
void ebb_vk_write_set(struct ebb_vk *vk, VkDescriptorSet set, const struct ebb_vk_memory *const *buffers,
                      int count);

#endif
