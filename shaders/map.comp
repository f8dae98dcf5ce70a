// SPDX-License-Identifier: LGPL-2.1-or-later
// The op map, for nodes between convolutions: (load + vector + residual) * scale, value by value.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "load.glsl"

#include "flat.glsl"

void main()
{
    uint i = FLAT;
    if (i >= p.n * p.h * p.w * p.cout)
        return;
    uint c = i % p.cout, pixel = i / p.cout;
    uint n = pixel / (p.h * p.w), y = pixel / p.w % p.h, x = pixel % p.w;
    finish(n, pixel, c, load(n, y, x, c));
}
