// SPDX-License-Identifier: LGPL-2.1-or-later
// A copy of a tiny model in a folder of its own, to be spoilt.
#ifndef EBB_TEST_SCRATCH_H
#define EBB_TEST_SCRATCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char scratch[256];

static inline void run(const char *format, const char *a, const char *b)
{
    char line[1200];
    snprintf(line, sizeof(line), format, a, b);
    REQUIRE(system(line) == 0);
}

static inline const char *scratch_path(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", scratch, name);
    return path;
}

static inline void scratch_remove(void)
{
    if (*scratch)
        run("chmod -R u+rwX '%s' && rm -rf '%s'", scratch, scratch);
    *scratch = 0;
}

// Copies `source`, a folder below the test data; NULL: stays empty.
static inline void scratch_make(const char *source)
{
    scratch_remove(); // of a test that failed
    const char *base = getenv("TMPDIR");
    snprintf(scratch, sizeof(scratch), "%s/ebb-test-XXXXXX", base ? base : "/tmp");
    REQUIRE(mkdtemp(scratch) != NULL);
    char from[512];
    snprintf(from, sizeof(from), "%s/%s/.", getenv("EBB_TEST_DATA"), source ? source : "");
    if (source)
        run("cp -r '%s' '%s' ", from, scratch);
    run("chmod -R u+w '%s'%s", scratch, "");
}

static inline void scratch_write(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(scratch_path(name), "wb");
    REQUIRE(file != NULL);
    REQUIRE(fwrite(data, 1, size, file) == size);
    REQUIRE(fclose(file) == 0);
}

static inline char *scratch_read(const char *name, size_t *size)
{
    FILE *file = fopen(scratch_path(name), "rb");
    REQUIRE(file != NULL);
    char *data = calloc(1, 1 << 20);
    REQUIRE(data != NULL);
    *size = fread(data, 1, (1 << 20) - 1, file);
    fclose(file);
    return data;
}

// The first `old` in a text file becomes `new`.
static inline void scratch_replace(const char *name, const char *old, const char *new)
{
    size_t size;
    char *text = scratch_read(name, &size), *at = strstr(text, old);
    if (!at)
        TEST_FAIL("%s has no %s", name, old);
    char *edited = calloc(1, size + strlen(new) + 1);
    REQUIRE(edited != NULL);
    int length = sprintf(edited, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    scratch_write(name, edited, (size_t)length);
    free(edited);
    free(text);
}

// tiny-sfx with two labels, rain and kick; its classes 2 and 3 are their student's.
static inline void scratch_student(void)
{
    scratch_make("models/tiny-sfx");
    scratch_replace(
        "ebb.json",
        ",\n  {\n   \"name\": \"wind\",\n   \"kind\": \"texture\",\n   \"score\": 0.5\n  },\n"
        "  {\n   \"name\": \"bell\",\n   \"kind\": \"event\",\n   \"score\": 0.5\n  }\n ],\n \"no_label\": 4,",
        "\n ],\n \"student\": {\"first_class\": 2, \"steps\": 3},");
}

static inline void scratch_poke(const char *name, long offset, const void *data, size_t size)
{
    FILE *file = fopen(scratch_path(name), "r+b");
    REQUIRE(file != NULL);
    REQUIRE(fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET) == 0);
    REQUIRE(fwrite(data, 1, size, file) == size);
    fclose(file);
}

// A safetensors file of this header and `size` zero bytes.
static inline void scratch_safetensors(const char *name, const char *header, size_t size)
{
    size_t length = strlen(header);
    char *data = calloc(1, 8 + length + size);
    REQUIRE(data != NULL);
    for (int i = 0; i < 8; i++)
        data[i] = (char)(length >> (8 * i));
    memcpy(data + 8, header, length);
    scratch_write(name, data, 8 + length + size);
    free(data);
}

#endif
