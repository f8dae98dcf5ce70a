// The step update of all samplers: four terms a pass.
#include "backend/vulkan/call.h"

#include <stdio.h>

enum { A_PASS = 4 };

// Terms first .. first + count - 1 of a blend; the first pass starts dst, the last one clamps and divides.
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
    return ebb_vk_call_make(vk, EBB_VK_BLEND, &push, sizeof(push), (blend->count + 63) / 64, call, error);
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

enum ebb_result ebb_vk_blend_calls(struct ebb_vk *vk, const struct ebb_blend *blend, struct ebb_vk_call calls[2], int *count,
                                   struct ebb_error *error)
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

enum ebb_result ebb_vk_blend(struct ebb_device *device, const struct ebb_blend *blend, struct ebb_error *error)
{
    struct ebb_vk *vk = device->state;
    struct ebb_vk_call calls[2];
    int count;
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = ebb_vk_blend_calls(vk, blend, calls, &count, error);
    for (int i = 0; i < count && result == EBB_OK; i++)
        result = ebb_vk_call_record(vk, &calls[i], error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}
