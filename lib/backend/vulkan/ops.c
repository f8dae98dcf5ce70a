// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/ops.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"

// ---- shared by the translations of all ops ----

static enum ebb_result make_room(struct ebb_vk_translation *out, struct ebb_error *error)
{
    if (out->count < out->capacity)
        return EBB_OK;
    int capacity = out->capacity ? 2 * out->capacity : 64;
    void *grown = realloc(out->dispatches, (size_t)capacity * sizeof(*out->dispatches));
    if (!grown)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a program");
    out->dispatches = grown;
    out->capacity = capacity;
    return EBB_OK;
}

enum ebb_result ebb_vk_append(struct ebb_vk_translation *out, enum ebb_vk_shader shader,
                              const struct ebb_vk_specs *specs, const void *push, size_t size,
                              const uint32_t groups[3], struct ebb_vk_dispatch **d, struct ebb_error *error)
{
    VkPipeline pipeline;
    enum ebb_result result = ebb_vk_pipeline_get(out->vk, shader, specs, &pipeline, error);
    if (result == EBB_OK)
        result = make_room(out, error);
    if (result == EBB_OK) {
        *d = &out->dispatches[out->count++];
        **d = (struct ebb_vk_dispatch){.pipeline = pipeline, .push_size = (uint32_t)size};
        memcpy((*d)->push, push, size);
        memcpy((*d)->groups, groups, sizeof((*d)->groups));
    }
    return result;
}

uint32_t ebb_vk_constant(struct ebb_vk_translation *out, const struct ebb_weight *weight)
{
    if (!weight)
        return UINT32_MAX;
    uint32_t offset = (uint32_t)out->constant_count;
    memcpy(out->constants + offset, weight->data, (size_t)weight->cout * sizeof(float));
    out->constant_count += ((size_t)weight->cout + 3) / 4 * 4;
    return offset;
}

// ---- convolution and map: the load and the epilogue are the same ----

enum { SPEC_VEC = 10 }; // constant_id 11: the channels of both sources are multiples of 4

struct load {
    struct load_push push;
    struct ebb_vk_specs specs;
    struct address src[2], dst, affine, vector, residual;
    const struct ebb_operand *to;
    struct ebb_weight *weight; // NULL: map
    size_t pixels;             // of dst, one image
    size_t k;                  // multiplications for one output value
};

static struct load describe(struct ebb_vk_translation *out, const struct ebb_op *op)
{
    const struct ebb_operand *operands = out->source.operands, *from = &operands[op->src[0]],
                             *to = &operands[op->dst];
    uint32_t twice = op->upsample ? 2 : 1, kernel = op->weight ? (uint32_t)op->weight->kw : 1;
    uint32_t dilation = op->kind == EBB_OP_CONV_1D ? (uint32_t)op->dilation : 0, slope;
    memcpy(&slope, &op->slope, sizeof(slope));
    struct load l = {
        .src = {address_of(out, op->src[0]), address_of(out, op->src[1])},
        .dst = address_of(out, op->dst),
        .affine = address_of(out, op->affine),
        .vector = address_of(out, op->vector),
        .residual = address_of(out, op->residual),
        .to = to,
        .pixels = (size_t)to->h * (size_t)to->w,
    };
    uint32_t c0 = (uint32_t)from->c, c1 = op->src[1] < 0 ? 0 : (uint32_t)operands[op->src[1]].c;
    l.k = (op->weight ? (size_t)op->weight->kh : 1) * kernel * (c0 + c1);
    l.push = (struct load_push){
        .n = (uint32_t)to->n,
        .h = (uint32_t)to->h,
        .w = (uint32_t)to->w,
        .src_h = (uint32_t)from->h * twice,
        .src_w = (uint32_t)from->w * twice,
        .c0 = c0,
        .c1 = c1,
        .cout = (uint32_t)to->c,
        .src0 = l.src[0].offset,
        .src1 = l.src[1].offset,
        .dst = l.dst.offset,
        .affine = l.affine.offset,
        .vector = l.vector.offset,
        .residual = l.residual.offset,
        .bias = ebb_vk_constant(out, op->bias),
        .pad = op->weight ? op->pad : 0,
        .split = 1,
        .stats = UINT32_MAX,
        .scale = op->scale,
    };
    l.specs = (struct ebb_vk_specs){{l.src[0].bank, l.src[1].bank, l.dst.bank, l.affine.bank, l.vector.bank,
                                     l.residual.bank, (uint32_t)op->act, op->upsample, kernel,
                                     op->weight ? (uint32_t)op->stride : 1, c0 % 4 == 0 && c1 % 4 == 0,
                                     dilation, slope}};
    return l;
}

