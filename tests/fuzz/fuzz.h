// SPDX-License-Identifier: LGPL-2.1-or-later
// What the fuzz targets share. Each target reads its input as a parser's file, and checks what the parser
// promises; the sanitizers watch the rest. docs/fuzzing.md says how they are run.
#ifndef EBB_TESTS_FUZZ_H
#define EBB_TESTS_FUZZ_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ebb/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

// A failure has a sentence, and a success has none.
static inline void check_error(enum ebb_result result, const struct ebb_error *error)
{
    CHECK(result == error->code && (result == EBB_OK) == !*error->message);
}

// The input as a file in memory, by a path that opens it.
static inline const char *fuzz_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("fuzz", 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    return path;
}

static char fuzz_place[64];

static inline void fuzz_leave(void)
{
    char line[100];
    snprintf(line, sizeof(line), "rm -rf '%s'", fuzz_place);
    if (system(line) != 0)
        fprintf(stderr, "%s stays\n", fuzz_place);
}

// A folder in memory that lasts as long as the process, and longer only where that dies.
static inline const char *fuzz_folder(void)
{
    if (!*fuzz_place) {
        snprintf(fuzz_place, sizeof(fuzz_place), "/dev/shm/ebb-fuzz-%ld", (long)getpid());
        CHECK(mkdir(fuzz_place, 0700) == 0 && atexit(fuzz_leave) == 0);
    }
    return fuzz_place;
}

static inline void fuzz_put(const char *name, const uint8_t *data, size_t size)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static inline void fuzz_remove(const char *name)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
    unlink(path);
}

#endif
