// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution with few output channels: an invocation makes one output value. A tile would have mostly
// empty columns.
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
    uint n = pixel / (p.h * p.w), y = pixel / p.w % p.h, x = pixel % p.w;
    float sum = 0.0;
    for (uint tap = 0; tap < taps(); tap++) {
        int iy = tap_y(y, tap), ix = tap_x(x, tap);
        if (uint(iy) >= p.src_h || uint(ix) >= p.src_w)
            continue;
        for (uint k = 0; k < all; k++)
            sum += load(n, uint(iy), uint(ix), k) * float(weights[(tap * all + k) * p.weight_stride + c]);
    }
    finish(n, pixel, c, sum);
}
