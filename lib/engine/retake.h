// A stretch of a spectrogram made anew between what stays: one network window around it, or several in a row where it is
// long, each held to the columns that are made already. What stays beside the stretch is held too (masked generation): the
// network sees it at every step, noised to where the new part is.
//
// A state has cells of state_stride frames and of n_mels / h bands. The grid of cells begins at the stretch, so that the
// frame before it is held; its end, and bands, are rounded outwards: the network makes a little more than is used.
#ifndef EBB_ENGINE_RETAKE_H
#define EBB_ENGINE_RETAKE_H

#include "engine/window.h"

struct ebb_retake {
    const struct ebb_recipe *recipe; // run.start: how noisy the stretch is made first; run.resample: RePaint
    uint64_t clip;                   // which noise
    double angle;        // radians from the stretch's own noise (0, found by inversion) to fresh noise (pi / 2)
    bool from_recording; // false: from noise alone, whatever was there
    bool starts;         // the stretch is an event that starts with it: so does the window, with nothing before
    const float *mel;    // the recording, (n_mels, frames), network values
    int frames;
    int here_from, here_to; // frames that are recorded; before and after there is nothing
    int from, to;           // frames to make
    int low, high;          // bands to make
    struct ebb_pulse pulse;

    // Results, (n_mels, frames) each, changed in frames covered_from .. covered_to: what the network says of the stretch and
    // of what was held around it; and what its autoencoder makes of the recording itself.
    float *made, *was;
    int covered_from, covered_to;
};

// The model must be ready.
enum ebb_result ebb_retake_make(struct ebb_model *model, struct ebb_retake *retake, struct ebb_error *error);

#endif
