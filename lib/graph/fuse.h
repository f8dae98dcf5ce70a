// SPDX-License-Identifier: LGPL-2.1-or-later
// A graph becomes two programs, its sides. The prologue computes all nodes that depend on step inputs alone,
// EBB_STEP_CHUNK steps at a time as one batch. The other side is one evaluation. Fusion of nodes into ops
// happens here, once for all backends.
#ifndef EBB_GRAPH_FUSE_H
#define EBB_GRAPH_FUSE_H

#include "backend/op.h"
#include "graph/graph.h"

enum ebb_side { EBB_PROLOGUE, EBB_EVALUATION, EBB_PROGRAMS };
enum { EBB_STEP_CHUNK = 8 };     // steps per run of the prologue
enum { EBB_OPERAND_ALIGN = 64 }; // floats: 256 bytes, the most that Vulkan asks of a storage buffer's offset

struct ebb_lowered {
    struct ebb_operand *operands; // place and sizes are set; offsets come from ebb_place() and the plan
    struct ebb_op *ops;
    int *imports; // of an evaluation: the prologue's number of an operand at EBB_PLACE_STEPS, otherwise -1
    int operand_count, operand_room, op_count, op_room;
};

// Fills both programs, which the caller zeroes before and clears afterwards, also after a failure.
// step_inputs[i] is the prologue's operand of step input i.
enum ebb_result ebb_lower(struct ebb_graph *graph, bool fuse, struct ebb_lowered lowered[EBB_PROGRAMS],
                          int *step_inputs, struct ebb_error *error);
void ebb_lowered_clear(struct ebb_lowered *lowered);

// Gives every operand in the arena its offset. With `reuse`, memory is used again once the operand's last
// reader has run, and also by the last reader where `in_place` (may be NULL) allows it. Returns the floats of
// the arena; SIZE_MAX: out of memory.
size_t ebb_place(struct ebb_lowered *lowered, bool reuse, ebb_in_place in_place);

#endif
