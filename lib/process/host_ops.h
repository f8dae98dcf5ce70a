// SPDX-License-Identifier: LGPL-2.1-or-later
// Operations of a few samplers that devices do not have: the state is copied to the host, computed there,
// and copied back. Most samplers need none of them.
#ifndef EBB_PROCESS_HOST_OPS_H
#define EBB_PROCESS_HOST_OPS_H

#include <stddef.h>

#include "diffusion/run.h"
#include "graph/plan.h"

// Room for host copies of up to three states of `count` floats, allocated on first use.
struct ebb_host_ops {
    float *values[3];
    size_t count;
};
void ebb_host_ops_clear(struct ebb_host_ops *host);

// Carries out EBB_RUN_EXP or EBB_RUN_SQRT.
enum ebb_result ebb_host_ops_map(struct ebb_host_ops *host, const struct ebb_run_instruction *in,
                                 struct ebb_buffer *const slots[], struct ebb_error *error);

// Carries out EBB_RUN_MEASURE.
enum ebb_result ebb_host_ops_measure(struct ebb_host_ops *host, const struct ebb_run_instruction *in,
                                     struct ebb_buffer *const slots[], double *value,
                                     struct ebb_error *error);

// For a learned variance: splits the network's output, pixels of 2 c channels from `offset` on, into two
// states of c channels.
enum ebb_result ebb_host_ops_split(struct ebb_host_ops *host, struct ebb_buffer *output, size_t offset,
                                   size_t c, struct ebb_buffer *first, struct ebb_buffer *second,
                                   struct ebb_error *error);

#endif
