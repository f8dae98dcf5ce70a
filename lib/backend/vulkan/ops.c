// Ops into dispatches: which shader, which constants, which numbers.
#include <string.h>

#include "backend/vulkan/operand.h"
#include "backend/vulkan/options.h"
#include "base/base.h"

// ---- convolution and map: the load and the epilogue are the same ----

enum { SPEC_VEC = 10 }; // constant_id 11: the channels of both sources are multiples of 4

struct load {
    struct load_push push;
    struct ebb_vk_specs specs;
    struct operand src[2], dst, affine, vector, residual;
    const struct ebb_tensor *to;
    struct ebb_weight *weight; // NULL: map
    size_t pixels; // of dst, one image
    size_t k;      // multiplications for one output value
};

static struct load describe(struct ebb_vk_program *program, const struct ebb_op *op)
{
    const struct ebb_tensor *tensors = program->source.tensors, *from = &tensors[op->src[0]], *to = &tensors[op->dst];
    uint32_t twice = op->upsample ? 2 : 1, kernel = op->weight ? (uint32_t)op->weight->kh : 1;
    struct load l = {
        .src = {operand(program, op->src[0]), operand(program, op->src[1])},
        .dst = operand(program, op->dst),
        .affine = operand(program, op->affine),
        .vector = operand(program, op->vector),
        .residual = operand(program, op->residual),
        .to = to,
        .pixels = (size_t)to->h * (size_t)to->w,
    };
    uint32_t c0 = (uint32_t)from->c, c1 = op->src[1] < 0 ? 0 : (uint32_t)tensors[op->src[1]].c;
    l.k = (size_t)kernel * kernel * (c0 + c1);
    l.push = (struct load_push){
        .n = (uint32_t)to->n, .h = (uint32_t)to->h, .w = (uint32_t)to->w,
        .src_h = (uint32_t)from->h * twice, .src_w = (uint32_t)from->w * twice,
        .c0 = c0, .c1 = c1, .cout = (uint32_t)to->c,
        .src0 = l.src[0].offset, .src1 = l.src[1].offset, .dst = l.dst.offset, .affine = l.affine.offset,
        .vector = l.vector.offset, .residual = l.residual.offset,
        .bias = ebb_vk_constant(program, op->bias),
        .pad = op->weight ? op->pad : 0, .split = 1, .stats = UINT32_MAX, .scale = op->scale,
    };
    l.specs = (struct ebb_vk_specs){{l.src[0].bank, l.src[1].bank, l.dst.bank, l.affine.bank, l.vector.bank,
                                     l.residual.bank, (uint32_t)op->act, op->upsample, kernel,
                                     op->weight ? (uint32_t)op->stride : 1, c0 % 4 == 0 && c1 % 4 == 0}};
    return l;
}

static enum ebb_result add_load(struct ebb_vk_program *program, const struct load *l, enum ebb_vk_shader shader,
                                const uint32_t groups[3], uint64_t flops, struct ebb_error *error)
{
    struct ebb_vk_dispatch *d = ebb_vk_append(program, error);
    if (!d || !(d->pipeline = ebb_vk_pipeline_get(program->vk, shader, &l->specs, error)))
        return EBB_DEVICE_FAILED;
    set_push(d, &l->push, sizeof(l->push));
    move_with_step(d, offsetof(struct load_push, src0), l->src[0]);
    move_with_step(d, offsetof(struct load_push, src1), l->src[1]);
    move_with_step(d, offsetof(struct load_push, dst), l->dst);
    move_with_step(d, offsetof(struct load_push, affine), l->affine);
    move_with_step(d, offsetof(struct load_push, vector), l->vector);
    move_with_step(d, offsetof(struct load_push, residual), l->residual);
    memcpy(d->groups, groups, sizeof(d->groups));
    d->partial = l->push.split > 1 ? offsetof(struct load_push, partial) / 4 : 0;
    d->weight = l->weight;
    d->flops = flops;
    return EBB_OK;
}

