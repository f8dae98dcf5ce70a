// A diffusers scheduler_config.json -> our parameters. The caller reads the file: here a config is a class name and a way
// to look keys up, so that this floor needs no JSON.
#ifndef EBB_DIFFUSION_COMPAT_H
#define EBB_DIFFUSION_COMPAT_H

#include "diffusion/level.h"
#include "diffusion/run.h"

enum ebb_config_kind {
    EBB_CONFIG_ABSENT,
    EBB_CONFIG_NULL,
    EBB_CONFIG_BOOL,
    EBB_CONFIG_NUMBER,
    EBB_CONFIG_STRING,
    EBB_CONFIG_ARRAY, // of numbers
    EBB_CONFIG_OTHER,
};

struct ebb_config_value {
    enum ebb_config_kind kind;
    bool truth;
    double number;
    const char *string;  // lives as long as the config
    const double *array; // lives as long as the config
    size_t count;
    const char *found;   // how the file has it, for messages; lives until the next look; may be NULL
};

struct ebb_config {
    const char *class_name; // "DDIMScheduler", from "_class_name"
    void *data;
    struct ebb_config_value (*get)(void *data, const char *key);
    const char *(*key)(void *data, size_t index); // the keys there are, NULL after the last; may be NULL: unknown keys go unseen
    int positions; // h * w of the state, which use_dynamic_shifting goes by; 0: not known
};

// How a diffusers class lays out its times.
enum ebb_compat_rules {
    EBB_RULES_DDPM,    // DDPM
    EBB_RULES_DDIM,    // DDIM, PNDM: a step aims at t - T / n, not at the next visited time
    EBB_RULES_INVERSE, // DDIMInverse
    EBB_RULES_ORIGIN,  // LCM, TCD: a choice among original_inference_steps
    EBB_RULES_SIGMA,   // Euler and all of k-diffusion: fractional times, sigma interpolated
    EBB_RULES_DPM,     // DPM-Solver, UniPC, DEIS: n + 1 times of which the last is left out
    EBB_RULES_EDM,
    EBB_RULES_FLOW,
    EBB_RULES_VE,
    EBB_RULES_CM,
};

// What a diffusers class does its own way. Plain data that compat.c alone fills.
struct ebb_compat {
    const char *class_name;
    const char *sampler; // the row it maps to; with another sampler the rest means nothing
    enum ebb_compat_rules rules;
    int default_steps;   // of the class; 0: it has none
    int order, corrector_order;
    bool noise_prediction, sde, heun, bh1; // dpmsolver, sde-dpmsolver(++), solver types heun and bh1
    bool lower_order_final, euler_at_final, final_zero;
    bool alpha_to_one, log_linear, clips_lambda, round_labels, cut_labels, continuous_labels;
    bool flow_sigmas;    // solvers on flow matching: use_flow_sigmas
    bool dynamic;        // use_dynamic_shifting: shifted once, where `shift` alone is applied twice
    bool stochastic;     // flow matching's Euler: the estimate, noised down afresh
    uint64_t uncorrected; // unipc: bit i: step i is left as predicted
    bool brownian;       // diffusers takes its noise from a Brownian tree nobody can draw again
    const char *spacing; // as the config says: leading, linspace, trailing
    const char *grid;    // karras, exponential, lu, beta; NULL: none of them
    int steps_offset, original_steps;
    double sigma_min, sigma_max; // limits of a grid; 0: from the table
    double rho, lambda_min, timestep_scaling;
    double betas_end;      // sigma / alpha of the first beta, where flow_sigmas have taken their place
    double shift_terminal; // the last sigma of flow matching; 0: as it comes
};

struct ebb_compat_result {
    struct ebb_schedule_params schedule; // `table` borrowed from the config
    struct ebb_run_params run;           // schedule and compat are left NULL: point them at what you keep
    struct ebb_compat compat;
    char unknown[256];                   // keys of the config nobody here knows, comma separated; empty: none
};

// Class defaults where keys are missing. Fails with EBB_UNSUPPORTED for another class or for a value we have not got, with
// EBB_WRONG_TYPE for a value of the wrong type, each named.
enum ebb_result ebb_compat_read(const struct ebb_config *config, struct ebb_compat_result *out, struct ebb_error *error);

// The levels of a run as the class lays them out.
struct ebb_compat_grid {
    struct ebb_level *grid, *target, *middle; // as in struct ebb_run; malloced
    struct ebb_level from;
    double init_alpha, init_sigma, final_scale;
};
enum ebb_result ebb_compat_grid(const struct ebb_compat *compat, const struct ebb_schedule *schedule, int steps,
                                struct ebb_compat_grid *out, struct ebb_error *error);

#endif
