// SPDX-License-Identifier: LGPL-2.1-or-later
// What sound_finish() does, to a sound on a spool. The samples that come out are the same bits.
#ifndef EBB_TOOLS_SPOOL_FINISH_H
#define EBB_TOOLS_SPOOL_FINISH_H

#include "sound.h"
#include "spool.h"

// The part of the spool that is the sound, and the frames of silence that follow it.
struct spool_span {
    size_t first, frames, silence;
};

// Cuts the sound on the spool as the recipe says; what fades there is written over.
enum ebb_result spool_cut(struct spool *spool, const struct ebb_recipe *recipe, struct spool_span *span,
                          struct ebb_error *error);

enum ebb_result spool_measure(const struct spool *spool, const struct spool_span *span,
                              struct sound_level *level, struct ebb_error *error);

// Writes it, multiplied by 10^(db / 20).
enum ebb_result spool_write(const struct spool *spool, const struct spool_span *span, double db,
                            struct ebb_sound_writer *writer, struct ebb_error *error);

#endif