static enum ebb_result map(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    struct load l = describe(program, op);
    size_t count = l.pixels * (size_t)l.to->n * (size_t)l.to->c;
    return add_load(program, &l, EBB_VK_MAP, flat(count).xyz, count, error);
}

// Tiles of the convolution shader, as in shaders/meson.build.
static const struct tile {
    enum ebb_vk_shader shader;
    size_t pixels, channels;
} tiles[] = {
    {EBB_VK_CONV_LARGE, 64, 64}, {EBB_VK_CONV_SMALL, 32, 32}, {EBB_VK_CONV_COOP8, 64, 64}, {EBB_VK_CONV_COOP16, 64, 64}};

// From the shape of one image and the device alone, so that a batch gives the bits of its images.
static const struct tile *choose_tile(const struct ebb_vk *vk, size_t pixels, size_t cout, bool by_four)
{
    if (vk->coop && by_four)
        return &tiles[vk->coop == 16 ? 3 : 2];
    size_t large = (size_t)count_groups(pixels, 64) * (size_t)count_groups(cout, 64);
    return &tiles[large < 32 || cout <= 32];
}

// Few tiles leave most of a device idle: then K is cut too, as long as a part stays worth a workgroup. From the shape of one
// image alone, so that a batch gives the bits of its images.
static uint32_t split_of(size_t tile_count, size_t k)
{
    enum { ENOUGH = 64, LEAST_K = 128, MOST = 8 };
    uint32_t split = 1;
    while (!ebb_vk_options()->nosplit && split < MOST && tile_count * split < ENOUGH && k / (split * 2) >= LEAST_K)
        split *= 2;
    return split;
}

// A place for the statistics of tensor `number`, made in tiles of `tile` pixels; its offset.
static uint32_t place_stats(struct ebb_vk_program *program, int number, size_t tile)
{
    const struct ebb_tensor *t = &program->source.tensors[number];
    struct ebb_vk_stats *stats = &program->stats[number];
    stats->tile = (uint32_t)tile;
    stats->offset = (uint32_t)(program->constant_capacity + program->stats_floats);
    program->stats_floats += (size_t)t->n * count_groups((size_t)t->h * (size_t)t->w, tile) * (size_t)t->c * 2;
    return stats->offset;
}

// A workgroup's tile stays within an image; z counts images and parts of K.
static enum ebb_result tiled(struct ebb_vk_program *program, const struct ebb_op *op, struct load *l, uint64_t flops,
                             struct ebb_error *error)
{
    enum { SUM_PIXELS = 4 }; // as in conv_sum.comp
    size_t cout = (size_t)l->to->c, n = (size_t)l->to->n, all = l->pixels * n;
    const struct tile *tile = choose_tile(program->vk, l->pixels, cout, l->specs.value[SPEC_VEC]);
    l->push.split = split_of((size_t)count_groups(l->pixels, tile->pixels) * count_groups(cout, tile->channels), l->k);
    size_t partial = l->push.split > 1 ? l->push.split * all * cout : 0;
    if (partial > program->partial_floats)
        program->partial_floats = partial;
    bool cut = l->push.split > 1, wanted = program->stats[op->dst].wanted;
    uint32_t stats = wanted ? place_stats(program, op->dst, cut ? SUM_PIXELS : tile->pixels) : UINT32_MAX;
    uint32_t groups[3] = {count_groups(l->pixels, tile->pixels), count_groups(cout, tile->channels), l->push.split * (uint32_t)n};
    l->push.stats = cut ? UINT32_MAX : stats;
    enum ebb_result result = add_load(program, l, tile->shader, groups, flops, error);
    l->push.stats = stats;
    if (result == EBB_OK && cut)
        result = add_load(program, l, EBB_VK_CONV_SUM, flat(n * count_groups(l->pixels, SUM_PIXELS) * cout).xyz, partial, error);
    return result;
}

