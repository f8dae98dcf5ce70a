// SPDX-License-Identifier: LGPL-2.1-or-later
// Backwards through a group norm: with u the normalized x and g its gradient (gamma and FiLM taken in), it is
// (g - mean g - u mean(g u)) / deviation. A workgroup per group and image. groups = 0: FiLM alone.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint G = BANK_NONE;
layout(constant_id = 2) const uint X = BANK_NONE;
layout(constant_id = 3) const uint DST = BANK_NONE;
layout(constant_id = 4) const uint FILM = BANK_NONE;

layout(push_constant) uniform Push { norm_grad_push p; };

#define THREADS 128u
#include "total.glsl"

// Element i of this group.
uint index(uint n, uint first, uint width, uint i)
{
    return (n * p.pixels + i / width) * p.c + first + i % width;
}

float gradient(uint n, uint first, uint width, uint i)
{
    uint c = first + i % width;
    float g = fetch(G, p.g + index(n, first, width, i));
    if (p.gamma != 0xffffffffu)
        g *= scratch[p.gamma + c];
    return FILM != BANK_NONE ? g * (1.0 + fetch(FILM, p.film + n * 2 * p.c + c)) : g;
}

void main()
{
    uint n = gl_WorkGroupID.y, width = p.c / max(p.groups, 1u);
    uint first = gl_WorkGroupID.x * width, count = p.pixels * width;
    float mean = 0.0, deviation = 1.0, mean_g = 0.0, mean_gu = 0.0;
    if (p.groups > 0) {
        float sum = 0.0, squares = 0.0, sum_g = 0.0, sum_gu = 0.0;
        for (uint i = gl_LocalInvocationIndex; i < count; i += THREADS)
            sum += fetch(X, p.x + index(n, first, width, i));
        mean = total(sum) / float(count);
        for (uint i = gl_LocalInvocationIndex; i < count; i += THREADS) {
            float d = fetch(X, p.x + index(n, first, width, i)) - mean, g = gradient(n, first, width, i);
            squares += d * d;
            sum_g += g;
            sum_gu += g * d;
        }
        deviation = sqrt(total(squares) / float(count) + p.eps);
        mean_g = total(sum_g) / float(count);
        mean_gu = total(sum_gu) / float(count) / deviation;
    }
    for (uint i = gl_LocalInvocationIndex; i < count; i += THREADS) {
        uint at = index(n, first, width, i);
        float u = p.groups > 0 ? (fetch(X, p.x + at) - mean) / deviation : 0.0;
        put(DST, p.dst + at, (gradient(n, first, width, i) - mean_g - u * mean_gu) / deviation);
    }
}
