// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/fnv.h"

enum {
    NUMBERED = 8, // names that are tried, and cleared of what was left under them, before random ones
    TRIES = 64,
};

struct ebb_temporary {
    char *path;   // as it was given, for messages
    char *target; // with links followed; its name in the folder begins at `name`
    const char *name;
    int folder, file;   // descriptors; -1: none
    char temporary[64]; // in the folder; "": nothing to remove
    bool replaces;      // a file that was there, of which `old` tells
    struct stat old;
};

// ---- the place ----

// Where a link leads, by a path that is as relative as the link's own.
static char *read_link(const char *link)
{
    char to[PATH_MAX], *path = NULL;
    ssize_t length = readlink(link, to, sizeof(to));
    if (length < 0 || (size_t)length >= sizeof(to)) {
        errno = length < 0 ? errno : ENAMETOOLONG;
        return NULL;
    }
    const char *slash = *to == '/' ? NULL : strrchr(link, '/');
    int folder = slash ? (int)(slash + 1 - link) : 0;
    return asprintf(&path, "%.*s%.*s", folder, link, (int)length, to) < 0 ? NULL : path;
}

// The file that links to nothing want to have: the last of them names it.
static char *follow_to_nothing(const char *path)
{
    enum { MOST_LINKS = 40 }; // as Linux has it
    struct stat info;
    char *at = strdup(path);
    for (int i = 0; at && i < MOST_LINKS && lstat(at, &info) == 0 && S_ISLNK(info.st_mode); i++) {
        char *next = read_link(at);
        free(at);
        at = next;
    }
    return at;
}

// The file that the path leads to, which may not be there yet. NULL with errno: there is no such place.
static char *follow(const char *path, bool *replaces, struct stat *old)
{
    struct stat link;
    bool found = stat(path, old) == 0;
    *replaces = found && S_ISREG(old->st_mode);
    if (!found && errno == ELOOP)
        return NULL;
    if (!found)
        return follow_to_nothing(path);
    return *replaces && lstat(path, &link) == 0 && S_ISLNK(link.st_mode) ? realpath(path, NULL)
                                                                         : strdup(path);
}

// Renaming asks for the folder's permission alone. A file that its owner has protected stays.
static bool is_protected(const char *target)
{
    return faccessat(AT_FDCWD, target, W_OK, AT_EACCESS) != 0 && (errno == EACCES || errno == EROFS);
}

static int open_folder(const char *target, const char *name)
{
    char *folder = name > target ? strndup(target, (size_t)(name - target)) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(folder);
    return fd;
}

// ---- the temporary name ----

