// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/program.h"

#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/memory.h"
#include "base/base.h"

enum { OUTSIDE_SETS = 16 }; // combinations of outside buffers that are kept

static enum ebb_result (*const translate[EBB_OP_COUNT])(struct ebb_vk_translation *out,
                                                        const struct ebb_op *op, struct ebb_error *error) = {
#define OP(NAME, name, words) [EBB_OP_##NAME] = ebb_vk_##name,
#include "backend/ops.def"
#undef OP
};

// ---- weights ----

// A convolution's weights as the shaders read them: (kh * kw * cin, stride), stride = cout padded to a
// multiple of 4.
struct packed_weight {
    struct ebb_packed packed;
    struct ebb_vk *vk; // holds a reference
    struct ebb_vk_memory memory;
    uint32_t stride;
};

// To IEEE 754 binary16, rounded to nearest even; values that are too large become infinity.
static uint16_t to_half(float value)
{
    union {
        float f;
        uint32_t u;
    } in = {value};
    uint32_t sign = in.u >> 16 & 0x8000, magnitude = in.u & 0x7fffffff;
    if (magnitude >= 0x47800000) // 65536 and above, infinities, NaN
        return (uint16_t)(sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00));
    if (magnitude < 0x38800000) { // subnormal half: align to 2^-24 by adding 0.5
        in.u = magnitude;
        in.f += 0.5f;
        return (uint16_t)(sign | (in.u - 0x3f000000));
    }
    uint32_t odd = magnitude >> 13 & 1;
    return (uint16_t)(sign | ((magnitude - 0x38000000 + 0xfff + odd) >> 13));
}

struct packing {
    struct ebb_vk *vk;
    enum ebb_result result;
    struct ebb_error *error;
};

static void destroy_weight(struct ebb_packed *packed)
{
    struct packed_weight *w = (struct packed_weight *)packed;
    pthread_mutex_lock(&w->vk->lock);
    ebb_vk_release(w->vk, &w->memory);
    pthread_mutex_unlock(&w->vk->lock);
    ebb_vk_close(&w->vk);
    free(w);
}

// `row` holds `stride` floats.
static void transpose(const struct ebb_weight *weight, size_t k_count, size_t stride, float *row, void *out,
                      bool half)
{
    for (size_t k = 0; k < k_count; k++) {
        float *to = half ? row : (float *)out + k * stride;
        ebb_weight_read(weight, k, to);
        for (size_t c = 0; half && c < (size_t)weight->cout; c++)
            ((uint16_t *)out)[k * stride + c] = to_half(row[c]);
    }
}

static enum ebb_result upload_weight(struct ebb_vk *vk, const void *data, size_t size,
                                     struct ebb_vk_memory *memory, struct ebb_error *error)
{
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = ebb_vk_allocate(vk, EBB_VK_DEVICE, size, memory, error);
    if (result == EBB_OK)
        result = ebb_vk_upload(vk, memory, 0, data, size, error);
    if (result != EBB_OK)
        ebb_vk_release(vk, memory);
    pthread_mutex_unlock(&vk->lock);
    return result;
}

static struct ebb_packed *pack_weight(const struct ebb_weight *weight, void *context)
{
    struct packing *p = context;
    size_t k_count = (size_t)weight->kh * (size_t)weight->kw * (size_t)weight->cin;
    size_t stride = ((size_t)weight->cout + 3) / 4 * 4, item = p->vk->fp16 ? 2 : 4;
    struct packed_weight *w = ebb_alloc(1, sizeof(*w));
    void *data = stride <= SIZE_MAX / item / (k_count ? k_count : 1) ? ebb_alloc(k_count * stride, item)
                                                                     : NULL;
    float *row = ebb_alloc(stride, sizeof(*row));
    if (w && data && row) {
        transpose(weight, k_count, stride, row, data, p->vk->fp16);
        p->result = upload_weight(p->vk, data, k_count * stride * item, &w->memory, p->error);
    } else {
        p->result = ebb_fail(p->error, EBB_OUT_OF_MEMORY, "no memory to pack %s", weight->name);
    }
    free(row);
    free(data);
    if (p->result != EBB_OK) {
        free(w);
        return NULL;
    }
    w->packed.destroy = destroy_weight;
    w->vk = ebb_vk_share(p->vk);
    w->stride = (uint32_t)stride;
    return &w->packed;
}

