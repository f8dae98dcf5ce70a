// SPDX-License-Identifier: LGPL-2.1-or-later
// The inside of a plan, for graph/plan.c and for tests: plans without fusion or reuse of memory, and the
// arena.
#ifndef EBB_GRAPH_PLAN_PRIVATE_H
#define EBB_GRAPH_PLAN_PRIVATE_H

#include "graph/fuse.h"
#include "graph/plan.h"

enum { EBB_PLAN_NO_FUSE = 1, EBB_PLAN_NO_REUSE = 2 };
struct ebb_plan *ebb_plan_create_with(struct ebb_device *device, struct ebb_graph *graph, unsigned flags,
                                      struct ebb_error *error);

struct ebb_plan {
    struct ebb_device *device; // shared
    struct ebb_graph *graph;
    struct ebb_lowered lowered[EBB_PROGRAMS];
    struct ebb_program programs[EBB_PROGRAMS];
    void *prepared[EBB_PROGRAMS]; // the backend's
    uint64_t prepared_id;         // ebb_new_id(), a new one whenever `prepared` changes
    struct ebb_buffer *arena;     // of both programs; NULL: none needed
    struct ebb_buffer *steps;     // the prologue's results for the evaluations, per step; NULL: none needed
    size_t capacity;              // steps that `steps` has room for
    int step_count;               // of the last ebb_plan_steps()
    int *step_inputs;             // operands of the step inputs in the prologue
};

#endif
