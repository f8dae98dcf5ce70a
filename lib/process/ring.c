// SPDX-License-Identifier: LGPL-2.1-or-later
#include "process/ring.h"

#include <math.h>

// Columns from one window to the next.
static int hop_of(const struct ebb_ring *ring)
{
    return ring->window > 3 ? ring->window * 3 / 4 : 1;
}

int ebb_ring_windows(const struct ebb_ring *ring)
{
    int hop = hop_of(ring);
    return (ring->w + hop - 1) / hop;
}

int ebb_ring_start(const struct ebb_ring *ring, int index, int turn)
{
    long long at = (long long)index * ring->w / ebb_ring_windows(ring) + turn;
    return (int)(at % ring->w);
}

int ebb_ring_turn(const struct ebb_ring *ring, int number)
{
    const double golden = 0.6180339887498949; // its multiples fill a range evenly, however many there are
    return (int)(fmod(number * golden, 1) * hop_of(ring));
}

void ebb_ring_take(const struct ebb_ring *ring, const float *values, int start, float scale, float *window)
{
    for (int y = 0; y < ring->h; y++)
        for (int x = 0; x < ring->window; x++) {
            const float *from = values + ((size_t)y * ring->w + (start + x) % ring->w) * ring->c;
            for (int k = 0; k < ring->c; k++)
                *window++ = scale * from[k];
        }
}

// Of column x of a window: it rises from either edge over a quarter.
static float weight(const struct ebb_ring *ring, int x)
{
    int inside = x < ring->window - 1 - x ? x : ring->window - 1 - x, rise = ring->window - hop_of(ring);
    return rise > 0 && inside < rise ? ((float)inside + 0.5f) / (float)rise : 1;
}

void ebb_ring_add(const struct ebb_ring *ring, const float *window, int start, float *sum)
{
    for (int y = 0; y < ring->h; y++)
        for (int x = 0; x < ring->window; x++) {
            float *to = sum + ((size_t)y * ring->w + (start + x) % ring->w) * ring->c,
                  share = weight(ring, x);
            for (int k = 0; k < ring->c; k++)
                to[k] += share * *window++;
        }
}

void ebb_ring_weigh(const struct ebb_ring *ring, int start, float *weights)
{
    for (int x = 0; x < ring->window; x++)
        weights[(start + x) % ring->w] += weight(ring, x);
}

void ebb_ring_divide(const struct ebb_ring *ring, const float *weights, float *sum)
{
    for (int y = 0; y < ring->h; y++)
        for (int x = 0; x < ring->w; x++)
            for (int k = 0; k < ring->c; k++)
                *sum++ /= weights[x];
}
