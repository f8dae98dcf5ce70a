// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusion/noise_address.h"

#include <stdbool.h>
#include <string.h>

#include "base/fnv.h"

// ---- the key ----

// The first name behind `last` in the order of strcmp(); NULL: there is none.
static const char *next_name(const char *const *names, int count, const char *last)
{
    const char *best = NULL;
    for (int i = 0; i < count; i++) {
        bool behind = !last || strcmp(names[i], last) > 0;
        if (behind && (!best || strcmp(names[i], best) < 0))
            best = names[i];
    }
    return best;
}

uint64_t ebb_noise_key(int version, uint64_t seed, const char *const *labels, int count)
{
    if (version < 2 || count == 0)
        return seed;
    uint64_t hash = EBB_FNV1A_START;
    for (const char *name = next_name(labels, count, NULL); name; name = next_name(labels, count, name))
        hash = ebb_fnv1a(hash, name, strlen(name) + 1);
    return seed ^ hash;
}

// ---- the place ----

enum { WINDOW_BIT = 40, SPAN_BIT = 60, CHANNEL_BIT = 31, ATTEMPT_BIT = 28, COLUMNS_BITS = 16 };

static const uint32_t common_draw = 0x40000000;
static const uint32_t columns_draw = 0x50000000;
static const uint32_t rows_mask = 0x0fffffff; // rows of 65536 columns that an attempt has

static uint32_t draw_of(const struct ebb_noise_address *a)
{
    switch (a->kind) {
    case EBB_NOISE_COMMON: return common_draw;
    case EBB_NOISE_COLUMN:
        return columns_draw + ((uint32_t)a->attempt << ATTEMPT_BIT) +
               (uint32_t)(a->column >> COLUMNS_BITS & rows_mask);
    case EBB_NOISE_STATE: break;
    }
    return a->draw;
}

struct ebb_noise_place ebb_noise_place(const struct ebb_noise_address *a)
{
    size_t in_row = (size_t)(a->column & ((1u << COLUMNS_BITS) - 1));
    return (struct ebb_noise_place){
        .clip = a->index + (a->window << WINDOW_BIT) + ((uint64_t)a->span << SPAN_BIT),
        .draw = draw_of(a) + ((uint32_t)a->channel << CHANNEL_BIT),
        .first = a->kind == EBB_NOISE_COLUMN ? in_row * a->column_height : 0,
    };
}
