// SPDX-License-Identifier: LGPL-2.1-or-later
// A schedule is a table of lambda = log(alpha / sigma) over the training steps; everything else is read from
// it.
#include "diffusion/noise_level.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "diffusion/schedule_kinds.h"

struct ebb_schedule {
    const struct schedule_kind *kind;
    int steps;
    double sigma_data;
    double *lambda; // falls with the index; -infinity at the end of a zero-terminal-SNR schedule
};

void ebb_schedule_params_default(struct ebb_schedule_params *params)
{
    *params = (struct ebb_schedule_params){
        .name = "linear",
        .train_steps = 1000,
        .beta_start = 1e-4,
        .beta_end = 0.02,
        .shift = 1,
        .sigma_min = 0.002,
        .sigma_max = 80,
        .sigma_data = 0.5,
    };
}

static bool fill(struct ebb_schedule *s, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    if (!s->kind->fill(s->lambda, p, error))
        return false;

    if (p->zero_terminal_snr)
        schedule_zero_terminal(s->lambda, p);
    for (int i = 0; i < s->steps; i++) {
        s->lambda[i] -= log(p->shift);
        bool good = i ? s->lambda[i] < s->lambda[i - 1] : s->lambda[i] < INFINITY;
        if (!good || isnan(s->lambda[i]))
            return ebb_fail(error, EBB_INVALID, "schedule %s: the signal does not fall from step %d to %d",
                            p->name, i - 1, i),
                   false;
    }
    return true;
}

struct ebb_schedule *ebb_schedule_create(const struct ebb_schedule_params *params, struct ebb_error *error)
{
    struct ebb_schedule_params defaults;
    ebb_schedule_params_default(&defaults);
    const struct ebb_schedule_params *p = params ? params : &defaults;
    const struct schedule_kind *kind = schedule_kind_find(p->name, error);
    if (!kind || !schedule_params_check(p, error))
        return NULL;

    struct ebb_schedule *s = ebb_alloc(1, sizeof(*s));
    double *lambda = ebb_alloc((size_t)p->train_steps, sizeof(double));
    if (!s || !lambda) {
        free(lambda);
        free(s);
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a schedule of %d steps", p->train_steps);
        return NULL;
    }

    s->kind = kind;
    s->steps = p->train_steps;
    s->sigma_data = p->sigma_data;
    s->lambda = lambda;
    if (!fill(s, p, error))
        ebb_schedule_destroy(&s);
    return s;
}

void ebb_schedule_destroy(struct ebb_schedule **schedule)
{
    if (!schedule || !*schedule)
        return;
    free((*schedule)->lambda);
    free(*schedule);
    *schedule = NULL;
}

int ebb_schedule_steps(const struct ebb_schedule *schedule)
{
    return schedule->steps;
}

double ebb_schedule_sigma_data(const struct ebb_schedule *schedule)
{
    return schedule->sigma_data;
}

// Between table entries lambda is linear. Where it is infinite at one end, the amplitude ratio is linear
// instead: noise to signal below step 0, signal to noise before a last step without signal.
static double lambda_of_step(const struct ebb_schedule *s, double step)
{
    int last = s->steps - 1;
    if (!(step > -1))
        return INFINITY;
    if (step >= last)
        return s->lambda[last];
    if (step < 0)
        return s->lambda[0] - log1p(step);

    int i = (int)step;
    double part = step - i;
    if (isinf(s->lambda[i + 1]))
        return s->lambda[i] + log1p(-part);
    return part > 0 ? s->lambda[i] + part * (s->lambda[i + 1] - s->lambda[i]) : s->lambda[i];
}

static double step_of_lambda(const struct ebb_schedule *s, double lambda)
{
    int low = 0, high = s->steps - 1;
    if (lambda > s->lambda[0])
        return expm1(s->lambda[0] - lambda);
    if (lambda <= s->lambda[high])
        return high;

    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (s->lambda[middle] >= lambda)
            low = middle;
        else
            high = middle;
    }
    if (isinf(s->lambda[high]))
        return low - expm1(lambda - s->lambda[low]);
    return low + (s->lambda[low] - lambda) / (s->lambda[low] - s->lambda[high]);
}

static struct ebb_noise_level level(const struct ebb_schedule *s, double lambda, double step)
{
    struct ebb_noise_level at = {.lambda = lambda, .step = step, .label = fmax(0, step), .scale = 1};
    double ratio = exp(-lambda);
    switch (s->kind->space) {
    case SPACE_PRESERVING:
        at.alpha = 1 / sqrt(1 + exp(-2 * lambda));
        at.sigma = 1 / sqrt(1 + exp(2 * lambda));
        break;
    case SPACE_FLOW:
        at.alpha = 1 / (1 + exp(-lambda));
        at.sigma = 1 / (1 + exp(lambda));
        at.label = at.sigma * s->steps;
        break;
    case SPACE_EXPLODING:
        at.alpha = 1;
        at.sigma = at.label = ratio;
        break;
    case SPACE_EDM:
        at.alpha = 1;
        at.sigma = ratio;
        at.label = 0.25 * log(ratio);
        at.scale = 1 / sqrt(ratio * ratio + s->sigma_data * s->sigma_data);
        break;
    }
    return at;
}

