// SPDX-License-Identifier: LGPL-2.1-or-later
// A timeline: sound longer than a window, made of windows that overlap. Window i starts `hop` columns of
// the state after window i - 1. Even windows are independent. An odd window is generated between its two
// even neighbours and held to their edges. Its waveform is held too: in the outer half of an overlap it has
// the samples of the even window, in the inner half it departs from them. So every sample depends on three
// windows at most, and there is no seam.
//
// Noise belongs to a column of the timeline, so windows that overlap start from the same noise there. The
// noise's mean over a window decides much of a sound's colour; it is the same for all windows, so they
// sound alike.
//
//     window 0  |-------------------|        |-------------------|  window 2
//     window 1                 |-------------------|
//     clip      |       0      |       1     |       2     |
#ifndef EBB_GENERATE_TIMELINE_H
#define EBB_GENERATE_TIMELINE_H

#include "generate/window.h"

struct ebb_timeline;

struct ebb_timeline_params {
    struct ebb_settled settled, join; // for even windows; for odd windows
    uint64_t index;                   // of the clip: seed and index alone decide on the timeline's noise
    double overlap;                   // of two windows, in seconds; rounded to columns of the state
    int iterations;                   // of the phase reconstruction
    struct ebb_counts *counts;        // receives the work of each window's run; NULL: not counted
};

// `model` is borrowed and must outlive the timeline; it must be ready when a clip is made. `error` is not
// NULL here and below. NULL on failure.
struct ebb_timeline *ebb_timeline_create(struct ebb_model *model, const struct ebb_timeline_params *params,
                                         struct ebb_error *error);
void ebb_timeline_destroy(struct ebb_timeline **timeline);

// Samples from the start of one window to the start of the next: the length of a clip.
size_t ebb_timeline_clip_length(const struct ebb_timeline *timeline);

// Makes clip `index`, samples [index, index + 1) * clip length of the timeline. Clips may be made in any
// order. `channels` has as many arrays as the settled recipe has channels. Of two, the second is a timeline
// of its own, whose windows depart from those of the first.
enum ebb_result ebb_timeline_clip(struct ebb_timeline *timeline, uint64_t index,
                                  const struct ebb_progress_span *progress, float *const *channels,
                                  struct ebb_error *error);

#endif
