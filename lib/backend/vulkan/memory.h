// SPDX-License-Identifier: LGPL-2.1-or-later
// Memory on the device, in a few large blocks, and buffers of floats in it. The caller holds the lock,
// except for the functions with an ebb_buffer, which take the lock.
#ifndef EBB_BACKEND_VULKAN_MEMORY_H
#define EBB_BACKEND_VULKAN_MEMORY_H

#include "backend/backend.h"
#include "backend/vulkan/device.h"

extern const struct ebb_vk_part ebb_vk_memory_part;

enum ebb_vk_where { EBB_VK_DEVICE, EBB_VK_HOST };
enum ebb_result ebb_vk_allocate(struct ebb_vk *vk, enum ebb_vk_where where, VkDeviceSize size,
                                struct ebb_vk_memory *out, struct ebb_error *error);
void ebb_vk_release(struct ebb_vk *vk,
                    struct ebb_vk_memory *memory); // waits for the device; accepts a zeroed struct
enum ebb_result ebb_vk_upload(struct ebb_vk *vk, const struct ebb_vk_memory *to, VkDeviceSize offset,
                              const void *data, VkDeviceSize size, struct ebb_error *error);
enum ebb_result ebb_vk_download(struct ebb_vk *vk, const struct ebb_vk_memory *from, VkDeviceSize offset,
                                void *data, VkDeviceSize size, struct ebb_error *error);

const struct ebb_vk_memory *ebb_vk_buffer_memory(const struct ebb_buffer *buffer);

enum ebb_result ebb_vk_buffer_create(struct ebb_buffer *buffer, struct ebb_error *error);
void ebb_vk_buffer_destroy(struct ebb_buffer *buffer);
enum ebb_result ebb_vk_buffer_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                                    struct ebb_error *error);
enum ebb_result ebb_vk_buffer_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                                   struct ebb_error *error);

#endif
