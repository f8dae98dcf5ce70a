// SPDX-License-Identifier: LGPL-2.1-or-later
// A run of a sampler, as a list of instructions over numbered slots. A sampler never sees a tensor: it
// turns the schedule into weights in double precision. lib/process holds the tensors and carries the
// instructions out; a test does the same on doubles. Most samplers' instructions are known beforehand; an
// adaptive sampler waits for measurements.
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

struct ebb_quirks;

enum { EBB_RUN_TERMS = 8, EBB_RUN_SLOTS = 16, EBB_RUN_MAX_STEPS = 10000, EBB_RUN_MAX_RESAMPLE = 100 };

enum ebb_run_kind {
    EBB_RUN_EVAL,  // slot[dst] = network(scale * slot[src], timestep), guidance included.
                   // Learned variance (dst2 >= 0): slot[dst2] = second half of the output's channels
    EBB_RUN_BLEND, // slot[dst] = clamp(sum_k term[k].weight * slot[term[k].slot]), dst may be among the terms
    EBB_RUN_NOISE, // slot[dst] = draw number `draw` of standard normal noise
    EBB_RUN_THRESHOLD, // item by item: q = min(max(1, `ratio`-quantile of |src|, linear interpolation),
                       // clamp); slot[dst] = min(max(src, -q), q) / q (dynamic thresholding, Saharia 2022);
                       // dst may be src
    EBB_RUN_EXP,       // slot[dst] = exp(scale * slot[src] + offset) (learned-range variance); dst may be src
    EBB_RUN_SQRT,      // slot[dst] = sqrt(max(0, slot[src])) (learned variance); dst may be src
    EBB_RUN_MEASURE,   // give ebb_run_measured() the number `measure`, taken over one state
    EBB_RUN_STEP,      // a step is complete: slot[0] is x ~ alpha x_0 + sigma eps. For masks and progress
    EBB_RUN_DONE,      // slot[0] is the result
};

enum ebb_run_measure {
    EBB_MEASURE_RMS,   // sqrt(mean(src^2))
    EBB_MEASURE_ERROR, // sqrt(mean((src / (atol + rtol * max(|src2|, |src3|)))^2)), for step sizes
};

struct ebb_run_term {
    int slot;
    double weight;
};

struct ebb_run_instruction {
    enum ebb_run_kind kind;
    int dst, dst2, src, src2, src3; // -1: none
    double scale;                   // EVAL: factor on the input (1 in variance-preserving space); EXP
    double offset;                  // EXP
    double timestep;                // EVAL: for the network
    int terms;                      // BLEND
    struct ebb_run_term term[EBB_RUN_TERMS];
    double clamp;    // BLEND: > 0: clamp to [-clamp, clamp]; 0: none. THRESHOLD: upper limit of q
    int noise_scale; // BLEND: slot with a factor on the last term, by element (learned variance); -1: none
    uint64_t draw;   // NOISE: number of the draw, from 1; draw 0 is the noise of the start
    enum ebb_run_measure measure;
    double ratio, rtol, atol;
    double alpha, sigma; // STEP, EVAL: the level of the state (EVAL: of slot[src])
    int step, steps;     // STEP: completed so far, of how many (adaptive: an estimate)
};

struct ebb_run_params {
    const char *sampler;                 // a name from ebb_sampler_next(); default "dpmpp-2m"
    const struct ebb_schedule *schedule; // borrowed, outlives the run
    enum ebb_prediction prediction;
    int steps; // 1..T, sigma grids 1..EBB_RUN_MAX_STEPS; a start below 1 visits at most start * T; default 20
    double start; // diffusion time at which the reverse process starts, (0, 1]; 1 (default): pure noise
    double end;   // diffusion time at which it stops, [0, start); 0 (default): the clean sound
    const char *spacing;  // a name from ebb_spacing_next(), default "trailing"; "karras", ...: sigma grids
    bool inverse;         // inversion: the levels upwards, from `end` to `start`
    int steps_offset;     // added to the visited times of "leading"
    const char *variance; // ddpm: "fixed-small" (default), "fixed-large", "learned", "learned-range"
    double eta;  // fresh noise per step, 0..1, for samplers that have it; NAN (default): the sampler's own
    double clip; // > 0: clamp x_0 estimates to [-clip, clip]
    double threshold_ratio, threshold_max; // dynamic thresholding instead of clip; ratio 0: off
    double rtol, atol;                     // adaptive
    double snr; // pc: signal to noise of a corrector step; default 0.16 (Song 2021)
    double s_churn, s_tmin, s_tmax, s_noise; // Karras 2022, algorithm 2; sigmas are sigma / alpha
    // RePaint (Lugmayr 2022): number of times that each step but the last is done, 1 (default): once. In
    // between, the state is noised back to the step's start, so held and new parts come to agree.
    int resample;
    bool consistency; // the model is consistency-distilled, which lcm and tcd require
    // Quirks of the model's scheduler class; borrowed, outlives the run; NULL (default): none. They hold
    // only with that class's sampler, start 1 and end 0.
    const struct ebb_quirks *quirks;
};
void ebb_run_params_default(struct ebb_run_params *params);

struct ebb_run;
struct ebb_run *ebb_run_create(const struct ebb_run_params *params, struct ebb_error *error);
void ebb_run_destroy(struct ebb_run **run);

// The initial state is slot[0] = alpha * x_0 + sigma * noise. At start 1 it is pure noise, alpha is 0. An
// inversion begins with x_0 itself, or at the level of `end`.
void ebb_run_start(const struct ebb_run *run, double *alpha, double *sigma);

// Timesteps of all evaluations, in order. lib/process computes their embeddings before the run. Returns how
// many there are; 0 for an adaptive sampler, whose timesteps are not known. `timesteps` may be NULL.
int ebb_run_timesteps(const struct ebb_run *run, double *timesteps, int capacity);

// Work of a run, known beforehand. False for an adaptive sampler, whose work is not known.
struct ebb_run_outline {
    int evals, draws; // evaluations; draws after the start, numbered 1..draws
    bool on_host;     // has instructions that devices do not have (learned variance)
};
bool ebb_run_outline(const struct ebb_run *run, struct ebb_run_outline *outline);

int ebb_run_slots(const struct ebb_run *run); // slots used, slot 0 is x

enum ebb_result ebb_run_next(struct ebb_run *run, struct ebb_run_instruction *out, struct ebb_error *error);
void ebb_run_measured(struct ebb_run *run, double value);

// Network evaluations so far, and steps that an adaptive sampler discarded.
void ebb_run_counts(const struct ebb_run *run, int *evals, int *rejected);

#endif
