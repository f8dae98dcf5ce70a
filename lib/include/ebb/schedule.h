// SPDX-License-Identifier: LGPL-2.1-or-later
// Lab (see ebb/lab.h): noise schedules and the forward process: q(x_t | x_0) = N(alpha_t x_0, sigma_t^2 I).
// All in double precision, without tensors: formulas over tensors are returned as weights.
//
// Three numbers tell the noise level. `t` is diffusion time in [0, 1]: 0 is the clean sound, 1 pure noise.
// `step` is the training step, 0..T-1, fractions allowed: step = t * T - 1, and -1 is the clean sound.
// `log_snr` is log(alpha^2 / sigma^2). Variance preserving kinds have alpha = sqrt(abar), sigma = sqrt(1 -
// abar).
#ifndef EBB_SCHEDULE_H
#define EBB_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>

EBB_BEGIN_DECLS

struct ebb_schedule;

// The prediction: what a network's output means.
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
    const char *name;    // from ebb_schedule_kind_next(): "linear" (default), "scaled-linear", "cosine", ...
    int train_steps;     // T, 2..100000; default 1000
    double beta_start;   // 0..1; default 1e-4
    double beta_end;     // 0..1; default 0.02
    const double *table; // "table": T betas; "points": pairs (t, log-SNR); "learned": log-SNRs evenly spaced
                         // in t; borrowed for the call
    size_t table_count;  // doubles in the table
    bool zero_terminal_snr;      // rescale so that abar_T is terminal_abar (Lin 2023)
    double terminal_abar;        // default 0; diffusers' schedulers that count in sigma have 2^-24
    double shift;                // factor on sigma / alpha, > 0 (Hoogeboom 2023, Esser 2024); default 1
    double sigma_min, sigma_max; // variance exploding kinds; default 0.002 and 80
    double sigma_data;           // EBB_PREDICT_EDM: standard deviation of the data; default 0.5
    bool single_precision;       // round betas and abar to float as diffusers' tables are; default false
};
EBB_API void ebb_schedule_params_default(struct ebb_schedule_params *params);

// `params` NULL: all defaults. NULL with the error filled: the name is unknown, a value is out of range, or
// the table does not decrease.
EBB_API struct ebb_schedule *ebb_schedule_create(const struct ebb_schedule_params *params,
                                                 struct ebb_error *error);
EBB_API void ebb_schedule_destroy(struct ebb_schedule **schedule);

EBB_API int ebb_schedule_steps(const struct ebb_schedule *schedule); // T
EBB_API double ebb_schedule_sigma_data(const struct ebb_schedule *schedule);

// abar = SNR / (1 + SNR) at training step index 0..T-1, fractional allowed (log-SNR is interpolated); -1 and
// below: 1.
EBB_API double ebb_schedule_abar(const struct ebb_schedule *schedule, double step);

// beta of training step 1..T-1, counted from the step before it; of training step 0, from the clean sound.
EBB_API double ebb_schedule_beta(const struct ebb_schedule *schedule, int step);

// alpha and sigma at diffusion time t, which is clamped to [0, 1].
EBB_API void ebb_schedule_at(const struct ebb_schedule *schedule, double t, double *alpha, double *sigma);

// Signal-to-noise ratio alpha^2 / sigma^2 at t, infinite at t = 0; and the t of a ratio, clamped to [0, 1].
EBB_API double ebb_schedule_snr(const struct ebb_schedule *schedule, double t);
EBB_API double ebb_schedule_t_of_snr(const struct ebb_schedule *schedule, double snr);

// A normal distribution as weights: mean = x * (known state) + x0 * (clean sound), standard deviation `sd`.
struct ebb_gaussian {
    double x, x0, sd;
};

// q(x_to | x_from), from <= to in diffusion time: x_to = x * x_from + sd * eps. Over one training step it
// is sqrt(1 - beta) x + sqrt(beta) eps; from time 0 it is sqrt(abar) x_0 + sqrt(1 - abar) eps.
EBB_API struct ebb_gaussian ebb_schedule_forward(const struct ebb_schedule *schedule, double from, double to);

// The posterior q(x_to | x_from, x_0), to < from. An ancestral step estimates x_0 and draws from it.
EBB_API struct ebb_gaussian ebb_schedule_posterior(const struct ebb_schedule *schedule, double from,
                                                   double to);

// From a network's output to x_0 or eps, for the state x = alpha x_0 + sigma eps: x_0 = weights.x * (state)
// + weights.out * (output), and eps in the same way. `alpha` and `sigma` are not both 0. A weight is
// infinite where the output does not tell x_0 (prediction eps at alpha = 0).
struct ebb_prediction_weights {
    double x, out;
};
EBB_API struct ebb_prediction_weights ebb_prediction_to_x0(enum ebb_prediction prediction, double alpha,
                                                           double sigma, double sigma_data);
EBB_API struct ebb_prediction_weights ebb_prediction_to_eps(enum ebb_prediction prediction, double alpha,
                                                            double sigma, double sigma_data);
// The other way round, the output of a perfect network: output = weights.x * (state) + weights.out * (x_0).
EBB_API struct ebb_prediction_weights ebb_prediction_from_x0(enum ebb_prediction prediction, double alpha,
                                                             double sigma, double sigma_data);

// "epsilon", "sample", "v_prediction", "score", "flow", "edm", "edm-v"; NULL outside the enum.
EBB_API const char *ebb_prediction_name(enum ebb_prediction prediction);

// A kind of schedule.
struct ebb_schedule_kind {
    const char *name;
    const char *description; // the formula, a line
    const char *paper;       // "Ho 2020"; "": nobody's
};

// Walks all kinds: the first for NULL, otherwise the one after `previous`; NULL after the last.
EBB_API const struct ebb_schedule_kind *ebb_schedule_kind_next(const struct ebb_schedule_kind *previous);
#define EBB_EACH_SCHEDULE_KIND(kind)                                                                         \
    for (const struct ebb_schedule_kind *kind = ebb_schedule_kind_next(NULL); kind;                          \
         kind = ebb_schedule_kind_next(kind))

// The diffusion times of all network evaluations of a run in `steps` steps, in order. t[0..capacity-1]
// receives them; returns how many there are. `spacing` NULL is "trailing". 0 with the error filled: a name
// is unknown, the spacing does not have so many steps, or the sampler is rk45, which chooses its times
// during the run.
EBB_API int ebb_sampler_visits(const char *sampler, const struct ebb_schedule *schedule, const char *spacing,
                               int steps, double *t, int capacity, struct ebb_error *error);

EBB_END_DECLS

#endif
