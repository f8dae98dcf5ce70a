// The reverse process on a device: carries out a sampler's instructions (diffusion/run.h) with one network.
// States are (h, w, c), one item; guidance evaluates the network with each label and without one as a batch.
#ifndef EBB_ENGINE_LOOP_H
#define EBB_ENGINE_LOOP_H

#include <ebb/generate.h>

#include "diffusion/guidance.h"
#include "diffusion/noise.h"
#include "diffusion/run.h"
#include "engine/pulse.h"
#include "engine/steer.h"
#include "graph/plan.h"
#include "nets/nets.h"

struct ebb_loop_size {
    int n;         // 1: one evaluation a time; guided: one per label and one for the base
    int h, w, c;   // the diffused state
    int condition; // channels of the condition, 0: none
};

// The plan and all buffers for one size: a run allocates nothing between its first and its last step.
struct ebb_loop;
struct ebb_loop *ebb_loop_create(struct ebb_device *device, const struct ebb_unet *unet, const struct ebb_loop_size *size,
                                 struct ebb_error *error);
void ebb_loop_destroy(struct ebb_loop **loop);
const struct ebb_loop_size *ebb_loop_size(const struct ebb_loop *loop);

// Where the noise comes from. Element i of a draw is that of the state in (c, h, w) order, as PyTorch has it.
struct ebb_loop_noise {
    enum ebb_noise_source source;
    struct ebb_noise_path seed;
    uint64_t clip; // torch: seed + clip seeds the generator
};

// A state on its way, x ~ alpha x_0 + sigma eps. Step 0 is the start.
struct ebb_loop_state {
    int step, steps;
    double alpha, sigma;
    const float *values; // (h, w, c), for the length of the call
};
typedef enum ebb_result (*ebb_loop_watch)(void *user, const struct ebb_loop_state *state, struct ebb_error *error);

struct ebb_loop_job {
    const struct ebb_run_params *run;
    int item[EBB_GUIDANCE_LABELS + 1]; // class ids evaluated, -1: none: the labels, then the base if n is above 1
    struct ebb_guidance guidance;      // how the n answers are weighed; n is 1: not looked at
    struct ebb_steer_job steer;        // looked at where the guidance asks for a classifier
    struct ebb_loop_noise noise;
    const float *first;     // (h, w, c): the noise of the start, instead of draw 0; NULL: drawn
    const float *start;     // x_0 that is noised to run->start; NULL: zeros
    const float *condition; // (h, w, condition)
    const float *known;     // held where `mask` is 1, left alone where it is 0 (both (h, w, c), or both NULL)
    const float *mask;
    struct ebb_counts *counts; // NULL: nobody counts
    ebb_loop_watch watch; // sees every state; NULL: nobody does, and none is read back
    void *user;
    struct ebb_pulse pulse;
};

// Runs the process and reads its last state into `result` (h, w, c). `result` also serves the watch. `error` is not NULL.
enum ebb_result ebb_loop_run(struct ebb_loop *loop, const struct ebb_loop_job *job, float *result,
                             struct ebb_error *error);

#endif
