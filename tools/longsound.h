// SPDX-License-Identifier: LGPL-2.1-or-later
// A sound that is written as it is made: an hour of rain takes no more memory than a minute. What has to be
// known of all of it before its first sample is written, its level for instance, is found out on a spool.
#ifndef EBB_TOOLS_LONGSOUND_H
#define EBB_TOOLS_LONGSOUND_H

#include "claim.h"
#include "sound.h"

struct long_sound_job {
    struct ebb_model *model;         // loaded
    const char *name;                // for messages
    const struct ebb_recipe *recipe; // settled, of EBB_VERB_GENERATE
    struct claimer *claimer;         // NULL: no other run can make the same file
    const struct ebb_hooks *hooks;
};

// Whether the recipe is one of a sound that is made so.
bool long_sound_is(const struct ebb_model *model, const struct ebb_recipe *recipe);

// Writes it to `path`. `lost`: the file's claim went to another run, and nothing was written. `seconds`: of
// the file.
enum ebb_result long_sound_write(const struct long_sound_job *job, const char *path, bool *lost,
                                 double *seconds, struct ebb_error *error);

// Makes it to measure it; a spool is put beside `path`.
enum ebb_result long_sound_measure(const struct long_sound_job *job, const char *path,
                                   struct sound_level *level, struct ebb_error *error);

#endif
