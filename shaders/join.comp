// SPDX-License-Identifier: LGPL-2.1-or-later
// The tokens of one source to their place in a longer sequence.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint SRC = BANK_NONE;
layout(constant_id = 2) const uint DST = BANK_NONE;

layout(push_constant) uniform Push { join_push p; };
#include "flat.glsl"

void main()
{
    uint i = FLAT;
    if (i >= p.images * p.count)
        return;
    put(DST, p.dst + i / p.count * p.whole + p.start + i % p.count, fetch(SRC, p.src + i));
}
