// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEEPEST = 100 }; // folders in folders

static int add(struct tree *tree, char *path)
{
    if (tree->count == tree->capacity) {
        size_t capacity = tree->capacity ? 2 * tree->capacity : 64;
        char **paths = reallocarray(tree->paths, capacity, sizeof(*paths));
        if (!paths) {
            free(path);
            return tool_fail(TOOL_FAILED, "no memory");
        }
        tree->paths = paths;
        tree->capacity = capacity;
    }
    tree->paths[tree->count++] = path;
    return TOOL_OK;
}

static int read_folder(struct tree *tree, const char *folder, int depth);

static int read_entry(struct tree *tree, const char *folder, const char *name, int depth)
{
    struct stat own;
    char *path = NULL;
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    if (asprintf(&path, "%s%s%s", folder, slash, name) < 0)
        return tool_fail(TOOL_FAILED, "no memory");
    int code = TOOL_OK;
    if (lstat(path, &own) == 0 && S_ISDIR(own.st_mode))
        code = read_folder(tree, path, depth + 1);
    else if (tool_is_sound_name(path)) // through links, to a file
        return add(tree, path);
    free(path);
    return code;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_folder(struct tree *tree, const char *folder, int depth)
{
    struct dirent **entries = NULL;
    if (depth > DEEPEST)
        return tool_fail(TOOL_UNREADABLE, "%s: more than %d folders in folders", folder, DEEPEST);
    int count = scandir(folder, &entries, is_shown, by_bytes), code = TOOL_OK;
    if (count < 0)
        return tool_fail(errno == ENOENT ? TOOL_NOT_FOUND : TOOL_UNREADABLE, "%s: %s", folder,
                         strerror(errno));
    for (int i = 0; i < count; i++) {
        if (!code)
            code = read_entry(tree, folder, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
    return code;
}

int tree_read(struct tree *tree, const char *folder)
{
    *tree = (struct tree){0};
    return read_folder(tree, folder, 0);
}

void tree_clear(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->paths[i]);
    free(tree->paths);
    *tree = (struct tree){0};
}

// ---- folders in one another ----

// Of a folder that is to be, the name it will have: what is there of its path, followed, and the rest.
static bool real_name(const char *path, char out[PATH_MAX])
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(part))
        return false;
    memcpy(part, path, length + 1);
    while (!realpath(part, out)) {
        char *slash = strrchr(part, '/');
        if (errno != ENOENT || !slash || slash == part)
            return !slash && realpath(".", out) && strlen(out) + length + 2 < PATH_MAX &&
                   snprintf(out + strlen(out), PATH_MAX - strlen(out), "/%s", path) > 0;
        *slash = 0;
    }
    size_t kept = strlen(part), used = strlen(out);
    return used + length - kept < PATH_MAX && snprintf(out + used, PATH_MAX - used, "%s", path + kept) >= 0;
}

static bool lies_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0 || length == 1);
}

bool tree_overlaps(const char *a, const char *b)
{
    char real_a[PATH_MAX], real_b[PATH_MAX];
    if (!real_name(a, real_a) || !real_name(b, real_b))
        return false;
    return lies_in(real_a, real_b) || lies_in(real_b, real_a);
}
