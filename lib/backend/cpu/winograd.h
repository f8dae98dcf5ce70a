// SPDX-License-Identifier: LGPL-2.1-or-later
#ifndef EBB_BACKEND_CPU_WINOGRAD_H
#define EBB_BACKEND_CPU_WINOGRAD_H

#include "backend/cpu/cpu.h"

// A unit of a thread's work is a band of tiles, a rectangle, and a group of panels.
struct winograd {
    const struct cpu_panels *panels;
    int size, points;         // size x size outputs a tile, 4 or 2; points: (size + 2)^2
    int cin, rows, columns;   // tiles: rows x columns an item
    int slice, slices;        // input channels whose weights are transformed at a time
    bool ahead;               // all weights are transformed before the first unit
    bool bf16;                // transformed input and weights are pairs
    int band_rows, down;      // rows of tiles of a band; bands that all items' rows are
    int band_columns, across; // the same of columns
    int group, groups;        // panels of a group
    int part;                 // tiles that are transformed and multiplied at a time
    // Floats of a thread's scratch: padded input, transformed input, weights and products; all of it.
    size_t line, plane; // floats from one line of the padded input, one point of the transformed, to the next
    size_t padded, transformed, weights, products, thread;
    size_t scratch; // with the weights that are transformed ahead, and all threads
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
    // Writes pixels [first, first + count) of a line of the padded input: one zero above and left, size *
    // rows
    // + 2 lines of size * columns + 2 pixels an item.
    void (*load)(const void *context, int line, int first, int count, float *to);
    const void *context;
    const float *add, *residual;
    size_t add_step;      // from one item's `add` to the next
    float *dst, *scratch; // scratch: winograd.scratch floats
    float scale;
};
void winograd_run(const struct winograd_job *job);

#endif
