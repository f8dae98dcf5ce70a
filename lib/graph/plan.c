// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graph/plan.h"

#include <stdint.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "base/base.h"
#include "graph/node.h"
#include "graph/plan_private.h"

enum { FIRST_CAPACITY = 8 * EBB_STEP_CHUNK };

static struct ebb_program program_of(const struct ebb_plan *plan, enum ebb_side side)
{
    const struct ebb_lowered *l = &plan->lowered[side];
    bool evaluation = side == EBB_EVALUATION;
    return (struct ebb_program){
        .operands = l->operands,
        .ops = l->ops,
        .operand_count = l->operand_count,
        .op_count = l->op_count,
        .input_count = evaluation ? plan->graph->inputs : 0,
        .output_count = evaluation ? plan->graph->output_count : 0,
        .arena = plan->arena,
        .steps = plan->steps,
        .bf16 = evaluation && plan->graph->bf16,
    };
}

static void release_programs(struct ebb_plan *plan)
{
    for (int i = 0; i < EBB_PROGRAMS; i++) {
        if (plan->prepared[i])
            plan->device->backend->release(plan->device, plan->prepared[i]);
        plan->prepared[i] = NULL;
    }
}

// Lays out the step table for `capacity` steps; returns its floats. The prologue sees EBB_STEP_CHUNK steps as
// a batch.
static size_t place_steps(struct ebb_plan *plan, size_t capacity)
{
    struct ebb_lowered *prologue = &plan->lowered[EBB_PROLOGUE], *evaluation = &plan->lowered[EBB_EVALUATION];
    size_t end = 0;
    for (int i = 0; i < prologue->operand_count; i++) {
        struct ebb_operand *t = &prologue->operands[i];
        if (t->place != EBB_PLACE_STEPS)
            continue;
        t->stride = (size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c;
        t->offset = end;
        end += (t->stride / EBB_STEP_CHUNK * capacity + EBB_OPERAND_ALIGN - 1) / EBB_OPERAND_ALIGN *
               EBB_OPERAND_ALIGN;
    }
    for (int i = 0; i < evaluation->operand_count; i++) {
        struct ebb_operand *t = &evaluation->operands[i];
        if (t->place != EBB_PLACE_STEPS)
            continue;
        t->offset = prologue->operands[evaluation->imports[i]].offset;
        t->stride = prologue->operands[evaluation->imports[i]].stride / EBB_STEP_CHUNK;
    }
    return end;
}

// (Re)prepares both programs for `capacity` steps.
static enum ebb_result prepare(struct ebb_plan *plan, size_t capacity, struct ebb_error *error)
{
    release_programs(plan);
    ebb_buffer_destroy(&plan->steps);
    plan->capacity = 0;
    plan->step_count = 0;
    size_t floats = place_steps(plan, capacity);
    if (floats && !(plan->steps = ebb_buffer_create(plan->device, floats, error)))
        return EBB_OUT_OF_MEMORY;
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < EBB_PROGRAMS && result == EBB_OK; i++) {
        plan->programs[i] = program_of(plan, i);
        result = plan->device->backend->prepare(plan->device, &plan->programs[i], &plan->prepared[i], error);
    }
    if (result == EBB_OK) {
        plan->prepared_id = ebb_new_id();
        plan->capacity = capacity;
    }
    return result;
}

// Places both programs in one arena: they never run at once.
static enum ebb_result make_arena(struct ebb_plan *plan, bool reuse, struct ebb_error *error)
{
    size_t floats = 0;
    for (int i = 0; i < EBB_PROGRAMS; i++) {
        size_t need = ebb_place(&plan->lowered[i], reuse, plan->device->backend->in_place);
        if (need == SIZE_MAX)
            return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a plan");
        floats = need > floats ? need : floats;
    }
    if (floats && !(plan->arena = ebb_buffer_create(plan->device, floats, error)))
        return EBB_OUT_OF_MEMORY;
    return EBB_OK;
}

