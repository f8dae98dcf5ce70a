// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/text_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/file.h"
#include "base/file_kind.h"
#include "base/sha256.h"

static void sum_of(const char *text, size_t size, char sum[65])
{
    struct ebb_sha256 sha;
    ebb_sha256_start(&sha);
    ebb_sha256_add(&sha, text, size);
    ebb_sha256_finish(&sha, sum);
}

static void leave_out_mark(char *text, size_t *size)
{
    static const char mark[] = "\xef\xbb\xbf";
    const size_t length = sizeof(mark) - 1;
    if (*size < length || memcmp(text, mark, length) != 0)
        return;
    *size -= length;
    memmove(text, text + length, *size + 1); // with the 0
}

static char *load(const char *path, size_t most, const char *expected, char sum[65], size_t *size,
                  struct ebb_error *error)
{
    char *text = ebb_file_load(path, most, size, error);
    if (!text)
        return NULL;
    if (sum)
        sum_of(text, *size, sum);
    leave_out_mark(text, size);
    if (!ebb_file_is_something_else(path, text, *size, expected, error))
        return text;
    free(text);
    return NULL;
}

char *ebb_text_file_load(const char *folder, const char *name, size_t most, const char *expected,
                         char sum[65], size_t *size, struct ebb_error *error)
{
    char *path = ebb_path_join(folder, name);
    char *text = path ? load(path, most, expected, sum, size, error) : NULL;
    if (!path)
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", folder);
    free(path);
    return text;
}
