#include "model/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

int ebb_file_open(const char *path, struct stat *info, struct ebb_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // non-blocking: a pipe without a writer opens at once
    if (fd < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        ebb_fail(error, missing ? EBB_NOT_FOUND : EBB_UNREADABLE, "%s: %s", path,
                 missing ? "there is no such file" : strerror(errno));
        return -1;
    }

    if (fstat(fd, info) == 0 && S_ISREG(info->st_mode))
        return fd;
    ebb_fail(error, EBB_WRONG_TYPE, "%s: a %s, expected a file", path, S_ISDIR(info->st_mode) ? "folder" : "special file");
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

bool ebb_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool ebb_folder_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
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
