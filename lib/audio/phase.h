// Phase for magnitudes: gradient integration (Prusa 2017), then fast Griffin-Lim (Perraudin, Balazs, Sondergaard 2013), on
// whole signals or on pieces that are held to what is there already.
#ifndef EBB_AUDIO_PHASE_H
#define EBB_AUDIO_PHASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/stft.h"

// Workspace for up to `capacity` frames. Fill magnitude, start, iterate, take the sound. One thread at a time.
struct ebb_phase {
    struct ebb_stft *stft; // borrowed, must outlive it
    size_t capacity;       // frames
    float *magnitude;      // wanted, stft->real_stride floats a frame
    float *bins;           // estimate, stft->bin_stride floats a frame: magnitude with the phase found so far
    float *previous;       // last iteration's transform
    float *signal;         // (capacity - 1) * hop + n_fft samples, from half a window before frame 0's centre on
    float *scale;          // 1 / sum of squared windows, for each of them
    float *held;           // samples that are known, where a span says so; indices as of signal
    float *noise;          // share of noise in each cell, as ebb_mel_grain() leaves it; laid out as magnitude
    float *frame;          // scratch
    struct ebb_gradient *gradient;
};
struct ebb_phase *ebb_phase_create(struct ebb_stft *stft, size_t capacity); // NULL: memory
void ebb_phase_destroy(struct ebb_phase **phase);

// What to work on. Frames 0..frames-1, of which the first `fixed_before` and the last `fixed_after` keep the bins they
// have. Samples outside support_from..support_to (indices into signal) are held at zero, the first `held_before` and the last
// `held_after` of the signal are those in `held`: a frame that is half known and half new finds the phase that goes on.
struct ebb_phase_span {
    size_t frames, fixed_before, fixed_after;
    size_t support_from, support_to;
    size_t held_before, held_after;
};

// The span of a signal of `count` samples in `frames` frames, of a piece of a longer signal.
struct ebb_phase_span ebb_phase_whole(const struct ebb_phase *phase, size_t frames, size_t count);
struct ebb_phase_span ebb_phase_piece(const struct ebb_phase *phase, size_t frames);

// A start: bins = magnitude with phases for the frames that are not fixed. What is drawn in frame k follows from
// (seed, first + k) alone. `integrate` follows the gradient of the magnitude (gradient.c) from the loudest cell, or from
// the fixed frames, whose magnitudes it takes from their bins: 16 iterations from there are as good as 32 from `random`,
// which draws uniformly.
void ebb_phase_integrate(struct ebb_phase *phase, const struct ebb_phase_span *span, uint64_t seed, uint64_t first);
void ebb_phase_random(struct ebb_phase *phase, const struct ebb_phase_span *span, uint64_t seed, uint64_t first);

// `count` uniform numbers in [0, 1) that follow from (seed, frame).
void ebb_phase_draw(float *numbers, size_t count, uint64_t seed, uint64_t frame);

// `iterations` of fast Griffin-Lim from the phases in bins, momentum 0.99; 0 does nothing.
void ebb_phase_iterate(struct ebb_phase *phase, const struct ebb_phase_span *span, int iterations);

// bins -> signal, zero outside the support.
void ebb_phase_synthesise(struct ebb_phase *phase, const struct ebb_phase_span *span);

// |signal's transform| against magnitude, || |STFT(x)| - S || / || S || (lower is better), after synthesise.
double ebb_phase_convergence(struct ebb_phase *phase, const struct ebb_phase_span *span);

// The integration's own workspace.
struct ebb_gradient *ebb_gradient_create(size_t cells); // frames * stft->bins; NULL: memory
void ebb_gradient_destroy(struct ebb_gradient **gradient);

#endif