static enum ebb_result add_load(struct ebb_vk_translation *out, const struct load *l,
                                enum ebb_vk_shader shader, const uint32_t groups[3], uint64_t flops,
                                struct ebb_error *error)
{
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, shader, &l->specs, &l->push, sizeof(l->push), groups, &d,
                                           error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct load_push, src0), l->src[0]);
    move_with_step(d, offsetof(struct load_push, src1), l->src[1]);
    move_with_step(d, offsetof(struct load_push, dst), l->dst);
    move_with_step(d, offsetof(struct load_push, affine), l->affine);
    move_with_step(d, offsetof(struct load_push, vector), l->vector);
    move_with_step(d, offsetof(struct load_push, residual), l->residual);
    d->partial = l->push.split > 1 ? offsetof(struct load_push, partial) / 4 : 0;
    d->weight = l->weight;
    d->flops = flops;
    return EBB_OK;
}

enum ebb_result ebb_vk_map(struct ebb_vk_translation *out, const struct ebb_op *op, struct ebb_error *error)
{
    struct load l = describe(out, op);
    size_t count = l.pixels * (size_t)l.to->n * (size_t)l.to->c;
    return add_load(out, &l, EBB_VK_MAP, flat(count).xyz, count, error);
}

// Tiles of the convolution shader, as in shaders/meson.build.
static const struct tile {
    enum ebb_vk_shader shader;
    size_t pixels, channels;
} tiles[] = {{EBB_VK_CONV_LARGE, 64, 64},
             {EBB_VK_CONV_SMALL, 32, 32},
             {EBB_VK_CONV_COOP8, 64, 64},
             {EBB_VK_CONV_COOP16, 64, 64}};

// What the shaders of cooperative matrices know, whose words are kept: square kernels, activations up to
// Mish.
static bool coop_knows(const struct ebb_op *op)
{
    return op->kind == EBB_OP_CONV && op->act <= EBB_ACT_MISH;
}

// Depends on the shape of one image and on the device alone: a batch gives the bits of its single images.
static const struct tile *choose_tile(const struct ebb_vk *vk, size_t pixels, size_t cout, bool coop)
{
    if (vk->coop && coop)
        return &tiles[vk->coop == 16 ? 3 : 2];
    size_t large = (size_t)count_groups(pixels, 64) * (size_t)count_groups(cout, 64);
    return &tiles[large < 32 || cout <= 32];
}

// Few tiles would leave most of a device idle. Then K is cut too, as long as each part is worth a workgroup.
// Depends on the shape of one image alone: a batch gives the bits of its single images.
static uint32_t split_of(size_t tile_count, size_t k)
{
    enum { ENOUGH = 64, LEAST_K = 128, MOST = 8 };
    uint32_t split = 1;
    while (!ebb_vk_options()->nosplit && split < MOST && tile_count * split < ENOUGH &&
           k / (split * 2) >= LEAST_K)
        split *= 2;
    return split;
}

// Makes room for the statistics of operand `number`, in tiles of `tile` pixels, and returns its offset.
static uint32_t place_stats(struct ebb_vk_translation *out, int number, size_t tile)
{
    const struct ebb_operand *t = &out->source.operands[number];
    struct ebb_vk_stats *stats = &out->stats[number];
    stats->tile = (uint32_t)tile;
    stats->offset = (uint32_t)(out->constant_capacity + out->stats_floats);
    out->stats_floats += (size_t)t->n * count_groups((size_t)t->h * (size_t)t->w, tile) * (size_t)t->c * 2;
    return stats->offset;
}

