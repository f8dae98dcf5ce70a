// SPDX-License-Identifier: LGPL-2.1-or-later
// The peak of a signal.
#ifndef EBB_AUDIO_PEAK_H
#define EBB_AUDIO_PEAK_H

#include <math.h>
#include <stddef.h>

// Largest |sample|; 0 for no samples.
static inline float ebb_peak(const float *samples, size_t count)
{
    float peak = 0;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(samples[i]);
        peak = size > peak ? size : peak;
    }
    return peak;
}

#endif
