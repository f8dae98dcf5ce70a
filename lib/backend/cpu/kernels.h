// The inner loops, compiled once for each instruction set from kernels.c and chosen when the device is opened.
#ifndef EBB_BACKEND_CPU_KERNELS_H
#define EBB_BACKEND_CPU_KERNELS_H

#include <stddef.h>

#include "backend/weight.h"

enum { CPU_PANEL = 32 }; // output channels that a panel of packed weights holds

// `pixels` pixels of one panel: out[p][j] = (sum_k a(p, k) panel[k][j] + add[j] + residual[p][j]) * scale, where the
// sources of pixel p are `runs` runs of `run` floats, at a + p * step + r * run_step.
struct cpu_row {
    const float *a;
    size_t step, run_step;
    int runs, run, pixels;
    const float *panel;    // (runs * run, width)
    int width;             // 16 or 32
    int columns;           // of them stored, 1..width
    float *out;
    size_t out_step;
    const float *add;      // `width` floats, or NULL
    const float *residual; // steps as out, or NULL
    float scale;
};

// dst[p * dst_step + c] = act(src[(p >> shift) * src_step + c] * a[c] + b[c]); a may be NULL: no affine part.
struct cpu_load {
    float *dst;
    const float *src;
    size_t dst_step, src_step;
    int pixels, channels, shift;
    const float *a, *b;
    enum ebb_act act;
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
    size_t line, step; // floats between output rows, between pixels
    int rows, pixels, columns; // stored: at most the tile's and a panel's width
    float scale;
};

struct cpu_kernels {
    const char *name, *title; // "avx512", "AVX-512"
    void (*row)(const struct cpu_row *row);
    void (*load)(const struct cpu_load *load);
    // x[p * step + c] = (x + vector[c] + residual[p * step + c]) * scale; NULL: none.
    void (*finish)(float *x, size_t step, int pixels, int channels, const float *vector, const float *residual, float scale);
    // B^T d B of a 6x6 (4x4) patch of `channels`-wide pixels, `line` floats between rows; points lie `plane` floats apart.
    void (*winograd4_in)(const float *src, size_t line, int channels, float *dst, size_t plane);
    void (*winograd2_in)(const float *src, size_t line, int channels, float *dst, size_t plane);
    // (A^T m A + add + residual) * scale
    void (*winograd4_out)(const struct cpu_winograd_out *out);
    void (*winograd2_out)(const struct cpu_winograd_out *out);
    int tiles; // that a block of Winograd products should have
    // sums[c] and sums[channels + c]: sum and sum of squares over pixels, in double.
    void (*sums)(const float *x, size_t step, int pixels, int channels, double *sums, double *squares);
    // sums[c] and products[c]: sum of g and of g x over pixels, in double.
    void (*products)(const float *g, const float *x, size_t step, int pixels, int channels, double *sums, double *products);
    void (*slope)(const struct cpu_slope *slope);
    // dst[p][c] = g[p][c] * k[c] + x[p][c] * k[channels + c] + k[2 * channels + c]; x NULL: g[p][c] * k[c].
    void (*combine)(float *dst, const float *g, const float *x, int pixels, int channels, const float *k);
    // row[i] = exp((row[i] - max) * factor); returns the sum.
    float (*softmax)(float *row, int count, float factor);
};

extern const struct cpu_kernels cpu_kernels_plain, cpu_kernels_avx2, cpu_kernels_avx512;

#endif
