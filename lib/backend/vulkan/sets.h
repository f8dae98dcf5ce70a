// Descriptor sets, found by what they name: made once per combination of buffers.
#ifndef EBB_BACKEND_VULKAN_SETS_H
#define EBB_BACKEND_VULKAN_SETS_H

#include "backend/vulkan/kernel.h"

struct ebb_vk_sets;

// Room for `capacity` sets; NULL with an error.
struct ebb_vk_sets *ebb_vk_sets_create(struct ebb_vk *vk, int capacity, struct ebb_error *error);
void ebb_vk_sets_destroy(struct ebb_vk *vk, struct ebb_vk_sets **sets);

// The sets that name these buffers: `inside` (EBB_VK_INSIDE of them; NULL: not looked for) and `outside`
// (EBB_VK_OUTSIDES). Entries that are NULL repeat the first. When the room is used up, waits for the device and begins
// anew: what is recorded for good needs room for all of its sets.
enum ebb_result ebb_vk_sets_find(struct ebb_vk *vk, struct ebb_vk_sets *sets, const struct ebb_vk_memory *const *inside,
                                 const struct ebb_vk_memory *const *outside, VkDescriptorSet found[2], struct ebb_error *error);

#endif
