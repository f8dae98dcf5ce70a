// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ebb/output.h>

#include "base/base.h"
#include "base/file.h"
#include "base/temporary.h"

struct ebb_output {
    char *name; // for messages
    int fd;
    bool owned; // `fd` is to be closed
    bool stream;
    bool broken;                     // a write has failed: what is there is not whole
    struct ebb_temporary *temporary; // NULL: written to as it is
};

// A pipe cannot be gone back in; neither can what others append to.
static bool is_stream(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    struct stat info;
    return lseek(fd, 0, SEEK_CUR) < 0 || (flags >= 0 && (flags & O_APPEND)) || fstat(fd, &info) != 0 ||
           !S_ISREG(info.st_mode);
}

// /dev/stdout and its other names, when a shell has sent it to a file: that file is to be written, not
// replaced.
static bool is_standard_output(const char *path)
{
    static const char *const names[] = {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
    bool found = false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        found = found || strcmp(path, names[i]) == 0;
    return found;
}

static enum ebb_result open_as_it_is(struct ebb_output *o, const char *path, struct ebb_error *error)
{
    o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    o->owned = o->fd >= 0;
    o->stream = true;
    return o->owned ? EBB_OK
                    : ebb_fail(error, EBB_UNWRITABLE, "%s: cannot be written (%s)", path, strerror(errno));
}

static enum ebb_result open_path(struct ebb_output *o, const char *path, struct ebb_error *error)
{
    struct stat info;
    if (is_standard_output(path)) {
        o->fd = STDOUT_FILENO;
        o->stream = is_stream(o->fd);
        return EBB_OK;
    }
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return open_as_it_is(o, path, error);
    o->temporary = ebb_temporary_create(path, error);
    if (!o->temporary)
        return error->code;
    o->fd = ebb_temporary_descriptor(o->temporary);
    return EBB_OK;
}

struct ebb_output *ebb_output_create(const char *path, struct ebb_error *error)
{
    if (ebb_file_check_name(path, error) != EBB_OK)
        return NULL;
    struct ebb_output *o = calloc(1, sizeof(*o));
    error = EBB_ERROR(error);
    if (o)
        o->name = strdup(strcmp(path, "-") == 0 ? "standard output" : path);
    if (!o || !o->name) {
        free(o);
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
        return NULL;
    }
    o->fd = -1;
    if (open_path(o, path, error) != EBB_OK)
        ebb_output_destroy(&o);
    return o;
}

bool ebb_output_is_stream(const struct ebb_output *output)
{
    return output->stream;
}

int ebb_output_descriptor(const struct ebb_output *output)
{
    return output->fd;
}

// The descriptor of a complete file may be another file's by now.
static enum ebb_result check_open(const struct ebb_output *output, struct ebb_error *error)
{
    return output->fd >= 0 ? EBB_OK : ebb_fail(error, EBB_INVALID, "%s: was finished already", output->name);
}

enum ebb_result ebb_output_write(struct ebb_output *output, const void *bytes, size_t size,
                                 struct ebb_error *error)
{
    enum ebb_result result = check_open(output, error);
    for (size_t done = 0; done < size && result == EBB_OK;) {
        ssize_t n = write(output->fd, (const char *)bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            result = ebb_fail(error, EBB_UNWRITABLE, "%s: writing failed (%s)", output->name,
                              strerror(n < 0 ? errno : ENOSPC));
        else
            done += (size_t)n;
    }
    output->broken = output->broken || result != EBB_OK;
    return result;
}

enum ebb_result ebb_output_finish(struct ebb_output *output, struct ebb_error *error)
{
    enum ebb_result result = check_open(output, error);
    if (result != EBB_OK)
        return result;
    if (output->broken)
        return ebb_fail(error, EBB_UNWRITABLE, "%s: cannot be completed (writing has failed)", output->name);
    int fd = output->fd;
    output->fd = -1;
    if (output->temporary)
        return ebb_temporary_keep(output->temporary, error);
    return !output->owned || close(fd) == 0 || errno == EINTR
               ? EBB_OK
               : ebb_fail(error, EBB_UNWRITABLE, "%s: cannot be completed (%s)", output->name,
                          strerror(errno));
}

void ebb_output_destroy(struct ebb_output **output)
{
    struct ebb_output *o = *output;
    if (!o)
        return;
    if (o->owned && o->fd >= 0)
        close(o->fd);
    ebb_temporary_destroy(&o->temporary);
    free(o->name);
    free(o);
    *output = NULL;
}
