// SPDX-License-Identifier: LGPL-2.1-or-later
// What is done to weights at each evaluation, because they are held once, as panels, in the file's numbers.
// This file is compiled once for each instruction set like kernels.c, but without fused multiplications and
// additions: all instruction sets make the same bits. CPU_WEIGHT_KERNELS is the table's name.
#include "backend/cpu/kernels.h"
#include "backend/cpu/vector.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

// ---- 16 bits become 32 ----

INLINE vec widen_f16(const uint16_t *p)
{
#ifdef __AVX512F__
    return (vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
#else // exponent and mantissa move into place, and 2^112 corrects the bias; panels hold finite numbers only
    vech bits;
    memcpy(&bits, p, sizeof(bits));
    veci wide = __builtin_convertvector(bits, veci);
    vec size = (vec)((wide & 0x7fff) << 13) * splat(0x1p112f);
    return (vec)((veci)size | (wide & 0x8000) << 16);
#endif
}

INLINE vec widen_bf16(const uint16_t *p)
{
    vech bits;
    memcpy(&bits, p, sizeof(bits));
    return (vec)(__builtin_convertvector(bits, veci) << 16);
}

// `count` is a multiple of 16, as everything in panels.
static void widen(enum ebb_number number, const void *src, size_t count, float *dst)
{
    const uint16_t *p = src;
    if (number == EBB_FLOAT16)
        for (size_t i = 0; i < count; i += LANES)
            store(dst + i, widen_f16(p + i));
    else if (number == EBB_BFLOAT16)
        for (size_t i = 0; i < count; i += LANES)
            store(dst + i, widen_bf16(p + i));
    else
        memcpy(dst, src, count * sizeof(*dst));
}

// ---- Winograd: G g G^T, in double, of Lavin and Gray 2016 ----

enum { HALF = LANES / 2 }; // doubles of one register
typedef double vecd_half __attribute__((vector_size(8 * HALF)));
typedef float vec_half __attribute__((vector_size(4 * HALF)));

INLINE vecd_half load_wide(const float *p)
{
    vec_half v;
    memcpy(&v, p, sizeof(v));
    return __builtin_convertvector(v, vecd_half);
}

INLINE void store_narrow(float *p, vecd_half x)
{
    vec_half v = __builtin_convertvector(x, vec_half);
    memcpy(p, &v, sizeof(v));
}

INLINE void kernel_side(const vecd_half g[3], vecd_half out[6], const int n)
{
    if (n == 6) {
        vecd_half a = g[0] * (1.0 / 6), b = g[1] * (1.0 / 6), c = g[2] * (1.0 / 6);
        vecd_half d = g[0] * (1.0 / 24), e = g[1] * (1.0 / 12);
        out[0] = g[0] * 0.25;
        out[1] = -a - b - c;
        out[2] = b - a - c;
        out[3] = d + e + c;
        out[4] = d - e + c;
        out[5] = g[2];
    } else {
        vecd_half a = g[0] * 0.5, b = g[1] * 0.5, c = g[2] * 0.5;
        out[0] = g[0];
        out[1] = a + b + c;
        out[2] = a - b + c;
        out[3] = g[2];
    }
}

// HALF output channels; `src` has the 9 places `step` floats apart.
INLINE void kernel_lanes(const float *src, size_t step, float *dst, size_t plane, const int n)
{
    vecd_half rows[6][3], column[3], out[6];
    for (int j = 0; j < 3; j++) {
        for (int i = 0; i < 3; i++)
            column[i] = load_wide(src + (size_t)(3 * i + j) * step);
        kernel_side(column, out, n);
        for (int i = 0; i < n; i++)
            rows[i][j] = out[i];
    }
    for (int i = 0; i < n; i++) {
        kernel_side(rows[i], out, n);
        for (int j = 0; j < n; j++)
            store_narrow(dst + (size_t)(n * i + j) * plane, out[j]);
    }
}

INLINE void winograd_weights(const struct cpu_winograd_weights *w, const int n)
{
    size_t width = (size_t)w->width, plane = (size_t)w->cin * width;
    float wide[9 * CPU_PANEL];
    for (int i = w->first; i < w->first + w->count; i++) {
        const float *src = (const float *)w->panel + (size_t)i * width;
        size_t step = plane;
        if (w->number != EBB_FLOAT32) {
            for (size_t k = 0; k < 9; k++)
                widen(w->number, (const uint16_t *)w->panel + k * plane + (size_t)i * width, width,
                      wide + k * width);
            src = wide;
            step = width;
        }
        for (size_t c = 0; c < width; c += HALF)
            kernel_lanes(src + c, step, w->out + (size_t)i * width + c, plane, n);
    }
}

static void winograd4(const struct cpu_winograd_weights *w)
{
    winograd_weights(w, 6);
}

static void winograd2(const struct cpu_winograd_weights *w)
{
    winograd_weights(w, 4);
}

// ---- Toom and Cook's F(4, 4), in double ----

// 16 numbers of each tap; what is beyond the taps is 0.
INLINE void toom_lanes(float taps[4][16], float *out, size_t plane)
{
    enum { POINTS = 7 };
    static const double G[POINTS][4] = {{-1.0 / 2, 0, 0, 0},
                                        {-1.0 / 3, -1.0 / 3, -1.0 / 3, -1.0 / 3},
                                        {1.0 / 9, -1.0 / 9, 1.0 / 9, -1.0 / 9},
                                        {1.0 / 36, 1.0 / 18, 1.0 / 9, 2.0 / 9},
                                        {-1.0 / 60, 1.0 / 30, -1.0 / 15, 2.0 / 15},
                                        {32.0 / 45, 16.0 / 45, 8.0 / 45, 4.0 / 45},
                                        {0, 0, 0, 1}};
    for (size_t i = 0; i < 16; i += HALF) {
        vecd_half g[4];
        for (int k = 0; k < 4; k++)
            g[k] = load_wide(taps[k] + i);
        for (size_t p = 0; p < POINTS; p++)
            store_narrow(out + p * plane + i,
                         G[p][0] * g[0] + G[p][1] * g[1] + G[p][2] * g[2] + G[p][3] * g[3]);
    }
}

static void toom4(const struct cpu_toom_weights *w)
{
    size_t size = ebb_number_size(w->number);
    float taps[4][16] = {{0}};
    for (size_t i = 0; i < w->count; i += 16) {
        for (size_t k = 0; k < (size_t)w->tap_count; k++)
            widen(w->number, (const char *)w->taps + (k * w->count + i) * size, 16, taps[k]);
        toom_lanes(taps, w->out + i, w->plane);
    }
}

const struct cpu_weight_kernels CPU_WEIGHT_KERNELS = {widen, winograd4, winograd2, toom4};
