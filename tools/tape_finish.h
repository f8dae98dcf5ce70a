// SPDX-License-Identifier: LGPL-2.1-or-later
// What sound_finish() does, to a sound on a tape. The samples that come out are the same bits.
#ifndef EBB_TOOLS_TAPE_FINISH_H
#define EBB_TOOLS_TAPE_FINISH_H

#include "sound.h"
#include "tape.h"

// The part of the tape that is the sound, and the frames of silence that follow it.
struct tape_span {
    size_t first, frames, silence;
};

// Cuts the sound on the tape as the recipe says; what fades there is written over.
enum ebb_result tape_cut(struct tape *tape, const struct ebb_recipe *recipe, struct tape_span *span,
                         struct ebb_error *error);

enum ebb_result tape_measure(const struct tape *tape, const struct tape_span *span, struct sound_level *level,
                             struct ebb_error *error);

// Writes it, multiplied by 10^(db / 20).
enum ebb_result tape_write(const struct tape *tape, const struct tape_span *span, double db,
                           struct ebb_sound_writer *writer, struct ebb_error *error);

#endif
