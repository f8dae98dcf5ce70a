// A diffusers scheduler_config.json -> our parameters. The caller reads the file: here a config is a class name and a way
// to look keys up, so that this floor needs no JSON.
#ifndef EBB_DIFFUSION_COMPAT_H
#define EBB_DIFFUSION_COMPAT_H

#include "diffusion/run.h"

enum ebb_config_kind { EBB_CONFIG_ABSENT, EBB_CONFIG_NULL, EBB_CONFIG_BOOL, EBB_CONFIG_NUMBER, EBB_CONFIG_STRING, EBB_CONFIG_ARRAY, EBB_CONFIG_OTHER };

struct ebb_config_value {
    enum ebb_config_kind kind;
    bool truth;
    double number;
    const char *string;   // as long as the config lives
    const double *array;  // numbers only (trained_betas), as long as the config lives
    size_t count;
};

struct ebb_config {
    const char *class_name; // "DDIMScheduler", from "_class_name"
    void *data;
    struct ebb_config_value (*get)(void *data, const char *key);
    const char *(*key)(void *data, size_t index); // the keys there are, NULL after the last; may be NULL: unknown keys go unseen
};

// What a diffusers class does its own way. Plain data; compat.c alone fills it.
struct ebb_compat {
    const char *class_name;
    const char *sampler; // the row it maps to; with another sampler the rest means nothing
    int rules;           // enum compat_rules of compat_rules.h: how the class lays out its times
    int order;
    bool noise_prediction, sde, heun, bh1; // dpmsolver, sde-dpmsolver(++), solver_type heun, bh1
    bool lower_order_final, euler_at_final, final_zero;
    bool skip_prk, alpha_to_one, log_linear, inverse;
    const char *spacing;  // as the config says
    bool round_labels, continuous_labels;
    double sigma_min, sigma_max; // 0: from the table
    double rho, flow_shift, timestep_scaling, lambda_min;
    int original_steps;
};

struct ebb_compat_result {
    struct ebb_schedule_params schedule; // `table` borrowed from the config
    struct ebb_run_params run;           // schedule and compat are left NULL: point them at what you keep
    struct ebb_compat compat;
    char unknown[256];                   // keys of the config nobody here knows, comma separated; empty: none
};

// Class defaults where keys are missing. Fails with EBB_UNSUPPORTED for another class or for a value we have not got, each
// named, and with EBB_WRONG_TYPE for a value of the wrong type.
enum ebb_result ebb_compat_read(const struct ebb_config *config, struct ebb_compat_result *out, struct ebb_error *error);

#endif
