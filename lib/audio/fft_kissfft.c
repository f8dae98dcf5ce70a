// SPDX-License-Identifier: LGPL-2.1-or-later
// The FFT of kissfft (BSD-3-Clause): -Dfft=kissfft.
#include "audio/fft.h"

#include "base/base.h"

#include <kiss_fftr.h>
#include <stdlib.h>

struct ebb_fft {
    kiss_fftr_cfg forward, inverse;
};

struct ebb_fft *ebb_fft_create(int n)
{
    struct ebb_fft *fft = ebb_alloc(1, sizeof(*fft));
    if (fft) {
        fft->forward = kiss_fftr_alloc(n, 0, NULL, NULL);
        fft->inverse = kiss_fftr_alloc(n, 1, NULL, NULL);
    }
    if (fft && fft->forward && fft->inverse)
        return fft;

    ebb_fft_destroy(&fft);
    return NULL;
}

void ebb_fft_destroy(struct ebb_fft **fft)
{
    if (!fft || !*fft)
        return;

    kiss_fftr_free((*fft)->forward);
    kiss_fftr_free((*fft)->inverse);
    free(*fft);
    *fft = NULL;
}

void ebb_fft_forward(struct ebb_fft *fft, float *time, float *bins)
{
    kiss_fftr(fft->forward, time, (kiss_fft_cpx *)bins);
}

void ebb_fft_inverse(struct ebb_fft *fft, float *bins, float *time)
{
    kiss_fftri(fft->inverse, (const kiss_fft_cpx *)bins, time);
}
