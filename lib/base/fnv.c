// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/fnv.h"

uint64_t ebb_fnv1a(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}
