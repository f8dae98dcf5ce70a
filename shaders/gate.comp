// SPDX-License-Identifier: LGPL-2.1-or-later
// x * act(gate), value by value. With `halves`, one source has both: its channels are values, then gates.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "activation.glsl"
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint X = BANK_NONE;
layout(constant_id = 2) const uint GATE = BANK_NONE;
layout(constant_id = 3) const uint DST = BANK_NONE;
layout(constant_id = 4) const uint ACT = 0;

layout(push_constant) uniform Push { gate_push p; };
#include "flat.glsl"

void main()
{
    uint i = FLAT;
    if (i >= p.count)
        return;
    uint at = p.halves == 1 ? i / p.c * 2 * p.c + i % p.c : i;
    float gate = p.halves == 1 ? fetch(X, p.x + at + p.c) : fetch(GATE, p.gate + at);
    put(DST, p.dst + i, fetch(X, p.x + at) * activate(ACT, gate));
}
