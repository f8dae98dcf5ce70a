// What a few samplers ask of a state that the device has no operation for: done aside, on the host. Plain samplers never
// come here.
#ifndef EBB_ENGINE_ASIDE_H
#define EBB_ENGINE_ASIDE_H

#include <stddef.h>

#include "diffusion/run.h"
#include "graph/plan.h"

// Host copies of up to three states of `count` floats, taken on first use.
struct ebb_aside {
    float *values[3];
    size_t count;
};
void ebb_aside_clear(struct ebb_aside *aside);

// EBB_RUN_EXP, EBB_RUN_SQRT.
enum ebb_result ebb_aside_map(struct ebb_aside *aside, const struct ebb_run_instruction *in,
                              struct ebb_buffer *const slots[], struct ebb_error *error);

// EBB_RUN_MEASURE.
enum ebb_result ebb_aside_measure(struct ebb_aside *aside, const struct ebb_run_instruction *in,
                                  struct ebb_buffer *const slots[], double *value, struct ebb_error *error);

// Learned variance: pixels of 2 c channels from `offset` on are parted into two states of c channels.
enum ebb_result ebb_aside_part(struct ebb_aside *aside, struct ebb_buffer *output, size_t offset, size_t c,
                               struct ebb_buffer *first, struct ebb_buffer *second, struct ebb_error *error);

#endif
