// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/hub_cache.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "base/file.h"

#define PREFIX "models--"
enum { PREFIX_LENGTH = sizeof(PREFIX) - 1, MOST_NAME = 200 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

// ---- names ----

// Up to `end`, letters that a repository's names may have; not "..".
static bool is_plain(const char *name, size_t length)
{
    return length > 0 && length < MOST_NAME && strspn(name, letters) >= length && name[0] != '.' &&
           name[0] != '-';
}

bool ebb_hub_is_name(const char *name)
{
    if (strncmp(name, PREFIX, PREFIX_LENGTH) == 0)
        return is_plain(name + PREFIX_LENGTH, strlen(name + PREFIX_LENGTH));
    const char *slash = strchr(name, '/');
    return slash && is_plain(name, (size_t)(slash - name)) && is_plain(slash + 1, strlen(slash + 1));
}

// Takes "org/name", "models--org--name" or "name" to "models--org--name".
static bool folder_name(const char *name, char *folder, size_t size)
{
    const char *slash = strchr(name, '/');
    bool whole = strncmp(name, PREFIX, PREFIX_LENGTH) == 0;
    int wrote = slash ? snprintf(folder, size, PREFIX "%.*s--%s", (int)(slash - name), name, slash + 1)
                      : snprintf(folder, size, "%s%s", whole ? "" : PREFIX, name);
    return wrote > 0 && (size_t)wrote < size;
}

// The way back, for people.
static void show_name(const char *folder, char *name, size_t size)
{
    const char *from = folder + PREFIX_LENGTH;
    size_t used = 0;
    while (*from && used + 1 < size) {
        bool joint = from[0] == '-' && from[1] == '-';
        name[used++] = joint ? '/' : *from;
        from += joint ? 2 : 1;
    }
    name[used] = 0;
}

// ---- folders ----

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool cache_folder(char *path, size_t size)
{
    static const struct {
        const char *variable, *below;
    } places[] = {
        {"HF_HUB_CACHE", ""}, {"HUGGINGFACE_HUB_CACHE", ""}, // its older name
        {"HF_HOME", "/hub"},  {"XDG_CACHE_HOME", "/huggingface/hub"}, {"HOME", "/.cache/huggingface/hub"},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *value = variable(places[i].variable);
        int wrote = value ? snprintf(path, size, "%s%s", value, places[i].below) : -1;
        if (value)
            return wrote > 0 && (size_t)wrote < size;
    }
    return false;
}

bool ebb_hub_is_repository(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    size_t start = length;
    while (start > 0 && path[start - 1] != '/')
        start--;
    char snapshots[PATH_MAX];
    int wrote = snprintf(snapshots, sizeof(snapshots), "%s/snapshots", path);
    return strncmp(path + start, PREFIX, PREFIX_LENGTH) == 0 && wrote > 0 && wrote < PATH_MAX &&
           ebb_folder_exists(snapshots);
}

// The commit of refs/main; false: there is none that can be read.
static bool main_commit(const char *repository, char commit[MOST_NAME])
{
    char path[PATH_MAX];
    int wrote = snprintf(path, sizeof(path), "%s/refs/main", repository);
    size_t size = 0;
    char *text = wrote > 0 && wrote < PATH_MAX ? ebb_file_load(path, MOST_NAME - 1, &size, NULL) : NULL;
    size_t length = text ? strspn(text, letters) : 0;
    bool good = text && is_plain(text, length) && strspn(text + length, " \r\n") == size - length;
    if (good)
        snprintf(commit, MOST_NAME, "%.*s", (int)length, text);
    free(text);
    return good;
}

static bool later(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
                                                  : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

static bool newest_commit(const char *snapshots, char commit[MOST_NAME])
{
    struct stat best = {0}, info;
    DIR *dir = opendir(snapshots);
    *commit = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[PATH_MAX];
        int wrote = snprintf(path, sizeof(path), "%s/%s", snapshots, entry->d_name);
        if (*entry->d_name == '.' || strlen(entry->d_name) >= MOST_NAME || wrote < 0 || wrote >= PATH_MAX ||
            stat(path, &info) != 0 || !S_ISDIR(info.st_mode) || (*commit && !later(&info, &best)))
            continue;
        strcpy(commit, entry->d_name);
        best = info;
    }
    if (dir)
        closedir(dir);
    return *commit != 0;
}

enum ebb_result ebb_hub_snapshot(const char *repository, char *path, size_t size, struct ebb_error *error)
{
    char commit[MOST_NAME];
    bool fits = true, found = main_commit(repository, commit);
    if (found)
        fits = (size_t)snprintf(path, size, "%s/snapshots/%s", repository, commit) < size;
    if (fits && (!found || !ebb_folder_exists(path))) {
        fits = (size_t)snprintf(path, size, "%s/snapshots", repository) < size;
        found = fits && newest_commit(path, commit);
        if (found)
            fits = (size_t)snprintf(path, size, "%s/snapshots/%s", repository, commit) < size;
    }
    if (!fits)
        return ebb_fail(error, EBB_INVALID, "the path of the model is too long");
    return found
               ? EBB_OK
               : ebb_fail(error, EBB_NOT_FOUND,
                          "%s: there is no snapshot in it: nothing of the model was downloaded", repository);
}

// ---- what there is ----

static int is_repository(const struct dirent *entry)
{
    return strncmp(entry->d_name, PREFIX, PREFIX_LENGTH) == 0 && entry->d_name[PREFIX_LENGTH];
}

// "a/b, c/d and 3 more"; "": nothing.
static void list_names(const char *cache, char *text, size_t size)
{
    struct dirent **entries = NULL;
    int count = scandir(cache, &entries, is_repository, alphasort), shown = 0;
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < count; i++) {
        char name[MOST_NAME];
        show_name(entries[i]->d_name, name, sizeof(name));
        if (used + strlen(name) + 20 < size) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", shown ? ", " : "", name);
            shown++;
        }
        free(entries[i]);
    }
    if (count > shown)
        snprintf(text + used, size - used, " and %d more", count - shown);
    free(entries);
}

