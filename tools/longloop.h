// SPDX-License-Identifier: LGPL-2.1-or-later
// A loop that is too long to be made in memory, written as it is made.
//
// A texture is a stream, whose end is joined to its start as `ebb edit --loop` joins a recording's: half a
// second is made anew, held to what lies on either side. An event comes once, and silence follows.
#ifndef EBB_TOOLS_LONGLOOP_H
#define EBB_TOOLS_LONGLOOP_H

#include "sound.h"

struct long_loop_job {
    struct ebb_model *model;         // loaded
    const struct ebb_recipe *recipe; // settled, of EBB_VERB_GENERATE, with `loop`
    struct tool_progress *progress;
};

// Whether the recipe is one of such a loop.
bool long_loop_is(const struct ebb_recipe *recipe);

// Writes it to `path`, in bounded memory. `frames`: of the file. Exit code.
int long_loop_write(const struct long_loop_job *job, const char *path, size_t *frames);

#endif
