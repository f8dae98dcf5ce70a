// SPDX-License-Identifier: LGPL-2.1-or-later
// Whole transforms, and how near a signal comes to the magnitudes wanted. Tests and benches need them, the
// library does not.
#ifndef EBB_TEST_TRANSFORMS_H
#define EBB_TEST_TRANSFORMS_H

#include "audio/frame_random.h"
#include "audio/phase.h"

#include <math.h>

// All frames of a signal: ebb_stft_frames() frames of bin_stride floats.
static inline void transform_all(struct ebb_stft *stft, const float *samples, size_t count, float *bins)
{
    for (size_t k = 0; k < ebb_stft_frames(stft, count); k++)
        ebb_stft_frame_of(stft, samples, count, k, bins + k * stft->bin_stride);
}

// The start that Griffin and Lim had: magnitudes with uniform phases, for the frames that are not fixed.
static inline void start_at_random(struct ebb_phase *phase, const struct ebb_phase_span *span, uint64_t seed)
{
    struct ebb_stft *stft = phase->stft;
    for (size_t k = span->fixed_before; k < span->frames - span->fixed_after; k++) {
        const float *magnitude = phase->magnitude + k * stft->real_stride;
        float *bins = phase->bins + k * stft->bin_stride, *numbers = stft->time;
        ebb_frame_random(numbers, (size_t)stft->bins, seed, k);
        for (int i = 0; i < stft->bins; i++) {
            bins[2 * i] = magnitude[i] * cosf(2 * (float)M_PI * numbers[i]);
            bins[2 * i + 1] = magnitude[i] * sinf(2 * (float)M_PI * numbers[i]);
        }
    }
}

// Spectral convergence: the synthesised signal's transform against magnitude, || |STFT(x)| - S || / || S ||.
// Lower is better.
static inline double convergence_of(struct ebb_phase *phase, const struct ebb_phase_span *span)
{
    struct ebb_stft *stft = phase->stft;
    float *bins = phase->previous; // the iterations are over
    double error = 0, total = 0;
    for (size_t k = span->fixed_before; k < span->frames - span->fixed_after; k++) {
        const float *magnitude = phase->magnitude + k * stft->real_stride;
        ebb_stft_frame(stft, phase->signal + k * (size_t)stft->hop, bins);
        for (int i = 0; i < stft->bins; i++) {
            double got = hypot(bins[2 * i], bins[2 * i + 1]);
            error += (got - magnitude[i]) * (got - magnitude[i]);
            total += (double)magnitude[i] * magnitude[i];
        }
    }
    return total > 0 ? sqrt(error / total) : 0;
}

#endif
