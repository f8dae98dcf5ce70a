// SPDX-License-Identifier: LGPL-2.1-or-later
#ifndef EBB_BACKEND_CPU_WINOGRAD_H
#define EBB_BACKEND_CPU_WINOGRAD_H

#include "backend/cpu/cpu.h"

struct winograd {
    const struct cpu_panels *panels;
    const struct winograd_panels *held;   // transformed ahead; NULL: at each evaluation
    int size, points;                     // size x size outputs a tile, 4 or 2; points: (size + 2)^2
    int cin, rows, columns, tiles, chunk; // tiles: rows x columns an item; chunk: tiles at a time
    int group;                            // panels at a time
    bool bf16;                            // transformed input and weights are pairs
    int chunk_rows, padded_lines;         // of a chunk: rows of tiles, and lines of its padded input
    // Floats of scratch: transformed weights, transformed input, a thread's products; all of it.
    size_t weights, transformed, products, scratch;
};

// Size of the tiles, 4 or 2; 0: the convolution is not done by Winograd's method. Depends on shapes alone,
// without the batch.
int winograd_size(const struct ebb_weight *weight, const struct ebb_operand *dst, int stride, int pad);
// Floats of the transformed weights of a convolution, if it gains from holding them; otherwise 0.
size_t winograd_worth(const struct ebb_op *op, const struct ebb_operand *dst);
// False: no memory. `hold`: the weights are transformed now and held.
bool winograd_prepare(const struct cpu_device *device, struct winograd *w, int size,
                      struct ebb_weight *weight, const struct ebb_operand *dst, bool hold, bool bf16);

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
    const float *weights;
    int panel; // the first of the group at hand, at `weights`
};
void winograd_run(struct winograd_job *job);

#endif
