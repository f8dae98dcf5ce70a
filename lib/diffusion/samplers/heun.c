// SPDX-License-Identifier: LGPL-2.1-or-later
// Two evaluations, second order, in the ratio r = sigma / alpha: x / alpha moves by the slope d = eps over
// the change of r (Karras 2022, algorithms 1 and 2). The last step, to no noise, and a first step from no
// signal are Euler's. Flow matching has its own coordinates, x over sigma, where nothing is infinite.
#include <math.h>

#include "diffusion/samplers/samplers.h"

enum { BASE = SLOT_X, FIRST = SLOT_PAST, SECOND, GUESS, HEUN_SLOTS };

// What x is divided by, so that its slope over sigma / unit is (x / unit - x_0) / (sigma / unit).
static double unit(const struct ebb_run *run, const struct ebb_noise_level *at)
{
    bool ancestral = run->info->stochastic; // steps down to a level that the flow does not have
    return ebb_schedule_is_flow(run->params.schedule) && !ancestral ? 1 : at->alpha;
}

static bool plain(const struct ebb_run *run, const struct ebb_noise_level *from,
                  const struct ebb_noise_level *to)
{
    return to->sigma == 0 || unit(run, from) == 0 || (unit(run, from) != 1 && run_is_nothing(run, from));
}

// x / alpha at `to` = x / alpha + (r_to - r) * (weight * d(now) + (1 - weight) * d(at)), d = (x / alpha -
// x_0) / r.
static void slope_step(struct ebb_run *run, const struct ebb_noise_level *now,
                       const struct ebb_noise_level *at, const struct ebb_noise_level *to, double weight)
{
    double u = unit(run, now), u_to = unit(run, to);
    double r = now->sigma / u, r_at = at->sigma / unit(run, at), h = to->sigma / u_to - r;
    // The guess lies on the line from now: its d(at) is (x / alpha - FIRST) / r + (FIRST - SECOND) / r_at.
    double keep = 1 + h / r, first = h * ((1 - weight) / r_at - 1 / r), second = -h * (1 - weight) / r_at;
    RUN_BLEND(run, SLOT_X, {BASE, keep * u_to / u}, {FIRST, first * u_to}, {SECOND, second * u_to});
}

static void pair(struct ebb_run *run, const struct ebb_noise_level *now, const struct ebb_noise_level *at,
                 const struct ebb_noise_level *to, double weight)
{
    run_estimate(run, now, BASE, FIRST);
    if (plain(run, now, to)) {
        run_move(run, now, to, BASE, FIRST, BASE);
        return;
    }
    run_move(run, now, at, BASE, FIRST, GUESS);
    run_estimate(run, at, GUESS, SECOND);
    slope_step(run, now, at, to, weight);
}

static void heun(struct ebb_run *run)
{
    struct ebb_noise_level at = run_churn(run);
    pair(run, &at, run_next(run), run_next(run), 0.5);
    run_step_done(run);
}

static const struct ebb_sampler_method method_heun = {.slots = HEUN_SLOTS, .step = heun};

// The slope at the geometric middle (k-diffusion's DPM2; Lu 2022's DPM-Solver-2 in sigma).
static void dpm2(struct ebb_run *run)
{
    struct ebb_noise_level now = run_churn(run);
    const struct ebb_noise_level *next = run_next(run);
    struct ebb_noise_level middle = ebb_noise_level_at_lambda(run->params.schedule,
                                                              0.5 * (now.lambda + next->lambda));
    pair(run, &now, &middle, next, 0);
    run_step_done(run);
}

static const struct ebb_sampler_method method_dpm2 = {.slots = HEUN_SLOTS, .step = dpm2};

static void dpm2_ancestral(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    struct run_ancestral a = run_ancestral(now, next, run_eta(run, 1));
    if (a.down.sigma > 0) {
        double lambda = log(a.down.alpha / a.down.sigma);
        struct ebb_noise_level middle = ebb_noise_level_at_lambda(run->params.schedule,
                                                                  0.5 * (now->lambda + lambda));
        pair(run, now, &middle, &a.down, 0);
    } else {
        run_estimate(run, now, BASE, FIRST);
        run_move(run, now, &a.down, BASE, FIRST, BASE);
    }
    if (a.up > 0) {
        run_noise(run, SLOT_NOISE);
        RUN_BLEND(run, SLOT_X, {SLOT_X, 1}, {SLOT_NOISE, a.up});
    }
    run_step_done(run);
}

static const struct ebb_sampler_method method_dpm2_a = {.slots = HEUN_SLOTS, .step = dpm2_ancestral};

const struct ebb_sampler_info samplers_heun[] = {
    {"heun", "Slopes at both ends averaged, churn allowed", "Karras 2022", 2, 2, false, .churn = true,
     .method = &method_heun},
    {"dpm2", "The slope at the middle of log sigma, churn allowed", "Lu 2022, k-diffusion", 2, 2, false,
     .churn = true, .method = &method_dpm2},
    {"dpm2-a", "dpm2 with ancestral noise", "k-diffusion", 0, 2, true, .eta = true, .method = &method_dpm2_a},
    SAMPLERS_END,
};