// A workgroup's tile stays within an image; z counts images and parts of K.
static enum ebb_result tiled(struct ebb_vk_translation *out, const struct ebb_op *op, struct load *l,
                             uint64_t flops, struct ebb_error *error)
{
    enum { SUM_PIXELS = 4 }; // as in conv_sum.comp
    size_t cout = (size_t)l->to->c, n = (size_t)l->to->n, all = l->pixels * n;
    const struct tile *tile = choose_tile(out->vk, l->pixels, cout,
                                          l->specs.value[SPEC_VEC] && coop_knows(op));
    l->push.split = split_of((size_t)count_groups(l->pixels, tile->pixels) *
                                 count_groups(cout, tile->channels),
                             l->k);
    size_t partial = l->push.split > 1 ? l->push.split * all * cout : 0;
    if (partial > out->partial_floats)
        out->partial_floats = partial;
    bool cut = l->push.split > 1, wanted = out->stats[op->dst].wanted;
    uint32_t stats = wanted ? place_stats(out, op->dst, cut ? SUM_PIXELS : tile->pixels) : UINT32_MAX;
    uint32_t groups[3] = {count_groups(l->pixels, tile->pixels), count_groups(cout, tile->channels),
                          l->push.split * (uint32_t)n};
    l->push.stats = cut ? UINT32_MAX : stats;
    enum ebb_result result = add_load(out, l, tile->shader, groups, flops, error);
    l->push.stats = stats;
    if (result == EBB_OK && cut)
        result = add_load(out, l, EBB_VK_CONV_SUM, flat(n * count_groups(l->pixels, SUM_PIXELS) * cout).xyz,
                          partial, error);
    return result;
}

static struct load describe_conv(struct ebb_vk_translation *out, const struct ebb_op *op)
{
    struct load l = describe(out, op);
    l.push.weight_stride = ((uint32_t)l.to->c + 3) / 4 * 4;
    l.weight = op->weight;
    return l;
}

enum ebb_result ebb_vk_conv_1d(struct ebb_vk_translation *out, const struct ebb_op *op,
                               struct ebb_error *error)
{
    struct load l = describe_conv(out, op);
    size_t cout = (size_t)l.to->c, count = l.pixels * (size_t)l.to->n * cout;
    uint64_t flops = 2 * (uint64_t)count * l.k;
    if (cout <= 8)
        return add_load(out, &l, EBB_VK_CONV_DIRECT, flat(count).xyz, flops, error);
    return tiled(out, op, &l, flops, error);
}

enum ebb_result ebb_vk_conv_1d_up(struct ebb_vk_translation *out, const struct ebb_op *op,
                                  struct ebb_error *error)
{
    struct load l = describe_conv(out, op);
    size_t count = values_of(l.to);
    return add_load(out, &l, EBB_VK_CONV_UP, flat(count).xyz, 2 * count * l.k / (size_t)op->stride, error);
}

enum ebb_result ebb_vk_conv(struct ebb_vk_translation *out, const struct ebb_op *op, struct ebb_error *error)
{
    if (op->weight->kh != op->weight->kw)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: a %dx%d kernel, only square ones run on Vulkan",
                        op->weight->name, op->weight->kh, op->weight->kw);
    struct load l = describe_conv(out, op);
    size_t cout = (size_t)l.to->c, count = l.pixels * (size_t)l.to->n * cout;
    uint64_t flops = 2 * (uint64_t)count * l.k;
    if (l.pixels == 1 && op->weight->kh == 1)
        return add_load(out, &l, EBB_VK_CONV_ROW, (uint32_t[3]){(uint32_t)cout, (uint32_t)l.to->n, 1}, flops,
                        error);
    if (cout <= 8)
        return add_load(out, &l, EBB_VK_CONV_DIRECT, flat(count).xyz, flops, error);
    return tiled(out, op, &l, flops, error);
}

// ---- norm ----

// Computes the statistics of an operand if the op that made the operand did not.
static enum ebb_result measure(struct ebb_vk_translation *out, int number, struct ebb_error *error)
{
    enum { TILE = 32 };
    const struct ebb_operand *t = &out->source.operands[number];
    struct address src = address_of(out, number);
    struct stats_push push = {.n = (uint32_t)t->n,
                              .pixels = (uint32_t)t->h * (uint32_t)t->w,
                              .c = (uint32_t)t->c,
                              .tile = TILE,
                              .src = src.offset,
                              .stats = place_stats(out, number, TILE)};
    struct ebb_vk_specs specs = {{src.bank}};
    size_t count = (size_t)push.n * count_groups(push.pixels, TILE) * push.c;
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, EBB_VK_STATS, &specs, &push, sizeof(push), flat(count).xyz,
                                           &d, error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct stats_push, src), src);
    d->flops = (uint64_t)push.n * push.pixels * push.c * 4;
    return EBB_OK;
}

