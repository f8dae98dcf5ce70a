// SPDX-License-Identifier: LGPL-2.1-or-later
// The inner loops, compiled once for each instruction set from kernels.c and chosen when the device is
// opened.
#ifndef EBB_BACKEND_CPU_KERNELS_H
#define EBB_BACKEND_CPU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "backend/weight.h"

enum { CPU_PANEL = EBB_PANEL, CPU_GROUP_MAX = 4 };

// `pixels` pixels of one panel: out[p][j] = (sum_k a(p, k) panel[k][j] + add[j] + residual[p][j]) * scale,
// where the sources of pixel p are `runs` runs of `run` floats, at a + p * step + r * run_step.
struct cpu_row {
    const float *a;
    size_t step, run_step;
    int runs, run, pixels;
    const float *panel;     // (runs * run, width)
    enum ebb_number number; // of the panel, for row_16()
    int width;              // 16 or 32
    int columns;            // of them stored, 1..width
    float *out;
    size_t out_step;
    const float *add;      // `width` floats, or NULL
    const float *residual; // steps as out, or NULL
    float scale;
    // Of cpu_bf16_kernels.direct_pixels > 0: pixels lie in lines that are `pitch` apart at `a`, and of each
    // the first `line` are stored, without a gap. 0: all are.
    int line, pitch;
};

// dst[p * dst_step + c] = act(src[(p >> shift) * src_step + c] * a[c] + b[c]); a may be NULL: no affine part.
struct cpu_load {
    float *dst;
    const float *src;
    size_t dst_step, src_step;
    int pixels, channels, shift;
    const float *a, *b;
    enum ebb_act act;
    float slope;
};

// dst[p * channels + c] = g[..] * act'(x[..] * a[c] + b[c]); a may be NULL: no affine part.
struct cpu_slope {
    float *dst;
    const float *g, *x;
    int pixels, channels;
    const float *a, *b;
    enum ebb_act act;
};

// One Winograd tile back to its 4x4 or 2x2 outputs; products lie `plane` floats apart.
struct cpu_winograd_out {
    const float *products;
    size_t plane;
    float *out;
    const float *residual, *add;
    size_t line, step;         // floats between output rows, between pixels
    int rows, pixels, columns; // stored: at most the tile's and a panel's width
    float scale;
};

// G g G^T of input channels [first, first + count) of a panel, (9, cin, width), to (points, count, width),
// where points lie `plane` floats apart.
struct cpu_winograd_weights {
    const void *panel;
    enum ebb_number number;
    int cin, width, first, count;
    float *out;
    size_t plane;
};

// G g of F(4, 4): `count` numbers of each of up to 4 taps, which follow each other; points lie `plane` floats
// apart.
struct cpu_toom_weights {
    const void *taps;
    enum ebb_number number;
    int tap_count;
    size_t count; // a multiple of 16
    float *out;
    size_t plane;
};

// See weight_kernels.c.
struct cpu_weight_kernels {
    void (*widen)(enum ebb_number number, const void *src, size_t count, float *dst);
    void (*winograd4)(const struct cpu_winograd_weights *weights);
    void (*winograd2)(const struct cpu_winograd_weights *weights);
    void (*toom4)(const struct cpu_toom_weights *weights);
};

