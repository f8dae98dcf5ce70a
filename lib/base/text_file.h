// SPDX-License-Identifier: LGPL-2.1-or-later
// Text files of a model's folder: JSON and the like, in UTF-8.
#ifndef EBB_BASE_TEXT_FILE_H
#define EBB_BASE_TEXT_FILE_H

#include <stddef.h>

#include <ebb/error.h>

// The text of `name` in `folder`, of at most `most` bytes, with a 0 behind it; malloc'd. A byte order mark in
// front, as editors on Windows write it, is left out. A file that is no such text, such as a Git LFS pointer
// or UTF-16, is refused as what it is; `expected` says what should be there. `sum` (may be NULL) becomes the
// SHA-256 of the file, mark and all. NULL: `error` says why.
char *ebb_text_file_load(const char *folder, const char *name, size_t most, const char *expected,
                         char sum[65], size_t *size, struct ebb_error *error);

#endif
