// A graph, fused, placed in memory and prepared on a device: what the step loop runs. The loop allocates nothing.
#ifndef EBB_GRAPH_PLAN_H
#define EBB_GRAPH_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include <ebb/device.h>
#include <ebb/error.h>

#include "graph/graph.h"

// ---- tensors on a device ----

// Floats on a device. Work on a device is ordered: an operation sees the results of the ones before it; only
// ebb_buffer_read() and ebb_measure() wait for it. Created and destroyed by the engine, never in the loop.
struct ebb_buffer;
struct ebb_buffer *ebb_buffer_create(struct ebb_device *device, size_t count, struct ebb_error *error);
void ebb_buffer_destroy(struct ebb_buffer **buffer);
size_t ebb_buffer_count(const struct ebb_buffer *buffer);
enum ebb_result ebb_buffer_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                                 struct ebb_error *error);
enum ebb_result ebb_buffer_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                                struct ebb_error *error);

// The step update of all samplers: dst[i] = clamp(sum_k weight_k src_k[i]) / divide. dst may be one of the sources.
struct ebb_blend {
    struct ebb_buffer *dst;
    int terms; // 1..8
    struct ebb_buffer *src[8];
    float weight[8];
    struct ebb_buffer *noise_scale; // per-element factor on the last term; NULL: none
    float clamp;  // > 0: to [-clamp, clamp], before dividing; 0: none
    float divide; // 0: none
    size_t count; // floats
    size_t dst_offset, src_offset[8]; // floats
};
enum ebb_result ebb_blend(struct ebb_device *device, const struct ebb_blend *blend, struct ebb_error *error);

enum ebb_measure { EBB_MEASURE_SUM_SQUARES, EBB_MEASURE_SUM, EBB_MEASURE_MAX_ABS, EBB_MEASURE_NOT_FINITE };
enum ebb_result ebb_measure(struct ebb_device *device, enum ebb_measure what, struct ebb_buffer *src, size_t offset,
                            size_t count, double *value, struct ebb_error *error);

// ---- plans ----

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

size_t ebb_plan_memory(const struct ebb_plan *plan); // bytes of activations, scratch included
uint64_t ebb_plan_flops(const struct ebb_plan *plan); // multiply-adds count 2, of one evaluation

#endif
