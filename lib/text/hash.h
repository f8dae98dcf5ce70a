// SPDX-License-Identifier: LGPL-2.1-or-later
// A hash table from keys, which the caller keeps, to whole numbers. It grows; nothing is ever removed.
#ifndef EBB_TEXT_HASH_H
#define EBB_TEXT_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ebb_hash {
    struct ebb_hash_slot {
        uint64_t hash;
        int value;
        bool taken;
    } * slot;
    size_t count, capacity; // a power of two
};

// The value whose key has that hash and is equal, by the caller's word; NULL: none is.
int *ebb_hash_find(const struct ebb_hash *table, uint64_t hash, bool (*equal)(const void *context, int value),
                   const void *context);
// Adds a value under a key that is not there yet; false: out of memory.
bool ebb_hash_add(struct ebb_hash *table, uint64_t hash, int value);
void ebb_hash_clear(struct ebb_hash *table);

// Spreads a number over 64 bits.
uint64_t ebb_hash_mix(uint64_t number);

#endif
