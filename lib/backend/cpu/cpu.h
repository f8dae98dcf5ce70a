// The CPU backend: NHWC float32, each op a few jobs for the threads.
#ifndef EBB_BACKEND_CPU_CPU_H
#define EBB_BACKEND_CPU_CPU_H

#include "backend/cpu/kernels.h"
#include "backend/cpu/pool.h"
#include "backend/host.h"

struct cpu_device {
    const struct cpu_kernels *kernels;
    struct cpu_pool *pool;
};

// One op of a prepared program.
struct cpu_op {
    const struct ebb_op *op;
    const struct ebb_tensor *dst, *src[EBB_OP_SOURCES];
    const struct cpu_conv *conv; // how a convolution is done
    size_t scratch;              // floats
};

// A program at one step; what every job is handed, with its op.
struct cpu_run {
    struct ebb_host_run host;
    const struct cpu_kernels *kernels;
    struct cpu_pool *pool;
    float *scratch; // as much as the op asked for; 64-byte aligned
};

// A row per op: prepare (may be NULL) fills `scratch` and packs weights, run does it.
struct cpu_kernel {
    enum ebb_result (*prepare)(const struct cpu_device *device, struct cpu_op *op, struct ebb_error *error);
    void (*run)(const struct cpu_run *run, const struct cpu_op *op);
    void (*release)(struct cpu_op *op);
};

extern const struct cpu_kernel cpu_conv, cpu_map, cpu_norm, cpu_pool_op, cpu_attention;
extern const struct cpu_kernel cpu_mean, cpu_softmax, cpu_spread, cpu_act_grad, cpu_norm_grad, cpu_attention_grad;

// ---- the load, shared by conv and map ----

struct cpu_source {
    const float *src[2], *affine; // affine: of item 0
    int c[2], channels, h, w, shift; // h, w: of the sources, before upsampling
    enum ebb_act act;
};
struct cpu_source cpu_source_of(const struct cpu_run *run, const struct cpu_op *op);
// Row y (after upsampling, inside) of item n to dst, pixel after pixel.
void cpu_source_row(const struct cpu_kernels *kernels, const struct cpu_source *source, int n, int y, float *dst);

// ---- weights ----

// Panels of CPU_PANEL output channels, each (kh * kw * cin, width): k in the order of memory, width 32, or 16 for a
// last panel of at most 16 channels; padded with zeros.
struct cpu_panels {
    struct ebb_packed packed;
    float *data;
    int count;
    size_t depth; // kh * kw * cin
};
const struct cpu_panels *cpu_panels_get(struct ebb_weight *weight);
int cpu_panel_width(int channels, int panel);
// Rows k of `depth`, `channels` columns at src + k * k_step + column * column_step, to panels at dst.
void cpu_panels_pack(float *dst, const float *src, size_t depth, int channels, size_t k_step, size_t column_step);
size_t cpu_panels_floats(size_t depth, int channels);

// out (pixels, columns) = a (pixels, depth) times panels of `columns` columns.
void cpu_multiply(const struct cpu_kernels *kernels, const float *a, size_t step, int pixels, int depth, const float *panels,
                  int columns, float *out, size_t out_step);

#endif
