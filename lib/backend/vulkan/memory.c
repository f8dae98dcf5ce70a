// Memory in a few large blocks, carved first-fit; every piece has a buffer of its own.
#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/context.h"
#include "base/base.h"

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

// On unified memory device-local is host-visible too and uploads go straight there.
static int choose_type(const struct ebb_vk *vk, enum ebb_vk_where where, uint32_t bits)
{
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags cached = visible | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    const VkMemoryPropertyFlags wishes[2][3] = {
        [EBB_VK_DEVICE] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | visible, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0},
        [EBB_VK_HOST] = {cached, visible, visible},
    };
    // A small host-visible window of a discrete GPU (the old 256 MB BAR) is not for us.
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

static struct ebb_vk_block *new_block(struct ebb_vk *vk, VkDeviceSize size, uint32_t type, struct ebb_error *error)
{
    struct ebb_vk_block *block = calloc(1, sizeof(*block));
    if (!block) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for a device block");
        return NULL;
    }

    VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = size, .memoryTypeIndex = type};
    VkResult result = vk->vk.AllocateMemory(vk->device, &info, NULL, &block->memory);
    if (result == VK_SUCCESS &&
        (vk->memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)) {
        void *mapped = NULL;
        result = vk->vk.MapMemory(vk->device, block->memory, 0, VK_WHOLE_SIZE, 0, &mapped);
        block->mapped = mapped;
    }
    if (ebb_vk_check(vk, result, "allocating device memory", error) != EBB_OK) {
        vk->vk.FreeMemory(vk->device, block->memory, NULL);
        free(block);
        return NULL;
    }

    block->size = size;
    block->type = type;
    block->next = vk->blocks;
    vk->blocks = block;
    return block;
}

static enum ebb_result place(struct ebb_vk *vk, enum ebb_vk_where where, struct ebb_vk_memory *out, struct ebb_error *error)
{
    VkMemoryRequirements need;
    vk->vk.GetBufferMemoryRequirements(vk->device, out->buffer, &need);
    int type = choose_type(vk, where, need.memoryTypeBits);
    if (type < 0)
        return ebb_fail(error, EBB_DEVICE_FAILED, "the device has no memory for buffers");

    struct ebb_vk_piece *piece = NULL;
    struct ebb_vk_block *block = vk->blocks;
    for (; block; block = block->next)
        if (block->type == (uint32_t)type && (piece = carve(block, need.size, need.alignment)))
            break;
    if (!piece) {
        block = new_block(vk, need.size > block_size ? need.size : block_size, (uint32_t)type, error);
        piece = block ? carve(block, need.size, need.alignment) : NULL;
        if (!piece)
            return block ? ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for a device block") : EBB_OUT_OF_MEMORY;
    }
    out->block = block->memory;
    out->offset = piece->offset;
    out->mapped = block->mapped ? block->mapped + piece->offset : NULL;
    return ebb_vk_check(vk, vk->vk.BindBufferMemory(vk->device, out->buffer, block->memory, piece->offset),
                        "binding device memory", error);
}

enum ebb_result ebb_vk_allocate(struct ebb_vk *vk, enum ebb_vk_where where, VkDeviceSize size, struct ebb_vk_memory *out,
                                struct ebb_error *error)
{
    *out = (struct ebb_vk_memory){.size = size ? size : 4, .id = ++vk->next_id};
    if (size > vk->physical->limits.maxStorageBufferRange)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s binds buffers of at most %u MiB, this network needs one of %u",
                        vk->physical->name, vk->physical->limits.maxStorageBufferRange >> 20, (unsigned)(size >> 20));
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = out->size,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                        VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                               .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    enum ebb_result result =
        ebb_vk_check(vk, vk->vk.CreateBuffer(vk->device, &info, NULL, &out->buffer), "creating a buffer", error);
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

    ebb_vk_finish(vk, NULL); // commands may still use it; on a lost device nothing runs any more
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

void ebb_vk_free_blocks(struct ebb_vk *vk)
{
    while (vk->blocks) {
        struct ebb_vk_block *block = vk->blocks;
        vk->blocks = block->next;
        while (block->pieces)
            free_piece(block, block->pieces->offset);
        vk->vk.FreeMemory(vk->device, block->memory, NULL);
        free(block);
    }
}

static enum ebb_result grow_staging(struct ebb_vk *vk, VkDeviceSize size, struct ebb_error *error)
{
    if (vk->staging.size >= size && vk->staging.buffer)
        return EBB_OK;
    ebb_vk_release(vk, &vk->staging);
    return ebb_vk_allocate(vk, EBB_VK_HOST, size < 1u << 20 ? 1u << 20 : size, &vk->staging, error);
}

static enum ebb_result copy(struct ebb_vk *vk, VkBuffer from, VkDeviceSize from_offset, VkBuffer to, VkDeviceSize to_offset,
                            VkDeviceSize size, struct ebb_error *error)
{
    VkCommandBuffer commands = ebb_vk_commands(vk, error);
    if (!commands)
        return EBB_DEVICE_FAILED;
    VkBufferCopy region = {.srcOffset = from_offset, .dstOffset = to_offset, .size = size};
    ebb_vk_barrier(vk, commands);
    vk->vk.CmdCopyBuffer(commands, from, to, 1, &region);
    return ebb_vk_finish(vk, error);
}

// Up to a few tens of kilobytes (a state, its noise) travel inside the command buffer: nobody waits.
static enum ebb_result update(struct ebb_vk *vk, const struct ebb_vk_memory *to, VkDeviceSize offset, const char *data,
                              VkDeviceSize size, struct ebb_error *error)
{
    const VkDeviceSize most = 65536; // of vkCmdUpdateBuffer
    VkCommandBuffer commands = ebb_vk_commands(vk, error);
    if (!commands)
        return EBB_DEVICE_FAILED;
    ebb_vk_barrier(vk, commands);
    for (VkDeviceSize done = 0; done < size; done += most)
        vk->vk.CmdUpdateBuffer(commands, to->buffer, offset + done, size - done < most ? size - done : most, data + done);
    return ebb_vk_recorded(vk, size, error);
}

enum ebb_result ebb_vk_upload(struct ebb_vk *vk, const struct ebb_vk_memory *to, VkDeviceSize offset, const void *data,
                              VkDeviceSize size, struct ebb_error *error)
{
    if (!size)
        return EBB_OK;
    if (size <= 1u << 18 && size % 4 == 0)
        return update(vk, to, offset, data, size, error);
    if (to->mapped) { // ordered after what is already recorded
        enum ebb_result result = ebb_vk_finish(vk, error);
        if (result == EBB_OK)
            memcpy((char *)to->mapped + offset, data, size);
        return result;
    }
    enum ebb_result result = grow_staging(vk, size, error);
    if (result != EBB_OK)
        return result;
    memcpy(vk->staging.mapped, data, size);
    return copy(vk, vk->staging.buffer, 0, to->buffer, offset, size, error);
}

enum ebb_result ebb_vk_download(struct ebb_vk *vk, const struct ebb_vk_memory *from, VkDeviceSize offset, void *data,
                                VkDeviceSize size, struct ebb_error *error)
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