static enum ebb_result build(struct ebb_plan *plan, unsigned flags, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    plan->step_inputs = ebb_alloc((size_t)plan->graph->step_inputs, sizeof(*plan->step_inputs));
    if (!plan->step_inputs)
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a plan");
    if (result == EBB_OK)
        result = ebb_lower(plan->graph, !(flags & EBB_PLAN_NO_FUSE), plan->lowered, plan->step_inputs, error);
    if (result == EBB_OK)
        result = make_arena(plan, !(flags & EBB_PLAN_NO_REUSE), error);
    if (result == EBB_OK)
        result = prepare(plan, FIRST_CAPACITY, error);
    return result;
}

// Graphs can be built, and their cost found, before weights have their numbers.
static enum ebb_result check_weights(const struct ebb_graph *graph, struct ebb_error *error)
{
    for (const struct ebb_node *node = graph->first; node; node = node->next)
        for (int i = 0; i < 2; i++) {
            const struct ebb_weight *weight = i ? node->bias : node->weight;
            if (weight && !weight->data && !weight->panels.data)
                return ebb_fail(error, EBB_INVALID, "weight %s has no numbers yet", weight->name);
        }
    return EBB_OK;
}

struct ebb_plan *ebb_plan_create_with(struct ebb_device *device, struct ebb_graph *graph, unsigned flags,
                                      struct ebb_error *error)
{
    struct ebb_plan *plan = NULL;
    if (ebb_graph_failed(graph, error) == EBB_OK && graph->output_count == 0)
        ebb_fail(error, EBB_INVALID, "a graph without outputs");
    else if (graph && graph->error.code == EBB_OK && check_weights(graph, error) == EBB_OK &&
             !(plan = ebb_alloc(1, sizeof(*plan))))
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a plan");
    if (!plan) {
        ebb_graph_destroy(&graph);
        return NULL;
    }
    plan->device = ebb_device_share(device);
    plan->graph = graph;
    if (build(plan, flags, error) != EBB_OK)
        ebb_plan_destroy(&plan);
    return plan;
}

struct ebb_plan *ebb_plan_create(struct ebb_device *device, struct ebb_graph *graph, struct ebb_error *error)
{
    return ebb_plan_create_with(device, graph, device->unfused ? EBB_PLAN_NO_FUSE : 0, error);
}

void ebb_plan_destroy(struct ebb_plan **plan)
{
    struct ebb_plan *gone = plan ? *plan : NULL;
    if (!gone)
        return;
    *plan = NULL;
    release_programs(gone);
    for (int i = 0; i < EBB_PROGRAMS; i++)
        ebb_lowered_clear(&gone->lowered[i]);
    ebb_buffer_destroy(&gone->arena);
    ebb_buffer_destroy(&gone->steps);
    ebb_graph_destroy(&gone->graph);
    ebb_device_destroy(&gone->device);
    free(gone->step_inputs);
    free(gone);
}

enum ebb_result ebb_plan_steps(struct ebb_plan *plan, int steps, const float *const *inputs,
                               struct ebb_error *error)
{
    if (steps < 1 || steps > 1000000)
        return ebb_fail(error, EBB_INVALID, "a plan of %d steps, expected 1 to 1000000", steps);
    size_t chunks = ((size_t)steps + EBB_STEP_CHUNK - 1) / EBB_STEP_CHUNK;
    enum ebb_result result = EBB_OK;
    if (chunks * EBB_STEP_CHUNK > plan->capacity)
        result = prepare(plan, chunks * EBB_STEP_CHUNK, error);

