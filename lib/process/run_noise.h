// SPDX-License-Identifier: LGPL-2.1-or-later
// The noise of a run: one draw at a time, or all draws ahead, uploaded in one piece.
#ifndef EBB_PROCESS_RUN_NOISE_H
#define EBB_PROCESS_RUN_NOISE_H

#include <stdbool.h>

#include "diffusion/noise.h"
#include "process/reverse.h"

struct ebb_run_noise {
    struct ebb_device *device; // borrowed
    int h, w, c;               // of a state
    bool down;                 // torch draws (c, w, h)
    size_t count;              // floats of a state
    float *drawn;              // one draw, (c, h, w)
    float *turned;             // `capacity` draws, (h, w, c)
    struct ebb_buffer *ahead;  // draws 1, 2, ... of the run, one after the other
    size_t capacity;           // draws that `turned` and `ahead` have room for
    struct ebb_reverse_noise noise;
    struct ebb_torch_noise torch[2]; // generators of the path's two seeds; torch draws in order only
};

// Allocates the room for one draw. Device and sizes are set before.
enum ebb_result ebb_run_noise_init(struct ebb_run_noise *draws, struct ebb_error *error);
void ebb_run_noise_clear(struct ebb_run_noise *draws);

// Begins the noise of a run.
void ebb_run_noise_seed(struct ebb_run_noise *draws, const struct ebb_reverse_noise *noise);

// Writes draw `number`, standard normal noise, into `dst`.
enum ebb_result ebb_run_noise_one(struct ebb_run_noise *draws, uint64_t number, struct ebb_buffer *dst,
                                  struct ebb_error *error);

// Whether `last` draws fit into one buffer.
bool ebb_run_noise_fit(const struct ebb_run_noise *draws, size_t last);
// Writes draws 1..last into draws->ahead.
enum ebb_result ebb_run_noise_all(struct ebb_run_noise *draws, size_t last, struct ebb_error *error);

#endif
