// SPDX-License-Identifier: LGPL-2.1-or-later
// UniPC (Zhao 2023): a multistep predictor in lambda whose step is corrected once the next evaluation is
// there.
#include <math.h>

#include "diffusion/quirks.h"
#include "diffusion/samplers/samplers.h"

enum { LAST = SLOT_FREE, UNIPC_SLOTS, MAX_ORDER = 3 };

// Solves a (count x count) system by Gauss, rows swapped for the largest pivot; b becomes the answer.
static void solve(double a[MAX_ORDER][MAX_ORDER], double *b, int count)
{
    for (int c = 0; c < count; c++) {
        int pivot = c;
        for (int r = c + 1; r < count; r++)
            pivot = fabs(a[r][c]) > fabs(a[pivot][c]) ? r : pivot;
        for (int k = 0; k < count; k++) {
            double swap = a[c][k];
            a[c][k] = a[pivot][k];
            a[pivot][k] = swap;
        }
        double swap = b[c];
        b[c] = b[pivot];
        b[pivot] = swap;
        for (int r = 0; r < count; r++) {
            double factor = r == c ? 0 : a[r][c] / a[c][c];
            for (int k = c; k < count; k++)
                a[r][k] -= factor * a[c][k];
            b[r] -= factor * b[c];
        }
    }
    for (int c = 0; c < count; c++)
        b[c] /= a[c][c];
}

struct bh {
    double phi, b, rho[MAX_ORDER], rk[MAX_ORDER]; // rho[order - 1]: of the corrector's newest estimate
};

// Weights for a step of h with the history at `past`; the step starts at past[0]. `order` differences are
// used: order - 1 of the history, and the new one in the corrector.
static struct bh bh_weights(const struct run_past *past, double h, int order, bool corrector, bool noise,
                            bool bh1)
{
    double hh = noise ? h : -h, phi = expm1(hh), term = phi / hh - 1, factorial = 1;
    struct bh w = {.phi = phi, .b = bh1 ? hh : phi};
    double a[MAX_ORDER][MAX_ORDER];
    for (int i = 0; i < order - 1; i++)
        w.rk[i] = (past[i + 1].at.lambda - past[0].at.lambda) / h;
    w.rk[order - 1] = 1;
    for (int i = 0; i < order; i++) {
        for (int k = 0; k < order; k++)
            a[i][k] = pow(w.rk[k], i);
        w.rho[i] = term * factorial / w.b;
        factorial *= i + 2;
        term = term / hh - 1 / factorial;
    }
    int count = corrector ? order : order - 1;
    if (count == 1)
        w.rho[0] = 0.5;
    else if (count > 1)
        solve(a, w.rho, count);
    return w;
}

static struct ebb_run_term scaled(struct ebb_run_term t, double by)
{
    t.weight *= by;
    return t;
}

// x = slot[src] at past[0]'s level, stepped to `to`. `fresh` is the estimate at `to` (corrector) or -1.
static void uni_step(struct ebb_run *run, const struct run_past *past, const struct ebb_noise_level *to,
                     int src, int fresh, int order)
{
    const struct ebb_quirks *q = run->quirks;
    bool noise = q && q->noise_prediction;
    const struct ebb_noise_level *from = &past[0].at;
    double keep = noise ? to->alpha / from->alpha : to->sigma / from->sigma,
           gain = -(noise ? to->sigma : to->alpha);
    double h = to->lambda - from->lambda;
    if (!isfinite(h)) {
        RUN_BLEND(run, SLOT_X, {src, keep}, {past[0].slot, -gain * (noise ? 0 : 1)});
        return;
    }

    struct bh w = bh_weights(past, h, order, fresh >= 0, noise, q && q->bh1);
    double m0 = gain * w.phi;
    struct ebb_run_term terms[EBB_RUN_TERMS] = {{src, keep}};
    int count = 2;
    for (int i = 0; i < order - 1; i++) {
        struct ebb_run_term t = scaled((struct ebb_run_term){past[i + 1].slot, 1},
                                       gain * w.b * w.rho[i] / w.rk[i]);
        m0 -= t.weight;
        terms[count++] = t;
    }
    if (fresh >= 0) {
        struct ebb_run_term t = {fresh, gain * w.b * w.rho[order - 1]};
        m0 -= t.weight;
        terms[count++] = t;
    }
    terms[1] = (struct ebb_run_term){past[0].slot, m0};
    run_blend(run, SLOT_X, terms, (size_t)count);
}

static void unipc(struct ebb_run *run)
{
    const struct ebb_quirks *q = run->quirks;
    if (q && q->noise_prediction)
        run_remember_eps(run);
    else
        run_remember(run);
    bool corrected = !q || run->step < 1 || run->step > 64 || !(q->uncorrected >> (run->step - 1) & 1);
    if (corrected && run->seen > 1 && isfinite(run->past[1].at.lambda)) // repeats the step that led here
        uni_step(run, run->past + 1, run_now(run), LAST, run->past[0].slot, (int)run->number[0]);
    RUN_BLEND(run, LAST, {SLOT_X, 1});

    int order = q ? q->order : 2, left = run->steps - run->step;
    if (q ? q->lower_order_final : !isfinite(run_next(run)->lambda))
        order = left < order ? left : order;
    order = run->seen < order ? run->seen : order;
    if (order > 1 && !isfinite(run->past[order - 1].at.lambda))
        order--;
    run->number[0] = order;
    uni_step(run, run->past, run_next(run), SLOT_X, -1, order);
    run_step_done(run);
}

static const struct ebb_sampler_method method_unipc = {.slots = UNIPC_SLOTS, .step = unipc};

const struct ebb_sampler_info samplers_unipc[] = {
    {"unipc", "UniPC-2, each step corrected by the next evaluation", "Zhao 2023", 3, 1, false,
     .method = &method_unipc},
    SAMPLERS_END,
};
