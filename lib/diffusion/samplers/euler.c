// One evaluation, one step: DDIM and Euler. Along the probability flow they are the same line: keep the noise, move
// the clean part (Song 2021, equation 12; Karras 2022, equation 4).
#include <math.h>

#include "diffusion/samplers/samplers.h"

// x_next = alpha_next x_0 + sqrt(sigma_next^2 - s^2) eps + s z, with eps from x and the estimate of x_0.
static void ddim(struct ebb_run *run)
{
    const struct ebb_level *now = run_now(run), *next = run_next(run);
    double fresh = run->params.eta * ebb_level_posterior(now, next).sd;
    double keep = sqrt(fmax(0, next->sigma * next->sigma - fresh * fresh)) / now->sigma;

    run_estimate(run, now, SLOT_X, SLOT_PAST);
    if (fresh > 0)
        run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, SLOT_X, {SLOT_X, keep}, {SLOT_PAST, next->alpha - keep * now->alpha}, {SLOT_NOISE, fresh});
    run_step_done(run);
}

const struct ebb_sampler_method method_ddim = {.slots = SLOT_PAST + 1, .step = ddim};

static void euler(struct ebb_run *run)
{
    const struct ebb_level *now = run_now(run), *next = run_next(run);
    double keep = next->sigma / now->sigma;
    run_estimate(run, now, SLOT_X, SLOT_PAST);
    RUN_BLEND(run, SLOT_X, {SLOT_X, keep}, {SLOT_PAST, next->alpha - keep * now->alpha});
    run_step_done(run);
}

const struct ebb_sampler_method method_euler = {.slots = SLOT_PAST + 1, .step = euler};
