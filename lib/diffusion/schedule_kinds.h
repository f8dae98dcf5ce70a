// SPDX-License-Identifier: LGPL-2.1-or-later
// The kinds of schedule: each fills a table of lambda = log(alpha / sigma).
#ifndef EBB_DIFFUSION_SCHEDULE_KINDS_H
#define EBB_DIFFUSION_SCHEDULE_KINDS_H

#include <ebb/schedule.h>

enum schedule_space {
    SPACE_PRESERVING, // alpha^2 + sigma^2 = 1
    SPACE_EXPLODING,  // alpha = 1; the network's timestep is sigma
    SPACE_EDM,        // alpha = 1; input scaled to unit variance, the network's timestep is log(sigma) / 4
    SPACE_FLOW,       // alpha + sigma = 1; the network's timestep is sigma * T
};

struct schedule_kind {
    struct ebb_schedule_kind about;
    enum schedule_space space;
    bool (*fill)(double *lambda, const struct ebb_schedule_params *params, struct ebb_error *error);
};

// NULL with the error filled: the name is unknown; the message lists the names.
const struct schedule_kind *schedule_kind_find(const char *name, struct ebb_error *error);
bool schedule_params_check(const struct ebb_schedule_params *params, struct ebb_error *error);
void schedule_zero_terminal(double *lambda, const struct ebb_schedule_params *params);

#endif
