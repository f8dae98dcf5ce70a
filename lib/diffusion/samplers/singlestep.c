// SPDX-License-Identifier: LGPL-2.1-or-later
// DPM-Solver++ in groups of one, two or three evaluations (Lu 2022, DPM-Solver-2 and -3): the steps of a
// group all start from its first state, each of higher order than the one before.
#include <math.h>

#include "diffusion/quirks.h"
#include "diffusion/samplers/samplers.h"

enum { BASE = SLOT_FREE, SINGLE_SLOTS };

// Groups of 1, 2, .. `order`. The last groups are of lower order, so that the run ends with a whole group,
// and with a first-order step if it ends without noise.
static int order_at(const struct ebb_run *run, int order)
{
    const struct ebb_quirks *q = run->quirks;
    int n = run->steps, i = run->step;
    bool clean = !isfinite(run->grid[n].lambda),
         lower = q ? q->lower_order_final || n % order || clean : clean;
    if (order == 1 || (i == n - 1 && (q ? q->final_zero : clean)))
        return 1;
    if (!lower)
        return i % order + 1;
    if (order == 2)
        return n % 2 == 0 && i >= n - 2 ? 1 : i % 2 + 1 > 1 || i < n - 1 ? i % 2 + 1 : 1;
    int whole = n % 3 == 0 ? n - 3 : n - n % 3;
    return i < whole ? i % 3 + 1 : i == whole ? 1 : i == whole + 1 && n % 3 != 1 ? 2 : 1;
}

// m[0..order-1], newest first; the last one is from the beginning of the group.
static void group_step(struct ebb_run *run, int order, double eta)
{
    const struct ebb_quirks *q = run->quirks;
    const struct run_past *m = run->past, *base = &m[order - 1];
    const struct ebb_noise_level *s = &base->at, *t = run_next(run);
    double h = t->lambda - s->lambda, k = h * (1 + eta), d1 = 0, d2 = 0;
    bool noise = q && q->noise_prediction, heun = q && q->heun;
    double x = noise ? t->alpha / s->alpha : t->sigma / s->sigma * (eta > 0 ? exp(-eta * h) : 1);
    double d0 = noise ? -t->sigma * expm1(h) : -t->alpha * expm1(-k);
    double exact = noise ? -t->sigma * (expm1(h) / h - 1) : t->alpha * (expm1(-k) / k + 1);
    double third = noise ? -t->sigma * ((expm1(h) - h) / (h * h) - 0.5)
                         : t->alpha * ((-expm1(-k) - k) / (k * k) + 0.5);
    if (q && eta > 0)
        third -= t->alpha; // diffusers has the other sign

    if (order == 2) { // D1 = (m0 - m1) / r0
        d1 = (heun ? exact : 0.5 * d0) * h / (m[0].at.lambda - s->lambda);
    } else if (order == 3) {
        double r0 = (m[0].at.lambda - s->lambda) / h, r1 = (m[1].at.lambda - s->lambda) / h;
        // D10 = (m1 - m2) / r1, D11 = (m0 - m2) / r0, D1 = (r0 D10 - r1 D11) / (r0 - r1), D2 = 2 (D11 - D10)
        // / (r0 - r1)
        d1 = (heun ? (-r1 * exact + 2 * third) / (r0 - r1) : exact) / r0;
        d2 = (heun ? (r0 * exact - 2 * third) / (r0 - r1) : 0) / r1;
    }
    double fresh = eta > 0 ? t->sigma * sqrt(-expm1(-2 * eta * h)) : 0;
    if (eta > 0)
        run_noise(run, SLOT_NOISE);
    struct ebb_run_term terms[] = {
        {BASE, x}, {base->slot, d0 - d1 - d2}, {m[0].slot, d1}, {m[1].slot, d2}, {SLOT_NOISE, fresh}};
    if (order == 1)
        terms[2].weight = 0;
    run_blend(run, SLOT_X, terms, 5);
}

static void singlestep(struct ebb_run *run, int most)
{
    const struct ebb_quirks *q = run->quirks;
    most = q ? q->order : most;
    if (q && q->noise_prediction)
        run_remember_eps(run);
    else
        run_remember(run);
    int order = order_at(run, most);
    order = order < run->seen ? order : run->seen;
    if (order > 1 && !isfinite(run->past[order - 1].at.lambda))
        order = 1;
    if (order == 1)
        RUN_BLEND(run, BASE, {SLOT_X, 1});
    group_step(run, order, q && q->sde ? 1 : 0);
    run_step_done(run);
}

static void two(struct ebb_run *run)
{
    singlestep(run, 2);
}

static void three(struct ebb_run *run)
{
    singlestep(run, 3);
}

static const struct ebb_sampler_method method_dpmpp_2s = {.slots = SINGLE_SLOTS, .step = two};
static const struct ebb_sampler_method method_dpmpp_3s = {.slots = SINGLE_SLOTS, .step = three};

const struct ebb_sampler_info samplers_singlestep[] = {
    {"dpmpp-2s", "DPM-Solver++(2S), groups of two evaluations", "Lu 2022", 2, 1, false,
     .method = &method_dpmpp_2s},
    {"dpmpp-3s", "DPM-Solver++(3S), groups of three evaluations", "Lu 2022", 3, 1, false,
     .method = &method_dpmpp_3s},
    SAMPLERS_END,
};
