// What tests may look into: fusion and memory reuse switched off, the arena itself.
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
    uint64_t prepared_id;         // another one each time
    struct ebb_buffer *arena;     // of both programs; NULL: none needed
    struct ebb_buffer *steps;     // what the prologue leaves for the loop, per step; NULL: none needed
    size_t capacity;              // steps that fit
    int step_count;               // steps given last
    int *step_inputs;             // their tensors in the prologue
    uint64_t flops;
};

#endif
