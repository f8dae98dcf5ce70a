// SPDX-License-Identifier: LGPL-2.1-or-later
// The reverse process on a device: carries out a sampler's instructions (diffusion/run.h) with one network
// on one state (h, w, c). With guidance, the evaluations with each label and without one are a batch.
#ifndef EBB_PROCESS_REVERSE_H
#define EBB_PROCESS_REVERSE_H

#include <ebb/progress.h>

#include "diffusion/guidance.h"
#include "diffusion/noise.h"
#include "diffusion/noise_address.h"
#include "diffusion/run.h"
#include "process/progress.h"
#include "process/classifier_guidance.h"
#include "graph/plan.h"
#include "nets/nets.h"

struct ebb_reverse_size {
    int n;         // evaluations in a batch: 1, or with guidance one per label and one for the base
    int h, w, c;   // of the state
    int condition; // channels of the condition (for a denoiser: the noisy mel), 0: none
    bool bf16;     // the network's convolutions may be computed in bfloat16
    int window;    // above 0: the state is a ring, seen through windows of so many columns (process/ring.h)
    int tokens[EBB_UNET_TEXTS];  // of each text that the network sees, 0: it sees none
    bool masked[EBB_UNET_TEXTS]; // whether some of its tokens may not be seen
    bool time_down;              // the network's rows are the state's columns; so are those of torch's noise
};

// What the network is told in words, of one item of a batch.
struct ebb_words {
    int tokens[EBB_UNET_TEXTS];          // of each text, 0: none
    const float *states[EBB_UNET_TEXTS]; // (tokens, width)
    const float *seen[EBB_UNET_TEXTS];   // how much of each token is seen, 0 to 1; NULL: all of all
    const float *vector;                 // in place of a class; NULL: none
};

// Plan and buffers for one size. A run allocates nothing between its first and its last step.
struct ebb_reverse;
struct ebb_reverse *ebb_reverse_create(struct ebb_device *device, const struct ebb_unet *unet,
                                       const struct ebb_reverse_size *size, struct ebb_error *error);
void ebb_reverse_destroy(struct ebb_reverse **reverse);
const struct ebb_reverse_size *ebb_reverse_size(const struct ebb_reverse *reverse);

// The noise of a run. Element i of a draw belongs to element i of the state in PyTorch's order (c, h, w).
struct ebb_reverse_noise {
    enum ebb_noise_source source;
    struct ebb_noise_path seed;
    struct ebb_noise_address address; // of draw 0; torch: seed + index seeds the generator
};

// A state during a run, x ~ alpha x_0 + sigma eps. Step 0 is the start.
struct ebb_reverse_state {
    int step, steps;
    double alpha, sigma;
    const float *values; // (h, w, c), valid during the call
};
typedef enum ebb_result (*ebb_reverse_watch)(void *user, const struct ebb_reverse_state *state,
                                             struct ebb_error *error);

struct ebb_reverse_job {
    const struct ebb_run_params *run;
    int item[EBB_GUIDANCE_LABELS + 1]; // class ids of the batch, -1: none; the labels, then the base if n > 1
    const struct ebb_words *words[EBB_GUIDANCE_LABELS + 1]; // of the batch; NULL: none
    struct ebb_guidance guidance;                           // weights of the n answers; unused where n is 1
    struct ebb_classifier_guidance_job classifier_guidance; // used where guidance.classifier is above 0
    struct ebb_reverse_noise noise;
    const float *first;     // noise at the start, (h, w, c); NULL: draw 0
    const float *start;     // x_0 that is noised to run->start, (h, w, c); NULL: zeros
    const float *condition; // (h, w, condition)
    const float *known;     // state that is held where `mask` is 1; both (h, w, c), or both NULL
    const float *mask;
    struct ebb_counts *counts; // receives the work of the run; NULL: not counted
    ebb_reverse_watch watch;   // is shown every state; NULL: none, and no state is read back on the way
    void *user;
    struct ebb_progress_span progress;
};

// Runs the process and reads its last state into `result` (h, w, c). On the way, `result` holds the states
// that `watch` is shown. `error` is not NULL.
enum ebb_result ebb_reverse_run(struct ebb_reverse *reverse, const struct ebb_reverse_job *job, float *result,
                                struct ebb_error *error);

#endif