// Packs a weight once per device. The device's lock must NOT be held.
static enum ebb_result weight_of(struct ebb_vk *vk, struct ebb_weight *weight,
                                 const struct packed_weight **packed, struct ebb_error *error)
{
    struct packing packing = {vk, EBB_OK, error};
    *packed = (const struct packed_weight *)ebb_packed_get(weight, vk, 0, pack_weight, &packing);
    return packing.result;
}

// ---- programs ----

// Room for every vector that an op of the program uses.
static enum ebb_result reserve_constants(struct ebb_vk_program *program, struct ebb_error *error)
{
    size_t count = 4;
    for (int i = 0; i < program->ops.source.op_count; i++) {
        const struct ebb_op *op = &program->ops.source.ops[i];
        const struct ebb_weight *vectors[] = {op->bias, op->gamma, op->beta};
        for (int j = 0; j < 3; j++)
            count += vectors[j] ? ((size_t)vectors[j]->cout + 3) / 4 * 4 : 0;
    }
    program->ops.constant_capacity = count;
    program->ops.constants = ebb_alloc(count, sizeof(float));
    if (!program->ops.constants)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a network's constants");
    return EBB_OK;
}

// Finds the operands that a norm reads; the ops that make them also compute their statistics.
static enum ebb_result find_stats(struct ebb_vk_program *program, struct ebb_error *error)
{
    program->ops.stats = ebb_alloc((size_t)program->ops.source.operand_count, sizeof(*program->ops.stats));
    if (!program->ops.stats)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a network's statistics");
    for (int i = 0; i < program->ops.source.op_count; i++) {
        const struct ebb_op *op = &program->ops.source.ops[i];
        for (int k = 0; k < 2 && op->kind == EBB_OP_NORM && op->groups; k++)
            if (op->src[k] >= 0)
                program->ops.stats[op->src[k]].wanted = true;
    }
    return EBB_OK;
}

static enum ebb_result make_scratch(struct ebb_vk_program *program, struct ebb_error *error)
{
    size_t constants = program->ops.constant_capacity, partial = constants + program->ops.stats_floats;
    size_t all = partial + program->ops.partial_floats;
    enum ebb_result result = ebb_vk_allocate(program->ops.vk, EBB_VK_DEVICE, all * sizeof(float),
                                             &program->scratch, error);
    if (result == EBB_OK)
        result = ebb_vk_upload(program->ops.vk, &program->scratch, 0, program->ops.constants,
                               constants * sizeof(float), error);
    for (int i = 0; i < program->ops.count; i++)
        if (program->ops.dispatches[i].partial)
            program->ops.dispatches[i].push[program->ops.dispatches[i].partial] = (uint32_t)partial;
    return result;
}

static enum ebb_result make_pool(struct ebb_vk_program *program, struct ebb_error *error)
{
    uint32_t sets = program->ops.count ? (uint32_t)program->ops.count : 1;
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, sets * EBB_VK_INSIDE};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = sets,
                                       .poolSizeCount = 1,
                                       .pPoolSizes = &size};
    struct ebb_vk *vk = program->ops.vk;
    return ebb_vk_check(vk, vk->vk.CreateDescriptorPool(vk->device, &info, NULL, &program->pool),
                        "making a descriptor pool", error);
}

static enum ebb_result make_set(struct ebb_vk_program *program, VkDescriptorSet *set, struct ebb_error *error)
{
    struct ebb_vk *vk = program->ops.vk;
    VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = program->pool,
                                        .descriptorSetCount = 1,
                                        .pSetLayouts = &vk->set_layout[0]};
    return ebb_vk_check(vk, vk->vk.AllocateDescriptorSets(vk->device, &info, set), "making a descriptor set",
                        error);
}

