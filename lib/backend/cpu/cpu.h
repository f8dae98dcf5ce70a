// SPDX-License-Identifier: LGPL-2.1-or-later
// The CPU backend: float32, (n, h, w, c). Each op is a few jobs for the threads of the pool.
#ifndef EBB_BACKEND_CPU_CPU_H
#define EBB_BACKEND_CPU_CPU_H

#include "backend/cpu/kernels.h"
#include "backend/cpu/pool.h"
#include "backend/host.h"

struct cpu_device {
    const struct cpu_kernels *kernels;
    const struct cpu_bf16_kernels *bf16; // NULL: none
    const struct cpu_bf16_kernels *amx;  // in place of them, once the system allows it; NULL: none
    struct cpu_pool *pool;
};

// One op of a prepared program.
struct cpu_op {
    const struct ebb_op *op;
    const struct ebb_operand *dst, *src[EBB_OP_SOURCES];
    const struct cpu_conv *conv; // the method of a convolution
    size_t scratch;              // floats
    bool bf16;                   // a convolution may be one of bfloat16
    bool hold;                   // prepare() may hold a second form of the weights
};

// Floats of a second form of a convolution's weights that prepare() may hold; 0: it needs none.
size_t cpu_conv_worth(const struct cpu_device *device, const struct cpu_op *op);

// One run of a program, as jobs receive it with their op.
struct cpu_run {
    struct ebb_host_run host;
    const struct cpu_kernels *kernels;
    const struct cpu_bf16_kernels *bf16;
    struct cpu_pool *pool;
    float *scratch; // cpu_op.scratch floats, 64-byte aligned
};

// The kernel of an op. prepare() sets cpu_op.scratch and packs weights; it may be NULL. run() computes the
// op.
struct cpu_kernel {
    enum ebb_result (*prepare)(const struct cpu_device *device, struct cpu_op *op, struct ebb_error *error);
    void (*run)(const struct cpu_run *run, const struct cpu_op *op);
    void (*release)(struct cpu_op *op);
};

bool cpu_conv_in_place(const struct ebb_operand *operands, const struct ebb_op *op);

enum { CPU_STRIP = 64 }; // channels of one unit where a job is cut by channels

static inline int cpu_strips(int channels)
{
    return (channels + CPU_STRIP - 1) / CPU_STRIP;
}

static inline size_t cpu_pixels(const struct ebb_operand *x)
{
    return (size_t)x->h * (size_t)x->w;
}

// cpu_conv and so on: a row per op, in the file that has its kernel.
#define OP(NAME, name, words) extern const struct cpu_kernel cpu_##name;
#include "backend/ops.def"
#undef OP

// ---- the load, shared by conv and map ----

struct cpu_source {
    const float *src[2], *affine;    // affine: of item 0
    int c[2], channels, h, w, shift; // h, w: of the sources, before upsampling
    enum ebb_act act;
    float slope;
    void (*load)(const struct cpu_load *load); // NULL: that of the kernels
};
struct cpu_source cpu_source_of(const struct cpu_run *run, const struct cpu_op *op);
// Writes row y of item n to dst, pixel after pixel; y counts after upsampling and is inside the image.
void cpu_source_row(const struct cpu_kernels *kernels, const struct cpu_source *source, int n, int y,
                    float *dst);
// The same, rounded to bfloat16; the activation is none or SiLU.
void cpu_source_row_narrow(const struct cpu_bf16_kernels *kernels, const struct cpu_source *source, int n,
                           int y, uint16_t *dst);

// The same as cpu_source_row() for `count` pixels from x on.
void cpu_source_part(const struct cpu_kernels *kernels, const struct cpu_source *source, int n, int y, int x,
                     int count, float *dst);

// ---- weights ----

// The panels of a weight: its own, or float32 packed from its plain numbers.
struct cpu_panels {
    struct ebb_packed packed;
    struct ebb_panels held;
    const float *data; // `held` as float32; NULL: in 16 bits
    float *owned;
    int count, channels;
    size_t depth; // kh * kw * cin
};
const struct cpu_panels *cpu_panels_get(struct ebb_weight *weight); // NULL: out of memory
// Panels [first, first + count) as float32: where they are, or at `scratch`.
const float *cpu_panels_load(const struct cpu_panels *panels, int first, int count,
                             const struct cpu_kernels *kernels, struct cpu_pool *pool, float *scratch);
int cpu_panel_width(int channels, int panel);
// Rows k of `depth`, `channels` columns at src + k * k_step + column * column_step, to panels at dst.
void cpu_panels_pack(float *dst, const float *src, size_t depth, int channels, size_t k_step,
                     size_t column_step);
size_t cpu_panels_floats(size_t depth, int channels);

// out (pixels, columns) = a (pixels, depth) times panels of `columns` columns, by a row() of the kernels. Of
// bfloat16, `step` and `depth` count pairs.
void cpu_multiply(void (*multiply)(const struct cpu_row *row), const float *a, size_t step, int pixels,
                  int depth, const float *panels, int columns, float *out, size_t out_step);

#endif
