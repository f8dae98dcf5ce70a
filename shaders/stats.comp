// SPDX-License-Identifier: LGPL-2.1-or-later
// Statistics (stats.glsl) of a tensor that no convolution made them for: an invocation takes a channel of a
// tile of pixels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint SRC = BANK_NONE;

layout(push_constant) uniform Push { stats_push p; };
#include "flat.glsl"
#include "stats.glsl"

void main()
{
    uint tiles = (p.pixels + p.tile - 1) / p.tile, i = FLAT;
    if (i >= p.n * tiles * p.c)
        return;
    uint c = i % p.c, tile = i / p.c % tiles, n = i / p.c / tiles, first = tile * p.tile;
    uint count = pixels_here(p.pixels, first, p.tile), at = p.src + (n * p.pixels + first) * p.c + c;
    float sum = 0.0, squares = 0.0;
    for (uint k = 0; k < count; k++)
        sum += fetch(SRC, at + k * p.c);
    float mean = sum / float(count);
    for (uint k = 0; k < count; k++) {
        float d = fetch(SRC, at + k * p.c) - mean;
        squares += d * d;
    }
    scratch[p.stats + i * 2] = mean;
    scratch[p.stats + i * 2 + 1] = squares;
}
