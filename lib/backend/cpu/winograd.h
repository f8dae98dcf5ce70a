#ifndef EBB_BACKEND_CPU_WINOGRAD_H
#define EBB_BACKEND_CPU_WINOGRAD_H

#include "backend/cpu/cpu.h"

struct winograd {
    const struct winograd_panels *panels;
    int cin, rows, columns, tiles, chunk; // tiles: of 4x4 outputs, rows x columns an item; chunk: tiles at a time
    size_t transformed, products, scratch; // floats: transformed input, a thread's products, all of it
};

// Whether this way is taken: by shape alone, whatever the batch.
bool winograd_pays(const struct ebb_weight *weight, const struct ebb_tensor *dst, int stride, int pad);
// False: no memory.
bool winograd_prepare(const struct cpu_device *device, struct winograd *w, struct ebb_weight *weight,
                      const struct ebb_tensor *dst);

struct winograd_job {
    const struct winograd *winograd;
    const struct cpu_kernels *kernels;
    struct cpu_pool *pool;
    const struct ebb_tensor *dst_shape;
    const float *padded; // input with one zero above and left, 4 * rows + 2 by 4 * columns + 2 pixels an item
    const float *add, *residual;
    size_t add_step; // from one item's `add` to the next
    float *dst, *scratch;
    float scale;
    int first, count; // tiles of the chunk at hand
};
void winograd_run(struct winograd_job *job);

#endif
