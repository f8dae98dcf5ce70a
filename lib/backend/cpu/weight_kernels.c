// SPDX-License-Identifier: LGPL-2.1-or-later
// What is done to weights at each evaluation, because they are held once, as panels, in the file's numbers.
// This file is compiled once for each instruction set like kernels.c, but without fused multiplications and
// additions: all instruction sets make the same bits. CPU_WEIGHT_KERNELS is the table's name.
#include "backend/cpu/kernels.h"
#include "backend/cpu/vector.h"
#include "backend/cpu/widen.h"

// ---- 16 bits become 32 ----

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

// ---- Winograd: G g G^T, of Lavin and Gray 2016 ----

INLINE void kernel_side(const vec g[3], vec out[6], const int n)
{
    if (n == 6) {
        vec b = g[1] * splat(1.0f / 6), c = g[2] * splat(1.0f / 6), e = g[1] * splat(1.0f / 12);
        vec even = g[0] * splat(1.0f / 6) + c, near = g[0] * splat(1.0f / 24) + c;
        out[0] = g[0] * splat(0.25f);
        out[1] = -even - b;
        out[2] = b - even;
        out[3] = near + e;
        out[4] = near - e;
        out[5] = g[2];
    } else {
        vec even = (g[0] + g[2]) * splat(0.5f), b = g[1] * splat(0.5f);
        out[0] = g[0];
        out[1] = even + b;
        out[2] = even - b;
        out[3] = g[2];
    }
}

enum { ROWS_AHEAD = 12 }; // input channels whose weights are fetched before they are needed

INLINE void fetch(const char *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(from + i);
}

// LANES output channels from number `at` of the panel on, whose 9 places lie `step` numbers apart.
INLINE void kernel_lanes(const void *panel, size_t at, size_t step, float *dst, size_t plane, const int n,
                         const enum ebb_number number)
{
    vec rows[6][3], column[3], out[6];
    UNROLL
    for (int j = 0; j < 3; j++) {
        UNROLL
        for (int i = 0; i < 3; i++)
            column[i] = load_number(panel, at + (size_t)(3 * i + j) * step, number);
        kernel_side(column, out, n);
        UNROLL
        for (int i = 0; i < n; i++)
            rows[i][j] = out[i];
    }
    UNROLL
    for (int i = 0; i < n; i++) {
        kernel_side(rows[i], out, n);
        UNROLL
        for (int j = 0; j < n; j++)
            store(dst + (size_t)(n * i + j) * plane, out[j]);
    }
}

INLINE void winograd_rows(const struct cpu_winograd_weights *w, const int n, const enum ebb_number number)
{
    size_t width = (size_t)w->width, step = (size_t)w->cin * width, size = ebb_number_size(number);
    for (size_t i = 0; i < (size_t)w->count; i++) {
        size_t at = ((size_t)w->first + i) * width;
        for (size_t k = 0; k < 9; k++)
            fetch((const char *)w->panel + (k * step + at + ROWS_AHEAD * width) * size, width * size);
        for (size_t c = 0; c < width; c += LANES)
            kernel_lanes(w->panel, at + c, step, w->out + i * width + c, w->plane, n, number);
    }
}

INLINE void winograd_weights(const struct cpu_winograd_weights *w, const int n)
{
    switch (w->number) {
    case EBB_FLOAT16: winograd_rows(w, n, EBB_FLOAT16); break;
    case EBB_BFLOAT16: winograd_rows(w, n, EBB_BFLOAT16); break;
    default: winograd_rows(w, n, EBB_FLOAT32); break;
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

INLINE void store_narrow(float *p, vecd_half x)
{
    vec_half v = __builtin_convertvector(x, vec_half);
    memcpy(p, &v, sizeof(v));
}

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
