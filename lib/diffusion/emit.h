// SPDX-License-Identifier: LGPL-2.1-or-later
// Emitting the instructions of a run. A sampler's method emits the instructions of one step at a time with
// the functions below; the step goes from the noise level `now` to the level `next`.
//
// Slots: x, the network's raw output, noise, and a factor on the noise for each element. Slots from
// SLOT_PAST on hold the estimates of run->past; slots from SLOT_FREE on are the method's own.
#ifndef EBB_DIFFUSION_EMIT_H
#define EBB_DIFFUSION_EMIT_H

#include "diffusion/noise_level.h"
#include "diffusion/run.h"

enum { SLOT_X, SLOT_OUT, SLOT_NOISE, SLOT_FACTOR, SLOT_PAST, SLOT_FREE = SLOT_PAST + 4 };
enum { RUN_PAST = 4, RUN_QUEUE = 64, RUN_NUMBERS = 16 };

struct ebb_quirks;

// An earlier estimate, of x_0 or of eps.
struct run_past {
    int slot;
    struct ebb_noise_level at;
};

struct ebb_run {
    struct ebb_run_params params;
    const struct ebb_sampler_info *info;
    const struct ebb_quirks *quirks; // NULL: none
    struct ebb_noise_level *grid;    // steps + 1 levels
    struct ebb_noise_level *target;  // `steps` levels that the steps aim at; NULL: at the next level
    struct ebb_noise_level *middle;  // diffusers' PNDM: levels of a step's middle evaluations; NULL: halfway
    struct ebb_noise_level again_from; // diffusers' PLMS: the level from which the first step is done again
    int steps;
    double init_alpha, init_sigma;
    double final_scale; // factor on the last state
    // The fields below change during the run.
    int step;  // number of the step that is being done
    int round; // times that this step was done already (RePaint)
    int stage; // the method's own, 0 at first; a method that waits for a measurement is called again
    bool waiting, finished;
    const char *failure; // the reason why the run cannot go on; NULL: it can
    double measured;
    int seen;                       // estimates so far
    struct run_past past[RUN_PAST]; // newest first
    double number[RUN_NUMBERS];     // the method's own
    struct ebb_noise_level level;   // the method's own
    int evals, rejected;
    uint64_t draw;
    int head, count;
    struct ebb_run_instruction queue[RUN_QUEUE];
};

struct ebb_sampler_method {
    int slots;
    bool measures;                                                     // instructions depend on measurements
    bool consistency;                                                  // needs a consistency-distilled model
    bool (*check)(const struct ebb_run *run, struct ebb_error *error); // may be NULL
    void (*step)(struct ebb_run *run); // emits; ends with run_step_done() unless it waits for a measurement
};

const struct ebb_noise_level *run_now(const struct ebb_run *run);
const struct ebb_noise_level *run_next(const struct ebb_run *run);
const struct ebb_noise_level *run_target(const struct ebb_run *run);
bool run_last(const struct ebb_run *run);
double run_eta(const struct ebb_run *run, double own); // the parameter, or the sampler's own
// Whether a level has next to no signal: sigma / alpha is above RUN_NOTHING (the cosine schedule begins at
// 20 291). A slope over sigma / alpha, multiplied by a step of that size, would be far too large. Methods
// go from there along the straight line to the estimate. diffusers does so only at levels without any
// signal.
enum { RUN_NOTHING = 400 };
bool run_is_nothing(const struct ebb_run *run, const struct ebb_noise_level *at);

struct ebb_run_instruction *run_emit(struct ebb_run *run, enum ebb_run_kind kind);

// slot[dst] = sum of terms; RUN_BLEND(run, dst, {slot, weight}, ...). Terms of weight 0 are left out.
struct ebb_run_instruction *run_blend(struct ebb_run *run, int dst, const struct ebb_run_term *term,
                                      size_t count);
#define RUN_BLEND(run, dst, ...)                                                                             \
    run_blend(run, dst, (const struct ebb_run_term[]){__VA_ARGS__},                                          \
              sizeof((const struct ebb_run_term[]){__VA_ARGS__}) / sizeof(struct ebb_run_term))

// Evaluates the network for slot[src] at a level; its answer is in SLOT_OUT.
void run_ask(struct ebb_run *run, const struct ebb_noise_level *at, int src);
// Evaluates the network as run_ask(), and puts its estimate of x_0, clipped or thresholded, into slot[dst].
void run_estimate(struct ebb_run *run, const struct ebb_noise_level *at, int src, int dst);
// Evaluates the network for x at the current level and keeps the estimate of x_0, or of eps, in past[0];
// older estimates move to past[1], ...
void run_remember(struct ebb_run *run);
void run_remember_eps(struct ebb_run *run);
// slot[dst] = eps: computed from slot[src] and the estimate in slot[x0], or from the network's answer in
// SLOT_OUT.
void run_eps_of(struct ebb_run *run, const struct ebb_noise_level *at, int src, int x0, int dst);
void run_eps_said(struct ebb_run *run, const struct ebb_noise_level *at, int src, int dst);
// slot[dst] = slot[src] moved along the line that keeps eps and the estimate of x_0.
void run_move(struct ebb_run *run, const struct ebb_noise_level *from, const struct ebb_noise_level *to,
              int src, int x0, int dst);

// An ancestral step: down to a level below `next`, then back up to `next` with fresh noise of deviation
// `up`.
struct run_ancestral {
    struct ebb_noise_level down;
    double up;
};
struct run_ancestral run_ancestral(const struct ebb_noise_level *now, const struct ebb_noise_level *next,
                                   double eta);

// Adds the churn's noise to x, if there is churn; returns the level of x afterwards.
struct ebb_noise_level run_churn(struct ebb_run *run);

void run_noise(struct ebb_run *run, int dst);
void run_measure(struct ebb_run *run, enum ebb_run_measure measure, int src, int src2, int src3);
void run_step_done(struct ebb_run *run);
// For methods that choose their own levels: a step to `level` is complete; the run is complete.
void run_step_to(struct ebb_run *run, const struct ebb_noise_level *level);
void run_finish(struct ebb_run *run);

// ---- grid.c: the levels of a run ----
// Fills value[0..n-1] with sigmas from high to low; `grid` is karras, exponential, lu or beta.
void ebb_ratio_grid(const char *grid, double *value, int n, double high, double low, double rho);
// The levels of a run; the caller frees the array. `steps` may become smaller. NULL on failure.
struct ebb_noise_level *run_grid(const struct ebb_run_params *params, int *steps, struct ebb_error *error);

#endif
