// SPDX-License-Identifier: LGPL-2.1-or-later
// A noise level: how much noise a state x ~ alpha x_0 + sigma eps holds, as a place on a schedule.
#ifndef EBB_DIFFUSION_NOISE_LEVEL_H
#define EBB_DIFFUSION_NOISE_LEVEL_H

#include <ebb/schedule.h>

struct ebb_noise_level {
    double alpha, sigma;
    double lambda; // log(alpha / sigma), half the log-SNR; infinite at the ends
    double step;   // training step index, fractional; -1: the clean sound
    double label;  // the timestep that the network is given
    double scale;  // factor on the network's input
};

struct ebb_noise_level ebb_noise_level_at_step(const struct ebb_schedule *schedule, double step);
struct ebb_noise_level ebb_noise_level_at_lambda(const struct ebb_schedule *schedule, double lambda);
struct ebb_noise_level ebb_noise_level_clean(const struct ebb_schedule *schedule);

// sigma / alpha of the last and of the first training step: the range of the sigma grids. A last step
// without signal counts as abar = 2^-24, the rounding of float32.
double ebb_schedule_ratio_max(const struct ebb_schedule *schedule);
double ebb_schedule_ratio_min(const struct ebb_schedule *schedule);

bool ebb_schedule_is_flow(const struct ebb_schedule *schedule);
bool ebb_schedule_is_edm(const struct ebb_schedule *schedule);
bool ebb_schedule_preserves_variance(const struct ebb_schedule *schedule);

// Transitions between levels, as ebb_schedule_forward() and ebb_schedule_posterior() between times.
struct ebb_gaussian ebb_noise_level_forward(const struct ebb_noise_level *from,
                                            const struct ebb_noise_level *to);
struct ebb_gaussian ebb_noise_level_posterior(const struct ebb_noise_level *from,
                                              const struct ebb_noise_level *to);

#endif
