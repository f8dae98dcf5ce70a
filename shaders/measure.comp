// Sums, sums of squares, largest magnitude, count of non-finite values: one workgroup, partial results to the host,
// which adds them up in double.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"

layout(set = 0, binding = 0) writeonly buffer Dst { float dst[]; };
layout(set = 0, binding = 1) readonly buffer Src { float src[]; };

layout(push_constant) uniform Push { measure_push p; };
#define THREADS 128u
layout(local_size_x = THREADS) in;

// Numbers as in enum ebb_measure.
void main()
{
    uint me = gl_GlobalInvocationID.x, stride = gl_NumWorkGroups.x * THREADS;
    float sum = 0.0, carry = 0.0; // Kahan: the host's double must not be wasted on a float's drift
    for (uint i = me; i < p.count; i += stride) {
        float v = src[p.offset + i];
        switch (p.what) {
        case 0: v = v * v; break;
        case 2: v = max(sum, abs(v)); break;
        case 3: v = isnan(v) || isinf(v) ? 1.0 : 0.0; break;
        }
        if (p.what == 2) {
            sum = v;
            continue;
        }
        precise float y = v - carry;
        precise float t = sum + y;
        carry = (t - sum) - y;
        sum = t;
    }
    dst[me] = sum;
}
