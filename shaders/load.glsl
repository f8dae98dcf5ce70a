// SPDX-License-Identifier: LGPL-2.1-or-later
// The load of an op (backend/op.h), one value: two sources concatenated, upsampled, times a plus b,
// activated.
#include "activation.glsl"
#include "push.h"
#include "operands.glsl"

layout(constant_id = 1) const uint SRC0 = BANK_NONE;
layout(constant_id = 2) const uint SRC1 = BANK_NONE;
layout(constant_id = 3) const uint DST = BANK_NONE;
layout(constant_id = 4) const uint AFFINE = BANK_NONE;
layout(constant_id = 5) const uint VECTOR = BANK_NONE;
layout(constant_id = 6) const uint RESIDUAL = BANK_NONE;
layout(constant_id = 7) const uint ACT = 0;
layout(constant_id = 8) const uint UPSAMPLE = 0;
layout(constant_id = 9) const uint KERNEL = 1;  // square, or along x alone
layout(constant_id = 10) const uint STRIDE = 1;
layout(constant_id = 11) const uint VEC = 0;    // 1: channels of both sources are multiples of 4
layout(constant_id = 12) const uint DILATION = 0; // 0: a square kernel; otherwise one along x
layout(constant_id = 13) const uint SLOPE = 0;    // of the leaky ReLU, a float's bits

layout(push_constant) uniform Push { load_push p; };

uint taps()
{
    return DILATION == 0 ? KERNEL * KERNEL : KERNEL;
}

// Where a tap of output place (y, x) reads; may lie outside.
int tap_y(uint y, uint tap)
{
    return DILATION == 0 ? int(y * STRIDE + tap / KERNEL) - p.pad : int(y);
}

int tap_x(uint x, uint tap)
{
    return (DILATION == 0 ? int(x * STRIDE + tap % KERNEL) : int(x + tap * DILATION)) - p.pad;
}

float activated(float x)
{
    return ACT == ACT_LEAKY ? (x > 0.0 ? x : x * uintBitsToFloat(SLOPE)) : activate(ACT, x);
}

uint source_pixel(uint n, uint y, uint x)
{
    return ((n * (p.src_h >> UPSAMPLE)) + (y >> UPSAMPLE)) * (p.src_w >> UPSAMPLE) + (x >> UPSAMPLE);
}

float load(uint n, uint y, uint x, uint c)
{
    uint pixel = source_pixel(n, y, x);
    float v = c < p.c0 ? fetch(SRC0, p.src0 + pixel * p.c0 + c)
                       : fetch(SRC1, p.src1 + pixel * p.c1 + c - p.c0);
    if (AFFINE != BANK_NONE) {
        uint all = p.c0 + p.c1, a = p.affine + n * 2 * all + c;
        v = v * fetch(AFFINE, a) + fetch(AFFINE, a + all);
    }
    return activated(v);
}

vec4 load4(uint n, uint y, uint x, uint c)
{
    uint pixel = source_pixel(n, y, x);
    vec4 v = c < p.c0 ? fetch4(SRC0, p.src0 + pixel * p.c0 + c)
                      : fetch4(SRC1, p.src1 + pixel * p.c1 + c - p.c0);
    if (AFFINE != BANK_NONE) {
        uint all = p.c0 + p.c1, a = p.affine + n * 2 * all + c;
        v = v * fetch4(AFFINE, a) + fetch4(AFFINE, a + all);
    }
    for (int i = 0; i < 4; i++)
        v[i] = activated(v[i]);
    return v;
}

// (sum + bias + vector + residual) * scale, at output pixel `pixel` (of all images) of image n, channel c.
float finish(uint n, uint pixel, uint c, float sum)
{
    uint i = pixel * p.cout + c;
    if (p.bias != 0xffffffffu)
        sum += scratch[p.bias + c];
    if (VECTOR != BANK_NONE)
        sum += fetch(VECTOR, p.vector + n * p.cout + c);
    if (RESIDUAL != BANK_NONE)
        sum += fetch(RESIDUAL, p.residual + i);
    sum *= p.scale;
    put(DST, p.dst + i, sum);
    return sum;
}
