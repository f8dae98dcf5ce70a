// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/phase.h"

#include "audio/phase_gradient.h"
#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float momentum = 0.99f;
static const float tiny = 1e-18f; // its square is still a float
static const float least_weight = 1e-8f;

static size_t signal_length(const struct ebb_stft *stft, size_t frames)
{
    return (frames - 1) * (size_t)stft->hop + (size_t)stft->n_fft;
}

struct ebb_phase *ebb_phase_create(struct ebb_stft *stft, size_t capacity)
{
    if (capacity < 1 || capacity > SIZE_MAX / 64 / (size_t)stft->n_fft)
        return NULL;
    struct ebb_phase *phase = ebb_alloc(1, sizeof(*phase));
    if (!phase)
        return NULL;

    phase->stft = stft;
    phase->capacity = capacity;
    phase->magnitude = ebb_stft_alloc_real(stft, capacity);
    phase->noise = ebb_stft_alloc_real(stft, capacity);
    phase->bins = ebb_stft_alloc_bins(stft, capacity);
    phase->previous = ebb_stft_alloc_bins(stft, capacity);
    phase->signal = ebb_fft_alloc(1, signal_length(stft, capacity));
    phase->scale = ebb_fft_alloc(1, signal_length(stft, capacity));
    phase->held = ebb_fft_alloc(1, signal_length(stft, capacity));
    phase->frame = ebb_fft_alloc(1, (size_t)stft->n_fft);
    phase->gradient = ebb_phase_gradient_create(capacity * (size_t)stft->bins);
    if (phase->magnitude && phase->noise && phase->bins && phase->previous && phase->signal && phase->scale &&
        phase->held && phase->frame && phase->gradient)
        return phase;

    ebb_phase_destroy(&phase);
    return NULL;
}

void ebb_phase_destroy(struct ebb_phase **phase)
{
    if (!phase || !*phase)
        return;

    free((*phase)->magnitude);
    free((*phase)->noise);
    free((*phase)->bins);
    free((*phase)->previous);
    free((*phase)->signal);
    free((*phase)->scale);
    free((*phase)->held);
    free((*phase)->frame);
    ebb_phase_gradient_destroy(&(*phase)->gradient);
    free(*phase);
    *phase = NULL;
}

struct ebb_phase_span ebb_phase_whole(const struct ebb_phase *phase, size_t frames, size_t count)
{
    size_t half = (size_t)phase->stft->n_fft / 2, length = signal_length(phase->stft, frames);
    return (struct ebb_phase_span){
        .frames = frames,
        .support_from = half,
        .support_to = count < length - half ? half + count : length,
    };
}

struct ebb_phase_span ebb_phase_piece(const struct ebb_phase *phase, size_t frames)
{
    return (struct ebb_phase_span){.frames = frames, .support_to = signal_length(phase->stft, frames)};
}

void ebb_phase_integrate(struct ebb_phase *phase, const struct ebb_phase_span *span, uint64_t seed,
                         uint64_t first)
{
    struct ebb_phase_cells cells = {
        .stft = phase->stft,
        .magnitude = phase->magnitude,
        .bins = phase->bins,
        .frames = span->frames,
        .fixed_before = span->fixed_before,
        .fixed_after = span->fixed_after,
    };
    ebb_phase_gradient_integrate(phase->gradient, &cells, seed, first);
}

static void prepare_scale(struct ebb_phase *phase, size_t frames)
{
    const struct ebb_stft *stft = phase->stft;
    size_t n = (size_t)stft->n_fft, hop = (size_t)stft->hop, length = signal_length(stft, frames);

    memset(phase->scale, 0, length * sizeof(float));
    for (size_t k = 0; k < frames; k++)
        for (size_t i = 0; i < n; i++)
            phase->scale[k * hop + i] += stft->window[i] * stft->window[i];
    for (size_t i = 0; i < length; i++)
        phase->scale[i] = phase->scale[i] > least_weight ? 1 / phase->scale[i] : 0;
}

// Overlap-add of all frames, normalised, zero outside the support. The scale is prepared.
static void synthesise(struct ebb_phase *phase, const struct ebb_phase_span *span)
{
    struct ebb_stft *stft = phase->stft;
    size_t n = (size_t)stft->n_fft, hop = (size_t)stft->hop, length = signal_length(stft, span->frames);

    memset(phase->signal, 0, length * sizeof(float));
    for (size_t k = 0; k < span->frames; k++) {
        ebb_stft_unframe(stft, phase->bins + k * stft->bin_stride, phase->frame);
        float *to = phase->signal + k * hop;
        for (size_t i = 0; i < n; i++)
            to[i] += phase->frame[i];
    }
    for (size_t i = span->support_from; i < span->support_to; i++)
        phase->signal[i] *= phase->scale[i];
    memset(phase->signal, 0, span->support_from * sizeof(float));
    memset(phase->signal + span->support_to, 0, (length - span->support_to) * sizeof(float));
    size_t last = length - span->held_after;
    memcpy(phase->signal, phase->held, span->held_before * sizeof(float));
    memcpy(phase->signal + last, phase->held + last, span->held_after * sizeof(float));
}

void ebb_phase_synthesise(struct ebb_phase *phase, const struct ebb_phase_span *span)
{
    prepare_scale(phase, span->frames);
    synthesise(phase, span);
}

// One frame's new estimate: the transform pushed on by the momentum, at the wanted magnitude.
static void project(const float *restrict transform, float *restrict previous,
                    const float *restrict magnitude, float *restrict bins, int count, float push)
{
    for (int i = 0; i < count; i++) {
        float re = transform[2 * i] - push * previous[2 * i];
        float im = transform[2 * i + 1] - push * previous[2 * i + 1];
        float gain = magnitude[i] / (sqrtf(re * re + im * im) + tiny);
        previous[2 * i] = transform[2 * i];
        previous[2 * i + 1] = transform[2 * i + 1];
        bins[2 * i] = re * gain;
        bins[2 * i + 1] = im * gain;
    }
}

static void analyse(struct ebb_phase *phase, size_t k)
{
    struct ebb_stft *stft = phase->stft;
    const float *from = phase->signal + k * (size_t)stft->hop;
    for (int i = 0; i < stft->n_fft; i++)
        stft->time[i] = from[i] * stft->window[i];
    ebb_fft_forward(stft->fft, stft->time, stft->spectrum);
}

void ebb_phase_iterate(struct ebb_phase *phase, const struct ebb_phase_span *span, int iterations)
{
    struct ebb_stft *stft = phase->stft;
    prepare_scale(phase, span->frames);
    for (int iteration = 0; iteration < iterations; iteration++) {
        float push = iteration ? momentum / (1 + momentum) : 0;
        synthesise(phase, span);
        for (size_t k = span->fixed_before; k < span->frames - span->fixed_after; k++) {
            float *previous = phase->previous + k * stft->bin_stride;
            if (iteration == 0)
                memset(previous, 0, stft->bin_stride * sizeof(float));
            analyse(phase, k);
            project(stft->spectrum, previous, phase->magnitude + k * stft->real_stride,
                    phase->bins + k * stft->bin_stride, stft->bins, push);
        }
    }
}
