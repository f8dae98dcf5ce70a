// SPDX-License-Identifier: LGPL-2.1-or-later
// g act'(x a + b): backwards through an activation, and through the affine map before it as far as it is
// evaluated again.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint G = BANK_NONE;
layout(constant_id = 2) const uint X = BANK_NONE;
layout(constant_id = 3) const uint DST = BANK_NONE;
layout(constant_id = 4) const uint AFFINE = BANK_NONE;
layout(constant_id = 5) const uint ACT = 0;
#include "activation.glsl"

layout(push_constant) uniform Push { act_grad_push p; };
#include "flat.glsl"

void main()
{
    uint i = FLAT;
    if (i >= p.count)
        return;
    float x = fetch(X, p.x + i);
    if (AFFINE != BANK_NONE) {
        uint a = p.affine + i / (p.pixels * p.c) * 2 * p.c + i % p.c;
        x = x * fetch(AFFINE, a) + fetch(AFFINE, a + p.c);
    }
    put(DST, p.dst + i, fetch(G, p.g + i) * slope(ACT, x));
}
