#include "backend/vulkan/sets.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"

struct entry {
    int layout; // 0: inside, 1: outside
    uint64_t id[EBB_VK_INSIDE];
    VkDescriptorSet set;
};

struct ebb_vk_sets {
    VkDescriptorPool pool;
    int count, capacity;
    struct entry entries[];
};

static const int sizes[2] = {EBB_VK_INSIDE, EBB_VK_OUTSIDES};

struct ebb_vk_sets *ebb_vk_sets_create(struct ebb_vk *vk, int capacity, struct ebb_error *error)
{
    struct ebb_vk_sets *sets = ebb_alloc(1, sizeof(*sets) + (size_t)capacity * sizeof(sets->entries[0]));
    if (!sets) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for descriptor sets");
        return NULL;
    }
    sets->capacity = capacity;
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, (uint32_t)capacity * EBB_VK_INSIDE};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = (uint32_t)capacity,
                                       .poolSizeCount = 1,
                                       .pPoolSizes = &size};
    VkResult result = vk->vk.CreateDescriptorPool(vk->device, &info, NULL, &sets->pool);
    if (ebb_vk_check(vk, result, "making a descriptor pool", error) == EBB_OK)
        return sets;
    free(sets);
    return NULL;
}

void ebb_vk_sets_destroy(struct ebb_vk *vk, struct ebb_vk_sets **sets)
{
    if (*sets)
        vk->vk.DestroyDescriptorPool(vk->device, (*sets)->pool, NULL);
    free(*sets);
    *sets = NULL;
}

static enum ebb_result make(struct ebb_vk *vk, struct ebb_vk_sets *sets, struct entry *entry,
                            const struct ebb_vk_memory *const *memory, struct ebb_error *error)
{
    VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = sets->pool,
                                        .descriptorSetCount = 1,
                                        .pSetLayouts = &vk->set_layout[entry->layout]};
    VkResult result = vk->vk.AllocateDescriptorSets(vk->device, &info, &entry->set);
    if (ebb_vk_check(vk, result, "making a descriptor set", error) != EBB_OK)
        return ebb_vk_result(result);
    ebb_vk_write_set(vk, entry->set, memory, sizes[entry->layout]);
    return EBB_OK;
}

static enum ebb_result find(struct ebb_vk *vk, struct ebb_vk_sets *sets, int layout, const struct ebb_vk_memory *const *memory,
                            VkDescriptorSet *found, struct ebb_error *error)
{
    struct entry wanted = {.layout = layout};
    for (int i = 0; i < sizes[layout]; i++)
        wanted.id[i] = memory[i] ? memory[i]->id : 0;
    for (int i = 0; i < sets->count; i++)
        if (sets->entries[i].layout == layout && memcmp(sets->entries[i].id, wanted.id, sizeof(wanted.id)) == 0) {
            *found = sets->entries[i].set;
            return EBB_OK;
        }

    enum ebb_result result = make(vk, sets, &wanted, memory, error);
    if (result != EBB_OK)
        return result;
    sets->entries[sets->count++] = wanted;
    *found = wanted.set;
    return EBB_OK;
}

enum ebb_result ebb_vk_sets_find(struct ebb_vk *vk, struct ebb_vk_sets *sets, const struct ebb_vk_memory *const *inside,
                                 const struct ebb_vk_memory *const *outside, VkDescriptorSet found[2], struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    if (sets->count + 2 > sets->capacity) { // a pair must not lose its first half to its second
        if ((result = ebb_vk_finish(vk, error)) != EBB_OK)
            return result;
        vk->vk.ResetDescriptorPool(vk->device, sets->pool, 0);
        sets->count = 0;
    }
    if (inside)
        result = find(vk, sets, 0, inside, &found[0], error);
    return result == EBB_OK ? find(vk, sets, 1, outside, &found[1], error) : result;
}
