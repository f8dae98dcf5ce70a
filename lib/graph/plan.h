// SPDX-License-Identifier: LGPL-2.1-or-later
// A plan: a graph that is fused, placed in memory and prepared on a device. Running it allocates nothing.
#ifndef EBB_GRAPH_PLAN_H
#define EBB_GRAPH_PLAN_H

#include <ebb/device.h>
#include <ebb/error.h>

#include "backend/buffer.h"
#include "backend/tape.h"
#include "graph/graph.h"

struct ebb_plan;

// Makes a plan and takes over `graph`, which is destroyed with the plan, or at once on failure. The weights
// belong to the caller and must outlive the plan. NULL on failure.
struct ebb_plan *ebb_plan_create(struct ebb_device *device, struct ebb_graph *graph, struct ebb_error *error);
void ebb_plan_destroy(struct ebb_plan **plan);

// Takes the step inputs of all steps, and computes all values that depend on them alone. inputs[i] holds
// steps * n rows of c floats for step input i. May be called again for another run; allocates only when
// `steps` grows.
enum ebb_result ebb_plan_steps(struct ebb_plan *plan, int steps, const float *const *inputs,
                               struct ebb_error *error);

// Runs one evaluation with the step inputs of step `step`. Inputs and outputs are in the order of their
// declaration.
enum ebb_result ebb_plan_run(struct ebb_plan *plan, int step, struct ebb_buffer *const *inputs,
                             struct ebb_buffer *const *outputs, struct ebb_error *error);

// Puts an evaluation onto a tape, to be run when the tape is played. The tape must not be played after the
// plan is destroyed, or after ebb_plan_steps() with more steps than ever before.
enum ebb_result ebb_plan_tape(struct ebb_plan *plan, struct ebb_tape *tape, int step,
                              struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                              struct ebb_error *error);

#endif
