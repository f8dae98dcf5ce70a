// SPDX-License-Identifier: LGPL-2.1-or-later
#include "originals.h"

#include <stdlib.h>
#include <string.h>

bool originals_push(struct originals *o, const double *samples, size_t count)
{
    if (o->count + count > o->capacity) {
        size_t capacity = 2 * (o->count + count);
        double *grown = reallocarray(o->samples, capacity, sizeof(*grown));
        if (!grown)
            return false;
        o->samples = grown;
        o->capacity = capacity;
    }
    memcpy(o->samples + o->count, samples, count * sizeof(*samples));
    o->count += count;
    return true;
}

const double *originals_less(struct originals *o, const float *removed, size_t count)
{
    for (size_t i = 0; i < count; i++)
        o->samples[i] -= (double)removed[i];
    return o->samples;
}

void originals_drop(struct originals *o, size_t count)
{
    o->count -= count;
    memmove(o->samples, o->samples + count, o->count * sizeof(*o->samples));
}

void originals_clear(struct originals *o)
{
    free(o->samples);
    *o = (struct originals){0};
}
