// A run under way: what the files of the step loop share.
#ifndef EBB_ENGINE_CARRIER_H
#define EBB_ENGINE_CARRIER_H

#include "engine/aside.h"
#include "engine/draws.h"
#include "engine/loop.h"

struct ebb_loop {
    struct ebb_device *device;    // borrowed
    const struct ebb_unet *unet;  // borrowed
    struct ebb_loop_size size;
    size_t count;                 // floats of one state
    bool learned;                 // the network also gives a variance: twice the channels

    struct ebb_plan *plan;
    struct ebb_buffer *input, *output, *condition;
    struct ebb_buffer *slot[EBB_RUN_SLOTS];      // made when a sampler first needs them
    struct ebb_buffer *other;                       // learned variance: the second item's prediction
    struct ebb_buffer *first, *known, *mask, *pull; // held regions: draw 0, what is held, where, the way there

    struct ebb_tape *tape;        // of runs that are known beforehand
    struct ebb_draws draws;
    struct ebb_steer *steer;      // made when classifier guidance first asks for it
    struct ebb_aside aside;       // for what the device cannot do
    double *timesteps;
    float *rows[2];               // step inputs, of all evaluations
    int width[2], kinds;
    int capacity;                 // evaluations that timesteps and rows hold
};

// Where a slot's state lies: in a buffer of its own, or among the noise drawn ahead.
struct ebb_slot {
    struct ebb_buffer *buffer;
    size_t offset;
};

// One run under way. Ahead: instructions go to the tape, which is played at the end; otherwise to the device at once.
struct ebb_carrier {
    struct ebb_loop *loop;
    const struct ebb_loop_job *job;
    struct ebb_run *run;
    bool ahead;
    struct ebb_slot slot[EBB_RUN_SLOTS];
    int planned, done; // evaluations known beforehand (0: adaptive), and completed
    int draws;         // of noise, when they are known beforehand
    double share;      // of the whole, from the last completed step
    float *result;
};

// A blend, at once or onto the tape.
enum ebb_result ebb_carrier_put(struct ebb_carrier *c, const struct ebb_blend *blend, struct ebb_error *error);
// dst = a * x + b * y over one state; y may be NULL.
enum ebb_result ebb_carrier_mix(struct ebb_carrier *c, struct ebb_buffer *dst, double a, struct ebb_buffer *x, double b,
                                struct ebb_buffer *y, struct ebb_error *error);
// Slot `number` is about to be written: it lies in its own buffer from now on.
struct ebb_buffer *ebb_carrier_own(struct ebb_carrier *c, int number);

// ---- evaluate.c ----
// The embeddings of the first `evals` timesteps of the loop, and what the plan computes from them.
enum ebb_result ebb_carrier_embed(struct ebb_carrier *c, int evals, struct ebb_error *error);
// EBB_RUN_EVAL: the network's answer, guided.
enum ebb_result ebb_carrier_evaluate(struct ebb_carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error);

#endif
