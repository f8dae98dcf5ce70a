#include <stdlib.h>

#include "backend/vulkan/program.h"
#include "base/base.h"

// IEEE 754 binary16, round to nearest even; what is too large becomes infinity.
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
    struct ebb_error *error;
};

static void destroy(struct ebb_packed *packed)
{
    struct ebb_vk_weight *w = (struct ebb_vk_weight *)packed;
    pthread_mutex_lock(&w->vk->lock);
    ebb_vk_release(w->vk, &w->memory);
    pthread_mutex_unlock(&w->vk->lock);
    ebb_vk_close(&w->vk);
    free(w);
}

static void transpose(const struct ebb_weight *weight, size_t k_count, size_t stride, void *out, bool half)
{
    for (size_t c = 0; c < (size_t)weight->cout; c++)
        for (size_t k = 0; k < k_count; k++) {
            float value = weight->data[c * k_count + k];
            if (half)
                ((uint16_t *)out)[k * stride + c] = to_half(value);
            else
                ((float *)out)[k * stride + c] = value;
        }
}

static struct ebb_packed *make(const struct ebb_weight *weight, void *context)
{
    struct packing *p = context;
    size_t k_count = (size_t)weight->kh * (size_t)weight->kw * (size_t)weight->cin;
    size_t stride = ((size_t)weight->cout + 3) / 4 * 4, item = p->vk->fp16 ? 2 : 4;
    struct ebb_vk_weight *w = ebb_alloc(1, sizeof(*w));
    void *data = stride <= SIZE_MAX / item / (k_count ? k_count : 1) ? ebb_alloc(k_count * stride, item) : NULL;
    enum ebb_result result = EBB_OK;
    if (!w || !data) {
        result = ebb_fail(p->error, EBB_OUT_OF_MEMORY, "out of memory packing %s", weight->name);
    } else {
        transpose(weight, k_count, stride, data, p->vk->fp16);
        pthread_mutex_lock(&p->vk->lock);
        result = ebb_vk_allocate(p->vk, EBB_VK_DEVICE, k_count * stride * item, &w->memory, p->error);
        if (result == EBB_OK)
            result = ebb_vk_upload(p->vk, &w->memory, 0, data, k_count * stride * item, p->error);
        if (result != EBB_OK)
            ebb_vk_release(p->vk, &w->memory);
        pthread_mutex_unlock(&p->vk->lock);
    }
    free(data);
    if (result != EBB_OK) {
        free(w);
        return NULL;
    }
    w->packed.destroy = destroy;
    w->vk = ebb_vk_share(p->vk);
    w->stride = (uint32_t)stride;
    return &w->packed;
}

const struct ebb_vk_weight *ebb_vk_weight_get(struct ebb_vk *vk, struct ebb_weight *weight, struct ebb_error *error)
{
    struct packing packing = {vk, error};
    return (const struct ebb_vk_weight *)ebb_packed_get(weight, vk, 0, make, &packing);
}
