// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution as in conv.comp, on cooperative matrices: a workgroup of 128 makes a tile of BM x BN, each
// subgroup a block of 2 x 2 matrices of M x N. Operands are 16 bits, sums always 32. The load (norm,
// activation, concatenation, upsampling) happens on the way into shared memory, the epilogue on the way out
// of it.
//
// MATRIX is the side of the matrices, a literal: some drivers take no specialization constants there. glslang
// before 15 does not know the extension, so the words are kept in generated/ (generated/make says how).
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#include "load.glsl"
#include "stats.glsl"

#define BK 32u
#define BM 64u
#define BN 64u
#define THREADS 128u
#define PAD 8u
layout(local_size_x = THREADS) in;

shared float16_t rows[BM * (BK + PAD)];
shared float16_t columns[BK * (BN + PAD)];
shared float sums[BM * BN / 4]; // a quarter of the tile at a time

uint K, all, image, pixels;

vec4 load_row(uint pixel, uint kk, uint end)
{
    vec4 v = vec4(0.0);
    if (pixel >= pixels || kk >= end)
        return v;
    uint y = pixel / p.w, x = pixel % p.w, tap = kk / all, c = kk % all;
    int iy = int(y * STRIDE + tap / KERNEL) - p.pad, ix = int(x * STRIDE + tap % KERNEL) - p.pad;
    if (uint(iy) < p.src_h && uint(ix) < p.src_w)
        v = load4(image, uint(iy), uint(ix), c);
    return v;
}

void load_tiles(uint k0, uint end)
{
    for (uint i = gl_LocalInvocationIndex; i < BM * BK / 4; i += THREADS) {
        uint m = i / (BK / 4), k = i % (BK / 4) * 4;
        vec4 v = load_row(gl_WorkGroupID.x * BM + m, k0 + k, end);
        for (uint j = 0; j < 4; j++)
            rows[m * (BK + PAD) + k + j] = float16_t(v[j]);
    }
    for (uint i = gl_LocalInvocationIndex; i < BK * BN / 4; i += THREADS) {
        uint k = i / (BN / 4), c = i % (BN / 4), column = gl_WorkGroupID.y * (BN / 4) + c;
        bool inside = k0 + k < end && column * 4 < p.weight_stride;
        f16vec4 v = inside ? weights4[((k0 + k) * p.weight_stride >> 2) + column] : f16vec4(0.0);
        for (uint j = 0; j < 4; j++)
            columns[k * (BN + PAD) + c * 4 + j] = v[j];
    }
}

#define MATRIX_A coopmat<float16_t, gl_ScopeSubgroup, MATRIX, MATRIX, gl_MatrixUseA>
#define MATRIX_B coopmat<float16_t, gl_ScopeSubgroup, MATRIX, MATRIX, gl_MatrixUseB>
#define MATRIX_C coopmat<float, gl_ScopeSubgroup, MATRIX, MATRIX, gl_MatrixUseAccumulator>

// One value of the tile leaves: finished, or to the partial sums.
float leave(uint pixel, uint c, float sum)
{
    if (pixel >= pixels || c >= p.cout)
        return 0.0;
    if (p.split > 1)
        scratch[p.partial + (gl_WorkGroupID.z * pixels + pixel) * p.cout + c] = sum;
    else
        sum = finish(image, image * pixels + pixel, c, sum);
    return sum;
}

// Matrix i of every subgroup together are a quarter of the tile, 32 x 32: row and column of it in the tile.
#define QUARTER 32u
#define RUN 8u // rows of one column that an invocation takes
uint tile_row(uint i, uint row) { return row / MATRIX * 2 * MATRIX + i / 2 * MATRIX + row % MATRIX; }
uint tile_column(uint i, uint column)
{
    return column / MATRIX * 2 * MATRIX + i % 2 * MATRIX + column % MATRIX;
}