static enum ebb_result conv(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    if (op->weight->kh != op->weight->kw)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: a %dx%d kernel, only square ones run on Vulkan", op->weight->name,
                        op->weight->kh, op->weight->kw);
    struct load l = describe(program, op);
    size_t cout = (size_t)l.to->c, count = l.pixels * (size_t)l.to->n * cout;
    uint64_t flops = 2 * (uint64_t)count * l.k;
    l.push.weight_stride = (uint32_t)((cout + 3) / 4 * 4);
    l.weight = op->weight;
    if (l.pixels == 1 && op->weight->kh == 1)
        return add_load(program, &l, EBB_VK_CONV_ROW, (uint32_t[3]){(uint32_t)cout, (uint32_t)l.to->n, 1}, flops, error);
    if (cout <= 8)
        return add_load(program, &l, EBB_VK_CONV_DIRECT, flat(count).xyz, flops, error);
    return tiled(program, op, &l, flops, error);
}

// ---- the others ----

// Statistics of a tensor whose maker left none.
static enum ebb_result measure(struct ebb_vk_program *program, int number, struct ebb_error *error)
{
    enum { TILE = 32 };
    const struct ebb_tensor *t = &program->source.tensors[number];
    struct operand src = operand(program, number);
    struct stats_push push = {.n = (uint32_t)t->n, .pixels = (uint32_t)t->h * (uint32_t)t->w, .c = (uint32_t)t->c, .tile = TILE,
                              .src = src.offset, .stats = place_stats(program, number, TILE)};
    struct ebb_vk_specs specs = {{src.bank}};
    struct ebb_vk_dispatch *d = ebb_vk_append(program, error);
    if (!d || !(d->pipeline = ebb_vk_pipeline_get(program->vk, EBB_VK_STATS, &specs, error)))
        return EBB_DEVICE_FAILED;
    set_push(d, &push, sizeof(push));
    move_with_step(d, offsetof(struct stats_push, src), src);
    memcpy(d->groups, flat((size_t)push.n * count_groups(push.pixels, TILE) * push.c).xyz, sizeof(d->groups));
    d->flops = (uint64_t)push.n * push.pixels * push.c * 4;
    return EBB_OK;
}

static enum ebb_result norm(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_tensor *tensors = program->source.tensors, *to = &tensors[op->dst];
    const struct ebb_tensor *from = op->src[0] < 0 ? NULL : &tensors[op->src[0]];
    struct ebb_vk_stats stats[2] = {{0}};
    for (int i = 0; i < 2 && op->groups; i++) {
        if (op->src[i] >= 0 && !program->stats[op->src[i]].tile && measure(program, op->src[i], error) != EBB_OK)
            return EBB_DEVICE_FAILED;
        if (op->src[i] >= 0)
            stats[i] = program->stats[op->src[i]];
    }
    uint32_t c1 = op->src[1] < 0 ? 0 : (uint32_t)tensors[op->src[1]].c, all = (uint32_t)to->c / 2;
    struct operand dst = operand(program, op->dst), film = operand(program, op->film);
    struct norm_push push = {
        .n = (uint32_t)to->n, .pixels = from ? (uint32_t)from->h * (uint32_t)from->w : 1,
        .c0 = all - c1, .c1 = c1, .groups = (uint32_t)op->groups,
        .stats0 = stats[0].offset, .stats1 = stats[1].offset, .tile0 = stats[0].tile, .tile1 = stats[1].tile,
        .dst = dst.offset, .film = film.offset,
        .gamma = ebb_vk_constant(program, op->gamma), .beta = ebb_vk_constant(program, op->beta), .eps = op->eps,
    };
    struct ebb_vk_specs specs = {{dst.bank, film.bank}};
    struct ebb_vk_dispatch *d = ebb_vk_append(program, error);
    if (!d || !(d->pipeline = ebb_vk_pipeline_get(program->vk, EBB_VK_NORM, &specs, error)))
        return EBB_DEVICE_FAILED;
    set_push(d, &push, sizeof(push));
    move_with_step(d, offsetof(struct norm_push, dst), dst);
    move_with_step(d, offsetof(struct norm_push, film), film);
    memcpy(d->groups, (uint32_t[3]){op->groups ? (uint32_t)op->groups : 1, (uint32_t)to->n, 1}, sizeof(d->groups));
    d->flops = (uint64_t)push.n * all * 64;
    return EBB_OK;
}

