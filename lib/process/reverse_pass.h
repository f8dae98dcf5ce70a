// SPDX-License-Identifier: LGPL-2.1-or-later
// The reverse process while it runs: the structs that reverse.c and evaluation.c share.
#ifndef EBB_PROCESS_REVERSE_PASS_H
#define EBB_PROCESS_REVERSE_PASS_H

#include "process/host_ops.h"
#include "process/ring.h"
#include "process/run_noise.h"
#include "process/reverse.h"

enum { EBB_STEP_KINDS = 2 + EBB_UNET_TEXTS };

struct ebb_reverse {
    struct ebb_device *device;   // borrowed
    const struct ebb_unet *unet; // borrowed
    struct ebb_reverse_size size;
    size_t count; // floats of one state
    bool learned; // the network also predicts a variance: its output has twice the channels

    struct ebb_plan *plan;
    struct ebb_buffer *input, *output, *condition, *text[EBB_UNET_TEXTS];
    struct ebb_buffer *slot[EBB_RUN_SLOTS];  // made when a sampler first needs them
    struct ebb_buffer *other;                // learned variance: the second answer of the batch
    struct ebb_buffer *first, *known, *mask; // with a mask: draw 0, the held state, the mask
    struct ebb_buffer *pull;                 // with a mask: the held state, noised, less the current state
    struct ebb_tape *tape;                   // for runs whose instructions are known beforehand
    struct ebb_run_noise noise;
    struct ebb_classifier_guidance *classifier; // made for the first run with classifier guidance
    struct ebb_host_ops host;
    double *timesteps;              // of all evaluations of a run
    float *rows[EBB_STEP_KINDS];    // step inputs (nets/nets.h) of all evaluations
    int width[EBB_STEP_KINDS];      // floats of a row
    int kinds;                      // how many kinds of rows there are; masks of texts are the last
    int capacity;                   // evaluations that timesteps and rows have room for
    struct ebb_ring ring;           // of a ring: its shape
    struct ebb_buffer *ring_output; // of a ring: the network's answer for one window, n items
    float *ring_host;               // of a ring: room on the host, see evaluation.c
};

// Place of a slot's state: in the slot's own buffer, or among the draws made ahead (run_noise.h).
struct ebb_slot {
    struct ebb_buffer *buffer;
    size_t offset;
};

// One run. With `ahead`, work goes onto the tape, which is played at the end; otherwise to the device at
// once.
struct ebb_pass {
    struct ebb_reverse *reverse;
    const struct ebb_reverse_job *job;
    struct ebb_run *run;
    bool ahead;
    struct ebb_slot slot[EBB_RUN_SLOTS];
    int planned, done; // evaluations of the whole run (0: adaptive, not known); evaluations completed
    int draws;         // of noise after the start, where they are known beforehand
    double share;      // of the run that is completed, 0..1, as of the last step
    float *result;
};

// A weighted sum of states (backend/buffer.h), at once or onto the tape.
enum ebb_result ebb_pass_blend(struct ebb_pass *pass, const struct ebb_blend *blend, struct ebb_error *error);
// dst = a * x + b * y over one state; y may be NULL.
enum ebb_result ebb_pass_mix(struct ebb_pass *pass, struct ebb_buffer *dst, double a, struct ebb_buffer *x,
                             double b, struct ebb_buffer *y, struct ebb_error *error);
// To be called before slot `number` is written: from now on the slot's state is in its own buffer, which is
// returned.
struct ebb_buffer *ebb_pass_own(struct ebb_pass *pass, int number);

// ---- evaluation.c ----
// Computes the embeddings of the first `evals` timesteps of the run, and all that the plan derives from
// them alone.
enum ebb_result ebb_pass_embed(struct ebb_pass *pass, int evals, struct ebb_error *error);
// Carries out EBB_RUN_EVAL: the network's answer, with guidance.
enum ebb_result ebb_pass_evaluate(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                                  struct ebb_error *error);

#endif
