// SPDX-License-Identifier: LGPL-2.1-or-later
// Test signals: the same on every machine.
#ifndef EBB_TEST_WAVES_H
#define EBB_TEST_WAVES_H

#include "larger.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

// White noise in [-level, level].
static inline void fill_noise(float *samples, size_t count, uint64_t seed, float level)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        samples[i] = ((float)(seed >> 40) * 0x1p-23f - 1) * level;
    }
}

static inline void fill_sine(float *samples, size_t count, double hz, double rate, double level)
{
    for (size_t i = 0; i < count; i++)
        samples[i] = (float)(level * sin(2 * M_PI * hz * (double)i / rate));
}

static inline double max_difference(const float *a, const float *b, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = larger(most, fabs((double)a[i] - b[i]));
    return most;
}

#endif
