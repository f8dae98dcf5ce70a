// SPDX-License-Identifier: LGPL-2.1-or-later
// Linear multistep methods on eps over the ratio r = sigma / alpha: x / alpha changes by the integral of eps
// over r. Each replaces eps by a polynomial through earlier values.
#include <math.h>

#include "diffusion/quirks.h"
#include "diffusion/samplers/samplers.h"

double run_basis_integral(const double *at, int count, int j, double a, double b, double e)
{
    static const double node[4] = {0.1834346424956498, 0.5255324099163290, 0.7966664774136267,
                                   0.9602898564975363};
    static const double weight[4] = {0.3626837833783620, 0.3137066458778873, 0.2223810344533745,
                                     0.1012285362903763};
    enum { PANELS = 8 };
    double sum = 0, width = (b - a) / PANELS;
    for (int p = 0; p < PANELS; p++) {
        for (int n = 0; n < 8; n++) {
            double u = a + width * (p + 0.5 + (n & 1 ? -0.5 : 0.5) * node[n / 2]), product = exp(e * (u - b));
            for (int k = 0; k < count; k++)
                product *= k == j ? 1 : (u - at[k]) / (at[j] - at[k]);
            sum += 0.5 * width * weight[n / 2] * product;
        }
    }
    return sum;
}

// How many of the remembered values can be used: those at levels with signal, each level once.
static int usable(const struct ebb_run *run, int order)
{
    int count = 1;
    while (count < order && count < run->seen && isfinite(run->past[count].at.lambda) &&
           run->past[count].at.lambda < run->past[count - 1].at.lambda)
        count++;
    return isfinite(run->past[0].at.lambda) ? count : 1;
}

// Order 1 is Euler's straight line. Where the signal is almost nothing, x and eps are in the thousands and
// cancel in float32 on a device. The line is then computed from x_0, which stays small.
static void line(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    const struct ebb_run_params *p = &run->params;
    if (p->clip > 0 || p->threshold_ratio > 0) { // the estimate differs from the network's
        double keep = next->alpha / now->alpha;
        RUN_BLEND(run, SLOT_X, {SLOT_X, keep}, {run->past[0].slot, next->sigma - keep * now->sigma});
        return;
    }
    double keep = next->sigma / now->sigma, gain = next->alpha - keep * now->alpha;
    struct ebb_prediction_weights w = ebb_prediction_to_x0(p->prediction, now->alpha, now->sigma,
                                                           ebb_schedule_sigma_data(p->schedule));
    RUN_BLEND(run, SLOT_X, {SLOT_X, keep + gain * w.x}, {SLOT_OUT, gain * w.out});
}

// x' = alpha' / alpha * x + alpha' * sum_j integral_j * eps_j.
static void integrate(struct ebb_run *run, int count, int in_log)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    const struct run_past *m = run->past;
    if (count == 1) {
        line(run);
        return;
    }

    double at[RUN_PAST], w[RUN_PAST] = {0};
    for (int k = 0; k < count; k++)
        at[k] = in_log ? -m[k].at.lambda : exp(-m[k].at.lambda);
    double to = in_log ? -next->lambda : next->sigma / next->alpha;
    for (int j = 0; j < count; j++)
        w[j] = next->alpha * (in_log ? exp(to) : 1) * run_basis_integral(at, count, j, at[0], to, in_log);
    RUN_BLEND(run, SLOT_X, {SLOT_X, next->alpha / now->alpha}, {m[0].slot, w[0]}, {m[1].slot, w[1]},
              {m[2].slot, w[2]}, {m[3].slot, w[3]});
}

// A step by the estimate.
static void follow_estimate(struct ebb_run *run)
{
    run_remember(run);
    run_move(run, run_now(run), run_next(run), SLOT_X, run->past[0].slot, SLOT_X);
    run->seen = 0; // the remembered values are no eps
    run_step_done(run);
}

// At a level without signal eps is x, whatever the network answers: the step goes by the estimate.
static bool from_nothing(struct ebb_run *run)
{
    if (run_now(run)->alpha > 0)
        return false;
    follow_estimate(run);
    return true;
}

static void lms(struct ebb_run *run)
{
    if (from_nothing(run))
        return;
    run_remember_eps(run);
    integrate(run, usable(run, 4), 0);
    run_step_done(run);
}

static const struct ebb_sampler_method method_lms = {.slots = SLOT_FREE, .step = lms};

// The polynomial is in log r (Zhang 2023, rho-AB).
static void deis(struct ebb_run *run)
{
    if (from_nothing(run))
        return;
    const struct ebb_quirks *q = run->quirks;
    run_remember_eps(run);
    int count = usable(run, q ? q->order : 3), left = run->steps - run->step;
    if (q && q->lower_order_final && run->steps < 15)
        count = left == 1 ? 1 : left == 2 && count > 2 ? 2 : count;
    if (run_next(run)->sigma == 0)
        count = 1;
    integrate(run, count, 1);
    run_step_done(run);
}

static const struct ebb_sampler_method method_deis = {.slots = SLOT_FREE, .step = deis};

// eps is the direction to the data, with an error. The change of the direction since the step before tells
// the error: eps is replaced by GAMMA eps + (1 - GAMMA) eps_before (Permenter 2023).
static void gradient_estimation(struct ebb_run *run)
{
    static const double GAMMA = 2; // the paper's
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    if (run_is_nothing(run, now)) {
        follow_estimate(run);
        return;
    }
    run_remember_eps(run);
    if (usable(run, 2) < 2 || next->sigma == 0) {
        line(run);
    } else {
        double change = next->sigma - next->alpha * now->sigma / now->alpha; // alpha times that of r
        RUN_BLEND(run, SLOT_X, {SLOT_X, next->alpha / now->alpha}, {run->past[0].slot, GAMMA * change},
                  {run->past[1].slot, (1 - GAMMA) * change});
    }
    run_step_done(run);
}

static const struct ebb_sampler_method method_gradient_estimation = {.slots = SLOT_FREE,
                                                                     .step = gradient_estimation};

const struct ebb_sampler_info samplers_lms[] = {
    {"lms", "Adams-Bashforth in sigma / alpha, up to four slopes", "Liu 2022, k-diffusion", 4, 1, false,
     .method = &method_lms},
    {"deis", "rho-AB-3: eps through a polynomial in log sigma", "Zhang 2023", 3, 1, false,
     .method = &method_deis},
    {"gradient-estimation", "Euler along 2 eps less the eps before", "Permenter 2023", 1, 1, false,
     .method = &method_gradient_estimation},
    SAMPLERS_END,
};
