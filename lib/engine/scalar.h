// Scalars that a few samplers ask of a state, measured on the host: adaptive error norms and dynamic thresholds.
#ifndef EBB_ENGINE_SCALAR_H
#define EBB_ENGINE_SCALAR_H

#include <stdbool.h>
#include <stddef.h>

#include "diffusion/run.h"
#include "graph/plan.h"

struct ebb_scalar_room {
    float *values[3];
    size_t count;
};
bool ebb_scalar_room_init(struct ebb_scalar_room *room, size_t count); // cheap: the memory is taken on first use
void ebb_scalar_room_clear(struct ebb_scalar_room *room);

// What `in` (an EBB_RUN_MEASURE) asks of the buffers of its src, src2, src3.
enum ebb_result ebb_scalar(struct ebb_scalar_room *room, const struct ebb_run_instruction *in,
                           struct ebb_buffer *const of[3], double *value, struct ebb_error *error);

#endif
