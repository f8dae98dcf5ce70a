// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/ops.h"

#include "base/base.h"

enum ebb_result ebb_vk_spread(struct ebb_vk_translation *out, const struct ebb_op *op,
                              struct ebb_error *error)
{
    const struct ebb_operand *from = &out->source.operands[op->src[0]], *to = &out->source.operands[op->dst];
    struct address src = address_of(out, op->src[0]), dst = address_of(out, op->dst);
    struct spread_push push = {.n = (uint32_t)to->n,
                               .h = (uint32_t)to->h,
                               .w = (uint32_t)to->w,
                               .c = (uint32_t)to->c,
                               .src_h = (uint32_t)from->h,
                               .src_w = (uint32_t)from->w,
                               .src_c = (uint32_t)from->c,
                               .first = (uint32_t)op->first,
                               .src = src.offset,
                               .dst = dst.offset,
                               .stride = (uint32_t)op->stride,
                               .spot = (uint32_t)op->spot,
                               .scale = op->scale};
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, EBB_VK_SPREAD, &(struct ebb_vk_specs){{src.bank, dst.bank}},
                                           &push, sizeof(push), flat(values_of(to)).xyz, &d, error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct spread_push, src), src);
    move_with_step(d, offsetof(struct spread_push, dst), dst);
    d->flops = values_of(to);
    return EBB_OK;
}

enum ebb_result ebb_vk_act_grad(struct ebb_vk_translation *out, const struct ebb_op *op,
                                struct ebb_error *error)
{
    const struct ebb_operand *to = &out->source.operands[op->dst];
    struct address g = address_of(out, op->src[0]), x = address_of(out, op->src[1]),
                   dst = address_of(out, op->dst), affine = address_of(out, op->affine);
    struct act_grad_push push = {.count = (uint32_t)values_of(to),
                                 .pixels = (uint32_t)to->h * (uint32_t)to->w,
                                 .c = (uint32_t)to->c,
                                 .g = g.offset,
                                 .x = x.offset,
                                 .dst = dst.offset,
                                 .affine = affine.offset};
    struct ebb_vk_specs specs = {{g.bank, x.bank, dst.bank, affine.bank, (uint32_t)op->act}};
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, EBB_VK_ACT_GRAD, &specs, &push, sizeof(push),
                                           flat(values_of(to)).xyz, &d, error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct act_grad_push, g), g);
    move_with_step(d, offsetof(struct act_grad_push, x), x);
    move_with_step(d, offsetof(struct act_grad_push, dst), dst);
    move_with_step(d, offsetof(struct act_grad_push, affine), affine);
    d->flops = 8 * values_of(to);
    return EBB_OK;
}

enum ebb_result ebb_vk_norm_grad(struct ebb_vk_translation *out, const struct ebb_op *op,
                                 struct ebb_error *error)
{
    const struct ebb_operand *to = &out->source.operands[op->dst];
    struct address g = address_of(out, op->src[0]), x = address_of(out, op->src[1]),
                   dst = address_of(out, op->dst), film = address_of(out, op->film);
    struct norm_grad_push push = {.pixels = (uint32_t)to->h * (uint32_t)to->w,
                                  .c = (uint32_t)to->c,
                                  .groups = (uint32_t)op->groups,
                                  .g = g.offset,
                                  .x = x.offset,
                                  .dst = dst.offset,
                                  .film = film.offset,
                                  .gamma = ebb_vk_constant(out, op->gamma),
                                  .eps = op->eps};
    struct ebb_vk_specs specs = {{g.bank, x.bank, dst.bank, film.bank}};
    const uint32_t groups[3] = {op->groups ? (uint32_t)op->groups : 1, (uint32_t)to->n, 1};
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, EBB_VK_NORM_GRAD, &specs, &push, sizeof(push), groups, &d,
                                           error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct norm_grad_push, g), g);
    move_with_step(d, offsetof(struct norm_grad_push, x), x);
    move_with_step(d, offsetof(struct norm_grad_push, dst), dst);
    move_with_step(d, offsetof(struct norm_grad_push, film), film);
    d->flops = 10 * values_of(to);
    return EBB_OK;
}

enum ebb_result ebb_vk_attention_grad(struct ebb_vk_translation *out, const struct ebb_op *op,
                                      struct ebb_error *error)
{
    enum { MOST_WIDTH = 1024 }; // a head's dimensions are shared out among 64 invocations, 16 each
    const struct ebb_operand *to = &out->source.operands[op->dst];
    int width = to->c / 3 / op->heads;
    if (width > MOST_WIDTH)
        return ebb_fail(error, EBB_UNSUPPORTED, "attention heads of %d channels: at most %d on Vulkan", width,
                        MOST_WIDTH);
    struct address q = address_of(out, op->src[0]), k = address_of(out, op->src[1]),
                   v = address_of(out, op->src[2]), g = address_of(out, op->src[3]),
                   dst = address_of(out, op->dst);
    uint32_t tokens = (uint32_t)to->h * (uint32_t)to->w, heads = (uint32_t)op->heads;
    struct attention_grad_push push = {.tokens = tokens,
                                       .channels = (uint32_t)to->c / 3,
                                       .heads = heads,
                                       .q = q.offset,
                                       .k = k.offset,
                                       .v = v.offset,
                                       .g = g.offset,
                                       .dst = dst.offset,
                                       .scale = 1 / __builtin_sqrtf((float)width)};
    struct ebb_vk_specs specs = {{q.bank, k.bank, v.bank, g.bank, dst.bank}};
    const uint32_t groups[3] = {tokens, heads, (uint32_t)to->n};
    size_t partial = 2 * (size_t)to->n * heads * tokens;
    out->partial_floats = partial > out->partial_floats ? partial : out->partial_floats;
    static const enum ebb_vk_shader halves[2] = {EBB_VK_ATTENTION_GRAD_QUERY, EBB_VK_ATTENTION_GRAD_KEY};
    for (int i = 0; i < 2; i++) {
        struct ebb_vk_dispatch *d;
        enum ebb_result result = ebb_vk_append(out, halves[i], &specs, &push, sizeof(push), groups, &d,
                                               error);
        if (result != EBB_OK)
            return result;
        move_with_step(d, offsetof(struct attention_grad_push, q), q);
        move_with_step(d, offsetof(struct attention_grad_push, k), k);
        move_with_step(d, offsetof(struct attention_grad_push, v), v);
        move_with_step(d, offsetof(struct attention_grad_push, g), g);
        move_with_step(d, offsetof(struct attention_grad_push, dst), dst);
        d->partial = offsetof(struct attention_grad_push, partial) / 4;
        d->flops = 6 * (uint64_t)to->n * tokens * tokens * push.channels;
    }
    return EBB_OK;
}
