// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text/hash.h"

#include <stdlib.h>

#include "base/base.h"

uint64_t ebb_hash_mix(uint64_t number) // splitmix64 (Steele 2014)
{
    number += 0x9e3779b97f4a7c15u;
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
    return number ^ (number >> 31);
}

int *ebb_hash_find(const struct ebb_hash *table, uint64_t hash, bool (*equal)(const void *context, int value),
                   const void *context)
{
    for (size_t i = hash; table->capacity; i++) {
        struct ebb_hash_slot *slot = &table->slot[i & (table->capacity - 1)];
        if (!slot->taken)
            break;
        if (slot->hash == hash && equal(context, slot->value))
            return &slot->value;
    }
    return NULL;
}

static void put(struct ebb_hash *table, uint64_t hash, int value)
{
    size_t i = hash & (table->capacity - 1);
    while (table->slot[i].taken)
        i = (i + 1) & (table->capacity - 1);
    table->slot[i] = (struct ebb_hash_slot){hash, value, true};
    table->count++;
}

static bool grow(struct ebb_hash *table)
{
    struct ebb_hash larger = {.capacity = table->capacity ? 2 * table->capacity : 64};
    larger.slot = ebb_alloc(larger.capacity, sizeof(*larger.slot));
    if (!larger.slot)
        return false;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slot[i].taken)
            put(&larger, table->slot[i].hash, table->slot[i].value);
    free(table->slot);
    *table = larger;
    return true;
}

bool ebb_hash_add(struct ebb_hash *table, uint64_t hash, int value)
{
    if (2 * (table->count + 1) > table->capacity && !grow(table))
        return false;
    put(table, hash, value);
    return true;
}

void ebb_hash_clear(struct ebb_hash *table)
{
    free(table->slot);
    *table = (struct ebb_hash){0};
}
