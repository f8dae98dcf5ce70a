#ifndef EBB_BACKEND_CPU_WINOGRAD_H
#define EBB_BACKEND_CPU_WINOGRAD_H

#include "backend/cpu/cpu.h"

struct winograd {
    const struct winograd_panels *panels;
    int size, points;               // size x size outputs a tile, 4 or 2; points: (size + 2)^2
    int cin, rows, columns, tiles, chunk; // tiles: rows x columns an item; chunk: tiles at a time
    size_t transformed, products, scratch; // floats: transformed input, a thread's products, all of it
};

// Tile size if this way is taken, 0 if not: by shape alone, whatever the batch.
int winograd_size(const struct ebb_weight *weight, const struct ebb_tensor *dst, int stride, int pad);
// False: no memory.
bool winograd_prepare(const struct cpu_device *device, struct winograd *w, int size, struct ebb_weight *weight,
                      const struct ebb_tensor *dst);

struct winograd_job {
    const struct winograd *winograd;
    const struct cpu_kernels *kernels;
    struct cpu_pool *pool;
    const struct ebb_tensor *dst_shape;
    const float *padded; // input with one zero above and left, size * rows + 2 by size * columns + 2 pixels an item
    const float *add, *residual;
    size_t add_step; // from one item's `add` to the next
    float *dst, *scratch;
    float scale;
    int first, count; // tiles of the chunk at hand
};
void winograd_run(struct winograd_job *job);

#endif
