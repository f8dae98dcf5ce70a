// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/buffer_ops.h"

#include <stdio.h>
#include <string.h>

#include "backend/vulkan/memory.h"
#include "backend/vulkan/push_constants.h"

// `groups` workgroups of a shader that takes no constants.
static enum ebb_result make_call(struct ebb_vk *vk, enum ebb_vk_shader shader, const char *name,
                                 const void *push, size_t size, size_t groups, struct ebb_vk_call *call,
                                 struct ebb_error *error)
{
    enum { ROW = 65535 };
    static const struct ebb_vk_specs none;
    struct ebb_vk_dispatch *d = &call->dispatch;
    *d = (struct ebb_vk_dispatch){.push_size = (uint32_t)size,
                                  .groups = {(uint32_t)(groups < ROW ? groups : ROW),
                                             (uint32_t)((groups + ROW - 1) / ROW), 1},
                                  .flops = groups * 1024};
    memcpy(d->push, push, size);
    snprintf(d->name, sizeof(d->name), "%s", name);
    return ebb_vk_pipeline_get(vk, shader, &none, &d->pipeline, error);
}

// Into the open command buffer.
static enum ebb_result record_call(struct ebb_vk *vk, struct ebb_vk_call *call, struct ebb_error *error)
{
    enum { SETS = 512 };
    VkDescriptorSet found[2];
    enum ebb_result result = vk->sets ? EBB_OK : ebb_vk_sets_create(vk, SETS, &vk->sets, error);
    if (result == EBB_OK)
        result = ebb_vk_sets_find(vk, vk->sets, call->inside, call->outside, found, error);
    if (result != EBB_OK)
        return result;
    call->dispatch.inside = found[0];
    return ebb_vk_record(vk, &call->dispatch, found[1], 0, error);
}

// ---- blend: the step update of all samplers, four terms a pass ----

enum { A_PASS = 4 };

// Terms first .. first + count - 1 of a blend. The first pass starts dst; the last pass clamps and divides.
static enum ebb_result make_pass(struct ebb_vk *vk, const struct ebb_blend *blend, int first, int count,
                                 struct ebb_vk_call *call, struct ebb_error *error)
{
    bool last = first + count == blend->terms;
    struct blend_push push = {.count = (uint32_t)blend->count,
                              .terms = (uint32_t)count,
                              .copies = blend->copies > 1 ? (uint32_t)blend->copies : 1,
                              .dst = (uint32_t)blend->dst_offset,
                              .noise_scale = last && blend->noise_scale,
                              .factor = (uint32_t)blend->noise_scale_offset,
                              .accumulate = first > 0,
                              .clamp_to = last ? blend->clamp : 0,
                              .divide = last ? blend->divide : 0};
    *call = (struct ebb_vk_call){.inside = {blend->dst->state}, .outside = {blend->dst->state}};
    for (int i = 0; i < count; i++) {
        call->inside[1 + i] = blend->src[first + i]->state;
        push.src[i] = (uint32_t)blend->src_offset[first + i];
        push.weight[i] = blend->weight[first + i];
    }
    if (push.noise_scale)
        call->outside[0] = blend->noise_scale->state;
    return make_call(vk, EBB_VK_BLEND, "blend", &push, sizeof(push), (blend->count + 63) / 64, call, error);
}

// The order of the terms: those that are dst itself come first, before a pass overwrites dst.
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

enum ebb_result ebb_vk_blend_calls(struct ebb_vk *vk, const struct ebb_blend *blend,
                                   struct ebb_vk_call calls[2], int *count, struct ebb_error *error)
{
    struct ebb_blend sorted = blend->terms > A_PASS ? dst_first(blend) : *blend;
    enum ebb_result result = EBB_OK;
    *count = 0;
    for (int first = 0; first < sorted.terms && result == EBB_OK; first += A_PASS) {
        int left = sorted.terms - first;
        result = make_pass(vk, &sorted, first, left < A_PASS ? left : A_PASS, &calls[*count], error);
        ++*count;
    }
    return result;
}

enum ebb_result ebb_vk_blend(struct ebb_device *device, const struct ebb_blend *blend,
                             struct ebb_error *error)
{
    struct ebb_vk *vk = device->state;
    struct ebb_vk_call calls[2];
    int count;
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = ebb_vk_blend_calls(vk, blend, calls, &count, error);
    for (int i = 0; i < count && result == EBB_OK; i++)
        result = record_call(vk, &calls[i], error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}

// ---- threshold ----

enum ebb_result ebb_vk_threshold_call(struct ebb_vk *vk, const struct ebb_threshold *threshold,
                                      struct ebb_vk_call *call, struct ebb_error *error)
{
    double rank = (double)threshold->ratio * (double)(threshold->count - 1);
    uint32_t low = (uint32_t)rank;
    struct threshold_push push = {(uint32_t)threshold->offset, (uint32_t)threshold->count, low,
                                  (float)(rank - low), threshold->most};
    *call = (struct ebb_vk_call){.inside = {threshold->x->state}, .outside = {threshold->x->state}};
    enum ebb_result result = make_call(vk, EBB_VK_THRESHOLD, "threshold", &push, sizeof(push), 1, call,
                                       error);
    call->dispatch.flops = threshold->count * 32;
    return result;
}

enum ebb_result ebb_vk_threshold(struct ebb_device *device, const struct ebb_threshold *threshold,
                                 struct ebb_error *error)
{
    struct ebb_vk *vk = device->state;
    struct ebb_vk_call call;
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = ebb_vk_threshold_call(vk, threshold, &call, error);
    if (result == EBB_OK)
        result = record_call(vk, &call, error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}

// ---- sum of squares: the parts are added up in double on the host ----

enum ebb_result ebb_vk_sum_squares(struct ebb_device *device, struct ebb_buffer *src, size_t offset,
                                   size_t count, double *sum, struct ebb_error *error)
{
    enum { GROUPS = 16, THREADS = 128, PARTS = GROUPS * THREADS };
    struct ebb_vk *vk = device->state;
    struct sum_squares_push push = {(uint32_t)offset, (uint32_t)count};
    float parts[PARTS];
    *sum = 0;
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = vk->partial_sums.buffer ? EBB_OK
                                                     : ebb_vk_allocate(vk, EBB_VK_DEVICE, sizeof(parts),
                                                                       &vk->partial_sums, error);
    struct ebb_vk_call call = {.inside = {&vk->partial_sums, src->state}, .outside = {&vk->partial_sums}};
    if (result == EBB_OK)
        result = make_call(vk, EBB_VK_SUM_SQUARES, "sum of squares", &push, sizeof(push), GROUPS, &call,
                           error);
    if (result == EBB_OK)
        result = record_call(vk, &call, error);
    if (result == EBB_OK)
        result = ebb_vk_download(vk, &vk->partial_sums, 0, parts, sizeof(parts), error);
    pthread_mutex_unlock(&vk->lock);
    for (int i = 0; i < PARTS && result == EBB_OK; i++)
        *sum += parts[i];
    return result;
}

// ---- the part of a device ----

static void close_buffer_ops(struct ebb_vk *vk)
{
    ebb_vk_release(vk, &vk->partial_sums);
    ebb_vk_sets_destroy(vk, &vk->sets);
}

const struct ebb_vk_part ebb_vk_buffer_ops_part = {.close = close_buffer_ops};
