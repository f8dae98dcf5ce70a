// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/memory.h"

#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/record.h"
#include "base/base.h"

// ---- blocks: a piece takes the first place that fits, and has a buffer of its own ----

static const VkDeviceSize block_size = 64u << 20;

struct ebb_vk_block {
    VkDeviceMemory memory;
    VkDeviceSize size;
    uint32_t type;
    char *mapped;
    struct ebb_vk_piece *pieces; // in order of offset
    struct ebb_vk_block *next;
};

struct ebb_vk_piece {
    VkDeviceSize offset, size;
    struct ebb_vk_piece *next;
};

static int find_type(const struct ebb_vk *vk, uint32_t bits, VkMemoryPropertyFlags want)
{
    for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++)
        if ((bits & 1u << i) && (vk->memory.memoryTypes[i].propertyFlags & want) == want)
            return (int)i;
    return -1;
}

// In unified memory, device-local memory is host-visible too: uploads write straight into it.
static int choose_type(const struct ebb_vk *vk, enum ebb_vk_where where, uint32_t bits)
{
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                          VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags cached = visible | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    const VkMemoryPropertyFlags wishes[2][3] = {
        [EBB_VK_DEVICE] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | visible, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                           0},
        [EBB_VK_HOST] = {cached, visible, visible},
    };
    // The small host-visible window of a discrete GPU (the BAR of 256 MB) is left alone: it is too small.
    bool unified = vk->physical->type != VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    for (int i = where == EBB_VK_DEVICE && !unified ? 1 : 0; i < 3; i++) {
        int type = find_type(vk, bits, wishes[where][i]);
        if (type >= 0)
            return type;
    }
    return -1;
}

// Room for `size` bytes at `alignment` in the block: links a new piece and returns it; NULL: no room.
static struct ebb_vk_piece *carve(struct ebb_vk_block *block, VkDeviceSize size, VkDeviceSize alignment)
{
    struct ebb_vk_piece **link = &block->pieces;
    VkDeviceSize offset = 0;
    for (;; link = &(*link)->next) {
        VkDeviceSize end = *link ? (*link)->offset : block->size;
        if (offset <= end && end - offset >= size)
            break;
        if (!*link)
            return NULL;
        offset = ((*link)->offset + (*link)->size + alignment - 1) / alignment * alignment;
    }
    struct ebb_vk_piece *piece = calloc(1, sizeof(*piece));
    if (piece) {
        *piece = (struct ebb_vk_piece){offset, size, *link};
        *link = piece;
    }
    return piece;
}

static enum ebb_result new_block(struct ebb_vk *vk, VkDeviceSize size, uint32_t type,
                                 struct ebb_vk_block **out, struct ebb_error *error)
{
    struct ebb_vk_block *block = calloc(1, sizeof(*block));
    if (!block)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a device block");

    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .allocationSize = size,
                                 .memoryTypeIndex = type};
    VkResult made = vk->vk.AllocateMemory(vk->device, &info, NULL, &block->memory);
    if (made == VK_SUCCESS &&
        (vk->memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)) {
        void *mapped = NULL;
        made = vk->vk.MapMemory(vk->device, block->memory, 0, VK_WHOLE_SIZE, 0, &mapped);
        block->mapped = mapped;
    }
    enum ebb_result result = ebb_vk_check(vk, made, "allocating device memory", error);
    if (result != EBB_OK) {
        vk->vk.FreeMemory(vk->device, block->memory, NULL);
        free(block);
        return result;
    }

    block->size = size;
    block->type = type;
    block->next = vk->blocks;
    *out = vk->blocks = block;
    return EBB_OK;
}

// A piece of a block of this memory type; allocates a new block if no other has room.
static enum ebb_result find_piece(struct ebb_vk *vk, const VkMemoryRequirements *need, uint32_t type,
                                  struct ebb_vk_block **block, struct ebb_vk_piece **piece,
                                  struct ebb_error *error)
{
    for (*block = vk->blocks; *block; *block = (*block)->next)
        if ((*block)->type == type && (*piece = carve(*block, need->size, need->alignment)))
            return EBB_OK;
    enum ebb_result result = new_block(vk, need->size > block_size ? need->size : block_size, type, block,
                                       error);
    if (result == EBB_OK && !(*piece = carve(*block, need->size, need->alignment)))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a device block");
    return result;
}

static enum ebb_result place(struct ebb_vk *vk, enum ebb_vk_where where, struct ebb_vk_memory *out,
                             struct ebb_error *error)
{
    VkMemoryRequirements need;
    vk->vk.GetBufferMemoryRequirements(vk->device, out->buffer, &need);
    int type = choose_type(vk, where, need.memoryTypeBits);
    if (type < 0)
        return ebb_fail(error, EBB_DEVICE_FAILED, "the device has no memory for buffers");

