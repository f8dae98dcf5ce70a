// SPDX-License-Identifier: LGPL-2.1-or-later
// A loop at another rate: the resampler has to see the ring go on at both ends.
#ifndef EBB_TOOLS_RING_H
#define EBB_TOOLS_RING_H

#include "tool.h"

// Frames of the ring that the resampler is to see in front of its start and behind its end: far more than its
// filter reads.
struct ring_margin {
    size_t before, after; // at the old rate, and the same time at the new one
};
struct ring_margin ring_margin(int from, int to); // Hz

// Frames of the ring at the new rate.
size_t ring_frames(size_t frames, int from, int to);

// Resamples a whole loop in place.
enum ebb_result ring_resample(struct ebb_sound *ring, int rate, struct ebb_error *error);

#endif
