// SPDX-License-Identifier: LGPL-2.1-or-later
// Real Fourier transforms of one size. Ebb uses an FFT library through this header alone. Each library has
// a file, fft_fftw.c and fft_kissfft.c; the build option -Dfft= chooses one.
#ifndef EBB_AUDIO_FFT_H
#define EBB_AUDIO_FFT_H

#include <stddef.h>

struct ebb_fft;

// `n` is even, 2 or more, with any factors. Any number of threads may create transforms; one thread at a
// time uses each. The library's plan depends on n alone, never on a measured time, so results are always
// the same. NULL: out of memory.
struct ebb_fft *ebb_fft_create(int n);
void ebb_fft_destroy(struct ebb_fft **fft);

// time[n] -> bins[n / 2 + 1][2] (re, im), X[k] = sum_j time[j] exp(-2 pi i j k / n), unscaled. `time` stays
// unchanged. Both arrays are from ebb_fft_alloc(), or start at a multiple of EBB_FFT_ALIGN floats in an
// array from it.
void ebb_fft_forward(struct ebb_fft *fft, float *time, float *bins);

// bins -> time, unscaled: inverse(forward(x)) = n x. Imaginary parts of bins 0 and n / 2 are ignored.
// `bins` is overwritten.
void ebb_fft_inverse(struct ebb_fft *fft, float *bins, float *time);

#define EBB_FFT_ALIGN 16 // floats

// An array of `rows` rows of `floats` floats, zeroed, each row aligned; released by free(). NULL: out of
// memory, or the size overflows.
float *ebb_fft_alloc(size_t rows, size_t floats);

// `floats` rounded up to a multiple of EBB_FFT_ALIGN.
static inline size_t ebb_fft_stride(size_t floats)
{
    return (floats + EBB_FFT_ALIGN - 1) / EBB_FFT_ALIGN * EBB_FFT_ALIGN;
}

#endif
