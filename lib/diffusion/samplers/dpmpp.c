// SPDX-License-Identifier: LGPL-2.1-or-later
// DPM-Solver++ (Lu 2022, arXiv 2211.01095) and its SDE forms: exponential integrators in lambda = log(alpha /
// sigma) on the estimate of x_0; for diffusers' "dpmsolver" also on eps.
#include <math.h>

#include "diffusion/quirks.h"
#include "diffusion/samplers/samplers.h"

struct dpm_form {
    int order;
    bool noise;  // integrates eps, not the estimate
    bool heun;   // weighs the slope exactly, not at the middle of the step
    bool halved; // the third-order term as diffusers has it
    double eta;  // 0: the ODE
};

// x' = x * x + d0 * m0 + d1 * D1 + d2 * D2 + z * noise. D1 and D2 are the scaled first and second differences
// of m.
struct dpm_weights {
    double x, d0, d1, d2, z;
};

static struct dpm_weights on_x0(const struct ebb_noise_level *s, const struct ebb_noise_level *t, double h,
                                struct dpm_form f)
{
    double k = h * (1 + f.eta); // Gonzalez 2023 writes the same as an SDE-DPM-Solver++
    struct dpm_weights w = {
        .x = f.eta > 0 ? t->sigma / s->sigma * exp(-f.eta * h) : t->sigma / s->sigma,
        .d0 = -t->alpha * expm1(-k),
        .z = f.eta > 0 ? t->sigma * sqrt(-expm1(-2 * f.eta * h)) : 0,
    };
    if (!isfinite(h))
        return w;
    w.d1 = f.heun ? t->alpha * (expm1(-k) / k + 1) : 0.5 * w.d0;
    double third = (-expm1(-k) - k) / (k * k) + 0.5;
    w.d2 = t->alpha * (f.halved ? third - (f.eta > 0 ? 1 : 0) : 2 * third);
    return w;
}

static struct dpm_weights on_eps(const struct ebb_noise_level *s, const struct ebb_noise_level *t, double h,
                                 struct dpm_form f)
{
    double twice = f.eta > 0 ? 2 : 1;
    return (struct dpm_weights){
        .x = t->alpha / s->alpha,
        .d0 = -twice * t->sigma * expm1(h),
        .d1 = twice * (f.heun ? -t->sigma * (expm1(h) / h - 1) : -0.5 * t->sigma * expm1(h)),
        .d2 = -t->sigma * ((expm1(h) - h) / (h * h) - 0.5),
        .z = f.eta > 0 ? t->sigma * sqrt(expm1(2 * h)) : 0,
    };
}

static struct dpm_weights weights(const struct ebb_noise_level *s, const struct ebb_noise_level *t,
                                  struct dpm_form f)
{
    double h = t->lambda - s->lambda;
    if (h == 0)
        return (struct dpm_weights){.x = 1};
    return f.noise ? on_eps(s, t, h, f) : on_x0(s, t, h, f);
}

// The order of this step. History limits it, and so does the end of the run: h is infinite there, or
// diffusers lowers the order.
static int step_order(const struct ebb_run *run, int order)
{
    const struct ebb_quirks *q = run->quirks;
    int left = run->steps - run->step, possible = run->seen < order ? run->seen : order;
    if (!isfinite(run_next(run)->lambda))
        return 1;
    if (!q)
        return possible;
    bool few = q->lower_order_final && run->steps < 15;
    if (left == 1 && (few || q->euler_at_final || q->final_zero))
        return 1;
    return left == 2 && few && possible > 2 ? 2 : possible;
}

static void combine(struct ebb_run *run, struct dpm_form f)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    const struct run_past *m = run->past;
    struct dpm_weights w = weights(now, next, f);
    double h = next->lambda - now->lambda, d1 = 0, d2 = 0, r0 = 1, r1 = 1;
    if (f.order > 1) {
        r0 = (now->lambda - m[1].at.lambda) / h;
        d1 = w.d1 / r0;
    }
    if (f.order > 2) {
        r1 = (m[1].at.lambda - m[2].at.lambda) / h;
        // D1 = D10 + r0 / (r0 + r1) * (D10 - D11), D2 = (D10 - D11) / (r0 + r1)
        d2 = (w.d1 * r0 + w.d2) / (r0 + r1);
        d1 += d2 / r0;
        d2 /= r1;
    }
    if (f.eta > 0 && (w.z > 0 || run->quirks))
        run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, SLOT_X, {SLOT_X, w.x}, {m[0].slot, w.d0 + d1}, {m[1].slot, -d1 - d2}, {m[2].slot, d2},
              {SLOT_NOISE, w.z * run->params.s_noise});
}

static void multistep(struct ebb_run *run, struct dpm_form f)
{
    if (run->quirks) {
        f.order = run->quirks->order;
        f.heun = run->quirks->heun || f.order > 2; // the third order is always exact, the second by the quirk
        f.noise = run->quirks->noise_prediction;
        f.halved = true;
    }
    if (f.noise)
        run_remember_eps(run);
    else
        run_remember(run);
    f.order = step_order(run, f.order);
    if (run->quirks && f.order < 3)
        f.heun = run->quirks->heun;
    combine(run, f);
    run_step_done(run);
}

