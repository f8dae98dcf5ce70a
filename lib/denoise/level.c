// SPDX-License-Identifier: LGPL-2.1-or-later
#include "denoise/level.h"

#include <math.h>
#include <stdlib.h>

void ebb_level_reset(struct ebb_level *level)
{
    *level = (struct ebb_level){.loudest = {-INFINITY, -INFINITY}};
}

static double loudest_of(const struct ebb_level *level)
{
    return level->loudest[0] > level->loudest[1] ? level->loudest[0] : level->loudest[1];
}

// Hysteresis of 3 dB: a recording at an edge of the range does not go back and forth.
static void choose_gain(struct ebb_level *level, double db)
{
    const double edge = 3;
    double seen = db + level->gain;
    if (db >= EBB_LEVEL_LOW + edge && db <= EBB_LEVEL_HIGH - edge)
        level->gain = 0;
    else if (seen < EBB_LEVEL_LOW || seen > EBB_LEVEL_HIGH)
        level->gain = EBB_LEVEL_GOAL - db;
}

double ebb_level_follow(struct ebb_level *level, double db, int frames)
{
    if (level->frames >= EBB_LEVEL_FRAMES) {
        level->loudest[1] = level->loudest[0];
        level->loudest[0] = -INFINITY;
        level->frames = 0;
    }
    level->frames += frames;
    level->loudest[0] = db > level->loudest[0] ? db : level->loudest[0];
    if (isfinite(loudest_of(level)))
        choose_gain(level, loudest_of(level));
    return level->gain;
}

static int by_power(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// The powers of a frame's bands sum up to 3 times the mean square of the signal. The factor comes from the
// Hann window and the scale of the mel, and is the same for every length of the window.
double ebb_level_of(float *power, size_t count)
{
    const double least = 1e-30; // the power of rounding errors counts as silence
    qsort(power, count, sizeof(*power), by_power);
    double chosen = count > 0 ? power[count - 1 - count / 10] : 0;
    return chosen > least ? 10 * log10(chosen / 3) : -INFINITY;
}
