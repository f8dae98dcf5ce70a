// SPDX-License-Identifier: LGPL-2.1-or-later
// The inner loops of convolutions in bfloat16: numbers are rounded to 8 significant bits, their products are
// summed as float32. This file is compiled for AVX512-BF16, for AMX (CPU_TILES, since compilers call it by
// different names), for ARM's BF16, and for every processor as the definition that tests compare with.
// CPU_BF16_KERNELS is the table's name.
#include <stdbool.h>

#include "backend/cpu/kernels.h"
#include "backend/cpu/vector.h"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#ifdef __ARM_FEATURE_BF16_VECTOR_ARITHMETIC
enum { GROUP = 4 }; // numbers of a column that lie side by side
#else
enum { GROUP = 2 };
#endif

#if defined(CPU_TILES)
#include "backend/cpu/amx_rows.h"
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#include "backend/cpu/rows.h"
#else
// Two numbers a lane, the first in the low half.
static inline vec multiply_add(vec sum, vec x, vec w)
{
#ifdef __AVX512BF16__
    return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)w);
#else
    veci high = (veci)splat(-0.0f) >> 15; // 0xffff0000
    sum += (vec)((veci)x & high) * (vec)((veci)w & high);
    return sum + (vec)((veci)x << 16) * (vec)((veci)w << 16);
#endif
}

#define MULTIPLY_ADD(sum, x, w) multiply_add(sum, x, w)
#include "backend/cpu/rows.h"
#endif

// To the nearest, ties to even; numbers are finite.
static inline vech narrow_lanes(vec x)
{
#ifdef __AVX512BF16__
    return (vech)_mm512_cvtneps_pbh((__m512)x);
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
    return (vech)vcvt_bf16_f32(x);
#else
    veci bits = (veci)x;
    return __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, vech);
#endif
}

INLINE void store_narrow(uint16_t *p, vec x, int count)
{
    vech v = narrow_lanes(x);
    memcpy(p, &v, (size_t)count * sizeof(*p));
}

static void narrow(const float *src, size_t count, uint16_t *dst)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        store_narrow(dst + i, load(src + i), LANES);
    if (i < count)
        store_narrow(dst + i, load_some(src + i, (int)(count - i)), (int)(count - i));
}

// LANES columns of GROUP rows of a panel become groups.
INLINE void store_groups(uint16_t *out, const vec rows[GROUP])
{
#ifdef __ARM_FEATURE_BF16_VECTOR_ARITHMETIC
    uint16x4x4_t four;
    for (int k = 0; k < GROUP; k++)
        four.val[k] = (uint16x4_t)narrow_lanes(rows[k]);
    vst4_u16(out, four);
#else
    veci low = __builtin_convertvector(narrow_lanes(rows[0]), veci),
         high = __builtin_convertvector(narrow_lanes(rows[1]), veci);
    veci both = (low & 0xffff) | high << 16;
    memcpy(out, &both, sizeof(both));
#endif
}

static void groups(const float *rows, size_t width, size_t count, uint16_t *out)
{
    for (size_t k = 0; k + GROUP <= count; k += GROUP)
        for (size_t c = 0; c < width; c += LANES) {
            vec group[GROUP];
            for (size_t i = 0; i < GROUP; i++)
                group[i] = load(rows + (k + i) * width + c);
            store_groups(out + k * width + GROUP * c, group);
        }
}

// ---- the load of what is rounded afterwards ----

// x / (1 + e^-x) to 2e-4 of itself: a twentieth of what bfloat16 resolves.
static inline vec silu(vec x)
{
#ifdef __AVX512BF16__
    __m512 t = _mm512_mul_ps((__m512)x, _mm512_set1_ps(-1.44269504f)), f = _mm512_reduce_ps(t, 0);
    vec p = splat(0.99992807f) +
            (vec)f * (splat(0.69326099f) + (vec)f * (splat(0.24261112f) + (vec)f * splat(0.05517166f)));
    __m512 power = _mm512_scalef_ps((__m512)p, _mm512_sub_ps(t, f));
    return x * (vec)_mm512_rcp14_ps(_mm512_add_ps(_mm512_set1_ps(1), power));
#else
    return x / (splat(1) + vexp(-x));
#endif
}

INLINE vec affine(const struct cpu_load *l, vec x, int c, int count)
{
    if (!l->a)
        return x;
    return count == LANES ? x * load(l->a + c) + load(l->b + c)
                          : x * load_some(l->a + c, count) + load_some(l->b + c, count);
}

static void load_silu(const struct cpu_load *l)
{
    const int whole = l->channels / LANES * LANES, rest = l->channels - whole;
    for (int p = 0; p < l->pixels; p++) {
        const float *src = l->src + (size_t)(p >> l->shift) * l->src_step;
        float *dst = l->dst + (size_t)p * l->dst_step;
        for (int c = 0; c < whole; c += LANES)
            store(dst + c, silu(affine(l, load(src + c), c, LANES)));
        if (rest)
            store_some(dst + whole, silu(affine(l, load_some(src + whole, rest), whole, rest)), rest);
    }
}

INLINE void narrow_as(const struct cpu_load *l, uint16_t *out, const bool is_silu)
{
    for (int p = 0; p < l->pixels; p++) {
        const float *src = l->src + (size_t)(p >> l->shift) * l->src_step;
        uint16_t *dst = out + (size_t)p * l->dst_step;
        int c = 0;
        for (; c + LANES <= l->channels; c += LANES) {
            vec x = affine(l, load(src + c), c, LANES);
            store_narrow(dst + c, is_silu ? silu(x) : x, LANES);
        }
        if (c < l->channels) {
            int rest = l->channels - c;
            vec x = affine(l, load_some(src + c, rest), c, rest);
            store_narrow(dst + c, is_silu ? silu(x) : x, rest);
        }
    }
}

