// SPDX-License-Identifier: LGPL-2.1-or-later
// Finding models by name.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/model.h>

#include "base/base.h"
#include "base/file.h"
#include "model/hub_cache.h"

struct search {
    const char *name;
    char *path;
    size_t size;
    char looked[400]; // the places so far, for the message
    bool found;
};

// Whether the folder is among those looked at: it stands there whole, between commas.
static bool was_looked_at(const struct search *s, const char *folder, size_t length, const char *below)
{
    char path[sizeof(s->looked)];
    snprintf(path, sizeof(path), "%.*s%s", (int)length, folder, below);
    size_t all = strlen(path);
    for (const char *at = s->looked; (at = strstr(at, path)); at += all)
        if ((at == s->looked || at[-1] == ' ') && (at[all] == 0 || at[all] == ','))
            return true;
    return false;
}

static void try_folder(struct search *s, const char *folder, size_t length, const char *below)
{
    if (s->found || length == 0 || was_looked_at(s, folder, length, below))
        return;

    size_t used = strlen(s->looked);
    snprintf(s->looked + used, sizeof(s->looked) - used, "%s%.*s%s", used ? ", " : "", (int)length, folder,
             below);
    int wrote = snprintf(s->path, s->size, "%.*s%s/%s", (int)length, folder, below, s->name);
    s->found = wrote > 0 && (size_t)wrote < s->size && ebb_folder_exists(s->path);
}

// Each folder of a list like PATH's.
static void try_list(struct search *s, const char *list, const char *below)
{
    while (list && *list) {
        size_t length = strcspn(list, ":");
        try_folder(s, list, length, below);
        list += length + (list[length] == ':');
    }
}

static const char *variable(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value && *value ? value : fallback;
}

static bool holds_model(const char *folder)
{
    static const char *const signs[] = {"unet", "model_index.json", "ebb.json"};
    char path[4200];
    bool found = false;
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]) && !found; i++)
        found = snprintf(path, sizeof(path), "%s/%s", folder, signs[i]) < (int)sizeof(path) &&
                ebb_file_exists(path);
    return found;
}

static enum ebb_result take_folder(const char *name, char *path, size_t size, struct ebb_error *error)
{
    if (!ebb_file_exists(name))
        return ebb_fail(error, EBB_NOT_FOUND, "there is no model folder %s", name);
    if (ebb_hub_is_repository(name))
        return ebb_hub_snapshot(name, path, size, error);
    int wrote = snprintf(path, size, "%s", name);
    return wrote >= 0 && (size_t)wrote < size
               ? EBB_OK
               : ebb_fail(error, EBB_INVALID, "the path of the model is too long");
}

// A folder of sounds that happens to be called "sfx" does not hide the model of that name.
enum ebb_result ebb_model_find(const char *name, char *path, size_t size, struct ebb_error *error)
{
    if (!name || !*name)
        return ebb_fail(error, EBB_INVALID, "the model has no name");
    if (ebb_hub_is_name(name) && !ebb_file_exists(name))
        return ebb_hub_find(name, path, size, error);
    if (strchr(name, '/') || holds_model(name) || ebb_hub_is_repository(name))
        return take_folder(name, path, size, error);

    struct search s = {.name = name, .path = path, .size = size};
    const char *home = variable("XDG_DATA_HOME", NULL), *user = home ? home : variable("HOME", "");
    try_list(&s, getenv("EBB_MODEL_PATH"), "");
    try_folder(&s, user, strlen(user), home ? "/ebb/models" : "/.local/share/ebb/models");
    try_list(&s, variable("XDG_DATA_DIRS", "/usr/local/share:/usr/share"), "/ebb/models");
    try_folder(&s, EBB_MODEL_DIR, strlen(EBB_MODEL_DIR), "");
    if (s.found)
        return EBB_OK;
    if (ebb_folder_exists(name))
        return take_folder(name, path, size, error); // opening it tells which files are missing
    if (ebb_hub_find(name, path, size, NULL) == EBB_OK)
        return EBB_OK;
    return ebb_fail(error, EBB_NOT_FOUND, "there is no model \"%.60s\" in %s", name, s.looked);
}
