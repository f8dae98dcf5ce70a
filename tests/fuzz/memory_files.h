// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that are in memory alone: a target that reads a file for each input spends most of its time in the
// system otherwise. A target that is linked with memory_files.c and memory_wraps opens them by their paths.
#ifndef EBB_TESTS_FUZZ_MEMORY_FILES_H
#define EBB_TESTS_FUZZ_MEMORY_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fuzz.h"

// The file at this path has these bytes, which are borrowed until they are replaced; `data` NULL: there is no
// such file, whatever the disk has. Paths are few, and stay known.
void memory_file_put(const char *path, const uint8_t *data, size_t size);

// The same for `name` in fuzz_folder(). Inline, because that folder is the target's own.
static inline void memory_file_put_in(const char *name, const uint8_t *data, size_t size)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
    memory_file_put(path, data, size);
}

#endif
