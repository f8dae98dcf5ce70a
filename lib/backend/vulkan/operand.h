// What the translations of ops share: operands as shaders are told of them, push constants, groups.
#ifndef EBB_BACKEND_VULKAN_OPERAND_H
#define EBB_BACKEND_VULKAN_OPERAND_H

#include <string.h>

#include "backend/vulkan/program.h"

// A tensor as shaders are told of it.
struct operand {
    uint32_t bank, offset, stride;
};

static inline struct operand operand(const struct ebb_vk_program *program, int number)
{
    if (number < 0)
        return (struct operand){EBB_VK_NONE, 0, 0};
    const struct ebb_tensor *t = &program->source.tensors[number];
    uint32_t offset = (uint32_t)t->offset;
    switch (t->place) {
    case EBB_PLACE_INPUT: return (struct operand){EBB_VK_OUTSIDE + (uint32_t)t->index, offset, 0};
    case EBB_PLACE_OUTPUT:
        return (struct operand){EBB_VK_OUTSIDE + (uint32_t)(program->source.input_count + t->index), offset, 0};
    case EBB_PLACE_STEPS: return (struct operand){EBB_VK_STEPS, offset, (uint32_t)t->stride};
    default: break;
    }
    // Vectors keep 32 bits: they are small, and norms need it. A float's place holds two halves.
    bool half = program->vk->fp16 && (size_t)t->h * (size_t)t->w > 1;
    return (struct operand){half ? EBB_VK_HALF : EBB_VK_ARENA, half ? 2 * offset : offset, 0};
}

static inline void set_push(struct ebb_vk_dispatch *d, const void *push, size_t size)
{
    memcpy(d->push, push, size);
    d->push_size = (uint32_t)size;
}

// Tells the dispatch that the offset at byte `at` of its push constants moves with the step.
static inline void move_with_step(struct ebb_vk_dispatch *d, size_t at, struct operand o)
{
    if (o.stride) {
        d->patch[d->patches].word = (uint32_t)(at / 4);
        d->patch[d->patches++].stride = o.stride;
    }
}

static inline uint32_t count_groups(size_t count, size_t size)
{
    return (uint32_t)((count + size - 1) / size);
}

// For shaders with flat.glsl: `count` invocations in rows of at most 65535 workgroups.
struct groups {
    uint32_t xyz[3];
};

static inline struct groups flat(size_t count)
{
    enum { ROW = 65535 };
    uint32_t all = count_groups(count, 64);
    return (struct groups){{all < ROW ? all : ROW, count_groups(all, ROW), 1}};
}

// ---- ops_grad.c ----
enum ebb_result ebb_vk_mean(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error);
enum ebb_result ebb_vk_softmax(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error);
enum ebb_result ebb_vk_spread(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error);
enum ebb_result ebb_vk_act_grad(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error);
enum ebb_result ebb_vk_norm_grad(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error);
enum ebb_result ebb_vk_attention_grad(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error);

#endif
