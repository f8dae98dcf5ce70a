// SPDX-License-Identifier: LGPL-2.1-or-later
// Adds up the partial sums of a convolution whose K was split, in order, and finishes them. An invocation
// takes a channel of a few neighbouring pixels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "load.glsl"
#include "stats.glsl"

#include "flat.glsl"

#define PIXELS 4u // as in backend/vulkan/ops.c

void main()
{
    uint pixels = p.h * p.w, tiles = (pixels + PIXELS - 1) / PIXELS, i = FLAT;
    if (i >= p.n * tiles * p.cout)
        return;
    uint c = i % p.cout, tile = i / p.cout % tiles, n = i / p.cout / tiles, first = tile * PIXELS;
    uint count = pixels_here(pixels, first, PIXELS);
    float value[PIXELS];
    for (uint k = 0; k < PIXELS; k++) {
        float sum = 0.0;
        value[k] = 0.0;
        if (k >= count)
            continue;
        for (uint part = 0; part < p.split; part++)
            sum += scratch[p.partial + ((n * p.split + part) * pixels + first + k) * p.cout + c];
        value[k] = finish(n, n * pixels + first + k, c, sum);
    }
    if (p.stats != 0xffffffffu) {
        vec2 pair;
        MEASURE(value, PIXELS, count, pair)
        scratch[p.stats + i * 2] = pair.x;
        scratch[p.stats + i * 2 + 1] = pair.y;
    }
}