// The statistics of a norm's sources; missing ones are computed.
static enum ebb_result find_stats(struct ebb_vk_translation *out, const struct ebb_op *op,
                                  struct ebb_vk_stats stats[2], struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < 2 && result == EBB_OK; i++) {
        if (op->src[i] >= 0 && !out->stats[op->src[i]].tile)
            result = measure(out, op->src[i], error);
        if (op->src[i] >= 0)
            stats[i] = out->stats[op->src[i]];
    }
    return result;
}

enum ebb_result ebb_vk_norm(struct ebb_vk_translation *out, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_operand *operands = out->source.operands, *to = &operands[op->dst];
    const struct ebb_operand *from = op->src[0] < 0 ? NULL : &operands[op->src[0]];
    struct ebb_vk_stats stats[2] = {{0}};
    enum ebb_result result = op->groups ? find_stats(out, op, stats, error) : EBB_OK;
    if (result != EBB_OK)
        return result;
    uint32_t c1 = op->src[1] < 0 ? 0 : (uint32_t)operands[op->src[1]].c, all = (uint32_t)to->c / 2;
    struct address dst = address_of(out, op->dst), film = address_of(out, op->film);
    struct norm_push push = {
        .n = (uint32_t)to->n,
        .pixels = from ? (uint32_t)from->h * (uint32_t)from->w : 1,
        .c0 = all - c1,
        .c1 = c1,
        .groups = (uint32_t)op->groups,
        .stats0 = stats[0].offset,
        .stats1 = stats[1].offset,
        .tile0 = stats[0].tile,
        .tile1 = stats[1].tile,
        .dst = dst.offset,
        .film = film.offset,
        .gamma = ebb_vk_constant(out, op->gamma),
        .beta = ebb_vk_constant(out, op->beta),
        .eps = op->eps,
    };
    struct ebb_vk_specs specs = {{dst.bank, film.bank}};
    const uint32_t groups[3] = {op->groups ? (uint32_t)op->groups : 1, (uint32_t)to->n, 1};
    struct ebb_vk_dispatch *d;
    result = ebb_vk_append(out, EBB_VK_NORM, &specs, &push, sizeof(push), groups, &d, error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct norm_push, dst), dst);
    move_with_step(d, offsetof(struct norm_push, film), film);
    d->flops = (uint64_t)push.n * all * 64;
    return EBB_OK;
}

// ---- the others ----

static void set_bias_steps(struct attention_push *push, const struct ebb_operand *bias)
{
    uint32_t row = (uint32_t)bias->c, rows = (uint32_t)bias->w, heads = (uint32_t)bias->h;
    push->bias_query = rows > 1 ? row : 0;
    push->bias_head = heads > 1 ? rows * row : 0;
    push->bias_image = bias->n > 1 ? heads * rows * row : 0;
}

