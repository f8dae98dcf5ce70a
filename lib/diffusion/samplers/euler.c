// SPDX-License-Identifier: LGPL-2.1-or-later
// One evaluation, one step: DDIM, Euler and its ancestral form. Along the probability flow they are the same
// line: keep the noise, move the clean part (Song 2021, equation 12; Karras 2022, equation 4).
#include <math.h>

#include "diffusion/quirks.h"
#include "diffusion/samplers/samplers.h"

// x_next = alpha_next x_0 + sqrt(sigma_next^2 - s^2) eps + s z. eps is computed from x and the clipped
// estimate. diffusers takes the network's eps, without clipping.
static void ddim(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_target(run);
    double eta = run_eta(run, 0), fresh = eta > 0 ? eta * ebb_noise_level_posterior(now, next).sd : 0;
    double keep = sqrt(fmax(0, next->sigma * next->sigma - fresh * fresh));

    run_estimate(run, now, SLOT_X, SLOT_PAST);
    if (run->quirks || now->sigma == 0)
        run_eps_said(run, now, SLOT_X, SLOT_PAST + 1);
    else
        run_eps_of(run, now, SLOT_X, SLOT_PAST, SLOT_PAST + 1);
    if (eta > 0)
        run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, SLOT_X, {SLOT_PAST, next->alpha}, {SLOT_PAST + 1, keep}, {SLOT_NOISE, fresh});
    run_step_done(run);
}

static const struct ebb_sampler_method method_ddim = {.slots = SLOT_PAST + 2, .step = ddim};

// diffusers' stochastic_sampling of a flow: the estimate with fresh noise of the next level.
static void flow_afresh(struct ebb_run *run)
{
    const struct ebb_noise_level *next = run_next(run);
    run_estimate(run, run_now(run), SLOT_X, SLOT_PAST);
    run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, SLOT_X, {SLOT_PAST, next->alpha}, {SLOT_NOISE, next->sigma});
    run_step_done(run);
}

// Churn (Karras 2022, algorithm 2): before the step the noise grows by a factor 1 + gamma.
static void euler(struct ebb_run *run)
{
    if (run->quirks && run->quirks->stochastic) {
        flow_afresh(run);
        return;
    }
    struct ebb_noise_level at = run_churn(run);
    run_estimate(run, &at, SLOT_X, SLOT_PAST);
    run_move(run, &at, run_next(run), SLOT_X, SLOT_PAST, SLOT_X);
    run_step_done(run);
}

static const struct ebb_sampler_method method_euler = {.slots = SLOT_PAST + 1, .step = euler};

static void euler_ancestral(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    struct run_ancestral a = run_ancestral(now, next, run_eta(run, 1));
    run_estimate(run, now, SLOT_X, SLOT_PAST);
    run_move(run, now, &a.down, SLOT_X, SLOT_PAST, SLOT_X);
    if (a.up > 0 || run->quirks)
        run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, SLOT_X, {SLOT_X, 1}, {SLOT_NOISE, a.up});
    run_step_done(run);
}

static const struct ebb_sampler_method method_euler_a = {.slots = SLOT_PAST + 1, .step = euler_ancestral};

const struct ebb_sampler_info samplers_euler[] = {
    {"ddim", "Implicit steps, eta 0 deterministic .. 1 ancestral", "Song 2021", 1, 1, false, .eta = true,
     .method = &method_ddim},
    {"euler", "First order in sigma / alpha, churn allowed", "Karras 2022", 1, 1, false, .churn = true,
     .method = &method_euler},
    {"euler-a", "Euler with ancestral noise", "Karras 2022, k-diffusion", 0, 1, true, .eta = true,
     .method = &method_euler_a},
    SAMPLERS_END,
};
