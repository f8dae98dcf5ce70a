// SPDX-License-Identifier: LGPL-2.1-or-later
// Group normalization as an affine map per channel: a = gamma / sqrt(variance + eps), b = beta - mean a, FiLM
// folded in. A workgroup per group and image combines the statistics of its channels by Chan's formula: first
// the mean, then the squares about it, so no digits cancel.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"
#include "stats.glsl"

layout(constant_id = 1) const uint DST = BANK_NONE;
layout(constant_id = 2) const uint FILM = BANK_NONE;

layout(push_constant) uniform Push { norm_push p; };

#define THREADS 128u
#include "total.glsl"

// The part of a group that lies in one source: its channels from `base` on, in tiles.
struct share {
    uint stats, tile, tiles, c, first, width;
};

share share_of(uint n, uint first, uint width, uint base, uint c, uint stats, uint tile)
{
    uint begin = max(first, base), end = min(first + width, base + c);
    uint tiles = (p.pixels + tile - 1) / max(tile, 1u);
    return share(stats + n * tiles * c * 2, tile, tiles, c, begin - base, end > begin ? end - begin : 0u);
}

// With `mean` known, the squares about it; otherwise the sum.
float add_up(share s, bool known, float mean)
{
    float sum = 0.0;
    for (uint i = gl_LocalInvocationIndex; i < s.width * s.tiles; i += THREADS) {
        uint t = i / s.width, at = s.stats + (t * s.c + s.first + i % s.width) * 2;
        float count = float(pixels_here(p.pixels, t * s.tile, s.tile)), d = scratch[at] - mean;
        sum += known ? scratch[at + 1] + count * d * d : count * scratch[at];
    }
    return sum;
}

void main()
{
    uint all = p.c0 + p.c1, n = gl_WorkGroupID.y;
    uint width = all / max(p.groups, 1u), first = gl_WorkGroupID.x * width;
    float mean = 0.0, deviation = 1.0;
    if (p.groups > 0) {
        float count = float(p.pixels * width);
        share s0 = share_of(n, first, width, 0, p.c0, p.stats0, p.tile0);
        share s1 = share_of(n, first, width, p.c0, p.c1, p.stats1, p.tile1);
        mean = total(add_up(s0, false, 0.0) + add_up(s1, false, 0.0)) / count;
        deviation = sqrt(total(add_up(s0, true, mean) + add_up(s1, true, mean)) / count + p.eps);
    }

    for (uint c = first + gl_LocalInvocationIndex; c < first + width; c += THREADS) {
        float a = (p.gamma != 0xffffffffu ? scratch[p.gamma + c] : 1.0) / deviation;
        float b = (p.beta != 0xffffffffu ? scratch[p.beta + c] : 0.0) - mean * a;
        if (FILM != BANK_NONE) {
            float scale = 1.0 + fetch(FILM, p.film + n * 2 * all + c);
            a *= scale;
            b = b * scale + fetch(FILM, p.film + n * 2 * all + all + c);
        }
        put(DST, p.dst + n * 2 * all + c, a);
        put(DST, p.dst + n * 2 * all + all + c, b);
    }
}