static void make_name(struct ebb_temporary *t, int attempt)
{
    unsigned long long number = (unsigned long long)attempt;
    if (attempt >= NUMBERED && getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
        number = (unsigned long long)attempt;
    unsigned long long hash = ebb_fnv1a(EBB_FNV1A_START, t->name, strlen(t->name));
    snprintf(t->temporary, sizeof(t->temporary), ".ebb-%016llx-%llx.tmp", hash, number);
}

// Whether the name still leads to the open file.
static bool leads_to(const struct ebb_temporary *t, int fd)
{
    struct stat named, opened;
    return fstatat(t->folder, t->temporary, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

// Removes what has the name if nobody has locked it: its writer is dead.
static void clear_left_over(const struct ebb_temporary *t)
{
    struct stat info;
    int fd = openat(t->folder, t->temporary, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
        leads_to(t, fd))
        unlinkat(t->folder, t->temporary, 0);
    close(fd);
}

// A new file of this name, locked. Another run may have taken it for a left-over before the lock: then it is
// not ours.
static int create_file(struct ebb_temporary *t)
{
    mode_t mode = t->replaces ? 0600 : 0666; // what was private stays private while it is written
    int fd = openat(t->folder, t->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return -1;
    bool busy = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; // without locks at all, go on
    if (!busy && leads_to(t, fd))
        return fd;
    close(fd);
    errno = EEXIST;
    return -1;
}

static bool open_file(struct ebb_temporary *t)
{
    for (int number = 0; number < NUMBERED; number++) {
        make_name(t, number);
        clear_left_over(t);
    }
    errno = EEXIST;
    for (int attempt = 0; attempt < TRIES && t->file < 0 && errno == EEXIST; attempt++) {
        make_name(t, attempt);
        t->file = create_file(t);
    }
    if (t->file < 0)
        t->temporary[0] = 0;
    return t->file >= 0;
}

// ---- the file ----

static bool begin(struct ebb_temporary *t)
{
    t->target = follow(t->path, &t->replaces, &t->old);
    if (!t->target || (t->replaces && is_protected(t->target)))
        return false;
    const char *slash = strrchr(t->target, '/');
    t->name = slash ? slash + 1 : t->target;
    if (strlen(t->name) > NAME_MAX || !*t->name) {
        errno = *t->name ? ENAMETOOLONG : EISDIR;
        return false;
    }
    t->folder = open_folder(t->target, t->name);
    return t->folder >= 0 && open_file(t);
}

struct ebb_temporary *ebb_temporary_create(const char *path, struct ebb_error *error)
{
    struct ebb_temporary *t = calloc(1, sizeof(*t));
    if (!t || !(t->path = strdup(path))) {
        free(t);
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
        return NULL;
    }
    t->folder = t->file = -1;
    if (!begin(t)) {
        ebb_fail(error, errno == ENOMEM ? EBB_OUT_OF_MEMORY : EBB_UNWRITABLE, "%s: cannot be written (%s)",
                 path, strerror(errno));
        ebb_temporary_destroy(&t);
    }
    return t;
}

int ebb_temporary_descriptor(const struct ebb_temporary *temporary)
{
    return temporary->file;
}

// A file system may know no owners and no sync; then there is nothing to do.
static bool finish_file(const struct ebb_temporary *t)
{
    if (t->replaces) {
        if (fchown(t->file, t->old.st_uid, t->old.st_gid) != 0)
            errno = 0; // only root may give files away
        if (fchmod(t->file, t->old.st_mode & 0777) != 0 && errno != EPERM)
            return false;
    }
    int result;
    do
        result = fsync(t->file);
    while (result != 0 && errno == EINTR);
    return result == 0 || errno == EINVAL || errno == ENOTSUP;
}

enum ebb_result ebb_temporary_keep(struct ebb_temporary *t, struct ebb_error *error)
{
    if (!leads_to(t, t->file))
        return ebb_fail(error, EBB_UNWRITABLE, "%s: cannot be completed (somebody has removed %s)", t->path,
                        t->temporary);
    if (!finish_file(t) || renameat(t->folder, t->temporary, t->folder, t->name) != 0)
        return ebb_fail(error, EBB_UNWRITABLE, "%s: cannot be completed (%s)", t->path, strerror(errno));
    t->temporary[0] = 0;
    int fd = t->file;
    t->file = -1;
    if (close(fd) != 0 && errno != EINTR)
        return ebb_fail(error, EBB_UNWRITABLE, "%s: cannot be completed (%s)", t->path, strerror(errno));
    return EBB_OK;
}

void ebb_temporary_destroy(struct ebb_temporary **temporary)
{
    struct ebb_temporary *t = *temporary;
    if (!t)
        return;
    if (t->temporary[0] && leads_to(t, t->file))
        unlinkat(t->folder, t->temporary, 0);
    if (t->file >= 0)
        close(t->file);
    if (t->folder >= 0)
        close(t->folder);
    free(t->target);
    free(t->path);
    free(t);
    *temporary = NULL;
}

static int make_anonymous(const char *folder)
{
    char name[PATH_MAX];
    int length = snprintf(name, sizeof(name), "%s/ebb-XXXXXX", folder);
    if (length < 0 || (size_t)length >= sizeof(name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

int ebb_temporary_anonymous(void)
{
    const char *const folders[] = {getenv("TMPDIR"), "/tmp", "/var/tmp"};
    int fd = -1, why = 0;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && fd < 0; i++) {
        if (!folders[i] || !*folders[i])
            continue;
        fd = make_anonymous(folders[i]);
        why = why ? why : errno;
    }
    if (fd < 0)
        errno = why;
    return fd;
}
