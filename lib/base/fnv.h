// SPDX-License-Identifier: LGPL-2.1-or-later
// FNV-1a of 64 bits (Fowler, Noll, Vo): a quick sum of bytes, not safe against people.
#ifndef EBB_BASE_FNV_H
#define EBB_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define EBB_FNV1A_START 0xcbf29ce484222325u

// `hash` carried on over `size` bytes; the first call begins with EBB_FNV1A_START.
uint64_t ebb_fnv1a(uint64_t hash, const void *data, size_t size);

#endif
