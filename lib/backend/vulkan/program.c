#include "backend/vulkan/program.h"

#include <stdlib.h>
#include <string.h>

#include "backend/profile.h"
#include "backend/vulkan/buffer.h"
#include "backend/vulkan/sets.h"
#include "base/base.h"

enum { OUTSIDE_SETS = 16 }; // combinations of buffers that runs are given

struct ebb_vk_dispatch *ebb_vk_append(struct ebb_vk_program *program, struct ebb_error *error)
{
    if (program->count == program->capacity) {
        int capacity = program->capacity ? 2 * program->capacity : 64;
        void *grown = realloc(program->dispatches, (size_t)capacity * sizeof(*program->dispatches));
        if (!grown) {
            ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for a program");
            return NULL;
        }
        program->dispatches = grown;
        program->capacity = capacity;
    }
    struct ebb_vk_dispatch *d = &program->dispatches[program->count++];
    memset(d, 0, sizeof(*d));
    return d;
}

uint32_t ebb_vk_constant(struct ebb_vk_program *program, const struct ebb_weight *weight)
{
    if (!weight)
        return UINT32_MAX;
    uint32_t offset = (uint32_t)program->constant_count;
    memcpy(program->constants + offset, weight->data, (size_t)weight->cout * sizeof(float));
    program->constant_count += ((size_t)weight->cout + 3) / 4 * 4;
    return offset;
}

// Room for every vector the program's ops name.
static enum ebb_result reserve_constants(struct ebb_vk_program *program, struct ebb_error *error)
{
    size_t count = 4;
    for (int i = 0; i < program->source.op_count; i++) {
        const struct ebb_op *op = &program->source.ops[i];
        const struct ebb_weight *vectors[] = {op->bias, op->gamma, op->beta};
        for (int j = 0; j < 3; j++)
            count += vectors[j] ? ((size_t)vectors[j]->cout + 3) / 4 * 4 : 0;
    }
    program->constant_capacity = count;
    program->constants = ebb_alloc(count, sizeof(float));
    return program->constants ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for a network's constants");
}

// Which tensors are read by a norm: whoever makes them leaves statistics.
static enum ebb_result find_stats(struct ebb_vk_program *program, struct ebb_error *error)
{
    program->stats = ebb_alloc((size_t)program->source.tensor_count, sizeof(*program->stats));
    if (!program->stats)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for a network's statistics");
    for (int i = 0; i < program->source.op_count; i++) {
        const struct ebb_op *op = &program->source.ops[i];
        for (int k = 0; k < 2 && op->kind == EBB_OP_NORM && op->groups; k++)
            if (op->src[k] >= 0)
                program->stats[op->src[k]].wanted = true;
    }
    return EBB_OK;
}

static enum ebb_result make_scratch(struct ebb_vk_program *program, struct ebb_error *error)
{
    size_t constants = program->constant_capacity, partial = constants + program->stats_floats;
    size_t all = partial + program->partial_floats;
    enum ebb_result result =
        ebb_vk_allocate(program->vk, EBB_VK_DEVICE, all * sizeof(float), &program->scratch, error);
    if (result == EBB_OK)
        result = ebb_vk_upload(program->vk, &program->scratch, 0, program->constants, constants * sizeof(float), error);
    for (int i = 0; i < program->count; i++)
        if (program->dispatches[i].partial)
            program->dispatches[i].push[program->dispatches[i].partial] = (uint32_t)partial;
    return result;
}

static enum ebb_result make_pool(struct ebb_vk_program *program, struct ebb_error *error)
{
    uint32_t sets = program->count ? (uint32_t)program->count : 1;
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, sets * EBB_VK_INSIDE};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = sets,
                                       .poolSizeCount = 1,
                                       .pPoolSizes = &size};
    struct ebb_vk *vk = program->vk;
    return ebb_vk_check(vk, vk->vk.CreateDescriptorPool(vk->device, &info, NULL, &program->pool),
                        "making a descriptor pool", error);
}

static enum ebb_result make_set(struct ebb_vk_program *program, VkDescriptorSet *set, struct ebb_error *error)
{
    struct ebb_vk *vk = program->vk;
    VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = program->pool,
                                        .descriptorSetCount = 1,
                                        .pSetLayouts = &vk->set_layout[0]};
    return ebb_vk_check(vk, vk->vk.AllocateDescriptorSets(vk->device, &info, set), "making a descriptor set", error);
}

// The buffers that never change: arena, its 16-bit view, the op's weights, the step table, scratch.
static enum ebb_result bind_inside(struct ebb_vk_program *program, struct ebb_vk_dispatch *d,
                                   const struct ebb_vk_weight *weight, struct ebb_error *error)
{
    enum ebb_result result = make_set(program, &d->inside, error);
    if (result != EBB_OK)
        return result;
    const struct ebb_vk_memory *scratch = &program->scratch;
    const struct ebb_vk_memory *arena = program->source.arena ? ebb_vk_buffer_memory(program->source.arena) : scratch;
    const struct ebb_vk_memory *steps = program->source.steps ? ebb_vk_buffer_memory(program->source.steps) : scratch;
    const struct ebb_vk_memory *buffers[EBB_VK_INSIDE] = {arena, arena, weight ? &weight->memory : scratch, steps, scratch};
    ebb_vk_write_set(program->vk, d->inside, buffers, EBB_VK_INSIDE);
    return EBB_OK;
}

static enum ebb_result check_groups(const struct ebb_vk_program *program, const struct ebb_vk_dispatch *d, struct ebb_error *error)
{
    const struct ebb_vk_physical *physical = program->vk->physical;
    for (int i = 0; i < 3; i++)
        if (d->groups[i] > physical->limits.maxComputeWorkGroupCount[i])
            return ebb_fail(error, EBB_UNSUPPORTED, "%s: %u workgroups, %s runs at most %u at once", d->name, d->groups[i],
                            physical->name, physical->limits.maxComputeWorkGroupCount[i]);
    return EBB_OK;
}

