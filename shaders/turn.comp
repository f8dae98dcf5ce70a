// SPDX-License-Identifier: LGPL-2.1-or-later
// Rows and columns in each other's place, value by value.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint SRC = BANK_NONE;
layout(constant_id = 2) const uint DST = BANK_NONE;

layout(push_constant) uniform Push { turn_push p; };
#include "flat.glsl"

void main()
{
    uint i = FLAT;
    if (i >= p.count)
        return;
    uint c = i % p.c, x = i / p.c % p.w, y = i / (p.c * p.w) % p.h, n = i / (p.c * p.w * p.h);
    put(DST, p.dst + i, fetch(SRC, p.src + ((n * p.w + x) * p.h + y) * p.c + c));
}
