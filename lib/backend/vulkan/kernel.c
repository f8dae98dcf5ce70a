#include "backend/vulkan/kernel.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#include "act_grad_f16.h"
#include "act_grad_f32.h"
#include "attention_f16.h"
#include "attention_f32.h"
#include "attention_grad_key_f16.h"
#include "attention_grad_key_f32.h"
#include "attention_grad_query_f16.h"
#include "attention_grad_query_f32.h"
#include "blend_f32.h"
#include "generated/conv_coop16.h"
#include "generated/conv_coop8.h"
#include "conv_direct_f16.h"
#include "conv_direct_f32.h"
#include "conv_large_f16.h"
#include "conv_large_f32.h"
#include "conv_row_f16.h"
#include "conv_row_f32.h"
#include "conv_small_f16.h"
#include "conv_small_f32.h"
#include "conv_sum_f16.h"
#include "conv_sum_f32.h"
#include "map_f16.h"
#include "map_f32.h"
#include "mean_f16.h"
#include "mean_f32.h"
#include "measure_f32.h"
#include "norm_f16.h"
#include "norm_f32.h"
#include "norm_grad_f16.h"
#include "norm_grad_f32.h"
#include "pool_f16.h"
#include "pool_f32.h"
#include "softmax_f16.h"
#include "softmax_f32.h"
#include "spread_f16.h"
#include "spread_f32.h"
#include "stats_f16.h"
#include "stats_f32.h"
#include "threshold_f32.h"

struct words {
    const uint32_t *code;
    size_t size; // bytes
};
#define WORDS(name) {ebb_shader_##name, sizeof(ebb_shader_##name)}
#define BOTH(name) {WORDS(name##_f32), WORDS(name##_f16)}
#define SINGLE(name) {WORDS(name##_f32), WORDS(name##_f32)}
#define HALF(name) {{NULL, 0}, WORDS(name)}

// By precision: 32-bit storage, 16-bit storage.
static const struct words shaders[EBB_VK_SHADERS][2] = {
    [EBB_VK_CONV_LARGE] = BOTH(conv_large),   [EBB_VK_CONV_SMALL] = BOTH(conv_small),
    [EBB_VK_CONV_COOP8] = HALF(conv_coop8),   [EBB_VK_CONV_COOP16] = HALF(conv_coop16),
    [EBB_VK_CONV_SUM] = BOTH(conv_sum),       [EBB_VK_CONV_DIRECT] = BOTH(conv_direct),
    [EBB_VK_CONV_ROW] = BOTH(conv_row),       [EBB_VK_MAP] = BOTH(map),
    [EBB_VK_NORM] = BOTH(norm),               [EBB_VK_ATTENTION] = BOTH(attention),
    [EBB_VK_POOL] = BOTH(pool),               [EBB_VK_BLEND] = SINGLE(blend),
    [EBB_VK_MEASURE] = SINGLE(measure),       [EBB_VK_STATS] = BOTH(stats),
    [EBB_VK_MEAN] = BOTH(mean),               [EBB_VK_SOFTMAX] = BOTH(softmax),
    [EBB_VK_SPREAD] = BOTH(spread),           [EBB_VK_ACT_GRAD] = BOTH(act_grad),
    [EBB_VK_NORM_GRAD] = BOTH(norm_grad),
    [EBB_VK_ATTENTION_GRAD_QUERY] = BOTH(attention_grad_query),
    [EBB_VK_ATTENTION_GRAD_KEY] = BOTH(attention_grad_key),
    [EBB_VK_THRESHOLD] = SINGLE(threshold),
};

struct ebb_vk_pipeline {
    enum ebb_vk_shader shader;
    struct ebb_vk_specs specs;
    VkPipeline handle;
    struct ebb_vk_pipeline *next;
};

enum ebb_result ebb_vk_pipelines_init(struct ebb_vk *vk, struct ebb_error *error)
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

void ebb_vk_pipelines_free(struct ebb_vk *vk)
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

static VkResult make(struct ebb_vk *vk, const struct words *words, const struct ebb_vk_specs *specs, VkPipeline *out)
{
    VkShaderModuleCreateInfo code = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = words->size, .pCode = words->code};
    VkShaderModule module;
    VkResult result = vk->vk.CreateShaderModule(vk->device, &code, NULL, &module);
    if (result != VK_SUCCESS)
        return result;

    VkSpecializationMapEntry entries[EBB_VK_SPECS];
    for (uint32_t i = 0; i < EBB_VK_SPECS; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i + 1, .offset = i * 4, .size = 4};
    VkSpecializationInfo constants = {
        .mapEntryCount = EBB_VK_SPECS, .pMapEntries = entries, .dataSize = sizeof(specs->value), .pData = specs->value};
    VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
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

VkPipeline ebb_vk_pipeline_get(struct ebb_vk *vk, enum ebb_vk_shader shader, const struct ebb_vk_specs *specs,
                               struct ebb_error *error)
{
    for (struct ebb_vk_pipeline *p = vk->pipelines; p; p = p->next)
        if (p->shader == shader && memcmp(&p->specs, specs, sizeof(*specs)) == 0)
            return p->handle;

    struct ebb_vk_pipeline *p = calloc(1, sizeof(*p));
    if (!p) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for a pipeline");
        return VK_NULL_HANDLE;
    }
    VkResult result = make(vk, &shaders[shader][vk->fp16], specs, &p->handle);
    if (ebb_vk_check(vk, result, "compiling a shader", error) != EBB_OK) {
        free(p);
        return VK_NULL_HANDLE;
    }
    p->shader = shader;
    p->specs = *specs;
    p->next = vk->pipelines;
    vk->pipelines = p;
    return p->handle;
}

void ebb_vk_encode(struct ebb_vk *vk, VkCommandBuffer commands, const struct ebb_vk_dispatch *d, VkDescriptorSet outside,
                   int step)
{
    uint32_t push[EBB_VK_PUSH_WORDS];
    memcpy(push, d->push, sizeof(push));
    for (int i = 0; i < d->patches; i++)
        push[d->patch[i].word] += (uint32_t)step * d->patch[i].stride;
    VkDescriptorSet sets[2] = {d->inside, outside};
    ebb_vk_barrier(vk, commands);
    vk->vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, d->pipeline);
    vk->vk.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, vk->layout, 0, 2, sets, 0, NULL);
    vk->vk.CmdPushConstants(commands, vk->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, d->push_size, push);
    vk->vk.CmdDispatch(commands, d->groups[0], d->groups[1], d->groups[2]);
}

enum ebb_result ebb_vk_record(struct ebb_vk *vk, const struct ebb_vk_dispatch *d, VkDescriptorSet outside, int step,
                              struct ebb_error *error)
{
    VkCommandBuffer commands = ebb_vk_commands(vk, error);
    if (!commands)
        return vk->failure.code != EBB_OK ? vk->failure.code : EBB_DEVICE_FAILED;

    ebb_vk_encode(vk, commands, d, outside, step);
    memcpy(vk->latest, d->name, sizeof(vk->latest));
    return ebb_vk_recorded(vk, d->flops, error);
}

void ebb_vk_write_set(struct ebb_vk *vk, VkDescriptorSet set, const struct ebb_vk_memory *const *buffers, int count)
{
    VkDescriptorBufferInfo infos[EBB_VK_INSIDE];
    VkWriteDescriptorSet writes[EBB_VK_INSIDE];
    for (int i = 0; i < count; i++) {
        const struct ebb_vk_memory *memory = buffers[i] && buffers[i]->buffer ? buffers[i] : buffers[0];
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
