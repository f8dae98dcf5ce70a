// Short-time Fourier transform with a periodic Hann window. Frame k is centred on sample k * hop; outside the signal
// there are zeros (librosa: center, constant padding). Bins are interleaved (re, im), n_fft / 2 + 1 of them, unscaled:
// a full-scale sine on a bin centre reads sum(window) / 2 = n_fft / 4.
#ifndef EBB_AUDIO_STFT_H
#define EBB_AUDIO_STFT_H

#include <stddef.h>

#include "audio/fft.h"

// Read-only after creation except for the scratch: one thread at a time per object.
struct ebb_stft {
    int n_fft, hop;
    int bins;           // n_fft / 2 + 1
    size_t bin_stride;  // floats of one frame of bins in an array of frames: >= 2 * bins, keeps every frame aligned
    size_t real_stride; // floats of one frame of per-bin values (magnitude): >= bins
    int overlap;        // frames before a frame that share samples with it: ceil(n_fft / hop) - 1
    float *window;      // n_fft
    float *time;        // scratch, n_fft
    float *spectrum;    // scratch, bin_stride
    struct ebb_fft *fft;
};

// n_fft even, 16..65536; hop 1..n_fft. NULL: outside these, or memory.
struct ebb_stft *ebb_stft_create(int n_fft, int hop);
void ebb_stft_destroy(struct ebb_stft **stft);

// Zeroed array of `frames` frames of bins (bin_stride floats each) or of per-bin values (real_stride floats each);
// free() releases. NULL: memory.
float *ebb_stft_alloc_bins(const struct ebb_stft *stft, size_t frames);
float *ebb_stft_alloc_real(const struct ebb_stft *stft, size_t frames);

// Frames that cover `count` samples: 1 + count / hop.
size_t ebb_stft_frames(const struct ebb_stft *stft, size_t count);

// One frame: the n_fft samples from samples[0] on -> bins. `bins` need not be aligned.
void ebb_stft_frame(struct ebb_stft *stft, const float *samples, float *bins);

// Frame `k` of a signal of `count` samples, zeros outside.
void ebb_stft_frame_of(struct ebb_stft *stft, const float *samples, size_t count, size_t k, float *bins);

// All frames of a signal: ebb_stft_frames() frames of bin_stride floats.
void ebb_stft_forward(struct ebb_stft *stft, const float *samples, size_t count, float *bins);

// All samples again: least squares over the frames given (window-squared normalisation). With bins from
// ebb_stft_forward() this returns the signal to 1e-6, first and last sample included. -1: memory.
int ebb_stft_inverse(struct ebb_stft *stft, const float *bins, size_t frames, float *samples, size_t count);

// One frame back: windowed inverse of `bins` (kept) into frame[n_fft], scaled so that adding frames up and dividing
// by the sum of their squared windows gives the signal.
void ebb_stft_unframe(struct ebb_stft *stft, const float *bins, float *frame);

// ---- synthesis frame after frame ----

// Overlap-add in bounded memory. The frames that were added are the ones that count: the first samples of a signal
// come out as exactly as all others.
struct ebb_overlap;
struct ebb_overlap *ebb_overlap_create(struct ebb_stft *stft); // `stft` is borrowed, must outlive it. NULL: memory
void ebb_overlap_destroy(struct ebb_overlap **overlap);
void ebb_overlap_reset(struct ebb_overlap *overlap);

// Adds the next frame (k = 0, 1, ...) and writes the `hop` samples that it finishes: those from k * hop - n_fft / 2 on.
// So the first n_fft / 2 samples that come out lie before the signal: drop them.
void ebb_overlap_add(struct ebb_overlap *overlap, const float *bins, float *samples);

// After the last frame k: the n_fft - hop samples that remain, from (k + 1) * hop - n_fft / 2 on. Then resets.
void ebb_overlap_finish(struct ebb_overlap *overlap, float *samples);

#endif
