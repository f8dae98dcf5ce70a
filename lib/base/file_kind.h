// SPDX-License-Identifier: LGPL-2.1-or-later
// What a file is by its first bytes, for messages about files that are not what their name says.
#ifndef EBB_BASE_FILE_KIND_H
#define EBB_BASE_FILE_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>

enum { EBB_FILE_KIND_BYTES = 64 }; // that are enough to tell

enum ebb_file_kind {
    EBB_FILE_UNKNOWN,
    EBB_FILE_EMPTY,
    EBB_FILE_LFS_POINTER, // of Git LFS
    EBB_FILE_WEB_PAGE,
    EBB_FILE_ZIP,
    EBB_FILE_OLD_TORCH, // PyTorch before 1.6
    EBB_FILE_PICKLE,
    EBB_FILE_SAFETENSORS,
    EBB_FILE_HDF5,
    EBB_FILE_GGUF,
    EBB_FILE_UTF16, // text that begins with a byte order mark
};

enum ebb_file_kind ebb_file_kind_of(const void *head, size_t size);
const char *ebb_file_kind_words(enum ebb_file_kind kind); // "a pickle of Python's"
// Of a file that holds no weights: where it begins as another kind does, true and an error that says so. An
// empty file is the reader's to refuse, by what it lacks.
bool ebb_file_is_something_else(const char *path, const void *data, size_t size, const char *expected,
                                struct ebb_error *error);

#endif
