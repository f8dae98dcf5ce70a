// How a sampler is written. A method emits the instructions of one step at a time with the functions below; `now` and
// `next` are the levels it goes between. Slots: x, the network's raw output, noise, a per-element noise factor, and from
// SLOT_FREE on whatever the method likes (estimates of x_0 in run->past use SLOT_PAST up).
#ifndef EBB_DIFFUSION_METHOD_H
#define EBB_DIFFUSION_METHOD_H

#include "diffusion/level.h"
#include "diffusion/run.h"

enum { SLOT_X, SLOT_OUT, SLOT_NOISE, SLOT_FACTOR, SLOT_PAST, SLOT_FREE = SLOT_PAST + 4 };
enum { RUN_PAST = 4, RUN_QUEUE = 64, RUN_NUMBERS = 16 };

struct ebb_compat;

// An estimate made earlier, of x_0 or of eps.
struct run_past {
    int slot;
    struct ebb_level at;
};

struct ebb_run {
    struct ebb_run_params params;
    const struct ebb_sampler_info *info;
    const struct ebb_compat *compat; // NULL: our own way
    struct ebb_level *grid;          // steps + 1 levels
    struct ebb_level *target;        // steps levels where a step aims elsewhere than at the next one; NULL: it does not
    struct ebb_level *middle;        // diffusers' PNDM: where the middle evaluations of a step are; NULL: halfway
    struct ebb_level compat_from;    // diffusers' PLMS: where the first step is done again from
    int steps;
    double init_alpha, init_sigma;
    double final_scale; // what the last state is multiplied by

    // From here on it moves.
    int step;  // being done
    int round; // how often it was done already (RePaint)
    int stage; // the method's own, 0 at first; a method that waits for a measurement is called again
    bool waiting, finished;
    const char *failure; // why it cannot go on; NULL: it can
    double measured;
    int seen;  // estimates made so far
    struct run_past past[RUN_PAST]; // newest first
    double number[RUN_NUMBERS];     // the method's own
    struct ebb_level level;         // the method's own
    int evals, rejected;
    uint64_t draw;
    int head, count;
    struct ebb_run_instruction queue[RUN_QUEUE];
};

struct ebb_sampler_method {
    int slots;
    bool measures;    // cannot be listed beforehand
    bool consistency; // needs a consistency-distilled model
    bool (*check)(const struct ebb_run *run, struct ebb_error *error); // may be NULL
    void (*step)(struct ebb_run *run); // emits; ends with run_step_done() unless it waits for a measurement
};

const struct ebb_level *run_now(const struct ebb_run *run);
const struct ebb_level *run_next(const struct ebb_run *run);
const struct ebb_level *run_target(const struct ebb_run *run);
bool run_last(const struct ebb_run *run);
double run_eta(const struct ebb_run *run, double own); // as asked for, or the sampler's own

// There is next to no signal at this level: under 1 part in RUN_NOTHING, and a slope over sigma / alpha, carried over a step
// of that size, would drown everything (a cosine begins at 20 291). The way from there is the straight line of the estimate.
// diffusers knows only levels without any.
enum { RUN_NOTHING = 400 };
bool run_is_nothing(const struct ebb_run *run, const struct ebb_level *at);

struct ebb_run_instruction *run_emit(struct ebb_run *run, enum ebb_run_kind kind);

// slot[dst] = sum of terms; RUN_BLEND(run, dst, {slot, weight}, ...). Terms of weight 0 are left out.
struct ebb_run_instruction *run_blend(struct ebb_run *run, int dst, const struct ebb_run_term *term, size_t count);
#define RUN_BLEND(run, dst, ...)                                                                                         \
    run_blend(run, dst, (const struct ebb_run_term[]){__VA_ARGS__},                                                      \
              sizeof((const struct ebb_run_term[]){__VA_ARGS__}) / sizeof(struct ebb_run_term))

// Asks the network about slot[src] at a level; SLOT_OUT is what it says.
void run_ask(struct ebb_run *run, const struct ebb_level *at, int src);
// The same, and slot[dst] becomes its estimate of x_0, clipped or thresholded.
void run_estimate(struct ebb_run *run, const struct ebb_level *at, int src, int dst);
// The same for x now, kept: past[0] is the newest, older ones move down. The second keeps eps.
void run_remember(struct ebb_run *run);
void run_remember_eps(struct ebb_run *run);
// slot[dst] = eps as slot[src] and the estimate in slot[x0] have it; as SLOT_OUT has it.
void run_eps_of(struct ebb_run *run, const struct ebb_level *at, int src, int x0, int dst);
void run_eps_said(struct ebb_run *run, const struct ebb_level *at, int src, int dst);
// slot[dst] = slot[src] moved along the line that keeps eps and the estimate of x_0.
void run_move(struct ebb_run *run, const struct ebb_level *from, const struct ebb_level *to, int src, int x0, int dst);

// A step that goes further down than asked and comes back up with fresh noise of deviation `up`.
struct run_ancestral {
    struct ebb_level down;
    double up;
};
struct run_ancestral run_ancestral(const struct ebb_level *now, const struct ebb_level *next, double eta);

// Adds the churn's noise to x, if any; the level it is at then.
struct ebb_level run_churn(struct ebb_run *run);

void run_noise(struct ebb_run *run, int dst);
void run_measure(struct ebb_run *run, enum ebb_run_measure measure, int src, int src2, int src3);
void run_step_done(struct ebb_run *run);
// For methods that choose their own levels: a step is complete, and all of it.
void run_step_to(struct ebb_run *run, const struct ebb_level *level);
void run_finish(struct ebb_run *run);

// Levels of a run: grid.c. The array is the caller's; `steps` may come out smaller than asked for.
// Fills value[0..n-1] from high to low; `grid` is karras, exponential, lu or beta. Also diffusers' grids.
void ebb_ratio_grid(const char *grid, double *value, int n, double high, double low, double rho);
struct ebb_level *run_grid(const struct ebb_run_params *params, int *steps, struct ebb_error *error);

#endif
