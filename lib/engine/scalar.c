#include "engine/scalar.h"

#include <math.h>
#include <stdlib.h>

#include "base/base.h"

bool ebb_scalar_room_init(struct ebb_scalar_room *room, size_t count)
{
    *room = (struct ebb_scalar_room){.count = count};
    return true;
}

void ebb_scalar_room_clear(struct ebb_scalar_room *room)
{
    for (int i = 0; i < 3; i++)
        free(room->values[i]);
    *room = (struct ebb_scalar_room){0};
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// Linear between the two nearest ranks, as torch.quantile.
static double quantile_of_abs(float *values, size_t count, double ratio)
{
    for (size_t i = 0; i < count; i++)
        values[i] = fabsf(values[i]);
    qsort(values, count, sizeof(*values), by_value);
    double rank = ratio * (count - 1);
    size_t low = (size_t)rank, high = low + 1 < count ? low + 1 : low;
    return values[low] + (rank - low) * (values[high] - values[low]);
}

static double error_norm(float *const values[3], size_t count, double atol, double rtol)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double size = fmax(fabs(values[1][i]), fabs(values[2][i]));
        double part = values[0][i] / (atol + rtol * size);
        sum += part * part;
    }
    return sqrt(sum / count);
}

enum ebb_result ebb_scalar(struct ebb_scalar_room *room, const struct ebb_run_instruction *in,
                           struct ebb_buffer *const of[3], double *value, struct ebb_error *error)
{
    int needed = in->measure == EBB_MEASURE_ERROR ? 3 : 1;
    for (int i = 0; i < needed; i++) {
        if (!room->values[i])
            room->values[i] = ebb_alloc(room->count, sizeof(float));
        if (!room->values[i])
            return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory to measure a state");
        enum ebb_result result = ebb_buffer_read(of[i], 0, room->values[i], room->count, error);
        if (result != EBB_OK)
            return result;
    }
    *value = in->measure == EBB_MEASURE_ERROR ? error_norm(room->values, room->count, in->atol, in->rtol)
                                              : quantile_of_abs(room->values[0], room->count, in->ratio);
    return EBB_OK;
}
