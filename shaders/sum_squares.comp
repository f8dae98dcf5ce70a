// SPDX-License-Identifier: LGPL-2.1-or-later
// The sum of squares of a buffer: every invocation sums its share, and the host adds the partial sums up in
// double.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"

layout(set = 0, binding = 0) writeonly buffer Dst { float dst[]; };
layout(set = 0, binding = 1) readonly buffer Src { float src[]; };

layout(push_constant) uniform Push { sum_squares_push p; };
#define THREADS 128u
layout(local_size_x = THREADS) in;

void main()
{
    uint me = gl_GlobalInvocationID.x, stride = gl_NumWorkGroups.x * THREADS;
    float sum = 0.0, carry = 0.0; // Kahan: the host's double must not be wasted on a float's drift
    for (uint i = me; i < p.count; i += stride) {
        float v = src[p.offset + i];
        v = v * v;
        precise float y = v - carry;
        precise float t = sum + y;
        carry = (t - sum) - y;
        sum = t;
    }
    dst[me] = sum;
}
