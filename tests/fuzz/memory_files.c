// SPDX-License-Identifier: LGPL-2.1-or-later
// The linker leads the calls below here (--wrap). What is no file of ours goes on to the system.
#include "memory_files.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

enum { MOST_FILES = 24, MOST_OPEN = 8, FIRST = 1 << 20 }; // descriptors from FIRST on

static struct memory_file {
    char path[300];
    size_t length;       // of the path
    const uint8_t *data; // NULL: not there
    size_t size;
} files[MOST_FILES];
static int known;

static struct {
    const struct memory_file *file; // NULL: free
    size_t position;
} opened[MOST_OPEN];

static struct memory_file *find(const char *path)
{
    size_t length = strlen(path);
    for (int i = 0; i < known; i++)
        if (files[i].length == length && strcmp(files[i].path, path) == 0)
            return &files[i];
    return NULL;
}

void memory_file_put(const char *path, const uint8_t *data, size_t size)
{
    struct memory_file *file = find(path);
    if (!file) {
        CHECK(known < MOST_FILES && strlen(path) < sizeof(file->path));
        file = &files[known++];
        strcpy(file->path, path);
        file->length = strlen(path);
    }
    file->data = data;
    file->size = size;
}

static bool is_ours(int fd)
{
    CHECK(fd < FIRST || (fd < FIRST + MOST_OPEN && opened[fd - FIRST].file)); // closed only once
    return fd >= FIRST;
}

static int missing(void)
{
    errno = ENOENT;
    return -1;
}

static int describe(const struct memory_file *file, struct stat *info)
{
    if (!file->data)
        return missing();
    *info = (struct stat){.st_mode = S_IFREG | 0600, .st_size = (off_t)file->size, .st_nlink = 1};
    info->st_ino = (ino_t)(file - files) + 1;
    return 0;
}

static ssize_t copy(const struct memory_file *file, void *bytes, size_t count, size_t at)
{
    size_t left = at < file->size ? file->size - at : 0;
    count = count < left ? count : left;
    memcpy(bytes, file->data + (count ? at : 0), count);
    return (ssize_t)count;
}

// ---- the calls ----

int __real_open64(const char *path, int flags, ...);
int __real_stat64(const char *path, struct stat *info);
int __real_fstat64(int fd, struct stat *info);
ssize_t __real_read(int fd, void *bytes, size_t count);
ssize_t __real_pread64(int fd, void *bytes, size_t count, off_t at);
int __real_close(int fd);
FILE *__real_fopen64(const char *path, const char *mode);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_stat64(const char *path, struct stat *info);
int __wrap_fstat64(int fd, struct stat *info);
ssize_t __wrap_read(int fd, void *bytes, size_t count);
ssize_t __wrap_pread64(int fd, void *bytes, size_t count, off_t at);
int __wrap_close(int fd);
FILE *__wrap_fopen64(const char *path, const char *mode);

int __wrap_open64(const char *path, int flags, ...)
{
    const struct memory_file *file = find(path);
    va_list arguments;
    va_start(arguments, flags);
    int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if (!file)
        return __real_open64(path, flags, mode);
    if (!file->data)
        return missing();
    int i = 0;
    while (i < MOST_OPEN && opened[i].file)
        i++;
    CHECK(i < MOST_OPEN);
    opened[i].file = file;
    opened[i].position = 0;
    return FIRST + i;
}

int __wrap_stat64(const char *path, struct stat *info)
{
    const struct memory_file *file = find(path);
    return file ? describe(file, info) : __real_stat64(path, info);
}

int __wrap_fstat64(int fd, struct stat *info)
{
    return is_ours(fd) ? describe(opened[fd - FIRST].file, info) : __real_fstat64(fd, info);
}

ssize_t __wrap_read(int fd, void *bytes, size_t count)
{
    if (!is_ours(fd))
        return __real_read(fd, bytes, count);
    ssize_t got = copy(opened[fd - FIRST].file, bytes, count, opened[fd - FIRST].position);
    opened[fd - FIRST].position += (size_t)got;
    return got;
}

ssize_t __wrap_pread64(int fd, void *bytes, size_t count, off_t at)
{
    return is_ours(fd) ? copy(opened[fd - FIRST].file, bytes, count, (size_t)at)
                       : __real_pread64(fd, bytes, count, at);
}

int __wrap_close(int fd)
{
    if (!is_ours(fd))
        return __real_close(fd);
    opened[fd - FIRST].file = NULL;
    return 0;
}

// For reading.
FILE *__wrap_fopen64(const char *path, const char *mode)
{
    const struct memory_file *file = find(path);
    if (!file)
        return __real_fopen64(path, mode);
    if (file->data)
        return fmemopen((void *)file->data, file->size, mode);
    missing();
    return NULL;
}
