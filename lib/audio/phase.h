// SPDX-License-Identifier: LGPL-2.1-or-later
// Phase reconstruction: phases for magnitudes by gradient integration (Prusa 2017), then fast Griffin-Lim
// (Perraudin, Balazs, Sondergaard 2013). For whole signals, or for pieces that go on from known samples.
#ifndef EBB_AUDIO_PHASE_H
#define EBB_AUDIO_PHASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/stft.h"

struct ebb_phase_gradient;

// Workspace for up to `capacity` frames. Fill `magnitude`, then call ebb_phase_integrate(),
// ebb_phase_iterate() and ebb_phase_synthesise(); the sound is in `signal`. One thread at a time.
struct ebb_phase {
    struct ebb_stft *stft; // borrowed, must outlive it
    size_t capacity;       // frames
    float *magnitude;      // magnitudes that the signal is to have, stft->real_stride floats a frame
    float *bins;           // estimate: magnitudes with current phases, stft->bin_stride floats a frame
    float *previous;       // last iteration's transform
    float *signal;         // (capacity - 1) * hop + n_fft samples; starts n_fft / 2 before frame 0's centre
    float *scale;          // per sample of `signal`: 1 / sum of squared Hann windows
    float *held;           // known samples, at the indices of `signal`; the span says which are known
    float *noise;          // share of noise in each cell, from ebb_mel_grain(); laid out as `magnitude`
    float *frame;          // scratch
    struct ebb_phase_gradient *gradient; // workspace of ebb_phase_integrate()
};
struct ebb_phase *ebb_phase_create(struct ebb_stft *stft, size_t capacity); // NULL: out of memory
void ebb_phase_destroy(struct ebb_phase **phase);

// The span that is reconstructed: frames 0..frames-1. The first `fixed_before` and the last `fixed_after`
// frames keep their bins. Samples outside support_from .. support_to - 1 (indices of `signal`) stay zero.
// The first `held_before` and the last `held_after` samples are those of `held`, so a frame that is partly
// known gets a phase that goes on from the known part.
struct ebb_phase_span {
    size_t frames, fixed_before, fixed_after;
    size_t support_from, support_to;
    size_t held_before, held_after;
};

// The span of a whole signal of `count` samples, and the span of a piece of a longer signal.
struct ebb_phase_span ebb_phase_whole(const struct ebb_phase *phase, size_t frames, size_t count);
struct ebb_phase_span ebb_phase_piece(const struct ebb_phase *phase, size_t frames);

// The start: gives the frames that are not fixed phases by their magnitudes' gradient (phase_gradient.h).
// Fixed frames get the magnitudes of their bins. Random phases of frame k depend on (seed, first + k)
// alone. 16 iterations from this start are as good as 32 from uniform phases.
void ebb_phase_integrate(struct ebb_phase *phase, const struct ebb_phase_span *span, uint64_t seed,
                         uint64_t first);

// `iterations` of fast Griffin-Lim from the phases in `bins`, with momentum 0.99; 0: none.
void ebb_phase_iterate(struct ebb_phase *phase, const struct ebb_phase_span *span, int iterations);

// Makes `signal` from `bins`; it is zero outside the support.
void ebb_phase_synthesise(struct ebb_phase *phase, const struct ebb_phase_span *span);

#endif