    const struct ebb_operand *operands = plan->lowered[EBB_PROLOGUE].operands;
    for (int i = 0; result == EBB_OK && i < plan->graph->step_inputs; i++) {
        const struct ebb_operand *t = &operands[plan->step_inputs[i]];
        result = ebb_buffer_write(plan->steps, t->offset, inputs[i],
                                  t->stride / EBB_STEP_CHUNK * (size_t)steps, error);
    }
    for (size_t i = 0; result == EBB_OK && plan->programs[EBB_PROLOGUE].op_count && i < chunks; i++)
        result = plan->device->backend->run(plan->device, plan->prepared[EBB_PROLOGUE], (int)i, NULL, NULL,
                                            error);
    plan->step_count = result == EBB_OK ? steps : 0;
    return result;
}

static enum ebb_result check_buffer(const struct ebb_plan *plan, const struct ebb_operand *t,
                                    const struct ebb_buffer *buffer, struct ebb_error *error)
{
    const char *what = t->place == EBB_PLACE_INPUT ? "input" : "output";
    size_t floats = (size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c;
    if (!buffer || buffer->device != plan->device)
        return ebb_fail(error, EBB_INVALID, "%s %d: %s", what, t->index,
                        buffer ? "a buffer of another device" : "no buffer");
    if (buffer->count < floats)
        return ebb_fail(error, EBB_INVALID, "%s %d needs %zu floats, the buffer has %zu", what, t->index,
                        floats, buffer->count);
    return EBB_OK;
}

static enum ebb_result check_run(const struct ebb_plan *plan, int step, struct ebb_buffer *const *inputs,
                                 struct ebb_buffer *const *outputs, struct ebb_error *error)
{
    if (!plan->capacity)
        return ebb_fail(error, EBB_INVALID, "a plan that failed to prepare");
    if (plan->graph->step_inputs && (step < 0 || step >= plan->step_count))
        return ebb_fail(error, EBB_INVALID, "step %d of a plan of %d", step, plan->step_count);
    enum ebb_result result = EBB_OK;
    const struct ebb_lowered *evaluation = &plan->lowered[EBB_EVALUATION];
    for (int i = 0; result == EBB_OK && i < evaluation->operand_count; i++) {
        const struct ebb_operand *t = &evaluation->operands[i];
        if (t->place == EBB_PLACE_INPUT)
            result = check_buffer(plan, t, inputs[t->index], error);
        if (t->place == EBB_PLACE_OUTPUT)
            result = check_buffer(plan, t, outputs[t->index], error);
    }
    for (int i = 0; result == EBB_OK && i < plan->graph->output_count; i++) {
        for (int k = 0; k < plan->graph->inputs; k++)
            if (outputs[i] == inputs[k])
                result = ebb_fail(error, EBB_INVALID, "output %d is input %d", i, k);
        for (int k = 0; k < i; k++)
            if (outputs[i] == outputs[k])
                result = ebb_fail(error, EBB_INVALID, "output %d is output %d", i, k);
    }
    return result;
}

static int row_of(const struct ebb_plan *plan, int step)
{
    return plan->graph->step_inputs ? step : 0;
}

enum ebb_result ebb_plan_run(struct ebb_plan *plan, int step, struct ebb_buffer *const *inputs,
                             struct ebb_buffer *const *outputs, struct ebb_error *error)
{
    enum ebb_result result = check_run(plan, step, inputs, outputs, error);
    const struct ebb_backend *backend = plan->device->backend;
    if (result == EBB_OK)
        result = backend->run(plan->device, plan->prepared[EBB_EVALUATION], row_of(plan, step), inputs,
                              outputs, error);
    return result;
}

enum ebb_result ebb_plan_tape(struct ebb_plan *plan, struct ebb_tape *tape, int step,
                              struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                              struct ebb_error *error)
{
    enum ebb_result result = check_run(plan, step, inputs, outputs, error);
    struct ebb_tape_program program = {plan->prepared[EBB_EVALUATION], plan->prepared_id, plan->graph->inputs,
                                       plan->graph->output_count};
    if (result == EBB_OK)
        result = ebb_tape_run(tape, &program, row_of(plan, step), inputs, outputs, error);
    return result;
}
