// Adds up the partial sums of a convolution whose K was split, in order, and finishes them.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "load.glsl"

#include "flat.glsl"

void main()
{
    uint pixels = p.n * p.h * p.w, i = FLAT;
    if (i >= pixels * p.cout)
        return;
    float sum = 0.0;
    for (uint part = 0; part < p.split; part++)
        sum += scratch[p.partial + part * pixels * p.cout + i];
    uint pixel = i / p.cout;
    finish(pixel / (p.h * p.w), pixel, i % p.cout, sum);
}