// The buffers that never change: arena, its 16-bit view, the op's weights, the step table, scratch.
static enum ebb_result bind_inside(struct ebb_vk_program *program, struct ebb_vk_dispatch *d,
                                   const struct packed_weight *weight, struct ebb_error *error)
{
    const struct ebb_program *source = &program->ops.source;
    const struct ebb_vk_memory *scratch = &program->scratch;
    const struct ebb_vk_memory *arena = source->arena ? ebb_vk_buffer_memory(source->arena) : scratch;
    const struct ebb_vk_memory *steps = source->steps ? ebb_vk_buffer_memory(source->steps) : scratch;
    const struct ebb_vk_memory *weights = weight ? &weight->memory : scratch;
    enum ebb_result result = make_set(program, &d->inside, error);
    if (result == EBB_OK)
        ebb_vk_write_set(program->ops.vk, d->inside,
                         (const struct ebb_vk_memory *[EBB_VK_INSIDE]){arena, arena, weights, steps, scratch},
                         EBB_VK_INSIDE);
    return result;
}

static enum ebb_result check_groups(const struct ebb_vk_program *program, const struct ebb_vk_dispatch *d,
                                    struct ebb_error *error)
{
    const struct ebb_vk_physical *physical = program->ops.vk->physical;
    for (int i = 0; i < 3; i++)
        if (d->groups[i] > physical->limits.maxComputeWorkGroupCount[i])
            return ebb_fail(error, EBB_UNSUPPORTED, "%s: %u workgroups, %s runs at most %u at once", d->name,
                            d->groups[i], physical->name, physical->limits.maxComputeWorkGroupCount[i]);
    return EBB_OK;
}

static enum ebb_result translate_op(struct ebb_vk_program *program, const struct ebb_op *op,
                                    struct ebb_error *error)
{
    struct ebb_vk_translation *ops = &program->ops;
    int first = ops->count;
    enum ebb_result result = translate[op->kind](ops, op, error);
    for (int i = first; i < ops->count && result == EBB_OK; i++) {
        struct ebb_vk_dispatch *d = &ops->dispatches[i];
        ebb_op_describe(&ops->source, op, d->name, sizeof(d->name));
        result = check_groups(program, d, error);
    }
    return result;
}

// The packed form of the weight at a dispatch's binding 2; NULL: none.
static const struct packed_weight *find_weight(const struct ebb_program *source,
                                               const struct packed_weight *const *weights,
                                               const struct ebb_vk_dispatch *d)
{
    for (int i = 0; d->weight && i < source->op_count; i++)
        if (source->ops[i].weight == d->weight)
            return weights[i];
    return NULL;
}

static enum ebb_result build(struct ebb_vk_program *program, const struct packed_weight *const *weights,
                             struct ebb_error *error)
{
    struct ebb_vk_translation *ops = &program->ops;
    enum ebb_result result = reserve_constants(program, error);
    if (result == EBB_OK)
        result = find_stats(program, error);
    for (int i = 0; i < ops->source.op_count && result == EBB_OK; i++)
        result = translate_op(program, &ops->source.ops[i], error);
    if (result == EBB_OK)
        result = make_scratch(program, error);
    if (result == EBB_OK)
        result = make_pool(program, error);
    if (result == EBB_OK)
        result = ebb_vk_sets_create(ops->vk, OUTSIDE_SETS, &program->outside, error);
    for (int i = 0; i < ops->count && result == EBB_OK; i++)
        result = bind_inside(program, &ops->dispatches[i],
                             find_weight(&ops->source, weights, &ops->dispatches[i]), error);
    return result;
}

// Packs the weights first, one by one: packing takes the device's lock itself.
static enum ebb_result pack(struct ebb_vk *vk, const struct ebb_program *source,
                            const struct packed_weight **weights, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < source->op_count && result == EBB_OK; i++)
        if (source->ops[i].weight)
            result = weight_of(vk, source->ops[i].weight, &weights[i], error);
    return result;
}

