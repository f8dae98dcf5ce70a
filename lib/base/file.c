// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

enum ebb_result ebb_file_check_name(const char *path, struct ebb_error *error)
{
    return *path ? EBB_OK : ebb_fail(error, EBB_INVALID, "a file's name is empty");
}

int ebb_file_open(const char *path, struct stat *info, struct ebb_error *error)
{
    if (ebb_file_check_name(path, error) != EBB_OK)
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // non-blocking: a pipe without a writer opens at
                                                            // once
    if (fd < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        ebb_fail(error, missing ? EBB_NOT_FOUND : EBB_UNREADABLE, "%s: %s", path,
                 missing ? "there is no such file" : strerror(errno));
        return -1;
    }

    bool known = fstat(fd, info) == 0;
    if (known && S_ISREG(info->st_mode))
        return fd;
    if (known)
        ebb_fail(error, EBB_WRONG_TYPE, "%s: a %s, expected a file", path,
                 S_ISDIR(info->st_mode) ? "folder" : "special file");
    else
        ebb_fail(error, EBB_UNREADABLE, "%s: %s", path, strerror(errno));
    close(fd);
    return -1;
}

enum ebb_result ebb_file_read(int fd, void *data, size_t size, const char *path, struct ebb_error *error)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)data + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ebb_fail(error, EBB_UNREADABLE, "%s: %s", path, strerror(errno));
        if (got == 0)
            return ebb_fail(error, EBB_CORRUPT, "%s: the file ends %zu bytes early", path, size - done);
        done += (size_t)got;
    }
    return EBB_OK;
}

char *ebb_file_load(const char *path, size_t limit, size_t *size, struct ebb_error *error)
{
    struct stat info = {0};
    int fd = ebb_file_open(path, &info, error);
    if (fd < 0)
        return NULL;

    char *data = NULL;
    size_t count = info.st_size > 0 ? (size_t)info.st_size : 0;
    if (count > limit)
        ebb_fail(error, EBB_CORRUPT, "%s: %zu bytes, expected at most %zu", path, count, limit);
    else if (!(data = malloc(count + 1)))
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory for %zu bytes", path, count);
    else if (ebb_file_read(fd, data, count, path, error)) {
        free(data);
        data = NULL;
    } else {
        data[count] = 0;
        *size = count;
    }
    close(fd);
    return data;
}

ssize_t ebb_file_read_at(int fd, void *data, size_t size, off_t at)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, (char *)data + done, size - done, at + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

bool ebb_file_write_at(int fd, const void *data, size_t size, off_t at)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = pwrite(fd, (const char *)data + done, size - done, at + (off_t)done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            errno = put < 0 ? errno : ENOSPC;
            return false;
        }
        done += (size_t)put;
    }
    return true;
}

// Whether the disk has failed, after a call that looked for a file.
static bool is_hidden(void)
{
    return errno == EIO || errno == ESTALE || errno == ENOMEM;
}

bool ebb_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 || is_hidden();
}

bool ebb_folder_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? S_ISDIR(info.st_mode) : is_hidden();
}

bool ebb_file_is_in(const char *folder, const char *name)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s", folder, name);
    return length > 0 && (size_t)length < sizeof(path) && ebb_file_exists(path);
}

char *ebb_path_join(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    char *path = malloc(length + strlen(name) + 2);
    if (path)
        sprintf(path, "%.*s/%s", (int)length, folder, name);
    return path;
}
