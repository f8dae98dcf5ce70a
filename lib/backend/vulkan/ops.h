// SPDX-License-Identifier: LGPL-2.1-or-later
// Translates ops to dispatches: shader, constants and push constants of each.
#ifndef EBB_BACKEND_VULKAN_OPS_H
#define EBB_BACKEND_VULKAN_OPS_H

#include "backend/op.h"
#include "backend/vulkan/pipeline.h"
#include "backend/vulkan/push_constants.h"
#include "backend/vulkan/record.h"

// Statistics of an operand that a norm reads (shaders/stats.glsl).
struct ebb_vk_stats {
    bool wanted;
    uint32_t tile;   // pixels that they cover; 0: not made yet
    uint32_t offset; // in scratch
};

// A program during its translation to dispatches. Their scratch holds the constants, then the statistics,
// then the largest set of partial sums.
struct ebb_vk_translation {
    struct ebb_vk *vk;         // borrowed: the device outlives its programs
    struct ebb_program source; // a copy: operands, buffers
    struct ebb_vk_dispatch *dispatches;
    int count, capacity;
    float *constants; // on the host
    size_t constant_count, constant_capacity;
    struct ebb_vk_stats *stats; // by operand
    size_t stats_floats;        // of all statistics
    size_t partial_floats;      // of the op that needs most
};

// ---- shared by the translations of all ops ----

// Adds a dispatch at the end of the list. `d` points to it until the next one is added.
enum ebb_result ebb_vk_append(struct ebb_vk_translation *out, enum ebb_vk_shader shader,
                              const struct ebb_vk_specs *specs, const void *push, size_t size,
                              const uint32_t groups[3], struct ebb_vk_dispatch **d, struct ebb_error *error);
// Copies a vector into the constants and returns its offset; UINT32_MAX for NULL.
uint32_t ebb_vk_constant(struct ebb_vk_translation *out, const struct ebb_weight *weight);

// Address of an operand in the form that shaders read.
struct address {
    uint32_t bank, offset, stride;
};

static inline struct address address_of(const struct ebb_vk_translation *out, int number)
{
    if (number < 0)
        return (struct address){EBB_VK_NONE, 0, 0};
    const struct ebb_operand *t = &out->source.operands[number];
    uint32_t offset = (uint32_t)t->offset;
    switch (t->place) {
    case EBB_PLACE_INPUT: return (struct address){EBB_VK_OUTSIDE + (uint32_t)t->index, offset, 0};
    case EBB_PLACE_OUTPUT:
        return (struct address){EBB_VK_OUTSIDE + (uint32_t)(out->source.input_count + t->index), offset, 0};
    case EBB_PLACE_STEPS: return (struct address){EBB_VK_STEPS, offset, (uint32_t)t->stride};
    default: break;
    }
    // Vectors keep 32 bits: they are small, and norms need them. One float's place holds two halves.
    bool half = out->vk->fp16 && (size_t)t->h * (size_t)t->w > 1;
    return (struct address){half ? EBB_VK_HALF : EBB_VK_ARENA, half ? 2 * offset : offset, 0};
}

// Marks the offset at byte `at` of the dispatch's push constants as one that moves with the step.
static inline void move_with_step(struct ebb_vk_dispatch *d, size_t at, struct address o)
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

// The size of a dispatch for shaders that include flat.glsl: `count` invocations, in rows of at most 65535
// workgroups.
struct groups {
    uint32_t xyz[3];
};

static inline struct groups flat(size_t count)
{
    enum { ROW = 65535 };
    uint32_t all = count_groups(count, 64);
    return (struct groups){{all < ROW ? all : ROW, count_groups(all, ROW), 1}};
}

static inline size_t values_of(const struct ebb_operand *x)
{
    return (size_t)x->n * (size_t)x->h * (size_t)x->w * (size_t)x->c;
}

// ---- the ops: each appends its dispatches; the device's lock is held ----

// ebb_vk_conv() and so on, in ops.c and ops_backward.c.
#define OP(NAME, name, words)                                                                                \
    enum ebb_result ebb_vk_##name(struct ebb_vk_translation *out, const struct ebb_op *op,                   \
                                  struct ebb_error *error);
#include "backend/ops.def"
#undef OP

#endif