static void dpmpp_2m(struct ebb_run *run)
{
    multistep(run, (struct dpm_form){.order = 2});
}

static void dpmpp_3m(struct ebb_run *run)
{
    multistep(run, (struct dpm_form){.order = 3, .heun = true});
}

static void dpmpp_2m_sde(struct ebb_run *run)
{
    multistep(run, (struct dpm_form){.order = 2, .eta = run_eta(run, 1)});
}

static void dpmpp_3m_sde(struct ebb_run *run)
{
    multistep(run, (struct dpm_form){.order = 3, .heun = true, .eta = run_eta(run, 1)});
}

static const struct ebb_sampler_method method_dpmpp_2m = {.slots = SLOT_FREE, .step = dpmpp_2m};
static const struct ebb_sampler_method method_dpmpp_3m = {.slots = SLOT_FREE, .step = dpmpp_3m};
static const struct ebb_sampler_method method_dpmpp_2m_sde = {.slots = SLOT_FREE, .step = dpmpp_2m_sde};
static const struct ebb_sampler_method method_dpmpp_3m_sde = {.slots = SLOT_FREE, .step = dpmpp_3m_sde};

// Two evaluations: the second is at the middle of lambda. An ancestral step contains both (k-diffusion's
// dpmpp_2s_ancestral).
enum { FIRST = SLOT_PAST, SECOND, MIDDLE, TWO_SLOTS };

static void dpmpp_2s_ancestral(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    struct run_ancestral a = run_ancestral(now, next, run_eta(run, 1));
    run_estimate(run, now, SLOT_X, FIRST);
    if (a.down.sigma == 0 || now->alpha == 0) {
        run_move(run, now, &a.down, SLOT_X, FIRST, SLOT_X);
    } else {
        double lambda = log(a.down.alpha / a.down.sigma);
        struct ebb_noise_level middle = ebb_noise_level_at_lambda(run->params.schedule,
                                                                  0.5 * (now->lambda + lambda));
        run_move(run, now, &middle, SLOT_X, FIRST, MIDDLE);
        run_estimate(run, &middle, MIDDLE, SECOND);
        run_move(run, now, &a.down, SLOT_X, SECOND, SLOT_X);
    }
    if (a.up > 0) {
        run_noise(run, SLOT_NOISE);
        RUN_BLEND(run, SLOT_X, {SLOT_X, 1}, {SLOT_NOISE, a.up * run->params.s_noise});
    }
    run_step_done(run);
}

static const struct ebb_sampler_method method_dpmpp_2s_a = {.slots = TWO_SLOTS, .step = dpmpp_2s_ancestral};

// The same with fresh noise at the middle too (k-diffusion's dpmpp_sde).
static void dpmpp_sde(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    run_estimate(run, now, SLOT_X, FIRST);
    if (next->sigma == 0 || now->alpha == 0) {
        run_move(run, now, next, SLOT_X, FIRST, SLOT_X);
        run_step_done(run);
        return;
    }

    double eta = run_eta(run, 1), s_noise = run->params.s_noise;
    struct ebb_noise_level middle = ebb_noise_level_at_lambda(run->params.schedule,
                                                              0.5 * (now->lambda + next->lambda));
    struct run_ancestral half = run_ancestral(now, &middle, eta), whole = run_ancestral(now, next, eta);
    run_move(run, now, &half.down, SLOT_X, FIRST, MIDDLE);
    if (eta > 0)
        run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, MIDDLE, {MIDDLE, 1}, {SLOT_NOISE, half.up * s_noise});
    run_estimate(run, &middle, MIDDLE, SECOND);
    run_move(run, now, &whole.down, SLOT_X, SECOND, SLOT_X);
    if (eta > 0)
        run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, SLOT_X, {SLOT_X, 1}, {SLOT_NOISE, whole.up * s_noise});
    run_step_done(run);
}

static const struct ebb_sampler_method method_dpmpp_sde = {.slots = TWO_SLOTS, .step = dpmpp_sde};

const struct ebb_sampler_info samplers_dpmpp[] = {
    {"dpmpp-2m", "DPM-Solver++(2M), multistep in log-SNR", "Lu 2022", 2, 1, false,
     .method = &method_dpmpp_2m},
    {"dpmpp-3m", "DPM-Solver++(3M), third order once there is history", "Lu 2022", 3, 1, false,
     .method = &method_dpmpp_3m},
    {"dpmpp-2m-sde", "DPM-Solver++(2M) for the SDE, eta 0 .. 1", "Lu 2022", 0, 1, true, .eta = true,
     .method = &method_dpmpp_2m_sde},
    {"dpmpp-3m-sde", "DPM-Solver++(3M) for the SDE, eta 0 .. 1", "Lu 2022, k-diffusion", 0, 1, true,
     .eta = true, .method = &method_dpmpp_3m_sde},
    {"dpmpp-2s-a", "DPM-Solver++(2S) with ancestral noise", "Lu 2022, k-diffusion", 0, 2, true, .eta = true,
     .method = &method_dpmpp_2s_a},
    {"dpmpp-sde", "DPM-Solver++ along the SDE, noise at the middle too", "Lu 2022, k-diffusion", 0, 2, true,
     .eta = true, .method = &method_dpmpp_sde},
    SAMPLERS_END,
};
