// SPDX-License-Identifier: LGPL-2.1-or-later
// Dynamic thresholding (Saharia 2022): q is a quantile of |x|, at least 1 and at most `most`; x = clamp(x,
// -q, q) / q. One workgroup. Magnitudes order as their bits do, so the quantile is found byte by byte from
// the top: how many numbers share the bytes known so far, by their next byte.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"

layout(set = 0, binding = 0) buffer X { float x[]; };

layout(push_constant) uniform Push { threshold_push p; };
#define THREADS 128u
layout(local_size_x = THREADS) in;

shared uint histogram[256];
shared uint found, left, next; // bits known; rank among those that share them; the smallest magnitude above

uint bits(uint i)
{
    return floatBitsToUint(x[p.offset + i]) & 0x7fffffffu;
}

// Adds the next byte to `found`.
void refine(uint shift)
{
    for (uint i = gl_LocalInvocationIndex; i < 256u; i += THREADS)
        histogram[i] = 0u;
    barrier();
    for (uint i = gl_LocalInvocationIndex; i < p.count; i += THREADS) {
        uint b = bits(i);
        if (shift == 24u || b >> (shift + 8u) == found >> (shift + 8u))
            atomicAdd(histogram[b >> shift & 255u], 1u);
    }
    barrier();
    if (gl_LocalInvocationIndex == 0u) {
        uint value = 0u;
        while (value < 255u && left >= histogram[value])
            left -= histogram[value++];
        found |= value << shift;
    }
    barrier();
}

void main()
{
    if (gl_LocalInvocationIndex == 0u) {
        found = 0u;
        left = p.rank;
        next = 0x7fffffffu;
    }
    barrier();
    for (uint shift = 32u; shift > 0u; shift -= 8u)
        refine(shift - 8u);
    // The next rank holds the same number, if more of them follow; otherwise the smallest above it.
    uint lower = found;
    for (uint i = gl_LocalInvocationIndex; i < p.count; i += THREADS)
        if (bits(i) > lower)
            atomicMin(next, bits(i));
    barrier();
    bool same = left + 1u < histogram[lower & 255u] || p.rank + 1u >= p.count;
    float low = uintBitsToFloat(lower), high = same ? low : uintBitsToFloat(next);
    float q = min(max(low + p.part * (high - low), 1.0), p.most);
    for (uint i = gl_LocalInvocationIndex; i < p.count; i += THREADS)
        x[p.offset + i] = clamp(x[p.offset + i], -q, q) / q;
}
