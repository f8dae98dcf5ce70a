// SPDX-License-Identifier: LGPL-2.1-or-later
// The transposed convolution along x: an invocation makes one output value from the taps that meet it, every
// STRIDE-th of the kernel.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "load.glsl"

#include "flat.glsl"

void main()
{
    uint i = FLAT;
    if (i >= p.n * p.h * p.w * p.cout)
        return;
    uint c = i % p.cout, pixel = i / p.cout, all = p.c0 + p.c1;
    uint n = pixel / (p.h * p.w), y = pixel / p.w % p.h, x = pixel % p.w + uint(p.pad);
    float sum = 0.0;
    for (uint tap = x % STRIDE; tap < KERNEL && tap <= x; tap += STRIDE) {
        uint ix = (x - tap) / STRIDE;
        if (ix >= p.src_w)
            continue;
        for (uint k = 0; k < all; k++)
            sum += load(n, y, ix, k) * float(weights[(tap * all + k) * p.weight_stride + c]);
    }
    finish(n, pixel, c, sum);
}
