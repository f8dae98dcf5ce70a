// Real FFT of one size. The only header that stands between us and an FFT library: another one needs fft.c alone.
#ifndef EBB_AUDIO_FFT_H
#define EBB_AUDIO_FFT_H

#include <stddef.h>

struct ebb_fft;

// n: even, 2 or more, any factors. Creating is serialised inside; running is free for any number of threads, each with
// its own arrays. The plan follows from n alone, never from a timing, so results are the same every time. NULL: memory.
struct ebb_fft *ebb_fft_create(int n);
void ebb_fft_destroy(struct ebb_fft **fft);

// time[n] -> bins[n / 2 + 1][2] (re, im), X[k] = sum_j time[j] exp(-2 pi i j k / n), unscaled. `time` is kept.
// All arrays come from ebb_fft_alloc() or start at a multiple of EBB_FFT_ALIGN floats in one that does.
void ebb_fft_forward(const struct ebb_fft *fft, float *time, float *bins);

// bins -> time, unscaled: inverse(forward(x)) = n x. Imaginary parts of bins 0 and n / 2 are ignored. `bins` is lost.
void ebb_fft_inverse(const struct ebb_fft *fft, float *bins, float *time);

#define EBB_FFT_ALIGN 16 // floats

// `rows` rows of `floats` floats (a multiple of EBB_FFT_ALIGN), zeroed, aligned; free() releases. NULL: memory or size.
float *ebb_fft_alloc(size_t rows, size_t floats);

// `floats` rounded up to a multiple of EBB_FFT_ALIGN.
static inline size_t ebb_fft_stride(size_t floats)
{
    return (floats + EBB_FFT_ALIGN - 1) / EBB_FFT_ALIGN * EBB_FFT_ALIGN;
}

#endif
