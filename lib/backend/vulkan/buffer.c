#include "backend/vulkan/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/kernel.h"
#include "base/base.h"

const struct ebb_vk_memory *ebb_vk_buffer_memory(const struct ebb_buffer *buffer)
{
    return buffer->state;
}

static struct ebb_vk *device_of(const struct ebb_buffer *buffer)
{
    return buffer->device->state;
}

enum ebb_result ebb_vk_buffer_create(struct ebb_buffer *buffer, struct ebb_error *error)
{
    struct ebb_vk *vk = device_of(buffer);
    struct ebb_vk_memory *memory = ebb_alloc(1, sizeof(*memory));
    if (!memory || buffer->count > SIZE_MAX / sizeof(float)) {
        free(memory);
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for a buffer");
    }
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = ebb_vk_allocate(vk, EBB_VK_DEVICE, buffer->count * sizeof(float), memory, error);
    VkCommandBuffer commands = result == EBB_OK ? ebb_vk_commands(vk, error) : NULL;
    if (commands) {
        vk->vk.CmdFillBuffer(commands, memory->buffer, 0, VK_WHOLE_SIZE, 0);
        ebb_vk_barrier(vk);
    } else {
        result = result == EBB_OK ? EBB_DEVICE_FAILED : result;
        ebb_vk_release(vk, memory);
    }
    pthread_mutex_unlock(&vk->lock);
    buffer->state = memory;
    if (result != EBB_OK) {
        free(memory);
        buffer->state = NULL;
    }
    return result;
}

void ebb_vk_buffer_destroy(struct ebb_buffer *buffer)
{
    struct ebb_vk *vk = device_of(buffer);
    if (!buffer->state)
        return;
    pthread_mutex_lock(&vk->lock);
    ebb_vk_release(vk, buffer->state);
    pthread_mutex_unlock(&vk->lock);
    free(buffer->state);
    buffer->state = NULL;
}

enum ebb_result ebb_vk_buffer_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                                    struct ebb_error *error)
{
    struct ebb_vk *vk = device_of(buffer);
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result =
        ebb_vk_upload(vk, buffer->state, offset * sizeof(float), data, count * sizeof(float), error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}

enum ebb_result ebb_vk_buffer_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                                   struct ebb_error *error)
{
    struct ebb_vk *vk = device_of(buffer);
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result =
        ebb_vk_download(vk, buffer->state, offset * sizeof(float), data, count * sizeof(float), error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}

// ---- descriptor sets for what is given anew with each call ----

enum { SETS = 256, NAMED = EBB_VK_INSIDE + 1 };

struct ebb_vk_sets {
    VkDescriptorPool pool;
    struct {
        uint64_t id[NAMED];
        VkDescriptorSet set[2];
    } entry[SETS];
    int count;
};

void ebb_vk_sets_free(struct ebb_vk *vk)
{
    if (vk->sets)
        vk->vk.DestroyDescriptorPool(vk->device, vk->sets->pool, NULL);
    free(vk->sets);
    vk->sets = NULL;
}

static enum ebb_result make_sets(struct ebb_vk *vk, struct ebb_error *error)
{
    if (vk->sets)
        return EBB_OK;
    struct ebb_vk_sets *sets = ebb_alloc(1, sizeof(*sets));
    if (!sets)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for descriptor sets");
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, SETS * (EBB_VK_INSIDE + EBB_VK_OUTSIDES)};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = 2 * SETS,
                                       .poolSizeCount = 1,
                                       .pPoolSizes = &size};
    VkResult result = vk->vk.CreateDescriptorPool(vk->device, &info, NULL, &sets->pool);
    if (result == VK_SUCCESS)
        vk->sets = sets;
    else
        free(sets);
    return ebb_vk_check(vk, result, "making a descriptor pool", error);
}

// The pair of sets that names these buffers (the first five, then one): found, or made. A full pool starts again.
static enum ebb_result find_sets(struct ebb_vk *vk, const struct ebb_vk_memory *const memory[NAMED],
                                 VkDescriptorSet found[2], struct ebb_error *error)
{
    enum ebb_result result = make_sets(vk, error);
    if (result != EBB_OK)
        return result;
    uint64_t id[NAMED];
    for (int i = 0; i < NAMED; i++)
        id[i] = memory[i] ? memory[i]->id : 0;
    struct ebb_vk_sets *sets = vk->sets;
    for (int i = 0; i < sets->count; i++)
        if (memcmp(sets->entry[i].id, id, sizeof(id)) == 0) {
            memcpy(found, sets->entry[i].set, sizeof(sets->entry[i].set));
            return EBB_OK;
        }

    if (sets->count == SETS) {
        if ((result = ebb_vk_finish(vk, error)) != EBB_OK)
            return result;
        vk->vk.ResetDescriptorPool(vk->device, sets->pool, 0);
        sets->count = 0;
    }
    VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = sets->pool,
                                        .descriptorSetCount = 2,
                                        .pSetLayouts = vk->set_layout};
    result = ebb_vk_check(vk, vk->vk.AllocateDescriptorSets(vk->device, &info, found), "making a descriptor set", error);
    if (result != EBB_OK)
        return result;
    const struct ebb_vk_memory *outside[EBB_VK_OUTSIDES] = {memory[NAMED - 1] ? memory[NAMED - 1] : memory[0]};
    ebb_vk_write_set(vk, found[0], memory, EBB_VK_INSIDE);
    ebb_vk_write_set(vk, found[1], outside, EBB_VK_OUTSIDES);
    memcpy(sets->entry[sets->count].id, id, sizeof(id));
    memcpy(sets->entry[sets->count++].set, found, sizeof(sets->entry[0].set));
    return EBB_OK;
}

