// SPDX-License-Identifier: LGPL-2.1-or-later
// Programs, which backends run: a short list of fused ops over operands that have their place in memory.
// Tensors are float32, (n, h, w, c) row-major, c innermost. The backend ref is the specification of every
// op.
#ifndef EBB_BACKEND_OP_H
#define EBB_BACKEND_OP_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/weight.h"

struct ebb_buffer;

enum ebb_place {
    EBB_PLACE_ARENA,  // at `offset` of the program's arena
    EBB_PLACE_INPUT,  // buffer `index` of the inputs given to run()
    EBB_PLACE_OUTPUT, // buffer `index` of the outputs given to run()
    EBB_PLACE_STEPS,  // at `offset + step * stride` of the program's step table
};

// A tensor that ops read or write, with its place in memory.
struct ebb_operand {
    int n, h, w, c;
    enum ebb_place place;
    int index;
    size_t offset, stride; // floats; offsets are multiples of 64
};

// Ops read one or two sources the same way ("the load"):
//     x = concat(src[0], src[1]) along channels             src[1] = -1: src[0] alone
//     x = nearest upsample of x, twice h and w              if `upsample`
//     x = x * a[n, c] + b[n, c]                             `affine` (n, 1, 1, 2c): a, then b; -1: none
//     x = act(x)
// Outside its edges x is 0, after affine and activation.
enum ebb_op_kind {
#define OP(NAME, name, words) EBB_OP_##NAME,
#include "backend/ops.def"
#undef OP
    EBB_OP_COUNT
};
enum { EBB_OP_SOURCES = 4 };
enum { EBB_SPOT_ALL = -1 }; // all of the block; otherwise the row and column in it, both the same

struct ebb_op {
    enum ebb_op_kind kind;
    int dst, src[EBB_OP_SOURCES]; // operand numbers, -1: none
    // load
    bool upsample;
    int affine;
    enum ebb_act act;
    float slope; // of the leaky ReLU, for x < 0
    // convolution: a linear layer is 1x1 with stride 1
    struct ebb_weight *weight, *bias; // bias may be NULL
    int stride;
    int dilation; // places from one tap of a 1-D convolution to the next
    int pad;      // zeros above and left of x (1-D: left); below and right follow from dst's size
    // epilogue
    int vector;   // operand (n, 1, 1, c), -1: none
    int residual; // operand of dst's shape, -1: none; never dst itself
    float scale;  // attention: of the scores, 0: 1 / sqrt(c / heads)
    // norm
    int groups;
    float eps;
    struct ebb_weight *gamma, *beta; // may be NULL: 1 and 0
    int film;                        // operand (n, 1, 1, 2c), -1: none
    bool rms;                        // of a layer norm
    // attention
    int heads;
    bool causal;
    // spread
    int spot, first;
};

// Whether dst may lie where src[0] lies: they have as many numbers, and no later op reads src[0].
typedef bool (*ebb_in_place)(const struct ebb_operand *operands, const struct ebb_op *op);

// Ops run in order; no op reads what a later one writes. dst overlaps no source in memory, but for an op that
// the backend can compute in place.
struct ebb_program {
    const struct ebb_operand *operands;
    const struct ebb_op *ops;
    int operand_count, op_count, input_count, output_count;
    struct ebb_buffer *arena, *steps; // NULL when the program has none
    bool bf16; // convolutions may round their sources and weights to bfloat16, where the device can
};

// Describes an op for people: "conv 3x3 128 -> 64, 16 x 32, batch 2".
void ebb_op_describe(const struct ebb_program *program, const struct ebb_op *op, char *text, size_t size);

#endif
