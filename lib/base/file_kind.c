// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/file_kind.h"

#include <string.h>

#include "base/base.h"
#include "base/plain.h"

static const struct {
    const char *begin;
    size_t length, at;
    enum ebb_file_kind kind;
} signs[] = {
    {"version https://git-lfs", 23, 0, EBB_FILE_LFS_POINTER},
    {"version https://hawser", 22, 0, EBB_FILE_LFS_POINTER}, // its first name
    {"<!doctype html", 14, 0, EBB_FILE_WEB_PAGE},
    {"<html", 5, 0, EBB_FILE_WEB_PAGE},
    {"PK\3\4", 4, 0, EBB_FILE_ZIP},
    {"PK\5\6", 4, 0, EBB_FILE_ZIP}, // an empty one
    {"\x80\2\x8a\nl\xfc\x9c\x46\xf9", 9, 0, EBB_FILE_OLD_TORCH},
    {"\x80\2", 2, 0, EBB_FILE_PICKLE},
    {"\x80\3", 2, 0, EBB_FILE_PICKLE},
    {"\x80\4", 2, 0, EBB_FILE_PICKLE},
    {"\x80\5", 2, 0, EBB_FILE_PICKLE},
    {"\x89HDF", 4, 0, EBB_FILE_HDF5},
    {"GGUF", 4, 0, EBB_FILE_GGUF},
    {"\xff\xfe", 2, 0, EBB_FILE_UTF16},
    {"\xfe\xff", 2, 0, EBB_FILE_UTF16},
    {"{\"", 2, 8, EBB_FILE_SAFETENSORS}, // after the length of its header
    {"{}", 2, 8, EBB_FILE_SAFETENSORS},
};

// The length of a safetensors header may happen to begin like another file.
enum ebb_file_kind ebb_file_kind_of(const void *head, size_t size)
{
    if (size == 0)
        return EBB_FILE_EMPTY;
    bool header = size >= 10 && memcmp((const char *)head + 5, "\0\0\0{", 4) == 0;
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (header != (signs[i].kind == EBB_FILE_SAFETENSORS))
            continue;
        if (size >= signs[i].at + signs[i].length &&
            ebb_plain_same((const char *)head + signs[i].at, signs[i].begin, signs[i].length))
            return signs[i].kind;
    }
    return EBB_FILE_UNKNOWN;
}

const char *ebb_file_kind_words(enum ebb_file_kind kind)
{
    static const char *const words[] = {
        [EBB_FILE_UNKNOWN] = "a file of a kind that is not known here",
        [EBB_FILE_EMPTY] = "an empty file",
        // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one sentence on two lines
        [EBB_FILE_LFS_POINTER] = "a Git LFS pointer, which stands in for a file that was not fetched "
                                 "(git lfs pull fetches it)",
        [EBB_FILE_WEB_PAGE] = "a web page",
        [EBB_FILE_ZIP] = "a zip, as PyTorch writes",
        [EBB_FILE_OLD_TORCH] =
            "a file of PyTorch from before its version 1.6 (a later one loads it and saves "
            "it as a zip)",
        [EBB_FILE_PICKLE] = "a bare pickle of Python's",
        [EBB_FILE_SAFETENSORS] = "a safetensors file under another name",
        [EBB_FILE_HDF5] = "an HDF5 file",
        [EBB_FILE_GGUF] = "a GGUF file",
        [EBB_FILE_UTF16] = "text in UTF-16",
    };
    return words[kind];
}

bool ebb_file_is_something_else(const char *path, const void *data, size_t size, const char *expected,
                                struct ebb_error *error)
{
    enum ebb_file_kind kind = ebb_file_kind_of(data, size);
    if (kind == EBB_FILE_UNKNOWN || kind == EBB_FILE_EMPTY || kind == EBB_FILE_SAFETENSORS)
        return false;
    ebb_fail(error, EBB_CORRUPT, "%s: %s, expected %s", path, ebb_file_kind_words(kind), expected);
    return true;
}
