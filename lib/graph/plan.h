// A graph, fused, placed in memory and prepared on a device: what the step loop runs. The loop allocates nothing.
#ifndef EBB_GRAPH_PLAN_H
#define EBB_GRAPH_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include <ebb/device.h>
#include <ebb/error.h>

#include "backend/buffer.h"
#include "backend/tape.h"
#include "graph/graph.h"

struct ebb_plan;

// Takes over `graph` (destroyed with the plan, also on failure). The weights stay the caller's and outlive the plan.
struct ebb_plan *ebb_plan_create(struct ebb_device *device, struct ebb_graph *graph, struct ebb_error *error);
void ebb_plan_destroy(struct ebb_plan **plan);

// Gives the step inputs of all steps at once: inputs[i] holds steps * n rows of c floats for the i-th step input;
// computes what depends on them alone. May be called again for another run; allocates only when `steps` grows.
enum ebb_result ebb_plan_steps(struct ebb_plan *plan, int steps, const float *const *inputs, struct ebb_error *error);

// One evaluation with the step inputs of step `step`: inputs and outputs in the order they were declared.
enum ebb_result ebb_plan_run(struct ebb_plan *plan, int step, struct ebb_buffer *const *inputs,
                             struct ebb_buffer *const *outputs, struct ebb_error *error);

// The same put on a tape, to be done when that is played. A later ebb_plan_steps() with more steps than ever before, and
// the end of the plan, make the list worthless.
enum ebb_result ebb_plan_tape(struct ebb_plan *plan, struct ebb_tape *tape, int step, struct ebb_buffer *const *inputs,
                              struct ebb_buffer *const *outputs, struct ebb_error *error);

size_t ebb_plan_memory(const struct ebb_plan *plan); // bytes of activations, scratch included
uint64_t ebb_plan_flops(const struct ebb_plan *plan); // multiply-adds count 2, of one evaluation

#endif
