// A graph as two programs: the prologue (what depends on step inputs alone, CHUNK steps at a time as one batch) and
// the loop (one step). Fusion happens here, once for all backends.
#ifndef EBB_GRAPH_FUSE_H
#define EBB_GRAPH_FUSE_H

#include "backend/op.h"
#include "graph/graph.h"

enum { EBB_PROLOGUE, EBB_LOOP, EBB_PROGRAMS };
enum { EBB_STEP_CHUNK = 8 }; // steps per run of the prologue

struct ebb_lowered {
    struct ebb_tensor *tensors; // place and sizes are set; offsets come from ebb_place() and the plan
    struct ebb_op *ops;
    int *imports; // loop: number in the prologue of a tensor at EBB_PLACE_STEPS, else -1
    int tensor_count, tensor_room, op_count, op_room;
};

// Fills both programs (zeroed before; freed by the caller also after a failure). step_inputs[i]: the prologue's tensor
// of the i-th step input.
enum ebb_result ebb_lower(struct ebb_graph *graph, bool fuse, struct ebb_lowered lowered[EBB_PROGRAMS], int *step_inputs,
                          struct ebb_error *error);
void ebb_lowered_clear(struct ebb_lowered *lowered);

// Gives every tensor in the arena its offset, memory used again as soon as its last reader has run (unless !reuse).
// Returns the floats needed; SIZE_MAX: no memory to work it out.
size_t ebb_place(struct ebb_lowered *lowered, bool reuse);

// Floats of a tensor, rounded up to what offsets are multiples of.
size_t ebb_tensor_floats(const struct ebb_tensor *tensor);

#endif
