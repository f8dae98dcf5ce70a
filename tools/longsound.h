// SPDX-License-Identifier: LGPL-2.1-or-later
// A sound that is written as it is made: an hour of rain takes no more memory than a minute.
#ifndef EBB_TOOLS_LONGSOUND_H
#define EBB_TOOLS_LONGSOUND_H

#include "claim.h"
#include "sound.h"

struct long_sound_job {
    struct ebb_model *model;         // loaded
    const struct ebb_recipe *recipe; // settled, of EBB_VERB_GENERATE
    struct claimer *claimer;         // NULL: no other run can make the same file
    const struct ebb_hooks *hooks;
};

// Whether the recipe is one of such a sound: nothing is left to do once all of it is there.
bool long_sound_is(const struct ebb_recipe *recipe);

// Writes it to `path`. `lost`: the file's claim went to another run, and nothing was written.
enum ebb_result long_sound_write(const struct long_sound_job *job, const char *path, bool *lost,
                                 struct ebb_error *error);

#endif
