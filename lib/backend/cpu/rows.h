// SPDX-License-Identifier: LGPL-2.1-or-later
// row(): the sums of products, in registers. The file that includes this defines MULTIPLY_ADD(sum, x, w): a
// sum with the product of two numbers of 32 bits, or with those of the two pairs of bfloat16 that they hold.
#ifndef EBB_BACKEND_CPU_ROWS_H
#define EBB_BACKEND_CPU_ROWS_H

#include "backend/cpu/kernels.h"
#include "backend/cpu/vector.h"
#include "backend/cpu/widen.h"

// Pixels whose sums are held in registers at once: accumulators, one row of the panel and a broadcast must
// fit.
#if !defined(CPU_NEON) && !defined(CPU_AVX2)
#if defined(__AVX512F__)
enum { PIXELS = 8 };
#else
enum { PIXELS = 1 };
#endif

// Weights are fetched into the cache this many floats before they are needed.
enum { AHEAD = 2048 };
#endif

// With sanitizers on, gcc 12 unrolls a loop before it knows the bound, and warns of accesses that no
// iteration makes. The sanitizers themselves watch these bounds.
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Warray-bounds"
#endif

// ---- sums of products ----

#ifdef CPU_AVX2
#include "backend/cpu/avx2_rows.h"
#else
INLINE void finish_tile(const struct cpu_row *r, const vec *sum, int first, int pixels, int vectors)
{
    for (int i = 0; i < pixels; i++) {
        size_t at = (size_t)(first + i) * r->out_step;
        for (int j = 0; j < vectors; j++) {
            int column = j * LANES, rest = r->columns - column;
            vec v = sum[i * vectors + j];
            if (r->add)
                v += load(r->add + column);
            if (rest >= LANES) {
                if (r->residual)
                    v += load(r->residual + at + column);
                store(r->out + at + column, v * splat(r->scale));
            } else if (rest > 0) {
                if (r->residual)
                    v += load_some(r->residual + at + column, rest);
                store_some(r->out + at + column, v * splat(r->scale), rest);
            }
        }
    }
}

#ifdef CPU_NEON
#include "backend/cpu/neon_rows.h"
#else
// finish_tile() where all columns are stored: its loops have constant bounds, so that sums stay in registers.
INLINE void finish_whole(const struct cpu_row *r, vec *sum, int first, const int pixels, const int vectors)
{
    const size_t step = r->out_step, at = (size_t)first * step;
    if (r->add) {
        UNROLL
        for (int i = 0; i < pixels * vectors; i++)
            sum[i] += load(r->add + i % vectors * LANES);
    }
    if (r->residual) {
        UNROLL
        for (int i = 0; i < pixels * vectors; i++)
            sum[i] += load(r->residual + at + (size_t)(i / vectors) * step + i % vectors * LANES);
    }
    if (r->scale != 1) {
        UNROLL
        for (int i = 0; i < pixels * vectors; i++)
            sum[i] *= splat(r->scale);
    }
    UNROLL
    for (int i = 0; i < pixels * vectors; i++)
        store(r->out + at + (size_t)(i / vectors) * step + i % vectors * LANES, sum[i]);
}

// `number` is that of the panel.
INLINE void tile(const struct cpu_row *r, int first, const int pixels, const int vectors,
                 const enum ebb_number number)
{
    vec sum[PIXELS * 32 / LANES];
    const size_t step = r->step, size = number == EBB_FLOAT32 ? 4 : 2;
    const char *b = (const char *)r->panel;
    UNROLL
    for (int i = 0; i < pixels * vectors; i++)
        sum[i] = splat(0);
    for (int run = 0; run < r->runs; run++) {
        const float *a = r->a + (size_t)first * step + (size_t)run * r->run_step;
        for (int k = 0; k < r->run; k++, b += (size_t)(vectors * LANES) * size) {
            UNROLL
            for (size_t j = 0; j < (size_t)(vectors * LANES) * size; j += 64)
                __builtin_prefetch(b + AHEAD * size + j);
            UNROLL
            for (int i = 0; i < pixels; i++) {
                vec x = splat(a[(size_t)i * step + (size_t)k]);
                UNROLL
                for (int j = 0; j < vectors; j++)
                    sum[i * vectors + j] = MULTIPLY_ADD(sum[i * vectors + j], x,
                                                        load_number(b, (size_t)(j * LANES), number));
            }
        }
    }
    if (r->columns == vectors * LANES) {
        finish_whole(r, sum, first, pixels, vectors);
        return;
    }
    vec done[PIXELS * 32 / LANES]; // a copy, so that `sum` itself needs no place in memory
    UNROLL
    for (int i = 0; i < pixels * vectors; i++)
        done[i] = sum[i];
    finish_tile(r, done, first, pixels, vectors);
}

// The last pixels of a row, fewer than PIXELS.
INLINE void tail(const struct cpu_row *r, int first, const int vectors, const enum ebb_number number)
{
    switch (r->pixels - first) {
#if defined(__AVX512F__)
    case 7: tile(r, first, 7, vectors, number); break;
    case 6: tile(r, first, 6, vectors, number); break;
    case 5: tile(r, first, 5, vectors, number); break;
    case 4: tile(r, first, 4, vectors, number); break;
    case 3: tile(r, first, 3, vectors, number); break;
#endif
    case 2: tile(r, first, 2, vectors, number); break;
    case 1: tile(r, first, 1, vectors, number); break;
    default: break;
    }
}

INLINE void row_as(const struct cpu_row *r, const int vectors, const enum ebb_number number)
{
    int first = 0;
    for (; first + PIXELS <= r->pixels; first += PIXELS)
        tile(r, first, PIXELS, vectors, number);
    tail(r, first, vectors, number);
}

// A panel of 16 or 32 columns.
INLINE void row_of(const struct cpu_row *r, const enum ebb_number number)
{
    if (r->width == 32)
        row_as(r, 32 / LANES, number);
    else
        row_as(r, 16 / LANES, number);
}

static void row(const struct cpu_row *r)
{
    row_of(r, EBB_FLOAT32);
}
#endif
#endif

#endif
