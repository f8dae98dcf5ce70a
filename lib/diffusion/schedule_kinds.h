// The kinds of schedule: each fills a table of lambda = log(alpha / sigma).
#ifndef EBB_DIFFUSION_SCHEDULE_KINDS_H
#define EBB_DIFFUSION_SCHEDULE_KINDS_H

#include <ebb/schedule.h>

enum schedule_space {
    SPACE_PRESERVING, // alpha^2 + sigma^2 = 1
    SPACE_EXPLODING,  // alpha = 1; the network is told sigma
    SPACE_EDM,        // alpha = 1; input scaled to unit variance, the network is told log(sigma) / 4
    SPACE_FLOW,       // alpha + sigma = 1; the network is told sigma * T
};

struct schedule_kind {
    const char *name;
    enum schedule_space space;
    bool (*fill)(double *lambda, const struct ebb_schedule_params *params, struct ebb_error *error);
};

// NULL with the error filled: unknown; the message lists the names.
const struct schedule_kind *schedule_kind_find(const char *name, struct ebb_error *error);
bool schedule_params_check(const struct ebb_schedule_params *params, struct ebb_error *error);
void schedule_zero_terminal(double *lambda, const struct ebb_schedule_params *params);

#endif
