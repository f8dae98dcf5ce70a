// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/fifo.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct ebb_fifo *f, size_t count)
{
    if (f->capacity - f->from - f->count >= count)
        return true;
    if (f->capacity - f->count >= count && f->from >= f->capacity / 2) { // moving is cheap when it is rare
        memmove(f->room, f->room + f->from, f->count * sizeof(float));
        f->from = 0;
        return true;
    }

    if (count > SIZE_MAX / sizeof(float) / 4 - f->count)
        return false;
    size_t capacity = 2 * (f->count + count);
    float *room = malloc(capacity * sizeof(float));
    if (!room)
        return false;
    if (f->count > 0)
        memcpy(room, f->room + f->from, f->count * sizeof(float));
    free(f->room);
    f->room = room;
    f->capacity = capacity;
    f->from = 0;
    return true;
}

bool ebb_fifo_push(struct ebb_fifo *f, const float *data, size_t count)
{
    if (count == 0)
        return true;
    if (!make_room(f, count))
        return false;
    float *to = f->room + f->from + f->count;
    if (data)
        memcpy(to, data, count * sizeof(float));
    else
        memset(to, 0, count * sizeof(float));
    f->count += count;
    return true;
}

const float *ebb_fifo_data(const struct ebb_fifo *f)
{
    return f->room + f->from;
}

void ebb_fifo_drop(struct ebb_fifo *f, size_t count)
{
    f->from += count;
    f->count -= count;
    if (f->count == 0)
        f->from = 0;
}

void ebb_fifo_empty(struct ebb_fifo *f)
{
    f->from = f->count = 0;
}

void ebb_fifo_free(struct ebb_fifo *f)
{
    free(f->room);
    *f = (struct ebb_fifo){0};
}