struct cpu_kernels {
    const char *name, *title; // "avx512", "AVX-512"
    const struct cpu_weight_kernels *weights;
    void (*row)(const struct cpu_row *row);
    void (*row_16)(const struct cpu_row *row); // of a panel in 16 bits, with the same bits; NULL: none
    void (*load)(const struct cpu_load *load);
    // dst[i] = x[i] * act(gate[i])
    void (*gate)(float *dst, const float *x, const float *gate, int count, enum ebb_act act);
    // x[p * step + c] = (x + vector[c] + residual[p * step + c]) * scale; NULL: none.
    void (*finish)(float *x, size_t step, int pixels, int channels, const float *vector,
                   const float *residual, float scale);
    // B^T d B of a 6x6 (4x4) patch of `channels`-wide pixels, `line` floats between rows; points lie `plane`
    // floats apart.
    void (*winograd4_in)(const float *src, size_t line, int channels, float *dst, size_t plane);
    void (*winograd2_in)(const float *src, size_t line, int channels, float *dst, size_t plane);
    // (A^T m A + add + residual) * scale
    void (*winograd4_out)(const struct cpu_winograd_out *out);
    void (*winograd2_out)(const struct cpu_winograd_out *out);
    // The same in one dimension, for 4 outputs of 4 taps: 7 inputs of `channels`, `step` floats apart, to 7
    // points; the outputs of `out` are one row.
    void (*toom4_in)(const float *src, size_t step, int channels, float *dst, size_t plane);
    void (*toom4_out)(const struct cpu_winograd_out *out);
    int tiles; // that row() multiplies at a time, about: 6, 8 or 9, of which 72 is a multiple
    // sums[c] and sums[channels + c]: sum and sum of squares over pixels, in double.
    void (*sums)(const float *x, size_t step, int pixels, int channels, double *sums, double *squares);
    // sums[c] and products[c]: sum of g and of g x over pixels, in double.
    void (*products)(const float *g, const float *x, size_t step, int pixels, int channels, double *sums,
                     double *products);
    void (*slope)(const struct cpu_slope *slope);
    // dst[p][c] = g[p][c] * k[c] + x[p][c] * k[channels + c] + k[2 * channels + c]; x NULL: g[p][c] * k[c].
    void (*combine)(float *dst, const float *g, const float *x, int pixels, int channels, const float *k);
    // row[i] = exp((row[i] - max) * factor); returns the sum.
    float (*softmax)(float *row, int count, float factor);
};

// Convolutions in bfloat16. A pair of numbers, the first in the low half, stands where kernels of float32
// have one float: `row` has pairs in struct cpu_row, where `run`, `step` and `run_step` count pairs.
struct cpu_bf16_kernels {
    const char *title;
    // Numbers of a column that lie side by side in panels, 2 or 4: what one instruction sums for it. Depths
    // are multiples.
    int group;
    void (*row)(const struct cpu_row *row);
    // Pixels that row() should have at a time. 0: those of a line, and Winograd's method is faster than row()
    // where it can be used.
    int direct_pixels;
    int attention_queries; // of one unit of attention, at most 32; 0: attention stays float32
    void (*narrow)(const float *src, size_t count, uint16_t *dst);
    // As those of struct cpu_kernels, as exactly as bfloat16 needs it: the load of SiLU, and sums as float32.
    void (*load_silu)(const struct cpu_load *load);
    // To `dst` in place of load->dst, whose step counts numbers of bfloat16. No activation, or SiLU.
    void (*load_narrow)(const struct cpu_load *load, uint16_t *dst);
    void (*sums)(const float *x, size_t step, int pixels, int channels, double *sums, double *squares);
    // Rows of a panel, (count, width), to (count / group, width, group).
    void (*groups)(const float *rows, size_t width, size_t count, uint16_t *out);
    void (*winograd4_in)(const float *src, size_t line, int channels, uint16_t *dst, size_t plane);
    void (*winograd2_in)(const float *src, size_t line, int channels, uint16_t *dst, size_t plane);
    void (*winograd4_out)(const struct cpu_winograd_out *out);
    void (*winograd2_out)(const struct cpu_winograd_out *out);
    // `group` input channels of a panel, (9, group, width) where `place` floats lie between places, to
    // (width, group) at points that lie `plane` numbers apart.
    void (*winograd4_weights)(const float *rows, size_t place, size_t width, uint16_t *out, size_t plane);
    void (*winograd2_weights)(const float *rows, size_t place, size_t width, uint16_t *out, size_t plane);
};

extern const struct cpu_bf16_kernels cpu_bf16_kernels_plain, cpu_bf16_kernels_avx512, cpu_bf16_kernels_amx,
    cpu_bf16_kernels_neon;
extern const struct cpu_kernels cpu_kernels_plain, cpu_kernels_avx2, cpu_kernels_avx512, cpu_kernels_neon;

#endif
