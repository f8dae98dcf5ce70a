// SPDX-License-Identifier: LGPL-2.1-or-later
// What is there of the sounds that are asked for: what is missing, damaged, another sound, or there twice.
#ifndef EBB_TOOLS_CHECK_H
#define EBB_TOOLS_CHECK_H

#include "sound.h"

struct check {
    const char *folder;
    const struct sound_source *source;
    const struct tool_model *m;
    char *(*path)(const void *user, const struct sound_job *job); // of a sound's file; malloc'd
    const void *user;
    bool quiet, json;
};

// Prints a line on each file that is not as it should be, and a sum. Exit code: TOOL_FAILED where there was
// such a file.
int check_sounds(const struct check *check);

#endif
