// What looks at a whole buffer: sums, whose parts are added up in double here, and dynamic thresholding.
#include "backend/vulkan/call.h"

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
    struct ebb_vk_call call = {.inside = {&vk->measured, src->state}, .outside = {&vk->measured}};
    if (result == EBB_OK)
        result = ebb_vk_call_make(vk, EBB_VK_MEASURE, &push, sizeof(push), GROUPS, &call, error);
    if (result == EBB_OK)
        result = ebb_vk_call_record(vk, &call, error);
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

enum ebb_result ebb_vk_threshold_call(struct ebb_vk *vk, const struct ebb_threshold *threshold, struct ebb_vk_call *call,
                                      struct ebb_error *error)
{
    double rank = (double)threshold->ratio * (double)(threshold->count - 1);
    uint32_t low = (uint32_t)rank;
    struct threshold_push push = {(uint32_t)threshold->offset, (uint32_t)threshold->count, low, (float)(rank - low), threshold->most};
    *call = (struct ebb_vk_call){.inside = {threshold->x->state}, .outside = {threshold->x->state}};
    enum ebb_result result = ebb_vk_call_make(vk, EBB_VK_THRESHOLD, &push, sizeof(push), 1, call, error);
    call->dispatch.flops = threshold->count * 32;
    return result;
}

enum ebb_result ebb_vk_threshold(struct ebb_device *device, const struct ebb_threshold *threshold, struct ebb_error *error)
{
    struct ebb_vk *vk = device->state;
    struct ebb_vk_call call;
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = ebb_vk_threshold_call(vk, threshold, &call, error);
    if (result == EBB_OK)
        result = ebb_vk_call_record(vk, &call, error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}
