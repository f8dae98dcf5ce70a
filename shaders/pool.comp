// SPDX-License-Identifier: LGPL-2.1-or-later
// Mean of 2x2, stride 2.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint SRC = BANK_NONE;
layout(constant_id = 2) const uint DST = BANK_NONE;

layout(push_constant) uniform Push { pool_push p; };
#include "flat.glsl"

void main()
{
    uint i = FLAT;
    if (i >= p.n * p.h * p.w * p.c)
        return;
    uint c = i % p.c, x = i / p.c % p.w, y = i / p.c / p.w % p.h, n = i / p.c / p.w / p.h;
    uint row = p.src_w * p.c, at = p.src + (n * p.src_h + y * 2) * row + x * 2 * p.c + c;
    float sum = fetch(SRC, at) + fetch(SRC, at + p.c) + fetch(SRC, at + row) + fetch(SRC, at + row + p.c);
    put(DST, p.dst + i, 0.25 * sum);
}
