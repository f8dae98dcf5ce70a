// SPDX-License-Identifier: LGPL-2.1-or-later
// A loop that is too long to be made in memory, handed on as it is made.
//
// A texture is a long sound whose end is joined to its start as `ebb edit --loop` joins a recording's: half a
// second is made anew, held to what lies on either side. An event comes once, and silence follows.
#ifndef EBB_TOOLS_LONGLOOP_H
#define EBB_TOOLS_LONGLOOP_H

#include "sound.h"

struct long_loop_job {
    struct ebb_model *model;         // loaded
    const struct ebb_recipe *recipe; // settled, of EBB_VERB_GENERATE, with `loop`
    size_t margin; // frames of the ring in front of its start and behind its end, a second's at most
    const struct ebb_hooks *hooks;
};

// Whether the recipe is one of such a loop.
bool long_loop_is(const struct ebb_recipe *recipe);

// Hands on the ring, once round, and the margins, as ebb_generate_parts() hands on a sound.
enum ebb_result long_loop_parts(const struct long_loop_job *job, ebb_take_frames take, void *user,
                                struct ebb_error *error);

#endif
