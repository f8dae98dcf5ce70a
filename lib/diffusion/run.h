// A sampler run as a list of instructions over numbered tensors. A sampler never sees a tensor: it turns the schedule
// into weights in double precision; who holds the tensors (the engine's loop, or a test on plain doubles) carries the
// instructions out. Plain samplers emit a list that is known beforehand; the adaptive ones wait for a measurement.
//
//     while (ebb_run_next(run, &in, &error) == EBB_OK && in.kind != EBB_RUN_DONE)
//         switch (in.kind) ...
#ifndef EBB_DIFFUSION_RUN_H
#define EBB_DIFFUSION_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <ebb/error.h>
#include <ebb/sampler.h>
#include <ebb/schedule.h>

struct ebb_compat;

enum { EBB_RUN_TERMS = 8, EBB_RUN_SLOTS = 16, EBB_RUN_MAX_STEPS = 10000, EBB_RUN_MAX_RESAMPLE = 100 };

enum ebb_run_kind {
    EBB_RUN_EVAL,    // slot[dst] = network(scale * slot[src], timestep), guidance already applied by who evaluates.
                     // Learned variance: the output's second half of channels goes to slot[dst2] (dst2 >= 0)
    EBB_RUN_BLEND,   // slot[dst] = clamp(sum_k term[k].weight * slot[term[k].slot]), dst may be among the terms
    EBB_RUN_NOISE,   // slot[dst] = draw number `draw` of standard normal noise
    EBB_RUN_THRESHOLD, // item by item: q = min(max(1, `ratio`-quantile of |src|, linear interpolation), clamp);
                     // slot[dst] = min(max(src, -q), q) / q (dynamic thresholding, Saharia 2022); dst may be src
    EBB_RUN_EXP,     // slot[dst] = exp(scale * slot[src] + offset) (learned-range variance); dst may be src
    EBB_RUN_SQRT,    // slot[dst] = sqrt(max(0, slot[src])) (learned variance); dst may be src
    EBB_RUN_MEASURE, // tell ebb_run_measured() the scalar `measure` asks for. Items of a batch that meet one of these
                     // must be run apart, each with a run of its own, or they depend on each other
    EBB_RUN_STEP,    // a step is complete: slot[0] is x at (alpha, sigma) = x ~ alpha x_0 + sigma eps. For masks, saving, progress
    EBB_RUN_DONE,    // slot[0] is the result
};

enum ebb_run_measure {
    EBB_MEASURE_RMS,   // sqrt(mean(src^2))
    EBB_MEASURE_ERROR, // sqrt(mean((src / (atol + rtol * max(|src2|, |src3|)))^2)), adaptive error norm
};

struct ebb_run_term {
    int slot;
    double weight;
};

struct ebb_run_instruction {
    enum ebb_run_kind kind;
    int dst, dst2, src, src2, src3; // -1: none
    double scale;    // EVAL: factor on the input (1 in variance-preserving space); EXP
    double offset;   // EXP
    double timestep; // EVAL: what the network is told
    int terms;       // BLEND
    struct ebb_run_term term[EBB_RUN_TERMS];
    double clamp;    // BLEND: > 0: clamp to [-clamp, clamp]; 0: none. THRESHOLD: upper limit of q
    int noise_scale; // BLEND: slot holding a per-element factor for the last term (learned variance); -1: none
    uint64_t draw;   // NOISE: counts from 1; draw 0 is the initial noise
    enum ebb_run_measure measure;
    double ratio, rtol, atol;
    double alpha, sigma; // STEP, EVAL: the level of the state (EVAL: of slot[src])
    int step, steps;     // STEP: completed so far, of how many (adaptive: an estimate)
};

struct ebb_run_params {
    const char *sampler;                 // a name from ebb_sampler_next(); default "dpmpp-2m"
    const struct ebb_schedule *schedule; // borrowed, outlives the run
    enum ebb_prediction prediction;
    int steps;           // 1..T, sigma grids 1..EBB_RUN_MAX_STEPS; a start below 1 visits at most start * T; default 20
    double start;        // diffusion time at which the reverse process starts, (0, 1]; 1 (default): pure noise
    double end;          // where it stops, [0, start); 0 (default): the clean sound
    const char *spacing; // a name from ebb_spacings[]: "trailing" (default), "leading", "linspace"; sigma grids: "karras", ...
    bool inverse;        // the levels upwards, from the clean sound (or `end`) to `start`: inverts a sound to its noise
    int steps_offset;    // added to the visited times of "leading"
    const char *variance; // ddpm: "fixed-small" (default), "fixed-large", "learned", "learned-range"
    double eta;          // fresh noise per step, 0 .. 1, where the sampler knows it; EBB_ETA_OWN (default): the sampler's own
    double clip;         // > 0: clamp x_0 estimates to [-clip, clip]
    double threshold_ratio, threshold_max; // dynamic thresholding instead of clip; ratio 0: off
    double rtol, atol;   // adaptive
    double snr;          // pc: signal to noise of a corrector step; default 0.16 (Song 2021)
    double s_churn, s_tmin, s_tmax, s_noise; // Karras 2022, algorithm 2; sigmas are sigma / alpha
    int resample;        // RePaint: how often each step but the last is done, noised back to where it began in between, so
                         // that what a mask holds and what is new come to agree (Lugmayr 2022); 1 (default): once
    bool consistency;    // the model is consistency-distilled: lcm and tcd ask for it
    // diffusers' own peculiarities, as compat.c reads them from a scheduler_config.json; borrowed, outlives the run. They
    // hold while sampler is the config's, start 1 and end 0; otherwise, and with NULL (default), it is done our way.
    const struct ebb_compat *compat;
};
void ebb_run_params_default(struct ebb_run_params *params);

// Into the params; what the tuning leaves to the model stays.
void ebb_run_params_tune(struct ebb_run_params *params, const struct ebb_tuning *tuning);

struct ebb_run;
struct ebb_run *ebb_run_create(const struct ebb_run_params *params, struct ebb_error *error);
void ebb_run_destroy(struct ebb_run **run);

// Initial state: slot[0] = alpha * x_0 + sigma * noise. Start 1 is pure noise: alpha is 0. An inverse run begins with x_0
// itself (sigma 0, or the level of `end`).
void ebb_run_start(const struct ebb_run *run, double *alpha, double *sigma);

// Timesteps of all evaluations, in order, when they are known beforehand (the engine computes their embeddings before
// the loop). Returns how many; 0 for adaptive samplers. `timesteps` may be NULL.
int ebb_run_timesteps(const struct ebb_run *run, double *timesteps, int capacity);

// What a run will ask for. False for adaptive samplers: it is not known beforehand.
struct ebb_run_outline {
    int evals, draws; // draws: 1 to this many
    bool aside;       // learned variance: something that not every device can do
};
bool ebb_run_outline(const struct ebb_run *run, struct ebb_run_outline *outline);

int ebb_run_slots(const struct ebb_run *run); // slots used, slot 0 is x

enum ebb_result ebb_run_next(struct ebb_run *run, struct ebb_run_instruction *out, struct ebb_error *error);
void ebb_run_measured(struct ebb_run *run, double value);

// Network evaluations asked for so far, and steps an adaptive sampler took back.
void ebb_run_counts(const struct ebb_run *run, int *evals, int *rejected);

#endif
