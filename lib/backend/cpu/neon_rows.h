// SPDX-License-Identifier: LGPL-2.1-or-later
// row() by NEON, whose instructions multiply a register with one lane of another: four numbers of a pixel are
// loaded at once, and none is spread over a register. With BF16, an instruction has four numbers of two
// pixels and of two columns, and adds to four sums.
//
// The sums of a tile fill 24 of the 32 registers; sources and weights take turns in the others. A wide panel
// is two halves, one after another.
#ifndef EBB_BACKEND_CPU_NEON_ROWS_H
#define EBB_BACKEND_CPU_NEON_ROWS_H

#include <arm_neon.h>

#include "backend/cpu/kernels.h"
#include "backend/cpu/vector.h"

enum { PIXELS = 6, VECTORS = 4, COLUMNS = VECTORS * LANES, SUMS = PIXELS * VECTORS };

#ifdef __ARM_FEATURE_BF16_VECTOR_ARITHMETIC
enum { DEPTH = 2 }; // floats of a pixel that are multiplied at once: four numbers

// Two pixels of four numbers, and all columns.
INLINE void multiply_pairs(vec *sum, const float64x2_t *x, const float *b, const int pairs)
{
    UNROLL
    for (int j = 0; j < 2 * VECTORS; j++) {
        bfloat16x8_t w = (bfloat16x8_t)load(b + j * LANES);
        UNROLL
        for (int i = 0; i < pairs; i++)
            sum[2 * VECTORS * i + j] = vbfmmlaq_f32(sum[2 * VECTORS * i + j], (bfloat16x8_t)x[i], w);
    }
}

// Adds the products of one run. Of an odd number, the last pixel is multiplied twice.
INLINE void multiply_run(vec *sum, const float *a, size_t step, const float *b, size_t width, int run,
                         const int pixels)
{
    const int pairs = (pixels + 1) / 2;
    float64x2_t even[PIXELS / 2], odd[PIXELS / 2];
    int k = 0;
    for (; k + 4 <= run; k += 4, b += 4 * width) {
        UNROLL
        for (int i = 0; i < pairs; i++) {
            const float *first = a + (size_t)(2 * i) * step + k,
                        *second = 2 * i + 1 < pixels ? first + step : first;
            float64x2_t x = (float64x2_t)load(first), y = (float64x2_t)load(second);
            even[i] = vzip1q_f64(x, y);
            odd[i] = vzip2q_f64(x, y);
        }
        multiply_pairs(sum, even, b, pairs);
        multiply_pairs(sum, odd, b + DEPTH * width, pairs);
    }
    if (k < run) {
        UNROLL
        for (int i = 0; i < pairs; i++) {
            const float *first = a + (size_t)(2 * i) * step + k,
                        *second = 2 * i + 1 < pixels ? first + step : first;
            even[i] = (float64x2_t)vcombine_f32(vld1_f32(first), vld1_f32(second));
        }
        multiply_pairs(sum, even, b, pairs);
    }
}

// Sums of two pixels and two columns become those of a pixel and four columns.
INLINE vec sum_of(const vec *sum, const int pixel, const int vector)
{
    const vec *pair = sum + 2 * VECTORS * (pixel / 2) + 2 * vector;
    float64x2_t left = (float64x2_t)pair[0], right = (float64x2_t)pair[1];
    return (vec)(pixel % 2 ? vzip2q_f64(left, right) : vzip1q_f64(left, right));
}
#else
enum { DEPTH = 1 };

// Row k of the panel, and number `lane` of all pixels.
#define MULTIPLY_LANE(lane)                                                                                  \
    UNROLL                                                                                                   \
    for (int j = 0; j < VECTORS; j++) {                                                                      \
        vec w = load(b + (lane)*width + (size_t)(j * LANES));                                                \
        UNROLL                                                                                               \
        for (int i = 0; i < pixels; i++)                                                                     \
            sum[VECTORS * i + j] = vfmaq_laneq_f32(sum[VECTORS * i + j], w, x[i], lane);                     \
    }

// Adds the products of one run.
INLINE void multiply_run(vec *sum, const float *a, size_t step, const float *b, size_t width, int run,
                         const int pixels)
{
    vec x[PIXELS];
    int k = 0;
    for (; k + 4 <= run; k += 4, b += 4 * width) {
        UNROLL
        for (int i = 0; i < pixels; i++)
            x[i] = load(a + (size_t)i * step + k);
        MULTIPLY_LANE(0)
        MULTIPLY_LANE(1)
        MULTIPLY_LANE(2)
        MULTIPLY_LANE(3)
    }
    for (; k < run; k++, b += width) {
        UNROLL
        for (int i = 0; i < pixels; i++)
            x[i] = splat(a[(size_t)i * step + (size_t)k]);
        MULTIPLY_LANE(0)
    }
}

INLINE vec sum_of(const vec *sum, const int pixel, const int vector)
{
    return sum[VECTORS * pixel + vector];
}
#endif

INLINE void tile(const struct cpu_row *r, int first, const int pixels)
{
    vec sum[SUMS];
    const float *a = r->a + (size_t)first * r->step, *b = r->panel;
    UNROLL
    for (int i = 0; i < SUMS; i++)
        sum[i] = splat(0);
    for (int run = 0; run < r->runs; run++, a += r->run_step, b += (size_t)r->run * (size_t)r->width)
        multiply_run(sum, a, r->step, b, (size_t)r->width, r->run, pixels);

    if (!r->add && !r->residual && r->scale == 1 && r->columns >= COLUMNS) {
        float *out = r->out + (size_t)first * r->out_step;
        UNROLL
        for (int i = 0; i < pixels; i++, out += r->out_step) {
            UNROLL
            for (int j = 0; j < VECTORS; j++)
                store(out + j * LANES, sum_of(sum, i, j));
        }
    } else {
        vec done[SUMS];
        UNROLL
        for (int i = 0; i < pixels; i++) {
            UNROLL
            for (int j = 0; j < VECTORS; j++)
                done[i * VECTORS + j] = sum_of(sum, i, j);
        }
        finish_tile(r, done, first, pixels, VECTORS);
    }
}

static void half_row(const struct cpu_row *r)
{
    int first = 0;
    for (; first + PIXELS <= r->pixels; first += PIXELS)
        tile(r, first, PIXELS);
    switch (r->pixels - first) {
    case 5: tile(r, first, 5); break;
    case 4: tile(r, first, 4); break;
    case 3: tile(r, first, 3); break;
    case 2: tile(r, first, 2); break;
    case 1: tile(r, first, 1); break;
    default: break;
    }
}

static void row(const struct cpu_row *r)
{
    half_row(r);
    if (r->columns > COLUMNS) {
        struct cpu_row right = *r;
        right.panel += DEPTH * COLUMNS;
        right.columns -= COLUMNS;
        right.out += COLUMNS;
        right.add = r->add ? r->add + COLUMNS : NULL;
        right.residual = r->residual ? r->residual + COLUMNS : NULL;
        half_row(&right);
    }
}

#endif
