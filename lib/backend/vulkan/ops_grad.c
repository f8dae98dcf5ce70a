// The ops of gradients, and those that a classifier has beside them, into dispatches.
#include "backend/vulkan/operand.h"
#include "base/base.h"

static size_t values(const struct ebb_tensor *t)
{
    return (size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c;
}

// A dispatch of `shader`; NULL with an error.
static struct ebb_vk_dispatch *append(struct ebb_vk_program *program, enum ebb_vk_shader shader, const struct ebb_vk_specs *specs,
                                      const void *push, size_t size, const uint32_t groups[3], struct ebb_error *error)
{
    struct ebb_vk_dispatch *d = ebb_vk_append(program, error);
    if (!d || !(d->pipeline = ebb_vk_pipeline_get(program->vk, shader, specs, error)))
        return NULL;
    set_push(d, push, size);
    memcpy(d->groups, groups, sizeof(d->groups));
    return d;
}

static enum ebb_result over_places(struct ebb_vk_program *program, const struct ebb_op *op, enum ebb_vk_shader shader,
                                   size_t count, struct ebb_error *error)
{
    const struct ebb_tensor *from = &program->source.tensors[op->src[0]];
    struct operand src = operand(program, op->src[0]), dst = operand(program, op->dst);
    struct mean_push push = {.images = (uint32_t)from->n, .pixels = (uint32_t)from->h * (uint32_t)from->w, .c = (uint32_t)from->c,
                             .src = src.offset, .dst = dst.offset};
    struct ebb_vk_dispatch *d = append(program, shader, &(struct ebb_vk_specs){{src.bank, dst.bank}}, &push, sizeof(push),
                                       flat(count).xyz, error);
    if (!d)
        return EBB_DEVICE_FAILED;
    move_with_step(d, offsetof(struct mean_push, src), src);
    move_with_step(d, offsetof(struct mean_push, dst), dst);
    d->flops = values(from);
    return EBB_OK;
}

enum ebb_result ebb_vk_mean(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    return over_places(program, op, EBB_VK_MEAN, values(&program->source.tensors[op->dst]), error);
}

enum ebb_result ebb_vk_softmax(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_tensor *to = &program->source.tensors[op->dst];
    return over_places(program, op, EBB_VK_SOFTMAX, values(to) / (size_t)to->c, error);
}

enum ebb_result ebb_vk_spread(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_tensor *from = &program->source.tensors[op->src[0]], *to = &program->source.tensors[op->dst];
    struct operand src = operand(program, op->src[0]), dst = operand(program, op->dst);
    struct spread_push push = {.n = (uint32_t)to->n, .h = (uint32_t)to->h, .w = (uint32_t)to->w, .c = (uint32_t)to->c,
                               .src_h = (uint32_t)from->h, .src_w = (uint32_t)from->w, .src_c = (uint32_t)from->c,
                               .first = (uint32_t)op->first, .src = src.offset, .dst = dst.offset,
                               .stride = (uint32_t)op->stride, .spot = (uint32_t)op->spot, .scale = op->scale};
    struct ebb_vk_dispatch *d = append(program, EBB_VK_SPREAD, &(struct ebb_vk_specs){{src.bank, dst.bank}}, &push, sizeof(push),
                                       flat(values(to)).xyz, error);
    if (!d)
        return EBB_DEVICE_FAILED;
    move_with_step(d, offsetof(struct spread_push, src), src);
    move_with_step(d, offsetof(struct spread_push, dst), dst);
    d->flops = values(to);
    return EBB_OK;
}

enum ebb_result ebb_vk_act_grad(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_tensor *to = &program->source.tensors[op->dst];
    struct operand g = operand(program, op->src[0]), x = operand(program, op->src[1]), dst = operand(program, op->dst),
                   affine = operand(program, op->affine);
    struct act_grad_push push = {.count = (uint32_t)values(to), .pixels = (uint32_t)to->h * (uint32_t)to->w, .c = (uint32_t)to->c,
                                 .g = g.offset, .x = x.offset, .dst = dst.offset, .affine = affine.offset};
    struct ebb_vk_specs specs = {{g.bank, x.bank, dst.bank, affine.bank, (uint32_t)op->act}};
    struct ebb_vk_dispatch *d = append(program, EBB_VK_ACT_GRAD, &specs, &push, sizeof(push), flat(values(to)).xyz, error);
    if (!d)
        return EBB_DEVICE_FAILED;
    move_with_step(d, offsetof(struct act_grad_push, g), g);
    move_with_step(d, offsetof(struct act_grad_push, x), x);
    move_with_step(d, offsetof(struct act_grad_push, dst), dst);
    move_with_step(d, offsetof(struct act_grad_push, affine), affine);
    d->flops = 8 * values(to);
    return EBB_OK;
}

enum ebb_result ebb_vk_norm_grad(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_tensor *to = &program->source.tensors[op->dst];
    struct operand g = operand(program, op->src[0]), x = operand(program, op->src[1]), dst = operand(program, op->dst),
                   film = operand(program, op->film);
    struct norm_grad_push push = {.pixels = (uint32_t)to->h * (uint32_t)to->w, .c = (uint32_t)to->c,
                                  .groups = (uint32_t)op->groups, .g = g.offset, .x = x.offset, .dst = dst.offset,
                                  .film = film.offset, .gamma = ebb_vk_constant(program, op->gamma), .eps = op->eps};
    struct ebb_vk_specs specs = {{g.bank, x.bank, dst.bank, film.bank}};
    const uint32_t groups[3] = {op->groups ? (uint32_t)op->groups : 1, (uint32_t)to->n, 1};
    struct ebb_vk_dispatch *d = append(program, EBB_VK_NORM_GRAD, &specs, &push, sizeof(push), groups, error);
    if (!d)
        return EBB_DEVICE_FAILED;
    move_with_step(d, offsetof(struct norm_grad_push, g), g);
    move_with_step(d, offsetof(struct norm_grad_push, x), x);
    move_with_step(d, offsetof(struct norm_grad_push, dst), dst);
    move_with_step(d, offsetof(struct norm_grad_push, film), film);
    d->flops = 10 * values(to);
    return EBB_OK;
}

enum ebb_result ebb_vk_attention_grad(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    enum { MOST_WIDTH = 1024 }; // a head's dimensions are shared out among 64 invocations, 16 each
    const struct ebb_tensor *to = &program->source.tensors[op->dst];
    int width = to->c / 3 / op->heads;
    if (width > MOST_WIDTH)
        return ebb_fail(error, EBB_UNSUPPORTED, "attention heads of %d channels: at most %d on Vulkan", width, MOST_WIDTH);
    struct operand q = operand(program, op->src[0]), k = operand(program, op->src[1]), v = operand(program, op->src[2]),
                   g = operand(program, op->src[3]), dst = operand(program, op->dst);
    uint32_t tokens = (uint32_t)to->h * (uint32_t)to->w, heads = (uint32_t)op->heads;
    struct attention_grad_push push = {.tokens = tokens, .channels = (uint32_t)to->c / 3, .heads = heads, .q = q.offset,
                                       .k = k.offset, .v = v.offset, .g = g.offset, .dst = dst.offset,
                                       .scale = 1 / __builtin_sqrtf((float)width)};
    struct ebb_vk_specs specs = {{q.bank, k.bank, v.bank, g.bank, dst.bank}};
    const uint32_t groups[3] = {tokens, heads, (uint32_t)to->n};
    size_t partial = 2 * (size_t)to->n * heads * tokens;
    program->partial_floats = partial > program->partial_floats ? partial : program->partial_floats;
    static const enum ebb_vk_shader halves[2] = {EBB_VK_ATTENTION_GRAD_QUERY, EBB_VK_ATTENTION_GRAD_KEY};
    for (int i = 0; i < 2; i++) {
        struct ebb_vk_dispatch *d = append(program, halves[i], &specs, &push, sizeof(push), groups, error);
        if (!d)
            return EBB_DEVICE_FAILED;
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