// Statistics of what the invocations' runs measured: `pair[i]` is that of quarter i.
void put_stats(vec2 pair[4])
{
    uint column = gl_LocalInvocationIndex % QUARTER, run = gl_LocalInvocationIndex / QUARTER;
    for (uint i = 0; i < 4; i++) {
        uint at = ((i / 2 * 4 + run) * BN + tile_column(i, column)) * 2;
        sums[at] = pair[i].x;
        sums[at + 1] = pair[i].y;
    }
    barrier();
    uint c = gl_WorkGroupID.y * BN + gl_LocalInvocationIndex;
    if (gl_LocalInvocationIndex >= BN || c >= p.cout)
        return;
    float count = 0.0, mean = 0.0, squares = 0.0, more[8];
    for (uint j = 0; j < 8; j++) {
        more[j] = float(pixels_here(pixels, gl_WorkGroupID.x * BM + tile_row(j / 4 * 2, j % 4 * RUN), RUN));
        count += more[j];
        mean += more[j] * sums[(j * BN + gl_LocalInvocationIndex) * 2];
    }
    mean /= count;
    for (uint j = 0; j < 8; j++) {
        uint at = (j * BN + gl_LocalInvocationIndex) * 2;
        float d = sums[at] - mean;
        squares += sums[at + 1] + more[j] * d * d;
    }
    uint at = p.stats + ((image * gl_NumWorkGroups.x + gl_WorkGroupID.x) * p.cout + c) * 2;
    scratch[at] = mean;
    scratch[at + 1] = squares;
}

void main()
{
    all = p.c0 + p.c1;
    K = KERNEL * KERNEL * all;
    image = gl_WorkGroupID.z / p.split;
    pixels = p.h * p.w;
    uint across = BN / (2 * MATRIX);
    uint top = gl_SubgroupID / across * 2 * MATRIX, left = gl_SubgroupID % across * 2 * MATRIX;
    uint part = (K + p.split * BK - 1) / (p.split * BK) * BK;
    uint begin = gl_WorkGroupID.z % p.split * part, end = min(begin + part, K);

    MATRIX_C sum[4];
    for (uint i = 0; i < 4; i++)
        sum[i] = MATRIX_C(0.0);
    for (uint k0 = begin; k0 < end; k0 += BK) {
        load_tiles(k0, end);
        barrier();
        for (uint k = 0; k < BK; k += MATRIX) {
            MATRIX_A a[2];
            MATRIX_B b[2];
            for (uint i = 0; i < 2; i++) {
                coopMatLoad(a[i], rows, (top + i * MATRIX) * (BK + PAD) + k, BK + PAD,
                            gl_CooperativeMatrixLayoutRowMajor);
                coopMatLoad(b[i], columns, k * (BN + PAD) + left + i * MATRIX, BN + PAD,
                            gl_CooperativeMatrixLayoutRowMajor);
            }
            for (uint i = 0; i < 4; i++)
                sum[i] = coopMatMulAdd(a[i / 2], b[i % 2], sum[i]);
        }
        barrier();
    }

    vec2 pair[4];
    uint column = gl_LocalInvocationIndex % QUARTER, run = gl_LocalInvocationIndex / QUARTER * RUN;
    for (uint i = 0; i < 4; i++) {
        coopMatStore(sum[i], sums, gl_SubgroupID * MATRIX * MATRIX, MATRIX,
                     gl_CooperativeMatrixLayoutRowMajor);
        barrier();
        float value[RUN];
        uint first = gl_WorkGroupID.x * BM + tile_row(i, run);
        uint c = gl_WorkGroupID.y * BN + tile_column(i, column);
        for (uint j = 0; j < RUN; j++) {
            uint row = run + j, group = row / MATRIX * across + column / MATRIX;
            value[j] = leave(first + j, c, sums[(group * MATRIX + row % MATRIX) * MATRIX + column % MATRIX]);
        }
        MEASURE(value, RUN, pixels_here(pixels, first, RUN), pair[i])
        barrier();
    }
    if (p.stats != 0xffffffffu)
        put_stats(pair);
}