// The load and narrow() in one; of no activation but SiLU.
static void load_narrow(const struct cpu_load *l, uint16_t *out)
{
    if (l->act == EBB_ACT_SILU)
        narrow_as(l, out, true);
    else
        narrow_as(l, out, false);
}

INLINE void sums_lanes(const float *x, size_t step, int pixels, const int vectors, double *sum,
                       double *squares)
{
    vec s[4], q[4];
    UNROLL
    for (int i = 0; i < vectors; i++)
        s[i] = q[i] = splat(0);
    for (int p = 0; p < pixels; p++, x += step) {
        UNROLL
        for (int i = 0; i < vectors; i++) {
            vec v = load(x + i * LANES);
            s[i] += v;
            q[i] += v * v;
        }
    }
    for (int i = 0; i < vectors * LANES; i++) {
        sum[i] = s[i / LANES][i % LANES];
        squares[i] = q[i / LANES][i % LANES];
    }
}

// Sums of at most a few hundred pixels, of as many channels at a time as lie in a few lines of the cache.
static void sums(const float *x, size_t step, int pixels, int channels, double *sum, double *squares)
{
    int c = 0;
    for (; c + 4 * LANES <= channels; c += 4 * LANES)
        sums_lanes(x + c, step, pixels, 4, sum + c, squares + c);
    for (; c + LANES <= channels; c += LANES)
        sums_lanes(x + c, step, pixels, 1, sum + c, squares + c);
    for (; c < channels; c++) {
        float s = 0, q = 0;
        for (int p = 0; p < pixels; p++) {
            float v = x[(size_t)p * step + (size_t)c];
            s += v;
            q += v * v;
        }
        sum[c] = s;
        squares[c] = q;
    }
}

// ---- Winograd F(4x4, 3x3) and F(2x2, 3x3) ----
// A third of the rounding error of the usual A and B, 1 and 2; both are exact in bfloat16.

#define A 0.75f
#define B 1.5f

typedef uint16_t point;

INLINE void store_point(point *p, vec x, const int count)
{
    store_narrow(p, x, count);
}

#include "backend/cpu/winograd_tile.h"

INLINE void kernel_side(const vec g[3], vec out[6], const int n)
{
    if (n == 6) {
        const float a = 1 / (2 * A * A * (A * A - B * B)), b = 1 / (2 * B * B * (B * B - A * A));
        vec even_a = splat(a) * (g[0] + splat(A * A) * g[2]), odd_a = splat(a * A) * g[1];
        vec even_b = splat(b) * (g[0] + splat(B * B) * g[2]), odd_b = splat(b * B) * g[1];
        out[0] = splat(1 / (A * A * B * B)) * g[0];
        out[1] = even_a + odd_a;
        out[2] = even_a - odd_a;
        out[3] = even_b + odd_b;
        out[4] = even_b - odd_b;
        out[5] = g[2];
    } else {
        vec even = splat(0.5f) * (g[0] + g[2]), odd = splat(0.5f) * g[1];
        out[0] = g[0];
        out[1] = even + odd;
        out[2] = even - odd;
        out[3] = g[2];
    }
}

// LANES columns of GROUP input channels: groups at every point.
INLINE void weights_lanes(const float *src, size_t place, size_t width, uint16_t *dst, size_t plane,
                          const int n)
{
    vec rows[GROUP][6][3], column[3], out[6], points[6][GROUP];
    for (int k = 0; k < GROUP; k++)
        for (int j = 0; j < 3; j++) {
            for (int i = 0; i < 3; i++)
                column[i] = load(src + (size_t)(3 * i + j) * place + (size_t)k * width);
            kernel_side(column, out, n);
            for (int i = 0; i < n; i++)
                rows[k][i][j] = out[i];
        }
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < GROUP; k++) {
            kernel_side(rows[k][i], out, n);
            for (int j = 0; j < n; j++)
                points[j][k] = out[j];
        }
        for (int j = 0; j < n; j++)
            store_groups(dst + (size_t)(n * i + j) * plane, points[j]);
    }
}

INLINE void weights(const float *rows, size_t place, size_t width, uint16_t *out, size_t plane, const int n)
{
    for (size_t c = 0; c < width; c += LANES)
        weights_lanes(rows + c, place, width, out + GROUP * c, plane, n);
}

static void winograd4_weights(const float *rows, size_t place, size_t width, uint16_t *out, size_t plane)
{
    weights(rows, place, width, out, plane, 6);
}

static void winograd2_weights(const float *rows, size_t place, size_t width, uint16_t *out, size_t plane)
{
    weights(rows, place, width, out, plane, 4);
}

const struct cpu_bf16_kernels CPU_BF16_KERNELS = {
    .title = CPU_TITLE,
#ifdef CPU_TILES
    .row = row_by_tiles,
    .direct_pixels = 256,
    .attention_queries = 32,
#else
    .row = row,
#ifdef __AVX512BF16__
    .attention_queries = 16,
#endif
#endif
    .narrow = narrow,
    .load_silu = load_silu,
    .load_narrow = load_narrow,
    .sums = sums,
    .group = GROUP,
    .groups = groups,
    .winograd4_in = winograd4_in,
    .winograd2_in = winograd2_in,
    .winograd4_out = winograd4_out,
    .winograd2_out = winograd2_out,
    .winograd4_weights = winograd4_weights,
    .winograd2_weights = winograd2_weights,
};
