// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that are in memory alone: a target that reads a file for each input spends most of its time in the
// system otherwise. A target that is linked with memory_files.c and memory_wraps opens them by their paths.
#ifndef EBB_TESTS_FUZZ_MEMORY_FILES_H
#define EBB_TESTS_FUZZ_MEMORY_FILES_H

#include <stddef.h>
#include <stdint.h>

// The file at this path has these bytes, which are borrowed until they are replaced; `data` NULL: there is no
// such file, whatever the disk has. Paths are few, and stay known.
void memory_file_put(const char *path, const uint8_t *data, size_t size);

#endif
