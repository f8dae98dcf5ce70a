// Group normalization as an affine map per channel: a = gamma / sqrt(variance + eps), b = beta - mean a, FiLM folded in.
// A workgroup per group and image: mean first, then squares about it, so that nothing cancels.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "push.h"
#include "tensors.glsl"

layout(constant_id = 1) const uint SRC0 = BANK_NONE;
layout(constant_id = 2) const uint SRC1 = BANK_NONE;
layout(constant_id = 3) const uint DST = BANK_NONE;
layout(constant_id = 4) const uint FILM = BANK_NONE;

layout(push_constant) uniform Push { norm_push p; };

#define THREADS 128u
layout(local_size_x = THREADS) in;
shared float part[THREADS];

float total(float mine)
{
    part[gl_LocalInvocationIndex] = mine;
    for (uint half_width = THREADS / 2; half_width > 0; half_width >>= 1) {
        barrier();
        if (gl_LocalInvocationIndex < half_width)
            part[gl_LocalInvocationIndex] += part[gl_LocalInvocationIndex + half_width];
    }
    barrier();
    float sum = part[0];
    barrier(); // before the next use overwrites it
    return sum;
}

float value(uint n, uint pixel, uint c)
{
    uint row = n * p.pixels + pixel;
    return c < p.c0 ? fetch(SRC0, p.src0 + row * p.c0 + c) : fetch(SRC1, p.src1 + row * p.c1 + c - p.c0);
}

void main()
{
    uint all = p.c0 + p.c1, n = gl_WorkGroupID.y, width = all / max(p.groups, 1u), first = gl_WorkGroupID.x * width;
    float mean = 0.0, deviation = 1.0;
    if (p.groups > 0) {
        uint count = p.pixels * width;
        float sum = 0.0;
        for (uint i = gl_LocalInvocationIndex; i < count; i += THREADS)
            sum += value(n, i / width, first + i % width);
        mean = total(sum) / float(count);
        float squares = 0.0;
        for (uint i = gl_LocalInvocationIndex; i < count; i += THREADS) {
            float d = value(n, i / width, first + i % width) - mean;
            squares += d * d;
        }
        deviation = sqrt(total(squares) / float(count) + p.eps);
    }

    for (uint c = first + gl_LocalInvocationIndex; c < first + width; c += THREADS) {
        float a = (p.gamma != 0xffffffffu ? scratch[p.gamma + c] : 1.0) / deviation;
        float b = (p.beta != 0xffffffffu ? scratch[p.beta + c] : 0.0) - mean * a;
        if (FILM != BANK_NONE) {
            float scale = 1.0 + fetch(FILM, p.film + n * 2 * all + c);
            a *= scale;
            b = b * scale + fetch(FILM, p.film + n * 2 * all + all + c);
        }
        put(DST, p.dst + n * 2 * all + c, a);
        put(DST, p.dst + n * 2 * all + all + c, b);
    }
}
