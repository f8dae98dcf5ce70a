// SPDX-License-Identifier: LGPL-2.1-or-later
// Softmax over the channels of a place, one invocation a place: there are few places and few channels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint SRC = BANK_NONE;
layout(constant_id = 2) const uint DST = BANK_NONE;

layout(push_constant) uniform Push { mean_push p; };
#include "flat.glsl"

void main()
{
    uint i = FLAT;
    if (i >= p.images * p.pixels)
        return;
    float most = -3.4e38, total = 0.0;
    for (uint c = 0; c < p.c; c++)
        most = max(most, fetch(SRC, p.src + i * p.c + c));
    for (uint c = 0; c < p.c; c++)
        total += exp(fetch(SRC, p.src + i * p.c + c) - most);
    for (uint c = 0; c < p.c; c++)
        put(DST, p.dst + i * p.c + c, exp(fetch(SRC, p.src + i * p.c + c) - most) / total);
}
