// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution as a product of matrices that are never formed: rows are output pixels, columns output
// channels, K runs over (kernel row, kernel column, input channel). A workgroup makes a tile of BM x BN, an
// invocation TM x TN of it. Tiles do not reach from one image into the next: a batch gives the bits of its
// images. Weights are packed (K, weight_stride), channels padded to a multiple of 4. With split > 1, z also
// cuts K, and the partial sums are added up by conv_sum.comp.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "load.glsl"
#include "stats.glsl"

#define BK 16u
#define THREADS ((BM / TM) * (BN / TN))
layout(local_size_x = THREADS) in;

shared float rows[BK][BM + 4];
shared vec4 columns[BK][BN / 4];
shared vec2 pairs[BM / TM][BN]; // statistics of TM pixels each

uint K, all, image, pixels;

void load_rows(uint k0, uint end)
{
    // An invocation takes four neighbouring k of one pixel at a time.
    for (uint i = gl_LocalInvocationIndex; i < BM * BK / 4; i += THREADS) {
        uint m = i / (BK / 4), k = i % (BK / 4) * 4;
        uint pixel = gl_WorkGroupID.x * BM + m, y = pixel / p.w, x = pixel % p.w;
        vec4 v = vec4(0.0);
        if (pixel < pixels) {
            if (VEC == 1) {
                uint kk = k0 + k, tap = kk / all, c = kk % all;
                int iy = tap_y(y, tap), ix = tap_x(x, tap);
                if (kk < end && uint(iy) < p.src_h && uint(ix) < p.src_w)
                    v = load4(image, uint(iy), uint(ix), c);
            } else {
                for (uint j = 0; j < 4; j++) {
                    uint kk = k0 + k + j, tap = kk / all, c = kk % all;
                    int iy = tap_y(y, tap), ix = tap_x(x, tap);
                    if (kk < end && uint(iy) < p.src_h && uint(ix) < p.src_w)
                        v[j] = load(image, uint(iy), uint(ix), c);
                }
            }
        }
        for (uint j = 0; j < 4; j++)
            rows[k + j][m] = v[j];
    }
}

void load_columns(uint k0, uint end)
{
    for (uint i = gl_LocalInvocationIndex; i < BK * BN / 4; i += THREADS) {
        uint k = i / (BN / 4), c = i % (BN / 4), column = gl_WorkGroupID.y * (BN / 4) + c;
        bool inside = k0 + k < end && column * 4 < p.weight_stride;
        columns[k][c] = inside ? vec4(weights4[((k0 + k) * p.weight_stride >> 2) + column]) : vec4(0.0);
    }
}

void main()
{
    all = p.c0 + p.c1;
    K = taps() * all;
    image = gl_WorkGroupID.z / p.split;
    pixels = p.h * p.w;
    uint tx = gl_LocalInvocationIndex % (BN / TN), ty = gl_LocalInvocationIndex / (BN / TN);
    uint part = (K + p.split * BK - 1) / (p.split * BK) * BK; // a multiple of BK, so that no vector straddles
    uint begin = gl_WorkGroupID.z % p.split * part, end = min(begin + part, K);

    vec4 sum[TM][TN / 4];
    for (uint i = 0; i < TM; i++)
        for (uint j = 0; j < TN / 4; j++)
            sum[i][j] = vec4(0.0);

    for (uint k0 = begin; k0 < end; k0 += BK) {
        load_rows(k0, end);
        load_columns(k0, end);
        barrier();
        for (uint k = 0; k < BK; k++) {
            vec4 b[TN / 4];
            for (uint j = 0; j < TN / 4; j++)
                b[j] = columns[k][tx * (TN / 4) + j];
            for (uint i = 0; i < TM; i++) {
                float a = rows[k][ty * TM + i];
                for (uint j = 0; j < TN / 4; j++)
                    sum[i][j] += a * b[j];
            }
        }
        barrier();
    }

    uint first = gl_WorkGroupID.x * BM + ty * TM, left = gl_WorkGroupID.y * BN + tx * TN;
    for (uint i = 0; i < TM; i++)
        for (uint j = 0; j < TN; j++) {
            uint pixel = first + i, c = left + j;
            if (pixel >= pixels || c >= p.cout)
                continue;
            if (p.split > 1)
                scratch[p.partial + (gl_WorkGroupID.z * pixels + pixel) * p.cout + c] = sum[i][j / 4][j % 4];
            else
                sum[i][j / 4][j % 4] = finish(image, image * pixels + pixel, c, sum[i][j / 4][j % 4]);
        }
    if (p.stats == 0xffffffffu)
        return;
    uint here = pixels_here(pixels, first, TM);
    for (uint j = 0; j < TN; j++) {
        float value[TM];
        for (uint i = 0; i < TM; i++)
            value[i] = sum[i][j / 4][j % 4];
        MEASURE(value, TM, here, pairs[ty][tx * TN + j])
    }
    barrier();
    for (uint c = gl_LocalInvocationIndex; c < BN && gl_WorkGroupID.y * BN + c < p.cout; c += THREADS) {
        float count = 0.0, mean = 0.0, squares = 0.0;
        for (uint i = 0; i < BM / TM; i++) {
            float more = float(pixels_here(pixels, gl_WorkGroupID.x * BM + i * TM, TM));
            count += more;
            mean += more * pairs[i][c].x;
        }
        mean /= count;
        for (uint i = 0; i < BM / TM; i++) {
            float d = pairs[i][c].x - mean;
            squares += pairs[i][c].y + float(pixels_here(pixels, gl_WorkGroupID.x * BM + i * TM, TM)) * d * d;
        }
        uint tile = image * gl_NumWorkGroups.x + gl_WorkGroupID.x, channel = gl_WorkGroupID.y * BN + c;
        uint at = p.stats + (tile * p.cout + channel) * 2;
        scratch[at] = mean;
        scratch[at + 1] = squares;
    }
}
