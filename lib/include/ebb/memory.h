// SPDX-License-Identifier: LGPL-2.1-or-later
// How much memory a call takes for what its input does not explain by its own size.
#ifndef EBB_MEMORY_H
#define EBB_MEMORY_H

#include <stddef.h>

#include <ebb/export.h>

EBB_BEGIN_DECLS

// Bytes: 512 MiB, or what EBB_MEMORY in the environment says: a number with K, M, G or T, "2G". What would
// take more is refused with EBB_UNSUPPORTED: models of huge windows, whole sounds of many hours.
EBB_API size_t ebb_memory_bound(void);

EBB_END_DECLS

#endif
