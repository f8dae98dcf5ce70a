// SPDX-License-Identifier: LGPL-2.1-or-later
// Regenerating a span of a spectrogram: the first half of an edit. One network window lies around the span.
// A long span has several windows in a row, each held to the columns made before it. The recording beside
// the span is held too (masked generation): the network sees it at every step, as noisy as the new part is
// then.
//
// A cell of the state covers state_stride frames and n_mels / h bands. The grid of cells begins at the
// span's start, so the frame before the span is held. The span's end and its bands are rounded outwards to
// whole cells: the network makes a little more than the edit uses.
#ifndef EBB_EDIT_REGENERATE_H
#define EBB_EDIT_REGENERATE_H

#include "generate/window.h"

struct ebb_regeneration {
    const struct ebb_settled *settled; // run.start: t at which the span starts; run.resample: RePaint
    struct ebb_noise_address noise;    // of the first window
    double angle;        // radians from the span's own noise, found by inversion (0), to fresh noise (pi / 2)
    bool from_recording; // false: the span starts from noise alone
    bool starts;         // an event begins at the span's start: the window too begins there
    const float *mel;    // the recording, (n_mels, frames), network values
    int frames;
    int here_from, here_to; // frames that are recorded; before and after them there is silence
    int from, to;           // the span, frames from .. to - 1
    int low, high;          // its bands, low .. high - 1
    struct ebb_progress_span progress;

    // Results, (n_mels, frames) each, owned by the caller; frames covered_from .. covered_to - 1 are
    // written.
    float *made; // the span and the held frames around it, as the network made them
    float *was;  // the recording, encoded and decoded by the model's autoencoder
    int covered_from, covered_to;
};

// Regenerates the span. The model must be ready.
enum ebb_result ebb_regenerate(struct ebb_model *model, struct ebb_regeneration *job,
                               struct ebb_error *error);

#endif
