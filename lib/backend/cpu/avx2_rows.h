// SPDX-License-Identifier: LGPL-2.1-or-later
// row() by AVX2, of 16 registers. A core multiplies twice in a clock and loads twice, so that what is loaded
// must be used more than once: a tile of 6 pixels and 16 columns has 12 sums, and loads 8 times for 12
// multiplications. A wide panel is two halves, one after another.
#ifndef EBB_BACKEND_CPU_AVX2_ROWS_H
#define EBB_BACKEND_CPU_AVX2_ROWS_H

#include "backend/cpu/kernels.h"
#include "backend/cpu/vector.h"
#include "backend/cpu/widen.h"

enum { PIXELS = 6, VECTORS = 2, COLUMNS = VECTORS * LANES, FEW = 3, SUMS = PIXELS * VECTORS };

enum { AHEAD = 64 }; // rows of a panel that are fetched into the cache before they are needed

// A number in a register: the compiler would fetch it from memory again for each multiplication.
INLINE vec held(vec x)
{
    __asm__("" : "+x"(x));
    return x;
}

// Adds the products of one row of the panel. Few pixels and all columns: pixels stay in registers; otherwise
// the row does.
INLINE void multiply(vec *sum, const float *a, size_t step, const char *b, const int pixels,
                     const int vectors, const enum ebb_number number)
{
    vec x[PIXELS], w[2 * VECTORS];
    if (vectors > VECTORS) {
        UNROLL
        for (int i = 0; i < pixels; i++)
            x[i] = held(splat(a[(size_t)i * step]));
        UNROLL
        for (int j = 0; j < vectors; j++) {
            w[j] = held(load_number(b, (size_t)(j * LANES), number));
            UNROLL
            for (int i = 0; i < pixels; i++)
                sum[i * vectors + j] += x[i] * w[j];
        }
    } else {
        UNROLL
        for (int j = 0; j < vectors; j++)
            w[j] = held(load_number(b, (size_t)(j * LANES), number));
        UNROLL
        for (int i = 0; i < pixels; i++) {
            x[i] = held(splat(a[(size_t)i * step]));
            UNROLL
            for (int j = 0; j < vectors; j++)
                sum[i * vectors + j] += x[i] * w[j];
        }
    }
}

// Of one column of vectors, `count` lanes.
INLINE void store_vectors(const struct cpu_row *r, const vec *sum, size_t at, size_t column,
                          const int pixels, const int vectors, const int count)
{
    const vec scale = splat(r->scale), add = r->add ? load(r->add + column) : splat(0);
    at += column;
    UNROLL
    for (int i = 0; i < pixels; i++, at += r->out_step) {
        vec v = sum[i * vectors] + add;
        if (r->residual)
            v += load_lanes(r->residual + at, count);
        store_lanes(r->out + at, v * scale, count);
    }
}

INLINE void store_tile(const struct cpu_row *r, const vec *sum, int first, const int pixels,
                       const int vectors)
{
    const size_t at = (size_t)first * r->out_step;
    UNROLL
    for (int j = 0; j < vectors; j++) {
        int left = r->columns - j * LANES;
        if (left >= LANES)
            store_vectors(r, sum + j, at, (size_t)(j * LANES), pixels, vectors, LANES);
        else if (left > 0)
            store_vectors(r, sum + j, at, (size_t)(j * LANES), pixels, vectors, left);
    }
}

// `number` is that of the panel.
INLINE void tile(const struct cpu_row *r, int first, const int pixels, const int vectors,
                 const enum ebb_number number)
{
    vec sum[SUMS];
    const size_t size = number == EBB_FLOAT32 ? 4 : 2, row = (size_t)r->width * size;
    const float *a = r->a + (size_t)first * r->step;
    const char *b = (const char *)r->panel;
    UNROLL
    for (int i = 0; i < pixels * vectors; i++)
        sum[i] = splat(0);
    for (int run = 0; run < r->runs; run++, a += r->run_step)
        for (int k = 0; k < r->run; k++, b += row) {
            UNROLL
            for (size_t j = 0; j < (size_t)(vectors * LANES) * size; j += 64)
                __builtin_prefetch(b + AHEAD * row + j);
            multiply(sum, a + k, r->step, b, pixels, vectors, number);
        }
    store_tile(r, sum, first, pixels, vectors);
}

// The pixels are cut into tiles of about one size: small ones keep a core waiting for its own sums.
INLINE void half_row(const struct cpu_row *r, const enum ebb_number number)
{
    int tiles = (r->pixels + PIXELS - 1) / PIXELS;
    for (int i = 0, first = 0, end; i < tiles; i++, first = end) {
        end = r->pixels * (i + 1) / tiles;
        switch (end - first) {
        case 6: tile(r, first, 6, VECTORS, number); break;
        case 5: tile(r, first, 5, VECTORS, number); break;
        case 4: tile(r, first, 4, VECTORS, number); break;
        case 3: tile(r, first, 3, VECTORS, number); break;
        case 2: tile(r, first, 2, VECTORS, number); break;
        case 1: tile(r, first, 1, VECTORS, number); break;
        default: break;
        }
    }
}

// The right half of a wide panel.
INLINE struct cpu_row right_half(const struct cpu_row *r, const enum ebb_number number)
{
    struct cpu_row right = *r;
    right.panel = (const float *)((const char *)r->panel + COLUMNS * (number == EBB_FLOAT32 ? 4 : 2));
    right.columns -= COLUMNS;
    right.out += COLUMNS;
    right.add = r->add ? r->add + COLUMNS : NULL;
    right.residual = r->residual ? r->residual + COLUMNS : NULL;
    return right;
}

// Few pixels take all columns at once, so that there are enough sums.
INLINE void row_of(const struct cpu_row *r, const enum ebb_number number)
{
    if (r->width > COLUMNS && r->pixels <= FEW) {
        switch (r->pixels) {
        case 3: tile(r, 0, 3, 2 * VECTORS, number); break;
        case 2: tile(r, 0, 2, 2 * VECTORS, number); break;
        case 1: tile(r, 0, 1, 2 * VECTORS, number); break;
        default: break;
        }
        return;
    }
    half_row(r, number);
    if (r->columns > COLUMNS) {
        struct cpu_row right = right_half(r, number);
        half_row(&right, number);
    }
}

static void row(const struct cpu_row *r)
{
    row_of(r, EBB_FLOAT32);
}

#endif