    struct ebb_vk_block *block;
    struct ebb_vk_piece *piece;
    enum ebb_result result = find_piece(vk, &need, (uint32_t)type, &block, &piece, error);
    if (result != EBB_OK)
        return result;
    out->block = block->memory;
    out->offset = piece->offset;
    out->mapped = block->mapped ? block->mapped + piece->offset : NULL;
    return ebb_vk_check(vk, vk->vk.BindBufferMemory(vk->device, out->buffer, block->memory, piece->offset),
                        "binding device memory", error);
}

enum ebb_result ebb_vk_allocate(struct ebb_vk *vk, enum ebb_vk_where where, VkDeviceSize size,
                                struct ebb_vk_memory *out, struct ebb_error *error)
{
    *out = (struct ebb_vk_memory){.size = size ? size : 4, .id = ++vk->next_id};
    if (size > vk->physical->limits.maxStorageBufferRange)
        return ebb_fail(error, EBB_OUT_OF_MEMORY,
                        "%s binds buffers of at most %u MiB, this network needs one of %u",
                        vk->physical->name, vk->physical->limits.maxStorageBufferRange >> 20,
                        (unsigned)(size >> 20));
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = out->size,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                        VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                               .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    enum ebb_result result = ebb_vk_check(vk, vk->vk.CreateBuffer(vk->device, &info, NULL, &out->buffer),
                                          "creating a buffer", error);
    if (result == EBB_OK)
        result = place(vk, where, out, error);
    if (result != EBB_OK)
        ebb_vk_release(vk, out);
    return result;
}

static void free_piece(struct ebb_vk_block *block, VkDeviceSize offset)
{
    for (struct ebb_vk_piece **link = &block->pieces; *link; link = &(*link)->next)
        if ((*link)->offset == offset) {
            struct ebb_vk_piece *piece = *link;
            *link = piece->next;
            free(piece);
            return;
        }
}

void ebb_vk_release(struct ebb_vk *vk, struct ebb_vk_memory *memory)
{
    if (!memory->buffer)
        return;

    ebb_vk_finish(vk, NULL); // commands may still use the memory; on a lost device nothing runs any more
    vk->vk.DestroyBuffer(vk->device, memory->buffer, NULL);
    for (struct ebb_vk_block **link = &vk->blocks; *link; link = &(*link)->next) {
        struct ebb_vk_block *block = *link;
        if (block->memory != memory->block)
            continue;
        free_piece(block, memory->offset);
        if (!block->pieces) {
            *link = block->next;
            vk->vk.FreeMemory(vk->device, block->memory, NULL);
            free(block);
        }
        break;
    }
    *memory = (struct ebb_vk_memory){0};
}

// ---- copies ----

static enum ebb_result grow_staging(struct ebb_vk *vk, VkDeviceSize size, struct ebb_error *error)
{
    if (vk->staging.size >= size && vk->staging.buffer)
        return EBB_OK;
    ebb_vk_release(vk, &vk->staging);
    return ebb_vk_allocate(vk, EBB_VK_HOST, size < 1u << 20 ? 1u << 20 : size, &vk->staging, error);
}

static enum ebb_result copy(struct ebb_vk *vk, VkBuffer from, VkDeviceSize from_offset, VkBuffer to,
                            VkDeviceSize to_offset, VkDeviceSize size, struct ebb_error *error)
{
    VkCommandBuffer commands;
    enum ebb_result result = ebb_vk_commands(vk, &commands, error);
    if (result != EBB_OK)
        return result;
    VkBufferCopy region = {.srcOffset = from_offset, .dstOffset = to_offset, .size = size};
    ebb_vk_barrier(vk, commands);
    vk->vk.CmdCopyBuffer(commands, from, to, 1, &region);
    return ebb_vk_finish(vk, error);
}

// Small data (a state, its noise: some tens of kilobytes) travel inside the command buffer: nothing waits.
static enum ebb_result update(struct ebb_vk *vk, const struct ebb_vk_memory *to, VkDeviceSize offset,
                              const char *data, VkDeviceSize size, struct ebb_error *error)
{
    const VkDeviceSize most = 65536; // of vkCmdUpdateBuffer
    VkCommandBuffer commands;
    enum ebb_result result = ebb_vk_commands(vk, &commands, error);
    if (result != EBB_OK)
        return result;
    ebb_vk_barrier(vk, commands);
    for (VkDeviceSize done = 0; done < size; done += most)
        vk->vk.CmdUpdateBuffer(commands, to->buffer, offset + done, size - done < most ? size - done : most,
                               data + done);
    return ebb_vk_recorded(vk, size, error);
}

