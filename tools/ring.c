// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ring.h"

#include <math.h>
#include <string.h>

static size_t common_divisor(size_t a, size_t b)
{
    while (b > 0) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

struct ring_margin ring_margin(int from, int to)
{
    const double least = 0.05; // seconds
    size_t shared = common_divisor((size_t)from, (size_t)to), times = (size_t)ceil(least * (double)shared);
    return (struct ring_margin){(size_t)from / shared * times, (size_t)to / shared * times};
}

size_t ring_frames(size_t frames, int from, int to)
{
    return (size_t)round((double)frames * to / from);
}

// The ring, with what lies around it: its own end in front, its own start behind, `margin` frames of each.
static enum ebb_result surround(const struct ebb_sound *ring, size_t margin, struct ebb_sound *around,
                                struct ebb_error *error)
{
    size_t channels = (size_t)ring->channels, rounds = (margin / ring->frames + 1) * ring->frames;
    enum ebb_result result = ebb_sound_alloc(around, ring->frames + 2 * margin, ring->channels, ring->rate,
                                             error);
    for (size_t i = 0; i < around->frames && result == EBB_OK; i++)
        memcpy(around->samples + i * channels,
               ring->samples + (i + rounds - margin) % ring->frames * channels, channels * sizeof(float));
    return result;
}

enum ebb_result ring_resample(struct ebb_sound *ring, int rate, struct ebb_error *error)
{
    struct ebb_sound around = {0};
    struct ring_margin margin = ring_margin(ring->rate, rate);
    size_t frames = ring_frames(ring->frames, ring->rate, rate);
    enum ebb_result result = surround(ring, margin.before, &around, error);
    if (result == EBB_OK)
        result = ebb_sound_resample(&around, rate, error);
    if (result != EBB_OK) {
        ebb_sound_clear(&around);
        return result;
    }
    size_t channels = (size_t)around.channels;
    memmove(around.samples, around.samples + margin.after * channels, frames * channels * sizeof(float));
    around.frames = frames;
    around.comment = ring->comment;
    ring->comment = NULL;
    ebb_sound_clear(ring);
    *ring = around;
    return EBB_OK;
}
