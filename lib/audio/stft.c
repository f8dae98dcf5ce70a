// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/stft.h"

#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Where the squared windows sum to less than this nothing is known about the signal.
static const float least_weight = 1e-8f;

struct ebb_stft *ebb_stft_create(int n_fft, int window, int hop)
{
    if (n_fft < 16 || n_fft > 65536 || n_fft % 2 || hop < 1 || hop > n_fft || window < 16 || window > n_fft)
        return NULL;
    struct ebb_stft *stft = ebb_alloc(1, sizeof(*stft));
    if (!stft)
        return NULL;

    stft->n_fft = n_fft;
    stft->hop = hop;
    stft->bins = n_fft / 2 + 1;
    stft->width = window;
    stft->bin_stride = ebb_fft_stride(2 * (size_t)stft->bins);
    stft->real_stride = ebb_fft_stride((size_t)stft->bins);
    stft->overlap = (n_fft + hop - 1) / hop - 1;
    stft->window = ebb_fft_alloc(1, (size_t)n_fft);
    stft->time = ebb_fft_alloc(1, (size_t)n_fft);
    stft->spectrum = ebb_fft_alloc(1, stft->bin_stride);
    stft->fft = ebb_fft_create(n_fft);
    if (!stft->window || !stft->time || !stft->spectrum || !stft->fft) {
        ebb_stft_destroy(&stft);
        return NULL;
    }
    for (int i = 0; i < window; i++)
        stft->window[(n_fft - window) / 2 + i] = (float)(0.5 - 0.5 * cos(2 * M_PI * i / window));
    return stft;
}

void ebb_stft_destroy(struct ebb_stft **stft)
{
    if (!stft || !*stft)
        return;

    free((*stft)->window);
    free((*stft)->time);
    free((*stft)->spectrum);
    ebb_fft_destroy(&(*stft)->fft);
    free(*stft);
    *stft = NULL;
}

float *ebb_stft_alloc_bins(const struct ebb_stft *stft, size_t frames)
{
    return ebb_fft_alloc(frames, stft->bin_stride);
}

float *ebb_stft_alloc_real(const struct ebb_stft *stft, size_t frames)
{
    return ebb_fft_alloc(frames, stft->real_stride);
}

size_t ebb_stft_frames(const struct ebb_stft *stft, size_t count)
{
    return 1 + count / (size_t)stft->hop;
}

void ebb_stft_frame(struct ebb_stft *stft, const float *samples, float *bins)
{
    for (int i = 0; i < stft->n_fft; i++)
        stft->time[i] = samples[i] * stft->window[i];
    ebb_fft_forward(stft->fft, stft->time, stft->spectrum);
    memcpy(bins, stft->spectrum, 2 * (size_t)stft->bins * sizeof(float));
}

void ebb_stft_frame_of(struct ebb_stft *stft, const float *samples, size_t count, size_t k, float *bins)
{
    // In units of samples from half a window before the signal, so that nothing is negative.
    size_t half = (size_t)stft->n_fft / 2, n = (size_t)stft->n_fft;
    size_t start = k * (size_t)stft->hop;
    size_t from = start < half ? half - start : 0;
    size_t to = start >= count + half ? 0 : start + n > count + half ? count + half - start : n;
    if (from > to)
        from = to;

    memset(stft->time, 0, from * sizeof(float));
    for (size_t i = from; i < to; i++)
        stft->time[i] = samples[start + i - half] * stft->window[i];
    memset(stft->time + to, 0, (n - to) * sizeof(float));
    ebb_fft_forward(stft->fft, stft->time, stft->spectrum);
    memcpy(bins, stft->spectrum, 2 * (size_t)stft->bins * sizeof(float));
}

void ebb_stft_unframe(struct ebb_stft *stft, const float *bins, float *frame)
{
    memcpy(stft->spectrum, bins, 2 * (size_t)stft->bins * sizeof(float));
    ebb_fft_inverse(stft->fft, stft->spectrum, stft->time);
    float scale = 1.0f / (float)stft->n_fft;
    for (int i = 0; i < stft->n_fft; i++)
        frame[i] = stft->time[i] * (stft->window[i] * scale);
}

// ---- synthesis frame after frame ----

struct ebb_overlap {
    struct ebb_stft *stft;
    float *sum;    // n_fft samples under way, the first hop of them next to come out
    float *weight; // squared windows that went into them
    float *frame;
};

struct ebb_overlap *ebb_overlap_create(struct ebb_stft *stft)
{
    struct ebb_overlap *overlap = ebb_alloc(1, sizeof(*overlap));
    if (!overlap)
        return NULL;

    overlap->stft = stft;
    overlap->sum = ebb_fft_alloc(1, (size_t)stft->n_fft);
    overlap->weight = ebb_fft_alloc(1, (size_t)stft->n_fft);
    overlap->frame = ebb_fft_alloc(1, (size_t)stft->n_fft);
    if (overlap->sum && overlap->weight && overlap->frame)
        return overlap;

    ebb_overlap_destroy(&overlap);
    return NULL;
}

void ebb_overlap_destroy(struct ebb_overlap **overlap)
{
    if (!overlap || !*overlap)
        return;

    free((*overlap)->sum);
    free((*overlap)->weight);
    free((*overlap)->frame);
    free(*overlap);
    *overlap = NULL;
}

void ebb_overlap_reset(struct ebb_overlap *overlap)
{
    memset(overlap->sum, 0, (size_t)overlap->stft->n_fft * sizeof(float));
    memset(overlap->weight, 0, (size_t)overlap->stft->n_fft * sizeof(float));
}

void ebb_overlap_add(struct ebb_overlap *overlap, const float *bins, float *samples)
{
    struct ebb_stft *stft = overlap->stft;
    size_t n = (size_t)stft->n_fft, hop = (size_t)stft->hop;

    ebb_stft_unframe(stft, bins, overlap->frame);
    for (size_t i = 0; i < n; i++) {
        overlap->sum[i] += overlap->frame[i];
        overlap->weight[i] += stft->window[i] * stft->window[i];
    }
    for (size_t i = 0; i < hop; i++)
        samples[i] = overlap->weight[i] > least_weight ? overlap->sum[i] / overlap->weight[i] : 0;
    memmove(overlap->sum, overlap->sum + hop, (n - hop) * sizeof(float));
    memmove(overlap->weight, overlap->weight + hop, (n - hop) * sizeof(float));
    memset(overlap->sum + n - hop, 0, hop * sizeof(float));
    memset(overlap->weight + n - hop, 0, hop * sizeof(float));
}
