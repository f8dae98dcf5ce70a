#include "audio/fft.h"

#include "base/base.h"

#include <fftw3.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct ebb_fft {
    fftwf_plan forward, inverse;
};

// FFTW's planner is the one part of it that threads must not share.
static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

float *ebb_fft_alloc(size_t rows, size_t floats)
{
    size_t stride = ebb_fft_stride(floats ? floats : 1);
    if (!rows)
        rows = 1;
    if (stride < floats || rows > SIZE_MAX / 2 / sizeof(float) / stride)
        return NULL;

    size_t bytes = rows * stride * sizeof(float);
    float *array = aligned_alloc(EBB_FFT_ALIGN * sizeof(float), bytes);
    if (array)
        memset(array, 0, bytes);
    return array;
}

struct ebb_fft *ebb_fft_create(int n)
{
    struct ebb_fft *fft = ebb_alloc(1, sizeof(*fft));
    float *time = ebb_fft_alloc(1, (size_t)n), *bins = ebb_fft_alloc(1, (size_t)n + 2);
    if (fft && time && bins) {
        pthread_mutex_lock(&planner);
        fft->forward = fftwf_plan_dft_r2c_1d(n, time, (fftwf_complex *)bins, FFTW_ESTIMATE | FFTW_PRESERVE_INPUT);
        fft->inverse = fftwf_plan_dft_c2r_1d(n, (fftwf_complex *)bins, time, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
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

void ebb_fft_forward(const struct ebb_fft *fft, float *time, float *bins)
{
    fftwf_execute_dft_r2c(fft->forward, time, (fftwf_complex *)bins);
}

void ebb_fft_inverse(const struct ebb_fft *fft, float *bins, float *time)
{
    fftwf_execute_dft_c2r(fft->inverse, (fftwf_complex *)bins, time);
}
