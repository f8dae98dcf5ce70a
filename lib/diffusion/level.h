// A noise level: where a state x ~ alpha x_0 + sigma eps stands on a schedule.
#ifndef EBB_DIFFUSION_LEVEL_H
#define EBB_DIFFUSION_LEVEL_H

#include <ebb/schedule.h>

struct ebb_level {
    double alpha, sigma;
    double lambda; // log(alpha / sigma), half the log-SNR; infinite at the ends
    double step;   // training step index, fractional; -1: the clean sound
    double label;  // what the network is told
    double scale;  // what the network's input is multiplied by
};

struct ebb_level ebb_level_at_step(const struct ebb_schedule *schedule, double step);
struct ebb_level ebb_level_at_lambda(const struct ebb_schedule *schedule, double lambda);
struct ebb_level ebb_level_clean(const struct ebb_schedule *schedule);

// sigma / alpha of the last and of the first training step, the range of the sigma grids; a schedule without terminal
// signal counts as abar = 2^-24 there, as float32 would have it.
double ebb_schedule_ratio_max(const struct ebb_schedule *schedule);
double ebb_schedule_ratio_min(const struct ebb_schedule *schedule);

bool ebb_schedule_is_flow(const struct ebb_schedule *schedule);
bool ebb_schedule_is_edm(const struct ebb_schedule *schedule);
bool ebb_schedule_preserves_variance(const struct ebb_schedule *schedule);

// Transitions between levels, alpha_to of a clean level included.
struct ebb_gaussian ebb_level_forward(const struct ebb_level *from, const struct ebb_level *to);
struct ebb_gaussian ebb_level_posterior(const struct ebb_level *from, const struct ebb_level *to);

#endif