static enum ebb_result build(struct ebb_vk_program *program, const struct ebb_vk_weight *const *weights,
                             struct ebb_error *error)
{
    enum ebb_result result = reserve_constants(program, error);
    if (result == EBB_OK)
        result = find_stats(program, error);
    for (int i = 0; i < program->source.op_count && result == EBB_OK; i++) {
        const struct ebb_op *op = &program->source.ops[i];
        int first = program->count;
        result = ebb_vk_translate(program, op, error);
        for (int j = first; j < program->count && result == EBB_OK; j++) {
            ebb_op_describe(&program->source, op, program->dispatches[j].name, sizeof(program->dispatches[j].name));
            result = check_groups(program, &program->dispatches[j], error);
        }
    }
    if (result == EBB_OK)
        result = make_scratch(program, error);
    if (result == EBB_OK)
        result = make_pool(program, error);
    if (result == EBB_OK && !(program->outside = ebb_vk_sets_create(program->vk, OUTSIDE_SETS, error)))
        result = EBB_OUT_OF_MEMORY;
    for (int i = 0; i < program->count && result == EBB_OK; i++) {
        struct ebb_vk_dispatch *d = &program->dispatches[i];
        const struct ebb_vk_weight *weight = NULL;
        for (int j = 0; d->weight && j < program->source.op_count && !weight; j++)
            weight = program->source.ops[j].weight == d->weight ? weights[j] : NULL;
        result = bind_inside(program, d, weight, error);
    }
    return result;
}

// Weights first, one by one: packing takes the device's lock itself.
static enum ebb_result pack(struct ebb_vk *vk, const struct ebb_program *source, const struct ebb_vk_weight **weights,
                            struct ebb_error *error)
{
    for (int i = 0; i < source->op_count; i++)
        if (source->ops[i].weight && !(weights[i] = ebb_vk_weight_get(vk, source->ops[i].weight, error)))
            return EBB_DEVICE_FAILED;
    return EBB_OK;
}

static void destroy(struct ebb_vk_program *program)
{
    struct ebb_vk *vk = program->vk;
    ebb_vk_finish(vk, NULL);
    vk->vk.DestroyDescriptorPool(vk->device, program->pool, NULL);
    ebb_vk_sets_destroy(vk, &program->outside);
    ebb_vk_release(vk, &program->scratch);
    free(program->constants);
    free(program->stats);
    free(program->dispatches);
    free(program);
}

void *ebb_vk_prepare(struct ebb_device *device, const struct ebb_program *source, struct ebb_error *error)
{
    struct ebb_vk *vk = device->state;
    if (source->input_count + source->output_count > EBB_VK_OUTSIDES) {
        ebb_fail(error, EBB_UNSUPPORTED, "a network of %d inputs and %d outputs: at most %d together on Vulkan",
                 source->input_count, source->output_count, EBB_VK_OUTSIDES);
        return NULL;
    }
    struct ebb_vk_program *program = ebb_alloc(1, sizeof(*program));
    const struct ebb_vk_weight **weights = ebb_alloc((size_t)source->op_count, sizeof(*weights));
    enum ebb_result result =
        program && weights ? pack(vk, source, weights, error) : ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for a program");
    if (result != EBB_OK) {
        free(program);
        free(weights);
        return NULL;
    }

    program->vk = vk;
    program->source = *source;
    pthread_mutex_lock(&vk->lock);
    if (build(program, weights, error) != EBB_OK) {
        destroy(program);
        program = NULL;
    } else {
        free(program->constants);
        program->constants = NULL;
    }
    pthread_mutex_unlock(&vk->lock);
    free(weights);
    return program;
}

void ebb_vk_outside(const struct ebb_vk_program *program, struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                    const struct ebb_vk_memory *memory[EBB_VK_OUTSIDES])
{
    int in = program->source.input_count, all = in + program->source.output_count;
    for (int i = 0; i < EBB_VK_OUTSIDES; i++)
        memory[i] = i >= all ? &program->scratch : ebb_vk_buffer_memory(i < in ? inputs[i] : outputs[i - in]);
}

enum ebb_result ebb_vk_run(struct ebb_device *device, void *prepared, int step, struct ebb_buffer *const *inputs,
                           struct ebb_buffer *const *outputs, struct ebb_error *error)
{
    struct ebb_vk_program *program = prepared;
    const struct ebb_vk_memory *outside[EBB_VK_OUTSIDES];
    VkDescriptorSet found[2];
    ebb_vk_outside(program, inputs, outputs, outside);
    pthread_mutex_lock(&program->vk->lock);
    enum ebb_result result = ebb_vk_sets_find(program->vk, program->outside, NULL, outside, found, error);
    enum ebb_result (*record)(struct ebb_vk *, const struct ebb_vk_dispatch *, VkDescriptorSet, int, struct ebb_error *) =
        ebb_profile_on(device) ? ebb_vk_timed : ebb_vk_record;
    for (int i = 0; i < program->count && result == EBB_OK; i++)
        result = record(program->vk, &program->dispatches[i], found[1], step, error);
    pthread_mutex_unlock(&program->vk->lock);
    return result;
}

void ebb_vk_program_release(struct ebb_device *device, void *prepared)
{
    struct ebb_vk *vk = ((struct ebb_vk_program *)prepared)->vk;
    pthread_mutex_lock(&vk->lock);
    destroy(prepared);
    pthread_mutex_unlock(&vk->lock);
}

size_t ebb_vk_program_memory(const void *prepared)
{
    return ((const struct ebb_vk_program *)prepared)->scratch.size;
}
