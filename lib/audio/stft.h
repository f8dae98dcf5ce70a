// SPDX-License-Identifier: LGPL-2.1-or-later
// Short-time Fourier transform with a periodic Hann window. Frame k is centred on sample k * hop; outside the
// signal there are zeros (librosa: center, constant padding). A frame has n_fft / 2 + 1 bins, interleaved
// (re, im), unscaled: a full-scale sine on a bin centre has magnitude sum(window) / 2 = n_fft / 4.
#ifndef EBB_AUDIO_STFT_H
#define EBB_AUDIO_STFT_H

#include <stddef.h>

#include "audio/fft.h"

// After creation only the scratch changes. One thread at a time per object.
struct ebb_stft {
    int n_fft, hop;
    int bins;           // n_fft / 2 + 1
    int width;          // samples of the window that are not padding
    size_t bin_stride;  // floats of one frame of bins in an array of frames: >= 2 * bins, keeps every frame
                        // aligned
    size_t real_stride; // floats of one frame of per-bin values (magnitude): >= bins
    int overlap;        // frames before a frame that share samples with it: ceil(n_fft / hop) - 1
    float *window;      // n_fft
    float *time;        // scratch, n_fft
    float *spectrum;    // scratch, bin_stride
    struct ebb_fft *fft;
};

// `n_fft` is even, 16..65536; `window` is 16..n_fft, a shorter one in the middle of zeros; `hop` is 1..n_fft.
// NULL: a number is out of range, or out of memory.
struct ebb_stft *ebb_stft_create(int n_fft, int window, int hop);
void ebb_stft_destroy(struct ebb_stft **stft);

// A zeroed array of `frames` frames of bins (bin_stride floats each), or of one value per bin (real_stride
// floats each); released by free(). NULL: out of memory.
float *ebb_stft_alloc_bins(const struct ebb_stft *stft, size_t frames);
float *ebb_stft_alloc_real(const struct ebb_stft *stft, size_t frames);

// Number of frames that cover `count` samples: 1 + count / hop.
size_t ebb_stft_frames(const struct ebb_stft *stft, size_t count);

// One frame: the n_fft samples from samples[0] on -> bins. `bins` need not be aligned.
void ebb_stft_frame(struct ebb_stft *stft, const float *samples, float *bins);

// Frame `k` of a signal of `count` samples, zeros outside.
void ebb_stft_frame_of(struct ebb_stft *stft, const float *samples, size_t count, size_t k, float *bins);

// One frame of bins back to samples, frame[n_fft], multiplied by the Hann window. `bins` stays unchanged.
// The sum of all frames, divided by the sum of their squared windows, is the signal.
void ebb_stft_unframe(struct ebb_stft *stft, const float *bins, float *frame);

// ---- synthesis frame after frame ----

// Overlap-add in bounded memory. Each sample is divided by the squared windows of the frames added there,
// so a signal's first samples are as exact as all others.
struct ebb_overlap;
// `stft` is borrowed and must outlive it. NULL: out of memory.
struct ebb_overlap *ebb_overlap_create(struct ebb_stft *stft);
void ebb_overlap_destroy(struct ebb_overlap **overlap);
void ebb_overlap_reset(struct ebb_overlap *overlap);

// Adds the next frame (k = 0, 1, ...) and writes the `hop` samples that it completes, from sample k * hop -
// n_fft / 2 on. The first n_fft / 2 samples of the output lie before the signal: drop them.
void ebb_overlap_add(struct ebb_overlap *overlap, const float *bins, float *samples);

#endif