static void destroy(struct ebb_vk_program *program)
{
    struct ebb_vk *vk = program->ops.vk;
    ebb_vk_finish(vk, NULL);
    vk->vk.DestroyDescriptorPool(vk->device, program->pool, NULL);
    ebb_vk_sets_destroy(vk, &program->outside);
    ebb_vk_release(vk, &program->scratch);
    free(program->ops.constants);
    free(program->ops.stats);
    free(program->ops.dispatches);
    free(program);
}

// The second part, after the weights are packed.
static enum ebb_result make_program(struct ebb_vk *vk, const struct ebb_program *source,
                                    const struct packed_weight *const *weights, void **prepared,
                                    struct ebb_error *error)
{
    struct ebb_vk_program *program = ebb_alloc(1, sizeof(*program));
    if (!program)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a program");
    program->ops.vk = vk;
    program->ops.source = *source;
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = build(program, weights, error);
    if (result == EBB_OK) {
        free(program->ops.constants);
        program->ops.constants = NULL;
        *prepared = program;
    } else {
        destroy(program);
    }
    pthread_mutex_unlock(&vk->lock);
    return result;
}

enum ebb_result ebb_vk_prepare(struct ebb_device *device, const struct ebb_program *source, void **prepared,
                               struct ebb_error *error)
{
    if (source->input_count + source->output_count > EBB_VK_OUTSIDES)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "a network of %d inputs and %d outputs: at most %d together on Vulkan",
                        source->input_count, source->output_count, EBB_VK_OUTSIDES);
    const struct packed_weight **weights = ebb_alloc((size_t)source->op_count, sizeof(*weights));
    enum ebb_result result = EBB_OK;
    if (!weights)
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a program");
    if (result == EBB_OK)
        result = pack(device->state, source, weights, error);
    if (result == EBB_OK)
        result = make_program(device->state, source, weights, prepared, error);
    free(weights);
    return result;
}

void ebb_vk_outside(const struct ebb_vk_program *program, struct ebb_buffer *const *inputs,
                    struct ebb_buffer *const *outputs, const struct ebb_vk_memory *memory[EBB_VK_OUTSIDES])
{
    int in = program->ops.source.input_count, all = in + program->ops.source.output_count;
    for (int i = 0; i < EBB_VK_OUTSIDES; i++)
        memory[i] = i >= all ? &program->scratch : ebb_vk_buffer_memory(i < in ? inputs[i] : outputs[i - in]);
}

enum ebb_result ebb_vk_run(struct ebb_device *device, void *prepared, int step,
                           struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                           struct ebb_error *error)
{
    struct ebb_vk_program *program = prepared;
    const struct ebb_vk_memory *outside[EBB_VK_OUTSIDES];
    VkDescriptorSet found[2];
    ebb_vk_outside(program, inputs, outputs, outside);
    pthread_mutex_lock(&program->ops.vk->lock);
    enum ebb_result result = ebb_vk_sets_find(program->ops.vk, program->outside, NULL, outside, found, error);
    enum ebb_result (*record)(struct ebb_vk *, const struct ebb_vk_dispatch *, VkDescriptorSet, int,
                              struct ebb_error *) = ebb_profile_on(device) ? ebb_vk_timed : ebb_vk_record;
    for (int i = 0; i < program->ops.count && result == EBB_OK; i++)
        result = record(program->ops.vk, &program->ops.dispatches[i], found[1], step, error);
    pthread_mutex_unlock(&program->ops.vk->lock);
    return result;
}

void ebb_vk_program_release(struct ebb_device *device, void *prepared)
{
    struct ebb_vk *vk = ((struct ebb_vk_program *)prepared)->ops.vk;
    pthread_mutex_lock(&vk->lock);
    destroy(prepared);
    pthread_mutex_unlock(&vk->lock);
}
