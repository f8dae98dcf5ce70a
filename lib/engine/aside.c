#include "engine/aside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

void ebb_aside_clear(struct ebb_aside *aside)
{
    for (int i = 0; i < 3; i++)
        free(aside->values[i]);
    *aside = (struct ebb_aside){0};
}

static enum ebb_result room(struct ebb_aside *aside, int copies, struct ebb_error *error)
{
    for (int i = 0; i < copies; i++) {
        if (!aside->values[i])
            aside->values[i] = ebb_alloc(aside->count, sizeof(float));
        if (!aside->values[i])
            return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a state");
    }
    return EBB_OK;
}

static enum ebb_result fetch(struct ebb_aside *aside, int copy, struct ebb_buffer *from, struct ebb_error *error)
{
    return ebb_buffer_read(from, 0, aside->values[copy], aside->count, error);
}

enum ebb_result ebb_aside_map(struct ebb_aside *aside, const struct ebb_run_instruction *in,
                              struct ebb_buffer *const slots[], struct ebb_error *error)
{
    enum ebb_result result = room(aside, 1, error);
    if (result == EBB_OK)
        result = fetch(aside, 0, slots[in->src], error);
    if (result != EBB_OK)
        return result;

    float *x = aside->values[0];
    for (size_t i = 0; i < aside->count && in->kind == EBB_RUN_EXP; i++)
        x[i] = expf((float)(in->scale * x[i] + in->offset));
    for (size_t i = 0; i < aside->count && in->kind == EBB_RUN_SQRT; i++)
        x[i] = sqrtf(fmaxf(0, x[i]));
    return ebb_buffer_write(slots[in->dst], 0, x, aside->count, error);
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

enum ebb_result ebb_aside_measure(struct ebb_aside *aside, const struct ebb_run_instruction *in,
                                  struct ebb_buffer *const slots[], double *value, struct ebb_error *error)
{
    int from[] = {in->src, in->src2, in->src3}, copies = in->measure == EBB_MEASURE_ERROR ? 3 : 1;
    enum ebb_result result = room(aside, copies, error);
    for (int i = 0; i < copies && result == EBB_OK; i++)
        result = fetch(aside, i, slots[from[i]], error);
    if (result != EBB_OK)
        return result;
    *value = in->measure == EBB_MEASURE_ERROR ? error_norm(aside->values, aside->count, in->atol, in->rtol)
                                              : rms(aside->values[0], aside->count);
    return EBB_OK;
}

enum ebb_result ebb_aside_part(struct ebb_aside *aside, struct ebb_buffer *output, size_t offset, size_t c,
                               struct ebb_buffer *first, struct ebb_buffer *second, struct ebb_error *error)
{
    struct ebb_buffer *to[] = {first, second};
    size_t pixels = aside->count / c;
    enum ebb_result result = room(aside, 3, error);
    for (size_t half = 0; half < 2 && result == EBB_OK; half++) {
        size_t begin = half * aside->count; // the whole output is two states long: read it in two pieces
        result = ebb_buffer_read(output, offset + begin, aside->values[half], aside->count, error);
    }
    for (size_t half = 0; half < 2 && result == EBB_OK; half++) {
        float *x = aside->values[2];
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++) {
                size_t at = (2 * p + half) * c + k;
                x[p * c + k] = aside->values[at / aside->count][at % aside->count];
            }
        result = ebb_buffer_write(to[half], 0, x, aside->count, error);
    }
    return result;
}
