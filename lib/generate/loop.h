// SPDX-License-Identifier: LGPL-2.1-or-later
// A loop: a sound whose end runs into its start, so that it can be played in a ring. Sample 0 follows the
// last sample as any sample follows another.
//
// A texture is a ring in the network: windows around it, whose answers are joined at every step
// (process/ring.h). A column of the state is stretched by half a column at most over the whole loop, so that
// the loop has the length that was asked for to the sample. Its mel becomes sound in pieces that lie around
// the ring: even pieces alone, odd ones held to the samples on either side. Sample 0 lies within a piece.
//
// A texture's loop that is shorter than a sixth of a window is a part of a longer one, folded: what follows
// the part fades out into its start.
//
// An event is made as it always is, and comes again once a round: what rings on past the loop's end goes on
// at its start.
#ifndef EBB_GENERATE_LOOP_H
#define EBB_GENERATE_LOOP_H

#include "generate/window.h"

struct ebb_loop_params {
    const struct ebb_settled *settled; // with `loop`
    const struct ebb_settled *join;    // for an event's second channel, see generate/single.h
    uint64_t index;
    int iterations;            // of the phase reconstruction
    struct ebb_counts *counts; // receives the work of the run; NULL: not counted
};

// Makes a loop of `count` samples in each of the settled recipe's channels. The model must be ready.
enum ebb_result ebb_loop_make(struct ebb_model *model, const struct ebb_loop_params *params,
                              const struct ebb_progress_span *progress, float *const *channels, size_t count,
                              struct ebb_error *error);

#endif
