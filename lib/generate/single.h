// SPDX-License-Identifier: LGPL-2.1-or-later
// The sound of a single window, in one channel or two.
//
// The second channel of a texture is a window of its own, whose noise departs from the first one's by the
// width; so do its phases and its grain. The second channel of an event is the first one up to the end of its
// attack, so that the event stays in the middle; its tail departs.
#ifndef EBB_GENERATE_SINGLE_H
#define EBB_GENERATE_SINGLE_H

#include "generate/window.h"

struct ebb_single_params {
    const struct ebb_settled *settled;
    const struct ebb_settled *join; // for the tail of an event's second channel, which is held to its start
    uint64_t index;
    int iterations;            // of the phase reconstruction
    struct ebb_counts *counts; // receives the work of the first channel's run; NULL: not counted
    ebb_reverse_watch watch;   // is shown the states of the first channel; NULL: none
    void *user;
};

// Samples of a channel.
size_t ebb_single_length(const struct ebb_model *model, const struct ebb_settled *settled);

// Makes the channels, ebb_single_length() samples each, as many as the recipe has. The model must be ready.
enum ebb_result ebb_single_make(struct ebb_model *model, const struct ebb_single_params *params,
                                const struct ebb_progress_span *progress, float *const *channels,
                                struct ebb_error *error);

#endif
