// SPDX-License-Identifier: LGPL-2.1-or-later
// Aligned arrays: what all implementations of the FFT share.
#include "audio/fft.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