static enum ebb_result dispatch(struct ebb_vk *vk, enum ebb_vk_shader shader, const void *push, size_t size,
                                const struct ebb_vk_memory *const memory[NAMED], uint32_t groups, struct ebb_error *error)
{
    enum { ROW = 65535 };
    struct ebb_vk_specs none = {{0}};
    VkDescriptorSet sets[2];
    struct ebb_vk_dispatch d = {.push_size = (uint32_t)size,
                                .groups = {groups < ROW ? groups : ROW, (groups + ROW - 1) / ROW, 1},
                                .flops = (uint64_t)groups * 1024};
    memcpy(d.push, push, size);
    if (!(d.pipeline = ebb_vk_pipeline_get(vk, shader, &none, error)))
        return EBB_DEVICE_FAILED;
    enum ebb_result result = find_sets(vk, memory, sets, error);
    d.inside = sets[0];
    return result == EBB_OK ? ebb_vk_record(vk, &d, sets[1], 0, error) : result;
}

// Terms first .. first + count - 1 of a blend; the first pass starts dst, the last one clamps and divides.
static enum ebb_result blend_pass(struct ebb_vk *vk, const struct ebb_blend *blend, int first, int count,
                                  struct ebb_error *error)
{
    bool last = first + count == blend->terms;
    struct blend_push push = {.count = (uint32_t)blend->count,
                              .terms = (uint32_t)count,
                              .dst = (uint32_t)blend->dst_offset,
                              .noise_scale = last && blend->noise_scale,
                              .factor = (uint32_t)blend->noise_scale_offset,
                              .accumulate = first > 0,
                              .clamp_to = last ? blend->clamp : 0,
                              .divide = last ? blend->divide : 0};
    const struct ebb_vk_memory *memory[NAMED] = {blend->dst->state};
    for (int i = 0; i < count; i++) {
        memory[1 + i] = blend->src[first + i]->state;
        push.src[i] = (uint32_t)blend->src_offset[first + i];
        push.weight[i] = blend->weight[first + i];
    }
    if (push.noise_scale)
        memory[NAMED - 1] = blend->noise_scale->state;
    return dispatch(vk, EBB_VK_BLEND, &push, sizeof(push), memory, (uint32_t)((blend->count + 63) / 64), error);
}

// The order in which terms are taken: what is dst itself first, before a pass overwrites it.
static struct ebb_blend dst_first(const struct ebb_blend *blend)
{
    struct ebb_blend sorted = *blend;
    int end = blend->noise_scale ? blend->terms - 1 : blend->terms, next = 0; // the scaled term stays last
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < end; i++)
            if ((blend->src[i] == blend->dst) == (pass == 0)) {
                sorted.src[next] = blend->src[i];
                sorted.src_offset[next] = blend->src_offset[i];
                sorted.weight[next++] = blend->weight[i];
            }
    return sorted;
}

enum ebb_result ebb_vk_blend(struct ebb_device *device, const struct ebb_blend *blend, struct ebb_error *error)
{
    enum { A_PASS = 4 };
    struct ebb_vk *vk = device->state;
    struct ebb_blend sorted = blend->terms > A_PASS ? dst_first(blend) : *blend;
    enum ebb_result result = EBB_OK;
    pthread_mutex_lock(&vk->lock);
    for (int first = 0; first < sorted.terms && result == EBB_OK; first += A_PASS) {
        int left = sorted.terms - first;
        result = blend_pass(vk, &sorted, first, left < A_PASS ? left : A_PASS, error);
    }
    pthread_mutex_unlock(&vk->lock);
    return result;
}

enum ebb_result ebb_vk_measure(struct ebb_device *device, enum ebb_measure what, struct ebb_buffer *src, size_t offset,
                               size_t count, double *value, struct ebb_error *error)
{
    enum { GROUPS = 16, THREADS = 128, PARTS = GROUPS * THREADS };
    struct ebb_vk *vk = device->state;
    struct measure_push push = {(uint32_t)what, (uint32_t)offset, (uint32_t)count};
    float parts[PARTS];
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = vk->measured.buffer ? EBB_OK
                                                 : ebb_vk_allocate(vk, EBB_VK_DEVICE, sizeof(parts), &vk->measured, error);
    const struct ebb_vk_memory *memory[NAMED] = {&vk->measured, src->state};
    if (result == EBB_OK)
        result = dispatch(vk, EBB_VK_MEASURE, &push, sizeof(push), memory, GROUPS, error);
    if (result == EBB_OK)
        result = ebb_vk_download(vk, &vk->measured, 0, parts, sizeof(parts), error);
    pthread_mutex_unlock(&vk->lock);
    if (result != EBB_OK)
        return result;

    *value = 0;
    for (int i = 0; i < PARTS; i++)
        *value = what != EBB_MEASURE_MAX_ABS ? *value + parts[i] : parts[i] > *value ? parts[i] : *value;
    return EBB_OK;
}
