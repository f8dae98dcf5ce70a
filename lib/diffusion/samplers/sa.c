// SPDX-License-Identifier: LGPL-2.1-or-later
// SA-Solver (Xue 2023): Adams-Bashforth and Adams-Moulton along an SDE whose noise, tau, may differ from step
// to step. Each step is corrected by the next evaluation, with the noise it had.
#include <math.h>

#include "diffusion/quirks.h"
#include "diffusion/samplers/samplers.h"

enum { LAST = SLOT_FREE, LAST_NOISE, SA_SLOTS };
enum { ORDER, TAU }; // run->number: of the next corrector

// Fresh noise only in the middle of the run, as in the paper.
static double tau_at(const struct ebb_run *run, const struct ebb_noise_level *at)
{
    double t = run->quirks ? at->label / 1000 : at->step / ebb_schedule_steps(run->params.schedule);
    return t >= 0.2 && t <= 0.8 ? run_eta(run, 1) : 0;
}

// x = slot[src] at `from`, stepped to `to` with the estimates m[0..order-1], one of which may be at `to`
// itself.
static void adams(struct ebb_run *run, const struct ebb_noise_level *from, const struct ebb_noise_level *to,
                  int src, const struct run_past *m, int order, double tau, int noise)
{
    double h = to->lambda - from->lambda, k = 1 + tau * tau, at[RUN_PAST] = {0}, w[RUN_PAST] = {0};
    bool on_eps = run->quirks && run->quirks->noise_prediction;
    for (int i = 0; i < order; i++)
        at[i] = m[i].at.lambda;
    for (int i = 0; i < order; i++)
        w[i] = on_eps ? -k * to->sigma * run_basis_integral(at, order, i, from->lambda, to->lambda, -1)
                      : k * to->alpha * run_basis_integral(at, order, i, from->lambda, to->lambda, k);
    if (run->quirks && order == 2 && !on_eps) { // diffusers has h^2 / 2 in place of the integral of the slope
        double more = k * to->alpha * (h * h / 2 - (h * k - 1 + exp(-k * h)) / (k * k)) / (at[0] - at[1]);
        w[0] += more;
        w[1] -= more;
    }
    double fresh = to->sigma * (on_eps ? tau * sqrt(expm1(2 * h)) : sqrt(-expm1(-2 * tau * tau * h)));
    double keep = on_eps ? to->alpha / from->alpha : exp(-tau * tau * h) * to->sigma / from->sigma;
    RUN_BLEND(run, SLOT_X, {src, keep}, {m[0].slot, w[0]}, {m[1].slot, w[1]}, {m[2].slot, w[2]},
              {m[3].slot, w[3]}, {noise, fresh});
}

static int usable(const struct ebb_run *run, int order)
{
    order = order < run->seen ? order : run->seen;
    while (order > 1 && !isfinite(run->past[order - 1].at.lambda))
        order--;
    return order;
}

static void sa(struct ebb_run *run)
{
    const struct ebb_quirks *q = run->quirks;
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    if (q && q->noise_prediction)
        run_remember_eps(run);
    else
        run_remember(run);
    if (run->number[ORDER] > 0)
        adams(run, &run->past[1].at, now, LAST, run->past, (int)run->number[ORDER], run->number[TAU],
              LAST_NOISE);
    double h = next->lambda - now->lambda, tau = isfinite(h) ? tau_at(run, now) : 0;
    if (tau > 0 || q)
        run_noise(run, LAST_NOISE);
    run->number[ORDER] = 0;
    if (!isfinite(h)) {
        run_move(run, now, next, SLOT_X, run->past[0].slot, SLOT_X);
        run_step_done(run);
        return;
    }

    RUN_BLEND(run, LAST, {SLOT_X, 1});
    int left = run->steps - run->step, predictor = q ? q->order : 2, corrector = q ? q->corrector_order : 2;
    if (q && q->lower_order_final) {
        predictor = left < predictor ? left : predictor;
        corrector = left + 1 < corrector ? left + 1 : corrector;
    }
    adams(run, now, next, SLOT_X, run->past, usable(run, predictor), tau, LAST_NOISE);
    run->number[ORDER] = corrector < usable(run, RUN_PAST) + 1 ? corrector : usable(run, RUN_PAST) + 1;
    run->number[TAU] = tau;
    run_step_done(run);
}

static const struct ebb_sampler_method method_sa = {.slots = SA_SLOTS, .step = sa};

const struct ebb_sampler_info samplers_sa[] = {
    {"sa-solver", "SA-Solver: Adams steps along an SDE, corrected, noise in the middle of the way",
     "Xue 2023", 0, 1, true, .eta = true, .method = &method_sa},
    SAMPLERS_END,
};
