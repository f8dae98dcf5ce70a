// Buffers on the device.
#ifndef EBB_BACKEND_VULKAN_BUFFER_H
#define EBB_BACKEND_VULKAN_BUFFER_H

#include "backend/op.h"
#include "backend/vulkan/context.h"

const struct ebb_vk_memory *ebb_vk_buffer_memory(const struct ebb_buffer *buffer);

enum ebb_result ebb_vk_buffer_create(struct ebb_buffer *buffer, struct ebb_error *error);
void ebb_vk_buffer_destroy(struct ebb_buffer *buffer);
enum ebb_result ebb_vk_buffer_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                                    struct ebb_error *error);
enum ebb_result ebb_vk_buffer_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                                   struct ebb_error *error);

#endif