enum ebb_result ebb_vk_attention(struct ebb_vk_translation *out, const struct ebb_op *op,
                                 struct ebb_error *error)
{
    const struct ebb_operand *operands = out->source.operands, *to = &operands[op->dst],
                             *keys = &operands[op->src[1]];
    enum { MOST_WIDTH = 1024 }; // the gradients keep a query in shared memory
    int width = to->c / op->heads;
    if (width > MOST_WIDTH)
        return ebb_fail(error, EBB_UNSUPPORTED, "attention heads of %d channels: at most %d on Vulkan", width,
                        MOST_WIDTH);
    struct address q = address_of(out, op->src[0]), k = address_of(out, op->src[1]),
                   v = address_of(out, op->src[2]), bias = address_of(out, op->src[3]),
                   dst = address_of(out, op->dst);
    uint32_t queries = (uint32_t)to->h * (uint32_t)to->w, tokens = (uint32_t)keys->h * (uint32_t)keys->w;
    struct attention_push push = {.queries = queries,
                                  .tokens = tokens,
                                  .channels = (uint32_t)to->c,
                                  .heads = (uint32_t)op->heads,
                                  .q = q.offset,
                                  .k = k.offset,
                                  .v = v.offset,
                                  .dst = dst.offset,
                                  .bias = bias.offset,
                                  .scale = op->scale > 0 ? op->scale : 1 / __builtin_sqrtf((float)width)};
    if (op->src[3] >= 0)
        set_bias_steps(&push, &operands[op->src[3]]);
    struct ebb_vk_specs specs = {{q.bank, k.bank, v.bank, dst.bank, bias.bank, op->causal}};
    uint32_t slices = ((uint32_t)width + ATTENTION_WIDE - 1) / ATTENTION_WIDE;
    const uint32_t groups[3] = {(queries + ATTENTION_QUERIES - 1) / ATTENTION_QUERIES, (uint32_t)op->heads,
                                (uint32_t)to->n * slices};
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, EBB_VK_ATTENTION, &specs, &push, sizeof(push), groups, &d,
                                           error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct attention_push, q), q);
    move_with_step(d, offsetof(struct attention_push, k), k);
    move_with_step(d, offsetof(struct attention_push, v), v);
    move_with_step(d, offsetof(struct attention_push, dst), dst);
    move_with_step(d, offsetof(struct attention_push, bias), bias);
    d->flops = (uint64_t)to->n * queries * tokens * (uint64_t)to->c * 4;
    return EBB_OK;
}

enum ebb_result ebb_vk_pool(struct ebb_vk_translation *out, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_operand *from = &out->source.operands[op->src[0]], *to = &out->source.operands[op->dst];
    struct address src = address_of(out, op->src[0]), dst = address_of(out, op->dst);
    struct pool_push push = {.n = (uint32_t)to->n,
                             .h = (uint32_t)to->h,
                             .w = (uint32_t)to->w,
                             .c = (uint32_t)to->c,
                             .src_h = (uint32_t)from->h,
                             .src_w = (uint32_t)from->w,
                             .src = src.offset,
                             .dst = dst.offset};
    struct ebb_vk_specs specs = {{src.bank, dst.bank}};
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, EBB_VK_POOL, &specs, &push, sizeof(push),
                                           flat(values_of(to)).xyz, &d, error);
    if (result != EBB_OK)
        return result;
    d->flops = values_of(to) * 4;
    return EBB_OK;
}

static enum ebb_result over_places(struct ebb_vk_translation *out, const struct ebb_op *op,
                                   enum ebb_vk_shader shader, size_t count, struct ebb_error *error)
{
    const struct ebb_operand *from = &out->source.operands[op->src[0]];
    struct address src = address_of(out, op->src[0]), dst = address_of(out, op->dst);
    struct mean_push push = {.images = (uint32_t)from->n,
                             .pixels = (uint32_t)from->h * (uint32_t)from->w,
                             .c = (uint32_t)from->c,
                             .src = src.offset,
                             .dst = dst.offset};
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, shader, &(struct ebb_vk_specs){{src.bank, dst.bank}}, &push,
                                           sizeof(push), flat(count).xyz, &d, error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct mean_push, src), src);
    move_with_step(d, offsetof(struct mean_push, dst), dst);
    d->flops = values_of(from);
    return EBB_OK;
}

enum ebb_result ebb_vk_mean(struct ebb_vk_translation *out, const struct ebb_op *op, struct ebb_error *error)
{
    return over_places(out, op, EBB_VK_MEAN, values_of(&out->source.operands[op->dst]), error);
}

enum ebb_result ebb_vk_softmax(struct ebb_vk_translation *out, const struct ebb_op *op,
                               struct ebb_error *error)
{
    const struct ebb_operand *to = &out->source.operands[op->dst];
    return over_places(out, op, EBB_VK_SOFTMAX, values_of(to) / (size_t)to->c, error);
}

