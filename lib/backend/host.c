// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/host.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

float *ebb_host_alloc(size_t count)
{
    float *data = ebb_pages_alloc(count, sizeof(*data));
    if (data)
        memset(data, 0, count * sizeof(*data));
    return data;
}

enum ebb_result ebb_host_buffer_create(struct ebb_buffer *buffer, struct ebb_error *error)
{
    buffer->state = ebb_host_alloc(buffer->count);
    return buffer->state
               ? EBB_OK
               : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a buffer of %zu floats", buffer->count);
}

void ebb_host_buffer_destroy(struct ebb_buffer *buffer)
{
    free(buffer->state);
}

enum ebb_result ebb_host_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                               struct ebb_error *error)
{
    memcpy((float *)buffer->state + offset, data, count * sizeof(float));
    return EBB_OK;
}

enum ebb_result ebb_host_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                              struct ebb_error *error)
{
    memcpy(data, (const float *)buffer->state + offset, count * sizeof(float));
    return EBB_OK;
}

enum ebb_result ebb_host_blend(struct ebb_device *device, const struct ebb_blend *blend,
                               struct ebb_error *error)
{
    const float *src[8];
    for (int k = 0; k < blend->terms; k++)
        src[k] = (const float *)blend->src[k]->state + blend->src_offset[k];
    const float *noise_scale = blend->noise_scale
                                   ? (const float *)blend->noise_scale->state + blend->noise_scale_offset
                                   : NULL;
    float *dst = (float *)blend->dst->state + blend->dst_offset;
    int last = blend->terms - 1;

    for (size_t i = 0; i < blend->count; i++) {
        double sum = 0;
        for (int k = 0; k < last; k++)
            // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): all terms are set above
            sum += (double)blend->weight[k] * src[k][i];
        sum += (double)blend->weight[last] * src[last][i] * (noise_scale ? noise_scale[i] : 1);
        if (blend->clamp > 0)
            sum = sum > blend->clamp ? blend->clamp : sum < -blend->clamp ? -blend->clamp : sum;
        dst[i] = (float)(blend->divide != 0 ? sum / blend->divide : sum);
    }
    for (int k = 1; k < blend->copies; k++)
        memcpy(dst + (size_t)k * blend->count, dst, blend->count * sizeof(float));
    return EBB_OK;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// Linear between the two nearest ranks, as torch.quantile. `values` are lost.
static double quantile_of_abs(float *values, size_t count, double ratio)
{
    for (size_t i = 0; i < count; i++)
        values[i] = fabsf(values[i]);
    qsort(values, count, sizeof(*values), by_value);
    double rank = ratio * (double)(count - 1);
    size_t low = (size_t)rank, high = low + 1 < count ? low + 1 : low;
    return values[low] + (rank - (double)low) * (values[high] - values[low]);
}

enum ebb_result ebb_host_threshold(struct ebb_device *device, const struct ebb_threshold *threshold,
                                   struct ebb_error *error)
{
    const struct ebb_threshold *t = threshold;
    float *x = (float *)t->x->state + t->offset, *sorted = ebb_alloc(t->count, sizeof(float));
    if (!sorted)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for sorting a state");
    memcpy(sorted, x, t->count * sizeof(float));
    float limit = (float)fmin(fmax(quantile_of_abs(sorted, t->count, t->ratio), 1), t->most);
    free(sorted);
    for (size_t i = 0; i < t->count; i++)
        x[i] = fminf(fmaxf(x[i], -limit), limit) / limit;
    return EBB_OK;
}

enum ebb_result ebb_host_sum_squares(struct ebb_device *device, struct ebb_buffer *src, size_t offset,
                                     size_t count, double *sum, struct ebb_error *error)
{
    const float *x = (const float *)src->state + offset;
    double total = 0;
    for (size_t i = 0; i < count; i++)
        total += (double)x[i] * x[i];
    *sum = total;
    return EBB_OK;
}

float *ebb_host_operand(const struct ebb_host_run *run, int number)
{
    if (number < 0)
        return NULL;
    const struct ebb_operand *t = &run->program->operands[number];
    switch (t->place) {
    case EBB_PLACE_INPUT: return run->inputs[t->index]->state;
    case EBB_PLACE_OUTPUT: return run->outputs[t->index]->state;
    case EBB_PLACE_STEPS:
        return (float *)run->program->steps->state + t->offset + (size_t)run->step * t->stride;
    default: return (float *)run->program->arena->state + t->offset;
    }
}
