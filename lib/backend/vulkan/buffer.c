#include "backend/vulkan/buffer.h"

#include <stdlib.h>

#include "base/base.h"

const struct ebb_vk_memory *ebb_vk_buffer_memory(const struct ebb_buffer *buffer)
{
    return buffer->state;
}

static struct ebb_vk *device_of(const struct ebb_buffer *buffer)
{
    return buffer->device->state;
}

enum ebb_result ebb_vk_buffer_create(struct ebb_buffer *buffer, struct ebb_error *error)
{
    struct ebb_vk *vk = device_of(buffer);
    struct ebb_vk_memory *memory = ebb_alloc(1, sizeof(*memory));
    if (!memory || buffer->count > SIZE_MAX / sizeof(float)) {
        free(memory);
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for a buffer");
    }
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = ebb_vk_allocate(vk, EBB_VK_DEVICE, buffer->count * sizeof(float), memory, error);
    VkCommandBuffer commands = result == EBB_OK ? ebb_vk_commands(vk, error) : NULL;
    if (commands) {
        ebb_vk_barrier(vk, commands);
        vk->vk.CmdFillBuffer(commands, memory->buffer, 0, VK_WHOLE_SIZE, 0);
    } else {
        result = result == EBB_OK ? EBB_DEVICE_FAILED : result;
        ebb_vk_release(vk, memory);
    }
    pthread_mutex_unlock(&vk->lock);
    buffer->state = memory;
    if (result != EBB_OK) {
        free(memory);
        buffer->state = NULL;
    }
    return result;
}

void ebb_vk_buffer_destroy(struct ebb_buffer *buffer)
{
    struct ebb_vk *vk = device_of(buffer);
    if (!buffer->state)
        return;
    pthread_mutex_lock(&vk->lock);
    ebb_vk_release(vk, buffer->state);
    pthread_mutex_unlock(&vk->lock);
    free(buffer->state);
    buffer->state = NULL;
}

enum ebb_result ebb_vk_buffer_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                                    struct ebb_error *error)
{
    struct ebb_vk *vk = device_of(buffer);
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result =
        ebb_vk_upload(vk, buffer->state, offset * sizeof(float), data, count * sizeof(float), error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}

enum ebb_result ebb_vk_buffer_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                                   struct ebb_error *error)
{
    struct ebb_vk *vk = device_of(buffer);
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result =
        ebb_vk_download(vk, buffer->state, offset * sizeof(float), data, count * sizeof(float), error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}
