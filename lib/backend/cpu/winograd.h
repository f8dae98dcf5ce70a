// SPDX-License-Identifier: LGPL-2.1-or-later
#ifndef EBB_BACKEND_CPU_WINOGRAD_H
#define EBB_BACKEND_CPU_WINOGRAD_H

#include "backend/cpu/cpu.h"

struct winograd {
    const struct cpu_panels *panels;
    int size, points;                     // size x size outputs a tile, 4 or 2; points: (size + 2)^2
    int cin, rows, columns, tiles, chunk; // tiles: rows x columns an item; chunk: tiles at a time
    int slice;                            // input channels whose weights are transformed at a time
    bool bf16;                            // transformed input and weights are pairs
    int chunk_rows, padded_lines;         // of a chunk: rows of tiles, and lines of its padded input
    // Floats of scratch: transformed input; a thread's transformed weights and products; all of it.
    size_t plane; // floats from one point of the transformed input to the next
    size_t transformed, weights, products, scratch;
};

// Size of the tiles, 4 or 2; 0: the convolution is not done by Winograd's method. Depends on shapes alone,
// without the batch.
int winograd_size(const struct ebb_weight *weight, const struct ebb_operand *dst, int stride, int pad);
// False: no memory.
bool winograd_prepare(const struct cpu_device *device, struct winograd *w, int size,
                      struct ebb_weight *weight, const struct ebb_operand *dst, bool bf16);

struct winograd_job {
    const struct winograd *winograd;
    const struct cpu_kernels *kernels;
    const struct cpu_bf16_kernels *bf16;
    struct cpu_pool *pool;
    const struct ebb_operand *dst_shape;
    // Input with one zero above and left, size * rows + 2 by size * columns + 2 pixels an item. `load` puts
    // `count` of all items' lines to `padded`.
    void (*load)(void *context, int first, int count);
    void *context;
    const float *padded;
    const float *add, *residual;
    size_t add_step; // from one item's `add` to the next
    float *dst, *scratch;
    float scale;
    int first, count; // tiles of the chunk at hand
    int first_line;   // of the chunk's input
    int parts, part;  // of the chunk, and tiles of a part
};
void winograd_run(struct winograd_job *job);

#endif
