// Shaders as pipelines, and one dispatch of one.
#ifndef EBB_BACKEND_VULKAN_KERNEL_H
#define EBB_BACKEND_VULKAN_KERNEL_H

#include "backend/vulkan/context.h"

typedef uint32_t uint; // as the shaders spell it
#include "push.h"

enum ebb_vk_shader {
    EBB_VK_CONV_LARGE,
    EBB_VK_CONV_SMALL,
    EBB_VK_CONV_COOP8,
    EBB_VK_CONV_COOP16,
    EBB_VK_CONV_SUM,
    EBB_VK_CONV_DIRECT,
    EBB_VK_CONV_ROW,
    EBB_VK_MAP,
    EBB_VK_NORM,
    EBB_VK_STATS,
    EBB_VK_ATTENTION,
    EBB_VK_POOL,
    EBB_VK_MEAN,
    EBB_VK_SOFTMAX,
    EBB_VK_SPREAD,
    EBB_VK_ACT_GRAD,
    EBB_VK_NORM_GRAD,
    EBB_VK_ATTENTION_GRAD_QUERY,
    EBB_VK_ATTENTION_GRAD_KEY,
    EBB_VK_BLEND,
    EBB_VK_MEASURE,
    EBB_VK_THRESHOLD,
    EBB_VK_SHADERS
};

// Where an operand lies; numbers as in tensors.glsl.
enum ebb_vk_bank { EBB_VK_NONE, EBB_VK_ARENA, EBB_VK_HALF, EBB_VK_STEPS, EBB_VK_OUTSIDE };

// Storage buffers: five that belong to the program, four that are given to run().
enum { EBB_VK_INSIDE = 5, EBB_VK_OUTSIDES = 4, EBB_VK_SPECS = 11 };

struct ebb_vk_specs {
    uint32_t value[EBB_VK_SPECS]; // constant_id 1..11
};

// The pipeline of a shader with these constants, made on first use and kept. VK_NULL_HANDLE with an error.
VkPipeline ebb_vk_pipeline_get(struct ebb_vk *vk, enum ebb_vk_shader shader, const struct ebb_vk_specs *specs,
                               struct ebb_error *error);
enum ebb_result ebb_vk_pipelines_init(struct ebb_vk *vk, struct ebb_error *error);
void ebb_vk_pipelines_free(struct ebb_vk *vk);

enum { EBB_VK_PUSH_WORDS = 32, EBB_VK_PATCHES = 8 };

struct ebb_weight;

struct ebb_vk_dispatch {
    VkPipeline pipeline;
    VkDescriptorSet inside;
    uint32_t push[EBB_VK_PUSH_WORDS];
    uint32_t push_size; // bytes
    struct {
        uint32_t word;   // of push, grows by
        uint32_t stride; // floats a step
    } patch[EBB_VK_PATCHES];
    int patches;
    uint32_t groups[3];
    struct ebb_weight *weight; // what binding 2 holds; NULL: nothing
    uint32_t partial;          // the word of push that becomes the place of partial sums; 0: none
    uint64_t flops;
    char name[80]; // of the op it is part of, for profiles
};

// A barrier and one dispatch into a command buffer.
void ebb_vk_encode(struct ebb_vk *vk, VkCommandBuffer commands, const struct ebb_vk_dispatch *dispatch,
                   VkDescriptorSet outside, int step);

// The same into the open one.
enum ebb_result ebb_vk_record(struct ebb_vk *vk, const struct ebb_vk_dispatch *dispatch, VkDescriptorSet outside, int step,
                              struct ebb_error *error);

// Writes `count` storage buffers into a set, from binding 0 on; NULL entries repeat the first buffer.
void ebb_vk_write_set(struct ebb_vk *vk, VkDescriptorSet set, const struct ebb_vk_memory *const *buffers, int count);

#endif
