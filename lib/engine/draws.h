// The noise of a run: drawn one by one, or all of it ahead and uploaded in one piece.
#ifndef EBB_ENGINE_DRAWS_H
#define EBB_ENGINE_DRAWS_H

#include <stdbool.h>

#include "diffusion/noise.h"
#include "engine/loop.h"

struct ebb_draws {
    struct ebb_device *device; // borrowed
    int h, w, c;               // of a state
    size_t count;              // floats of one
    float *drawn, *turned;     // as drawn (c, h, w); as stored (h, w, c), `capacity` of them
    struct ebb_buffer *ahead;  // draws 1, 2, ... of the run, one after the other
    size_t capacity;           // draws that `turned` and `ahead` hold
    struct ebb_loop_noise noise;
    struct ebb_torch_noise torch[2]; // of the path's ends; its draws follow each other, ours know their number
};

// The sizes are set; the first draw needs room too.
enum ebb_result ebb_draws_init(struct ebb_draws *draws, struct ebb_error *error);
void ebb_draws_clear(struct ebb_draws *draws);

// Begins the noise of a run.
void ebb_draws_seed(struct ebb_draws *draws, const struct ebb_loop_noise *noise);

// Standard normal noise into `dst`.
enum ebb_result ebb_draws_one(struct ebb_draws *draws, uint64_t number, struct ebb_buffer *dst, struct ebb_error *error);

// Whether so many draws are few enough to be kept at once.
bool ebb_draws_fit(const struct ebb_draws *draws, size_t last);
// Draws 1..last into draws->ahead.
enum ebb_result ebb_draws_all(struct ebb_draws *draws, size_t last, struct ebb_error *error);

#endif