enum ebb_result ebb_vk_upload(struct ebb_vk *vk, const struct ebb_vk_memory *to, VkDeviceSize offset,
                              const void *data, VkDeviceSize size, struct ebb_error *error)
{
    if (!size)
        return EBB_OK;
    if (size <= 1u << 18 && size % 4 == 0)
        return update(vk, to, offset, data, size, error);
    if (to->mapped) { // the copy comes after all commands recorded so far
        enum ebb_result result = ebb_vk_finish(vk, error);
        if (result == EBB_OK)
            memcpy((char *)to->mapped + offset, data, size);
        return result;
    }
    enum ebb_result result = grow_staging(vk, size, error);
    if (result == EBB_OK) {
        memcpy(vk->staging.mapped, data, size);
        result = copy(vk, vk->staging.buffer, 0, to->buffer, offset, size, error);
    }
    return result;
}

enum ebb_result ebb_vk_download(struct ebb_vk *vk, const struct ebb_vk_memory *from, VkDeviceSize offset,
                                void *data, VkDeviceSize size, struct ebb_error *error)
{
    if (!size)
        return EBB_OK;
    enum ebb_result result = from->mapped ? ebb_vk_finish(vk, error) : grow_staging(vk, size, error);
    if (result == EBB_OK && !from->mapped)
        result = copy(vk, from->buffer, offset, vk->staging.buffer, 0, size, error);
    if (result == EBB_OK)
        memcpy(data, from->mapped ? (char *)from->mapped + offset : vk->staging.mapped, size);
    return result;
}

// ---- buffers ----

const struct ebb_vk_memory *ebb_vk_buffer_memory(const struct ebb_buffer *buffer)
{
    return buffer->state;
}

static struct ebb_vk *device_of(const struct ebb_buffer *buffer)
{
    return buffer->device->state;
}

// Allocated and zeroed.
static enum ebb_result make_floats(struct ebb_vk *vk, size_t count, struct ebb_vk_memory *memory,
                                   struct ebb_error *error)
{
    VkCommandBuffer commands;
    enum ebb_result result = ebb_vk_allocate(vk, EBB_VK_DEVICE, count * sizeof(float), memory, error);
    if (result == EBB_OK)
        result = ebb_vk_commands(vk, &commands, error);
    if (result == EBB_OK) {
        ebb_vk_barrier(vk, commands);
        vk->vk.CmdFillBuffer(commands, memory->buffer, 0, VK_WHOLE_SIZE, 0);
    } else {
        ebb_vk_release(vk, memory);
    }
    return result;
}

enum ebb_result ebb_vk_buffer_create(struct ebb_buffer *buffer, struct ebb_error *error)
{
    struct ebb_vk *vk = device_of(buffer);
    struct ebb_vk_memory *memory = ebb_alloc(1, sizeof(*memory));
    if (!memory || buffer->count > SIZE_MAX / sizeof(float)) {
        free(memory);
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a buffer");
    }
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = make_floats(vk, buffer->count, memory, error);
    pthread_mutex_unlock(&vk->lock);
    if (result == EBB_OK)
        buffer->state = memory;
    else
        free(memory);
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
    enum ebb_result result = ebb_vk_upload(vk, buffer->state, offset * sizeof(float), data,
                                           count * sizeof(float), error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}

enum ebb_result ebb_vk_buffer_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                                   struct ebb_error *error)
{
    struct ebb_vk *vk = device_of(buffer);
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = ebb_vk_download(vk, buffer->state, offset * sizeof(float), data,
                                             count * sizeof(float), error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}

// ---- the part of a device ----

static enum ebb_result open_memory(struct ebb_vk *vk, const struct ebb_log *log, struct ebb_error *error)
{
    vk->instance->vk.GetPhysicalDeviceMemoryProperties(vk->physical->handle, &vk->memory);
    return EBB_OK;
}

static void close_memory(struct ebb_vk *vk)
{
    ebb_vk_release(vk, &vk->staging);
    while (vk->blocks) {
        struct ebb_vk_block *block = vk->blocks;
        vk->blocks = block->next;
        while (block->pieces)
            free_piece(block, block->pieces->offset);
        vk->vk.FreeMemory(vk->device, block->memory, NULL);
        free(block);
    }
}

const struct ebb_vk_part ebb_vk_memory_part = {open_memory, close_memory};
