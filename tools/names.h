// SPDX-License-Identifier: LGPL-2.1-or-later
// Names of sounds made of templates: "{label}/{seed}_{index:03}".
#ifndef EBB_TOOLS_NAMES_H
#define EBB_TOOLS_NAMES_H

#include "sound.h"

struct name_context {
    const struct ebb_recipe *recipe; // every setting is a field
    const char *name;                // the field {name}
    const char *what;                // in front of messages: "--name", "sounds.csv:3: folder"
};

// Appends what the template becomes to `out`. What a field says is one part of a path: '/' in it becomes '_'.
// Exit code.
int names_expand(char *out, size_t size, const char *pattern, const struct name_context *context);

// Whether the template has the field.
bool names_has(const char *pattern, const char *field);

// Exit code: whether the path stays in the folder that it is put into, and each part of it is a plain file
// name.
int names_check(const char *path, const char *what);

#endif
