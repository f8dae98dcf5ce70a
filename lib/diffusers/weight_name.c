// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/weight_name.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

// In order of preference. %s is a variant with its point (".fp16"), or nothing.
static const struct weight_name_row {
    const char *name;
    bool index;
} rows[] = {
    {"diffusion_pytorch_model%s.safetensors", false}, // diffusers
    {"diffusion_pytorch_model.safetensors.index%s.json", true},
    {"model%s.safetensors", false}, // transformers
    {"model.safetensors.index%s.json", true},
    {"diffusion_pytorch_model%s.bin", false},
    {"diffusion_pytorch_model.bin.index%s.json", true},
    {"pytorch_model%s.bin", false},
    {"pytorch_model.bin.index%s.json", true},
    {"diffusion_pytorch_model%s.pt", false},
    {"diffusion_pytorch_model%s.ckpt", false},
    {"pytorch_model%s.pt", false},
    {"pytorch_model%s.ckpt", false},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]), MOST_VARIANT = 64 };

static void fill_in(const struct weight_name_row *row, const char *variant, struct ebb_weight_name *name)
{
    const char *place = strstr(row->name, "%s");
    snprintf(name->name, sizeof(name->name), "%.*s%.*s%s", (int)(place - row->name), row->name, MOST_VARIANT,
             variant, place + 2);
    name->index = row->index;
}

static bool find(const char *folder, const char *variant, struct ebb_weight_name *found)
{
    for (int i = 0; i < ROWS; i++) {
        fill_in(&rows[i], variant, found);
        if (ebb_file_is_in(folder, found->name))
            return true;
    }
    return false;
}

// Reads the variant of a name that a row has with one; false: it has none, or is a shard's.
static bool variant_in(const struct weight_name_row *row, const char *name, char variant[EBB_WEIGHT_NAME])
{
    size_t length = strlen(name), before = strcspn(row->name, "%");
    const char *after = row->name + before + 2;
    size_t rest = before + strlen(after);
    if (length <= rest + 1 || length > rest + MOST_VARIANT || strncmp(name, row->name, before) != 0 ||
        name[before] != '.' || strcmp(name + length - strlen(after), after) != 0)
        return false;
    snprintf(variant, EBB_WEIGHT_NAME, "%.*s", (int)(length - rest), name + before);
    return !strpbrk(variant + 1, ".-");
}

// The first in the order of the alphabet, so that a folder means one thing; "": none.
static void first_variant(const char *folder, char variant[EBB_WEIGHT_NAME])
{
    char found[EBB_WEIGHT_NAME];
    DIR *dir = opendir(folder);
    *variant = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        for (int i = 0; i < ROWS; i++)
            if (variant_in(&rows[i], entry->d_name, found) && (!*variant || strcmp(found, variant) < 0))
                strcpy(variant, found);
    if (dir)
        closedir(dir);
}

bool ebb_weight_name_find(const char *folder, struct ebb_weight_name *found)
{
    char variant[EBB_WEIGHT_NAME];
    const char *wanted = getenv("EBB_VARIANT");
    if (wanted && *wanted && strlen(wanted) < 64 && !strchr(wanted, '/')) {
        snprintf(variant, sizeof(variant), ".%s", wanted);
        if (find(folder, variant, found))
            return true;
    }
    if (find(folder, "", found))
        return true;
    first_variant(folder, variant);
    if (*variant && find(folder, variant, found))
        return true;
    fill_in(&rows[0], "", found);
    return false;
}
