// Noise schedules and the forward process: q(x_t | x_0) = N(alpha_t x_0, sigma_t^2 I). All in double precision, no
// tensors: what belongs on tensors is returned as weights.
//
// Three clocks count the same thing. `t` is diffusion time in [0, 1], 0 the clean sound, 1 pure noise. `step` is the
// training step index 0..T-1, fractions allowed, step = t * T - 1; -1 is the clean sound. `log_snr` is log(alpha^2 / sigma^2).
// Variance preserving kinds have alpha = sqrt(abar), sigma = sqrt(1 - abar).
#ifndef EBB_SCHEDULE_H
#define EBB_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>

struct ebb_schedule;

// What the network's output means.
enum ebb_prediction {
    EBB_PREDICT_EPS,   // eps
    EBB_PREDICT_X0,    // x_0 ("sample")
    EBB_PREDICT_V,     // alpha eps - sigma x_0
    EBB_PREDICT_SCORE, // -eps / sigma
    EBB_PREDICT_FLOW,  // eps - x_0
    EBB_PREDICT_EDM,   // F of x_0 = c_skip x + c_out F (Karras 2022)
    EBB_PREDICT_EDM_V, // the same with c_out negated, as diffusers' EDM schedulers read "v_prediction"
    EBB_PREDICTIONS,
};

struct ebb_schedule_params {
    const char *name;    // from ebb_schedules[]: "linear", "scaled-linear", "cosine", ...; default "linear"
    int train_steps;     // T, 2..100000; default 1000
    double beta_start;   // 0..1; default 1e-4
    double beta_end;     // 0..1; default 0.02
    const double *table; // "table": T betas; "points": pairs (t, log-SNR); "learned": log-SNRs evenly spaced in t; borrowed for the call
    size_t table_count;  // doubles in the table
    bool zero_terminal_snr; // rescale so that abar_T = 0 (Lin 2023)
    double terminal_abar;   // what abar_T is instead of 0 then, as diffusers' schedulers over sigma have it (2^-24); default 0
    double shift;           // noise-to-signal times this, > 0 (Hoogeboom 2023, Esser 2024); default 1
    double sigma_min, sigma_max; // variance exploding kinds; default 0.002 and 80
    double sigma_data;      // EBB_PREDICT_EDM: standard deviation of the data; default 0.5
    bool single_precision;  // round betas and abar to float as diffusers' tables are; default false
};
EBB_API void ebb_schedule_params_default(struct ebb_schedule_params *params);

// NULL params: all defaults. NULL with the error filled: unknown name, a value out of range, a table that is not decreasing.
EBB_API struct ebb_schedule *ebb_schedule_create(const struct ebb_schedule_params *params, struct ebb_error *error);
EBB_API void ebb_schedule_destroy(struct ebb_schedule **schedule);

EBB_API int ebb_schedule_steps(const struct ebb_schedule *schedule);          // T
EBB_API double ebb_schedule_sigma_data(const struct ebb_schedule *schedule);

// abar = SNR / (1 + SNR) at training step index 0..T-1, fractional allowed (log-SNR is interpolated); -1 and below: 1.
EBB_API double ebb_schedule_abar(const struct ebb_schedule *schedule, double step);

// beta of step index 1..T-1 from the step before; of index 0 from the clean sound.
EBB_API double ebb_schedule_beta(const struct ebb_schedule *schedule, int step);

// alpha and sigma at diffusion time t in [0, 1]; outside is clamped.
EBB_API void ebb_schedule_at(const struct ebb_schedule *schedule, double t, double *alpha, double *sigma);

// Signal to noise both ways; infinite at t = 0. The answer of the second is clamped to [0, 1].
EBB_API double ebb_schedule_snr(const struct ebb_schedule *schedule, double t);
EBB_API double ebb_schedule_t_of_snr(const struct ebb_schedule *schedule, double snr);

// A normal distribution as weights: mean = x * (known state) + x0 * (clean sound), standard deviation `sd`.
struct ebb_gaussian {
    double x, x0, sd;
};

// q(x_to | x_from), from <= to in diffusion time: x_to = x * x_from + sd * eps. From one step back it is the forward step
// sqrt(1 - beta) x + sqrt(beta) eps, from 0 the closed form sqrt(abar) x_0 + sqrt(1 - abar) eps.
EBB_API struct ebb_gaussian ebb_forward(const struct ebb_schedule *schedule, double from, double to);

// The posterior q(x_to | x_from, x_0), to < from: what an ancestral step draws from once x_0 is estimated.
EBB_API struct ebb_gaussian ebb_posterior(const struct ebb_schedule *schedule, double from, double to);

// What a network says, in terms of the state x = alpha x_0 + sigma eps and the other way round:
// x_0 = x * (state) + out * (network's output). `alpha`, `sigma` not both 0; infinite where the prediction says nothing
// about x_0 (eps at alpha = 0).
struct ebb_prediction_weights {
    double x, out;
};
EBB_API struct ebb_prediction_weights ebb_prediction_to_x0(enum ebb_prediction prediction, double alpha, double sigma, double sigma_data);
EBB_API struct ebb_prediction_weights ebb_prediction_to_eps(enum ebb_prediction prediction, double alpha, double sigma, double sigma_data);
// The network's output that a perfect network would give: output = x * (state) + out * (x_0).
EBB_API struct ebb_prediction_weights ebb_prediction_from_x0(enum ebb_prediction prediction, double alpha, double sigma, double sigma_data);

// "epsilon", "sample", "v_prediction", "score", "flow", "edm", "edm-v"; NULL outside the enum.
EBB_API const char *ebb_prediction_name(enum ebb_prediction prediction);

// Kinds of schedule, ended by one with a NULL name.
struct ebb_schedule_kind {
    const char *name;
    const char *description; // the formula, a line
    const char *paper;       // "Ho 2020"; "": nobody's
};
EBB_API extern const struct ebb_schedule_kind ebb_schedules[];

#endif
