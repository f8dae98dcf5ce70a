// Noise schedules: q(x_t | x_0) = N(sqrt(abar_t) x_0, (1 - abar_t) I). All in double precision, no tensors.
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
    EBB_PREDICT_V,     // sqrt(abar) eps - sqrt(1 - abar) x_0
    EBB_PREDICT_SCORE, // -eps / sqrt(1 - abar)
    EBB_PREDICT_FLOW,  // eps - x_0
};

struct ebb_schedule_params {
    const char *name;    // from ebb_schedules[]: "linear", "scaled-linear", "cosine", "quadratic", "sigmoid", ...; default "linear"
    int train_steps;     // T, 2..100000; default 1000
    double beta_start;   // default 1e-4
    double beta_end;     // default 0.02
    const double *table; // betas ("table") or other numbers the kind needs; borrowed for the call
    size_t table_count;
    bool zero_terminal_snr; // rescale so that abar_T = 0 (Lin 2023)
    double sigma_min, sigma_max; // variance exploding kinds
};
EBB_API void ebb_schedule_params_default(struct ebb_schedule_params *params);

EBB_API struct ebb_schedule *ebb_schedule_create(const struct ebb_schedule_params *params, struct ebb_error *error);
EBB_API void ebb_schedule_destroy(struct ebb_schedule **schedule);

EBB_API int ebb_schedule_steps(const struct ebb_schedule *schedule); // T

// abar at training step index 0..T-1, fractional allowed (log-SNR is interpolated); -1 and below: 1.
EBB_API double ebb_schedule_abar(const struct ebb_schedule *schedule, double step);

// Kinds of schedule, ended by one with a NULL name.
struct ebb_schedule_kind {
    const char *name;
    const char *description; // a line with formula and paper
};
EBB_API extern const struct ebb_schedule_kind ebb_schedules[];

#endif
