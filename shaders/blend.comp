// SPDX-License-Identifier: LGPL-2.1-or-later
// The step update of all samplers: dst = clamp(sum of weight * src) / divide, always in 32 bits. Four terms a
// pass.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"

layout(set = 0, binding = 0) buffer Dst { float dst[]; };
layout(set = 0, binding = 1) readonly buffer Src0 { float src0[]; };
layout(set = 0, binding = 2) readonly buffer Src1 { float src1[]; };
layout(set = 0, binding = 3) readonly buffer Src2 { float src2[]; };
layout(set = 0, binding = 4) readonly buffer Src3 { float src3[]; };
layout(set = 1, binding = 0) readonly buffer Factor { float factor[]; };

layout(push_constant) uniform Push { blend_push p; };
#include "flat.glsl"

void main()
{
    uint i = FLAT;
    if (i >= p.count)
        return;
    // The same order as on the CPU: term by term.
    float last = p.noise_scale == 1 ? factor[p.factor + i] : 1.0;
    float sum = p.accumulate == 1 ? dst[p.dst + i] : 0.0;
    sum += p.weight[0] * src0[p.src[0] + i] * (p.terms == 1 ? last : 1.0);
    if (p.terms > 1)
        sum += p.weight[1] * src1[p.src[1] + i] * (p.terms == 2 ? last : 1.0);
    if (p.terms > 2)
        sum += p.weight[2] * src2[p.src[2] + i] * (p.terms == 3 ? last : 1.0);
    if (p.terms > 3)
        sum += p.weight[3] * src3[p.src[3] + i] * (p.terms == 4 ? last : 1.0);
    if (p.clamp_to > 0.0)
        sum = clamp(sum, -p.clamp_to, p.clamp_to);
    if (p.divide != 0.0)
        sum /= p.divide;
    for (uint k = 0; k < p.copies; k++)
        dst[p.dst + k * p.count + i] = sum;
}