enum ebb_result ebb_hub_find(const char *name, char *path, size_t size, struct ebb_error *error)
{
    char cache[PATH_MAX], repository[PATH_MAX], folder[2 * MOST_NAME], there[220];
    if (!cache_folder(cache, sizeof(cache)) || !folder_name(name, folder, sizeof(folder)) ||
        (size_t)snprintf(repository, sizeof(repository), "%s/%s", cache, folder) >= sizeof(repository))
        return ebb_fail(error, EBB_NOT_FOUND, "there is no model %.100s", name);
    if (ebb_hub_is_repository(repository))
        return ebb_hub_snapshot(repository, path, size, error);
    list_names(cache, there, sizeof(there));
    return ebb_fail(
        error, EBB_NOT_FOUND,
        "there is no model folder %.80s, nor is that in the Hugging Face cache %.80s, which has %s "
        "(nothing is downloaded)",
        name, cache, *there ? there : "no models");
}

char *ebb_hub_model_name(const char *path)
{
    const char *last = strrchr(path, '/'), *middle = NULL, *first = NULL;
    for (const char *at = path; last && at < last; at++)
        if (*at == '/') {
            first = middle;
            middle = at;
        }
    if (first && strncmp(middle, "/snapshots/", 11) == 0 && strncmp(first + 1, PREFIX, PREFIX_LENGTH) == 0) {
        const char *name = first + 1 + PREFIX_LENGTH;
        for (const char *at = name; at + 1 < middle; at++)
            name = at[0] == '-' && at[1] == '-' ? at + 2 : name;
        return strndup(name, (size_t)(middle - name));
    }
    return strdup(last && last[1] ? last + 1 : path);
}
