// SPDX-License-Identifier: LGPL-2.1-or-later
// The op spread: values with zeros between them (the gradient of a stride), values repeated over a block
// (the gradient of a mean), or some of the channels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint SRC = BANK_NONE;
layout(constant_id = 2) const uint DST = BANK_NONE;

layout(push_constant) uniform Push { spread_push p; };
#include "flat.glsl"

void main()
{
    uint i = FLAT;
    if (i >= p.n * p.h * p.w * p.c)
        return;
    uint c = i % p.c, x = i / p.c % p.w, y = i / p.c / p.w % p.h, n = i / p.c / p.w / p.h;
    uint sy = y / p.stride, sx = x / p.stride;
    bool here = p.spot == 0xffffffffu || (y % p.stride == p.spot && x % p.stride == p.spot);
    float value = 0.0;
    if (here && sy < p.src_h && sx < p.src_w)
        value = p.scale * fetch(SRC, p.src + ((n * p.src_h + sy) * p.src_w + sx) * p.src_c + p.first + c);
    put(DST, p.dst + i, value);
}
