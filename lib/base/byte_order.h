// SPDX-License-Identifier: LGPL-2.1-or-later
// Whole numbers in the bytes of a file.
#ifndef EBB_BASE_BYTE_ORDER_H
#define EBB_BASE_BYTE_ORDER_H

#include <stdint.h>

// Of `count` bytes, the highest first.
static inline uint64_t ebb_big(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

// Of `count` bytes, the lowest first.
static inline uint64_t ebb_little(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static inline void ebb_put_little(unsigned char *bytes, uint64_t value, int count)
{
    for (int i = 0; i < count; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
}

#endif