static enum ebb_result attention(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_tensor *tensors = program->source.tensors, *to = &tensors[op->dst], *keys = &tensors[op->src[1]];
    enum { MOST_WIDTH = 1024 }; // attention.comp keeps a query in shared memory
    int width = to->c / op->heads;
    if (width > MOST_WIDTH)
        return ebb_fail(error, EBB_UNSUPPORTED, "attention heads of %d channels: at most %d on Vulkan", width, MOST_WIDTH);
    struct operand q = operand(program, op->src[0]), k = operand(program, op->src[1]), v = operand(program, op->src[2]),
                   dst = operand(program, op->dst);
    uint32_t queries = (uint32_t)to->h * (uint32_t)to->w, tokens = (uint32_t)keys->h * (uint32_t)keys->w;
    struct attention_push push = {.queries = queries, .tokens = tokens, .channels = (uint32_t)to->c,
                                  .heads = (uint32_t)op->heads, .q = q.offset, .k = k.offset, .v = v.offset,
                                  .dst = dst.offset, .scale = 1 / __builtin_sqrtf((float)width)};
    struct ebb_vk_specs specs = {{q.bank, k.bank, v.bank, dst.bank}};
    struct ebb_vk_dispatch *d = ebb_vk_append(program, error);
    if (!d || !(d->pipeline = ebb_vk_pipeline_get(program->vk, EBB_VK_ATTENTION, &specs, error)))
        return EBB_DEVICE_FAILED;
    set_push(d, &push, sizeof(push));
    memcpy(d->groups, (uint32_t[3]){queries, (uint32_t)op->heads, (uint32_t)to->n}, sizeof(d->groups));
    d->flops = (uint64_t)to->n * queries * tokens * (uint64_t)to->c * 4;
    return EBB_OK;
}

static enum ebb_result pool(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_tensor *from = &program->source.tensors[op->src[0]], *to = &program->source.tensors[op->dst];
    struct operand src = operand(program, op->src[0]), dst = operand(program, op->dst);
    struct pool_push push = {.n = (uint32_t)to->n, .h = (uint32_t)to->h, .w = (uint32_t)to->w, .c = (uint32_t)to->c,
                             .src_h = (uint32_t)from->h, .src_w = (uint32_t)from->w, .src = src.offset, .dst = dst.offset};
    struct ebb_vk_specs specs = {{src.bank, dst.bank}};
    struct ebb_vk_dispatch *d = ebb_vk_append(program, error);
    if (!d || !(d->pipeline = ebb_vk_pipeline_get(program->vk, EBB_VK_POOL, &specs, error)))
        return EBB_DEVICE_FAILED;
    size_t count = (size_t)to->n * (size_t)to->h * (size_t)to->w * (size_t)to->c;
    set_push(d, &push, sizeof(push));
    memcpy(d->groups, flat(count).xyz, sizeof(d->groups));
    d->flops = count * 4;
    return EBB_OK;
}

enum ebb_result ebb_vk_translate(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error)
{
    static enum ebb_result (*const table[EBB_OP_COUNT])(struct ebb_vk_program *, const struct ebb_op *,
                                                        struct ebb_error *) = {
        [EBB_OP_CONV] = conv, [EBB_OP_MAP] = map, [EBB_OP_NORM] = norm, [EBB_OP_POOL] = pool, [EBB_OP_ATTENTION] = attention,
        [EBB_OP_MEAN] = ebb_vk_mean, [EBB_OP_SOFTMAX] = ebb_vk_softmax, [EBB_OP_SPREAD] = ebb_vk_spread,
        [EBB_OP_ACT_GRAD] = ebb_vk_act_grad, [EBB_OP_NORM_GRAD] = ebb_vk_norm_grad, [EBB_OP_ATTENTION_GRAD] = ebb_vk_attention_grad,
    };
    return table[op->kind](program, op, error);
}
