// SPDX-License-Identifier: LGPL-2.1-or-later
// The FFT of FFTW (GPL-2.0-or-later), the default.
#include "audio/fft.h"

#include "base/base.h"

#include <fftw3.h>
#include <pthread.h>
#include <stdlib.h>

struct ebb_fft {
    fftwf_plan forward, inverse;
};

// FFTW's planner is the one part of it that threads must not share.
static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

struct ebb_fft *ebb_fft_create(int n)
{
    struct ebb_fft *fft = ebb_alloc(1, sizeof(*fft));
    float *time = ebb_fft_alloc(1, (size_t)n), *bins = ebb_fft_alloc(1, (size_t)n + 2);
    if (fft && time && bins) {
        pthread_mutex_lock(&planner);
        fftwf_complex *complex = (fftwf_complex *)bins;
        fft->forward = fftwf_plan_dft_r2c_1d(n, time, complex, FFTW_ESTIMATE | FFTW_PRESERVE_INPUT);
        fft->inverse = fftwf_plan_dft_c2r_1d(n, complex, time, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
        pthread_mutex_unlock(&planner);
    }
    free(time);
    free(bins);
    if (fft && fft->forward && fft->inverse)
        return fft;

    ebb_fft_destroy(&fft);
    return NULL;
}

void ebb_fft_destroy(struct ebb_fft **fft)
{
    if (!fft || !*fft)
        return;

    pthread_mutex_lock(&planner);
    if ((*fft)->forward)
        fftwf_destroy_plan((*fft)->forward);
    if ((*fft)->inverse)
        fftwf_destroy_plan((*fft)->inverse);
    pthread_mutex_unlock(&planner);
    free(*fft);
    *fft = NULL;
}

void ebb_fft_forward(struct ebb_fft *fft, float *time, float *bins)
{
    fftwf_execute_dft_r2c(fft->forward, time, (fftwf_complex *)bins);
}

void ebb_fft_inverse(struct ebb_fft *fft, float *bins, float *time)
{
    fftwf_execute_dft_c2r(fft->inverse, (fftwf_complex *)bins, time);
}
