// SPDX-License-Identifier: LGPL-2.1-or-later
// Mean over all places of an image, a channel each.
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
    if (i >= p.images * p.c)
        return;
    uint at = p.src + i / p.c * p.pixels * p.c + i % p.c;
    float sum = 0.0;
    for (uint pixel = 0; pixel < p.pixels; pixel++)
        sum += fetch(SRC, at + pixel * p.c);
    put(DST, p.dst + i, sum / float(p.pixels));
}