enum ebb_result ebb_vk_layer_norm(struct ebb_vk_translation *out, const struct ebb_op *op,
                                  struct ebb_error *error)
{
    enum { ROW = 65535 }; // as in layer_norm.comp
    const struct ebb_operand *to = &out->source.operands[op->dst];
    struct address src = address_of(out, op->src[0]), dst = address_of(out, op->dst);
    uint32_t places = (uint32_t)(values_of(to) / (size_t)to->c);
    struct layer_norm_push push = {
        .places = places,
        .c = (uint32_t)to->c,
        .src = src.offset,
        .dst = dst.offset,
        .gamma = ebb_vk_constant(out, op->gamma),
        .beta = ebb_vk_constant(out, op->beta),
        .rms = op->rms,
        .eps = op->eps,
    };
    const uint32_t groups[3] = {places < ROW ? places : ROW, count_groups(places, ROW), 1};
    struct ebb_vk_dispatch *d;
    struct ebb_vk_specs specs = {{src.bank, dst.bank}};
    enum ebb_result result = ebb_vk_append(out, EBB_VK_LAYER_NORM, &specs, &push, sizeof(push), groups, &d,
                                           error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct layer_norm_push, src), src);
    move_with_step(d, offsetof(struct layer_norm_push, dst), dst);
    d->flops = values_of(to) * 8;
    return EBB_OK;
}

enum ebb_result ebb_vk_gate(struct ebb_vk_translation *out, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_operand *to = &out->source.operands[op->dst];
    struct address x = address_of(out, op->src[0]), gate = address_of(out, op->src[1]),
                   dst = address_of(out, op->dst);
    struct gate_push push = {.count = (uint32_t)values_of(to),
                             .c = (uint32_t)to->c,
                             .x = x.offset,
                             .gate = gate.offset,
                             .dst = dst.offset,
                             .halves = op->src[1] < 0};
    struct ebb_vk_specs specs = {{x.bank, gate.bank, dst.bank, (uint32_t)op->act}};
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, EBB_VK_GATE, &specs, &push, sizeof(push),
                                           flat(values_of(to)).xyz, &d, error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct gate_push, x), x);
    move_with_step(d, offsetof(struct gate_push, gate), gate);
    move_with_step(d, offsetof(struct gate_push, dst), dst);
    d->flops = values_of(to) * 2;
    return EBB_OK;
}

// The values of source `which`, behind `start` others in every image.
static enum ebb_result join_one(struct ebb_vk_translation *out, const struct ebb_op *op, int which,
                                uint32_t start, struct ebb_error *error)
{
    const struct ebb_operand *from = &out->source.operands[op->src[which]],
                             *to = &out->source.operands[op->dst];
    struct address src = address_of(out, op->src[which]), dst = address_of(out, op->dst);
    struct join_push push = {.images = (uint32_t)from->n,
                             .count = (uint32_t)(values_of(from) / (size_t)from->n),
                             .src = src.offset,
                             .dst = dst.offset,
                             .start = start,
                             .whole = (uint32_t)(values_of(to) / (size_t)to->n)};
    struct ebb_vk_specs specs = {{src.bank, dst.bank}};
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, EBB_VK_JOIN, &specs, &push, sizeof(push),
                                           flat(values_of(from)).xyz, &d, error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct join_push, src), src);
    move_with_step(d, offsetof(struct join_push, dst), dst);
    return EBB_OK;
}

enum ebb_result ebb_vk_join(struct ebb_vk_translation *out, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_operand *first = &out->source.operands[op->src[0]];
    enum ebb_result result = join_one(out, op, 0, 0, error);
    if (result == EBB_OK)
        result = join_one(out, op, 1, (uint32_t)(values_of(first) / (size_t)first->n), error);
    return result;
}

enum ebb_result ebb_vk_turn(struct ebb_vk_translation *out, const struct ebb_op *op, struct ebb_error *error)
{
    const struct ebb_operand *to = &out->source.operands[op->dst];
    struct address src = address_of(out, op->src[0]), dst = address_of(out, op->dst);
    struct turn_push push = {.count = (uint32_t)values_of(to),
                             .h = (uint32_t)to->h,
                             .w = (uint32_t)to->w,
                             .c = (uint32_t)to->c,
                             .src = src.offset,
                             .dst = dst.offset};
    struct ebb_vk_dispatch *d;
    enum ebb_result result = ebb_vk_append(out, EBB_VK_TURN, &(struct ebb_vk_specs){{src.bank, dst.bank}},
                                           &push, sizeof(push), flat(values_of(to)).xyz, &d, error);
    if (result != EBB_OK)
        return result;
    move_with_step(d, offsetof(struct turn_push, src), src);
    move_with_step(d, offsetof(struct turn_push, dst), dst);
    return EBB_OK;
}
