// Sound longer than a window. Window i starts `hop` columns of the state after window i - 1 and overlaps it. Even windows are
// independent; an odd window is generated between its two neighbours, held to their edges, and so is its waveform: in
// the outer half of an overlap the odd window has the very samples of the even one, in the inner half it turns from it.
// So any moment depends on three windows at most, and there is no seam to cross.
// Noise belongs to a column of the timeline, so that windows which overlap start from the same; and its mean over a window,
// which decides much of a sound's colour, is the same for all windows, so that they are of one kind.
//
//     window 0  |-------------------|        |-------------------|  window 2
//     window 1                 |-------------------|
//     clip      |       0      |       1     |       2     |
#ifndef EBB_ENGINE_TIMELINE_H
#define EBB_ENGINE_TIMELINE_H

#include "engine/window.h"

struct ebb_timeline;

struct ebb_timeline_params {
    struct ebb_recipe recipe, join; // of even windows; of odd ones, between two
    uint64_t clip;   // which noise: a timeline follows from (seed, clip) alone
    double overlap;  // seconds, as near as the state's columns allow
    int iterations;  // of the phase reconstruction
};

// `model` is borrowed; it must be ready when a clip is made. `error` is never NULL here.
struct ebb_timeline *ebb_timeline_create(struct ebb_model *model, const struct ebb_timeline_params *params,
                                         struct ebb_error *error);
void ebb_timeline_destroy(struct ebb_timeline **timeline);

// Samples from one window's start to the next one's.
size_t ebb_timeline_clip_length(const struct ebb_timeline *timeline);

// Samples [i, i + 1) * clip_length, in any order of i.
enum ebb_result ebb_timeline_clip(struct ebb_timeline *timeline, uint64_t index, const struct ebb_pulse *pulse,
                                  float *samples, struct ebb_error *error);

#endif
