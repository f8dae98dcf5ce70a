// SPDX-License-Identifier: LGPL-2.1-or-later
// Layer normalization: over the channels of a place, a workgroup each. Mean first, then squares about it, so
// that nothing cancels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint SRC = BANK_NONE;
layout(constant_id = 2) const uint DST = BANK_NONE;

layout(push_constant) uniform Push { layer_norm_push p; };

#define THREADS 64u
#include "total.glsl"

void main()
{
    uint place = gl_WorkGroupID.y * 65535u + gl_WorkGroupID.x;
    if (place >= p.places)
        return;
    uint from = p.src + place * p.c, to = p.dst + place * p.c;
    float sum = 0.0, squares = 0.0;
    for (uint c = gl_LocalInvocationIndex; c < p.c; c += THREADS)
        sum += fetch(SRC, from + c);
    float mean = p.rms == 1 ? 0.0 : total(sum) / float(p.c);
    for (uint c = gl_LocalInvocationIndex; c < p.c; c += THREADS) {
        float d = fetch(SRC, from + c) - mean;
        squares += d * d;
    }
    float deviation = sqrt(total(squares) / float(p.c) + p.eps);

    for (uint c = gl_LocalInvocationIndex; c < p.c; c += THREADS) {
        float a = p.gamma != 0xffffffffu ? scratch[p.gamma + c] : 1.0;
        float b = p.beta != 0xffffffffu ? scratch[p.beta + c] : 0.0;
        put(DST, to + c, (fetch(SRC, from + c) - mean) / deviation * a + b);
    }
}