struct ebb_noise_level ebb_noise_level_at_step(const struct ebb_schedule *schedule, double step)
{
    return level(schedule, lambda_of_step(schedule, step), fmax(-1, fmin(step, schedule->steps - 1)));
}

struct ebb_noise_level ebb_noise_level_at_lambda(const struct ebb_schedule *schedule, double lambda)
{
    return level(schedule, lambda, step_of_lambda(schedule, lambda));
}

struct ebb_noise_level ebb_noise_level_clean(const struct ebb_schedule *schedule)
{
    return level(schedule, INFINITY, -1);
}

double ebb_schedule_ratio_max(const struct ebb_schedule *schedule)
{
    double lambda = schedule->lambda[schedule->steps - 1];
    return isinf(lambda) ? sqrt(0x1p24 - 1) : exp(-lambda);
}

double ebb_schedule_ratio_min(const struct ebb_schedule *schedule)
{
    return exp(-schedule->lambda[0]);
}

bool ebb_schedule_is_flow(const struct ebb_schedule *schedule)
{
    return schedule->kind->space == SPACE_FLOW;
}

bool ebb_schedule_is_edm(const struct ebb_schedule *schedule)
{
    return schedule->kind->space == SPACE_EDM;
}

bool ebb_schedule_preserves_variance(const struct ebb_schedule *schedule)
{
    return schedule->kind->space == SPACE_PRESERVING;
}

double ebb_schedule_abar(const struct ebb_schedule *schedule, double step)
{
    return 1 / (1 + exp(-2 * lambda_of_step(schedule, step)));
}

double ebb_schedule_beta(const struct ebb_schedule *schedule, int step)
{
    return 1 - ebb_schedule_abar(schedule, step) / ebb_schedule_abar(schedule, step - 1.0);
}

static double step_of_t(const struct ebb_schedule *schedule, double t)
{
    return t * schedule->steps - 1;
}

void ebb_schedule_at(const struct ebb_schedule *schedule, double t, double *alpha, double *sigma)
{
    struct ebb_noise_level at = ebb_noise_level_at_step(schedule, step_of_t(schedule, t));
    *alpha = at.alpha;
    *sigma = at.sigma;
}

double ebb_schedule_snr(const struct ebb_schedule *schedule, double t)
{
    return exp(2 * lambda_of_step(schedule, step_of_t(schedule, t)));
}

double ebb_schedule_t_of_snr(const struct ebb_schedule *schedule, double snr)
{
    double step = snr > 0 ? step_of_lambda(schedule, 0.5 * log(snr)) : schedule->steps - 1;
    return fmax(0, fmin(1, (step + 1) / schedule->steps));
}

struct ebb_gaussian ebb_noise_level_forward(const struct ebb_noise_level *from,
                                            const struct ebb_noise_level *to)
{
    double ratio = to->alpha / from->alpha;
    double variance = to->sigma * to->sigma - ratio * ratio * from->sigma * from->sigma;
    return (struct ebb_gaussian){.x = ratio, .sd = sqrt(fmax(0, variance))};
}

struct ebb_gaussian ebb_noise_level_posterior(const struct ebb_noise_level *from,
                                              const struct ebb_noise_level *to)
{
    struct ebb_gaussian forward = ebb_noise_level_forward(to, from);
    double added = forward.sd * forward.sd, all = from->sigma * from->sigma;
    return (struct ebb_gaussian){
        .x = forward.x * to->sigma * to->sigma / all,
        .x0 = to->alpha * added / all,
        .sd = forward.sd * to->sigma / from->sigma,
    };
}

struct ebb_gaussian ebb_schedule_forward(const struct ebb_schedule *schedule, double from, double to)
{
    struct ebb_noise_level a = ebb_noise_level_at_step(schedule, step_of_t(schedule, from));
    struct ebb_noise_level b = ebb_noise_level_at_step(schedule, step_of_t(schedule, to));
    return ebb_noise_level_forward(&a, &b);
}

struct ebb_gaussian ebb_schedule_posterior(const struct ebb_schedule *schedule, double from, double to)
{
    struct ebb_noise_level a = ebb_noise_level_at_step(schedule, step_of_t(schedule, from));
    struct ebb_noise_level b = ebb_noise_level_at_step(schedule, step_of_t(schedule, to));
    return ebb_noise_level_posterior(&a, &b);
}
