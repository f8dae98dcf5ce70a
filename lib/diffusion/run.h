// A sampler run as a list of instructions over numbered tensors. A sampler never sees a tensor: it turns the schedule
// into weights in double precision; who holds the tensors (the engine's loop, or a test on plain doubles) carries the
// instructions out. Plain samplers emit a list that is known beforehand; the adaptive ones wait for a measurement.
//
//     while (ebb_run_next(run, &in) == EBB_OK && in.kind != EBB_RUN_DONE)
//         switch (in.kind) ...
#ifndef EBB_DIFFUSION_RUN_H
#define EBB_DIFFUSION_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <ebb/error.h>
#include <ebb/sampler.h>
#include <ebb/schedule.h>

enum { EBB_RUN_TERMS = 8, EBB_RUN_SLOTS = 16 };

enum ebb_run_kind {
    EBB_RUN_EVAL,    // slot[dst] = network(scale * slot[src], timestep), guidance already applied by who evaluates
    EBB_RUN_BLEND,   // slot[dst] = clamp(sum_k term[k].weight * slot[term[k].slot]), dst may be among the terms
    EBB_RUN_NOISE,   // slot[dst] = draw number `draw` of standard normal noise
    EBB_RUN_MEASURE, // tell ebb_run_measured() the scalar `measure` asks for, of slots src and src2
    EBB_RUN_STEP,    // a step is complete: slot[0] is x at (alpha, sigma) = x ~ alpha x_0 + sigma eps. For masks, saving, progress
    EBB_RUN_DONE,    // slot[0] is the result
};

enum ebb_run_measure {
    EBB_MEASURE_RMS,       // sqrt(mean(src^2))
    EBB_MEASURE_ERROR,     // sqrt(mean((src / (atol + rtol * max(|src2|, |src3|)))^2)), adaptive error norm
    EBB_MEASURE_QUANTILE,  // `ratio`-quantile of |src| over one item, linear interpolation (dynamic thresholding)
};

struct ebb_run_term {
    int slot;
    double weight;
};

struct ebb_run_instruction {
    enum ebb_run_kind kind;
    int dst, src, src2, src3;
    double scale;    // EVAL: factor on the input (1 in variance-preserving space)
    double timestep; // EVAL: what the network is told
    int terms;       // BLEND
    struct ebb_run_term term[EBB_RUN_TERMS];
    double clamp;    // BLEND: > 0: clamp to [-clamp, clamp]; 0: none
    double divide;   // BLEND: after clamping, divide by this (dynamic thresholding); 0: none
    int noise_scale; // BLEND: slot holding a per-element factor for the last term (learned variance); -1: none
    uint64_t draw;   // NOISE: counts from 1; draw 0 is the initial noise
    enum ebb_run_measure measure;
    double ratio, rtol, atol;
    double alpha, sigma; // STEP
    int step, steps;     // STEP: completed so far, of how many (adaptive: an estimate)
};

struct ebb_run_params {
    const char *sampler;                 // a name from ebb_samplers[]
    const struct ebb_schedule *schedule; // borrowed, outlives the run
    enum ebb_prediction prediction;
    int steps;
    double start;       // diffusion time at which the reverse process starts, (0, 1]; 1 (default): pure noise
    const char *spacing; // "trailing" (default), "leading", "linspace"; or sigma grids: "karras", "exponential", "beta", "lu"
    int steps_offset;
    double eta;
    double clip;        // > 0: clamp x_0 estimates to [-clip, clip]
    double threshold_ratio, threshold_max; // dynamic thresholding; ratio 0: off
    double rtol, atol;  // adaptive
    double s_churn, s_tmin, s_tmax, s_noise;
    const void *compat; // diffusers' own peculiarities, filled from scheduler_config.json by compat.c; NULL: ours
};
void ebb_run_params_default(struct ebb_run_params *params);

struct ebb_run;
struct ebb_run *ebb_run_create(const struct ebb_run_params *params, struct ebb_error *error);
void ebb_run_destroy(struct ebb_run **run);

// Initial state: slot[0] = start_alpha * x_0 + start_sigma * noise (x_0 = 0 and start 1: pure noise times start_sigma).
void ebb_run_start(const struct ebb_run *run, double *alpha, double *sigma);

// Timesteps of all evaluations, in order, when they are known beforehand (the engine computes their embeddings before
// the loop). Returns how many; 0 for adaptive samplers. `timesteps` may be NULL.
int ebb_run_timesteps(const struct ebb_run *run, double *timesteps, int capacity);

int ebb_run_slots(const struct ebb_run *run); // slots used, slot 0 is x

enum ebb_result ebb_run_next(struct ebb_run *run, struct ebb_run_instruction *out, struct ebb_error *error);
void ebb_run_measured(struct ebb_run *run, double value);

#endif
