// SPDX-License-Identifier: LGPL-2.1-or-later
#include "process/host_ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

void ebb_host_ops_clear(struct ebb_host_ops *host)
{
    for (int i = 0; i < 3; i++)
        free(host->values[i]);
    *host = (struct ebb_host_ops){0};
}

static enum ebb_result room(struct ebb_host_ops *host, int copies, struct ebb_error *error)
{
    for (int i = 0; i < copies; i++) {
        if (!host->values[i])
            host->values[i] = ebb_alloc(host->count, sizeof(float));
        if (!host->values[i])
            return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a state");
    }
    return EBB_OK;
}

static enum ebb_result fetch(struct ebb_host_ops *host, int copy, struct ebb_buffer *from,
                             struct ebb_error *error)
{
    return ebb_buffer_read(from, 0, host->values[copy], host->count, error);
}

enum ebb_result ebb_host_ops_map(struct ebb_host_ops *host, const struct ebb_run_instruction *in,
                                 struct ebb_buffer *const slots[], struct ebb_error *error)
{
    enum ebb_result result = room(host, 1, error);
    if (result == EBB_OK)
        result = fetch(host, 0, slots[in->src], error);
    if (result != EBB_OK)
        return result;

    float *x = host->values[0];
    for (size_t i = 0; i < host->count && in->kind == EBB_RUN_EXP; i++)
        x[i] = expf((float)(in->scale * x[i] + in->offset));
    for (size_t i = 0; i < host->count && in->kind == EBB_RUN_SQRT; i++)
        x[i] = sqrtf(fmaxf(0, x[i]));
    return ebb_buffer_write(slots[in->dst], 0, x, host->count, error);
}

static double rms(const float *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum / count);
}

static double error_norm(float *const x[3], size_t count, double atol, double rtol)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double size = fmax(fabs(x[1][i]), fabs(x[2][i])), part = x[0][i] / (atol + rtol * size);
        sum += part * part;
    }
    return sqrt(sum / count);
}

enum ebb_result ebb_host_ops_measure(struct ebb_host_ops *host, const struct ebb_run_instruction *in,
                                     struct ebb_buffer *const slots[], double *value, struct ebb_error *error)
{
    int from[] = {in->src, in->src2, in->src3}, copies = in->measure == EBB_MEASURE_ERROR ? 3 : 1;
    enum ebb_result result = room(host, copies, error);
    for (int i = 0; i < copies && result == EBB_OK; i++)
        result = fetch(host, i, slots[from[i]], error);
    if (result != EBB_OK)
        return result;
    *value = in->measure == EBB_MEASURE_ERROR ? error_norm(host->values, host->count, in->atol, in->rtol)
                                              : rms(host->values[0], host->count);
    return EBB_OK;
}

enum ebb_result ebb_host_ops_split(struct ebb_host_ops *host, struct ebb_buffer *output, size_t offset,
                                   size_t c, struct ebb_buffer *first, struct ebb_buffer *second,
                                   struct ebb_error *error)
{
    struct ebb_buffer *to[] = {first, second};
    size_t pixels = host->count / c;
    enum ebb_result result = room(host, 3, error);
    for (size_t half = 0; half < 2 && result == EBB_OK; half++) {
        size_t begin = half * host->count; // the whole output is two states long: read it in two pieces
        result = ebb_buffer_read(output, offset + begin, host->values[half], host->count, error);
    }
    for (size_t half = 0; half < 2 && result == EBB_OK; half++) {
        float *x = host->values[2];
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++) {
                size_t at = (2 * p + half) * c + k;
                x[p * c + k] = host->values[at / host->count][at % host->count];
            }
        result = ebb_buffer_write(to[half], 0, x, host->count, error);
    }
    return result;
}
