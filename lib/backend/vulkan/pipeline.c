// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/record.h"
#include "base/base.h"

#include "shaders.h"

struct words {
    const uint32_t *code;
    size_t size; // bytes
};
#define WORDS(name)                                                                                          \
    {                                                                                                        \
        ebb_shader_##name, sizeof(ebb_shader_##name)                                                         \
    }
#define BOTH(name)                                                                                           \
    {                                                                                                        \
        WORDS(name##_f32), WORDS(name##_f16)                                                                 \
    }
#define SINGLE(name)                                                                                         \
    {                                                                                                        \
        WORDS(name##_f32), WORDS(name##_f32)                                                                 \
    }
#define HALF(name)                                                                                           \
    {                                                                                                        \
        {NULL, 0}, WORDS(name)                                                                               \
    }

// By precision: 32-bit storage, 16-bit storage.
static const struct words shaders[EBB_VK_SHADERS][2] = {
#define SHADER(NAME, name, variants) [EBB_VK_##NAME] = variants(name),
#include "shaders.h"
#undef SHADER
};

struct ebb_vk_pipeline {
    enum ebb_vk_shader shader;
    struct ebb_vk_specs specs;
    VkPipeline handle;
    struct ebb_vk_pipeline *next;
};

static VkResult compile(struct ebb_vk *vk, const struct words *words, const struct ebb_vk_specs *specs,
                        VkPipeline *out)
{
    VkShaderModuleCreateInfo code = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                     .codeSize = words->size,
                                     .pCode = words->code};
    VkShaderModule module;
    VkResult result = vk->vk.CreateShaderModule(vk->device, &code, NULL, &module);
    if (result != VK_SUCCESS)
        return result;

    VkSpecializationMapEntry entries[EBB_VK_SPECS];
    for (uint32_t i = 0; i < EBB_VK_SPECS; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i + 1, .offset = i * 4, .size = 4};
    VkSpecializationInfo constants = {.mapEntryCount = EBB_VK_SPECS,
                                      .pMapEntries = entries,
                                      .dataSize = sizeof(specs->value),
                                      .pData = specs->value};
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &constants},
        .layout = vk->layout};
    result = vk->vk.CreateComputePipelines(vk->device, vk->cache, 1, &info, NULL, out);
    vk->vk.DestroyShaderModule(vk->device, module, NULL);
    return result;
}

static enum ebb_result make_pipeline(struct ebb_vk *vk, enum ebb_vk_shader shader,
                                     const struct ebb_vk_specs *specs, struct ebb_vk_pipeline **pipeline,
                                     struct ebb_error *error)
{
    struct ebb_vk_pipeline *p = calloc(1, sizeof(*p));
    if (!p)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a pipeline");
    VkResult compiled = compile(vk, &shaders[shader][vk->fp16], specs, &p->handle);
    enum ebb_result result = ebb_vk_check(vk, compiled, "compiling a shader", error);
    if (result != EBB_OK) {
        free(p);
        return result;
    }
    p->shader = shader;
    p->specs = *specs;
    p->next = vk->pipelines;
    *pipeline = vk->pipelines = p;
    return EBB_OK;
}

enum ebb_result ebb_vk_pipeline_get(struct ebb_vk *vk, enum ebb_vk_shader shader,
                                    const struct ebb_vk_specs *specs, VkPipeline *pipeline,
                                    struct ebb_error *error)
{
    struct ebb_vk_pipeline *p = vk->pipelines;
    while (p && (p->shader != shader || memcmp(&p->specs, specs, sizeof(*specs)) != 0))
        p = p->next;
    enum ebb_result result = p ? EBB_OK : make_pipeline(vk, shader, specs, &p, error);
    if (result == EBB_OK)
        *pipeline = p->handle;
    return result;
}

// ---- descriptor sets ----

void ebb_vk_write_set(struct ebb_vk *vk, VkDescriptorSet set, const struct ebb_vk_memory *const *buffers,
                      int count)
{
    VkDescriptorBufferInfo infos[EBB_VK_INSIDE];
    VkWriteDescriptorSet writes[EBB_VK_INSIDE];
    for (int i = 0; i < count; i++) {
        const struct ebb_vk_memory *memory = buffers[i] && buffers[i]->buffer ? buffers[i] : buffers[0];
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a list of buffers begins with one
        infos[i] = (VkDescriptorBufferInfo){.buffer = memory->buffer, .range = VK_WHOLE_SIZE};
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = set,
                                           .dstBinding = (uint32_t)i,
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &infos[i]};
    }
    vk->vk.UpdateDescriptorSets(vk->device, (uint32_t)count, writes, 0, NULL);
}

struct cached_set {
    int layout; // 0: inside, 1: outside
    uint64_t id[EBB_VK_INSIDE];
    VkDescriptorSet set;
};

struct ebb_vk_sets {
    VkDescriptorPool pool;
    int count, capacity;
    struct cached_set entries[];
};

static const int sizes[2] = {EBB_VK_INSIDE, EBB_VK_OUTSIDES};

