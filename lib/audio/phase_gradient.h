// SPDX-License-Identifier: LGPL-2.1-or-later
// Phases for magnitudes by gradient integration (Prusa, Balazs, Sondergaard 2017).
#ifndef EBB_AUDIO_PHASE_GRADIENT_H
#define EBB_AUDIO_PHASE_GRADIENT_H

#include <stddef.h>
#include <stdint.h>

#include "audio/stft.h"

// Frames of a transform. The first `fixed_before` and the last `fixed_after` frames keep their bins and get
// their magnitudes from them. The other frames have magnitudes and get bins.
struct ebb_phase_cells {
    const struct ebb_stft *stft;
    float *magnitude; // stft->real_stride floats a frame
    float *bins;      // stft->bin_stride floats a frame
    size_t frames, fixed_before, fixed_after;
};

// Workspace for up to `cells` cells (frames * stft->bins). NULL: out of memory.
struct ebb_phase_gradient;
struct ebb_phase_gradient *ebb_phase_gradient_create(size_t cells);
void ebb_phase_gradient_destroy(struct ebb_phase_gradient **gradient);

// Integrates phases from the fixed frames on, or from the loudest cell. Random phases of frame k depend on
// (seed, first + k) alone.
void ebb_phase_gradient_integrate(struct ebb_phase_gradient *gradient, const struct ebb_phase_cells *cells,
                                  uint64_t seed, uint64_t first);

#endif
