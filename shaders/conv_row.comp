// SPDX-License-Identifier: LGPL-2.1-or-later
// A linear layer of a few rows (time embeddings): a workgroup makes one output value, its invocations share
// K.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "load.glsl"

layout(local_size_x = 64) in;
shared float part[64];

void main()
{
    uint c = gl_WorkGroupID.x, n = gl_WorkGroupID.y, all = p.c0 + p.c1;
    float sum = 0.0;
    for (uint k = gl_LocalInvocationIndex; k < all; k += 64)
        sum += load(n, 0, 0, k) * float(weights[k * p.weight_stride + c]);
    part[gl_LocalInvocationIndex] = sum;
    for (uint half_width = 32; half_width > 0; half_width >>= 1) {
        barrier();
        if (gl_LocalInvocationIndex < half_width)
            part[gl_LocalInvocationIndex] += part[gl_LocalInvocationIndex + half_width];
    }
    if (gl_LocalInvocationIndex == 0)
        finish(n, n, c, part[0]);
}