enum ebb_result ebb_vk_sets_create(struct ebb_vk *vk, int capacity, struct ebb_vk_sets **out,
                                   struct ebb_error *error)
{
    struct ebb_vk_sets *sets = ebb_alloc(1, sizeof(*sets) + (size_t)capacity * sizeof(sets->entries[0]));
    if (!sets)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for descriptor sets");
    sets->capacity = capacity;
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, (uint32_t)capacity * EBB_VK_INSIDE};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = (uint32_t)capacity,
                                       .poolSizeCount = 1,
                                       .pPoolSizes = &size};
    VkResult made = vk->vk.CreateDescriptorPool(vk->device, &info, NULL, &sets->pool);
    enum ebb_result result = ebb_vk_check(vk, made, "making a descriptor pool", error);
    if (result == EBB_OK)
        *out = sets;
    else
        free(sets);
    return result;
}

void ebb_vk_sets_destroy(struct ebb_vk *vk, struct ebb_vk_sets **sets)
{
    if (*sets)
        vk->vk.DestroyDescriptorPool(vk->device, (*sets)->pool, NULL);
    free(*sets);
    *sets = NULL;
}

static enum ebb_result make_set(struct ebb_vk *vk, struct ebb_vk_sets *sets, struct cached_set *entry,
                                const struct ebb_vk_memory *const *memory, struct ebb_error *error)
{
    VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = sets->pool,
                                        .descriptorSetCount = 1,
                                        .pSetLayouts = &vk->set_layout[entry->layout]};
    VkResult result = vk->vk.AllocateDescriptorSets(vk->device, &info, &entry->set);
    enum ebb_result made = ebb_vk_check(vk, result, "making a descriptor set", error);
    if (made == EBB_OK)
        ebb_vk_write_set(vk, entry->set, memory, sizes[entry->layout]);
    return made;
}

static enum ebb_result find(struct ebb_vk *vk, struct ebb_vk_sets *sets, int layout,
                            const struct ebb_vk_memory *const *memory, VkDescriptorSet *found,
                            struct ebb_error *error)
{
    struct cached_set wanted = {.layout = layout};
    for (int i = 0; i < sizes[layout]; i++)
        wanted.id[i] = memory[i] ? memory[i]->id : 0;
    for (int i = 0; i < sets->count; i++)
        if (sets->entries[i].layout == layout &&
            memcmp(sets->entries[i].id, wanted.id, sizeof(wanted.id)) == 0) {
            *found = sets->entries[i].set;
            return EBB_OK;
        }

    enum ebb_result result = make_set(vk, sets, &wanted, memory, error);
    if (result == EBB_OK) {
        sets->entries[sets->count++] = wanted;
        *found = wanted.set;
    }
    return result;
}

static enum ebb_result begin_anew(struct ebb_vk *vk, struct ebb_vk_sets *sets, struct ebb_error *error)
{
    enum ebb_result result = ebb_vk_finish(vk, error);
    if (result == EBB_OK) {
        vk->vk.ResetDescriptorPool(vk->device, sets->pool, 0);
        sets->count = 0;
    }
    return result;
}

enum ebb_result ebb_vk_sets_find(struct ebb_vk *vk, struct ebb_vk_sets *sets,
                                 const struct ebb_vk_memory *const *inside,
                                 const struct ebb_vk_memory *const *outside, VkDescriptorSet found[2],
                                 struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    if (sets->count + 2 > sets->capacity) // both sets of a pair are made in the same room
        result = begin_anew(vk, sets, error);
    if (result == EBB_OK && inside)
        result = find(vk, sets, 0, inside, &found[0], error);
    if (result == EBB_OK)
        result = find(vk, sets, 1, outside, &found[1], error);
    return result;
}

// ---- the part of a device ----

static enum ebb_result open_pipelines(struct ebb_vk *vk, const struct ebb_log *log, struct ebb_error *error)
{
    VkDescriptorSetLayoutBinding bindings[EBB_VK_INSIDE];
    for (uint32_t i = 0; i < EBB_VK_INSIDE; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                                     .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                     .descriptorCount = 1,
                                                     .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    static const uint32_t counts[2] = {EBB_VK_INSIDE, EBB_VK_OUTSIDES};
    VkResult result = VK_SUCCESS;
    for (int i = 0; i < 2 && result == VK_SUCCESS; i++) {
        VkDescriptorSetLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                                .bindingCount = counts[i],
                                                .pBindings = bindings};
        result = vk->vk.CreateDescriptorSetLayout(vk->device, &info, NULL, &vk->set_layout[i]);
    }
    if (result == VK_SUCCESS) {
        VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = EBB_VK_PUSH_WORDS * 4};
        VkPipelineLayoutCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                           .setLayoutCount = 2,
                                           .pSetLayouts = vk->set_layout,
                                           .pushConstantRangeCount = 1,
                                           .pPushConstantRanges = &push};
        result = vk->vk.CreatePipelineLayout(vk->device, &info, NULL, &vk->layout);
    }
    return ebb_vk_check(vk, result, "making a pipeline layout", error);
}

static void close_pipelines(struct ebb_vk *vk)
{
    while (vk->pipelines) {
        struct ebb_vk_pipeline *pipeline = vk->pipelines;
        vk->pipelines = pipeline->next;
        vk->vk.DestroyPipeline(vk->device, pipeline->handle, NULL);
        free(pipeline);
    }
    vk->vk.DestroyPipelineLayout(vk->device, vk->layout, NULL);
    for (int i = 0; i < 2; i++)
        vk->vk.DestroyDescriptorSetLayout(vk->device, vk->set_layout[i], NULL);
}

const struct ebb_vk_part ebb_vk_pipeline_part = {open_pipelines, close_pipelines};
