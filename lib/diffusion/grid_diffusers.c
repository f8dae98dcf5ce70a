// SPDX-License-Identifier: LGPL-2.1-or-later
// The times that each scheduler class of diffusers visits, and the levels that its steps aim at.
#include "diffusion/grid_diffusers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "diffusion/emit.h"

struct grid_rows {
    const struct ebb_quirks *q;
    const struct ebb_schedule *s;
    int T, n;
    double *value; // n + 2 numbers of room
    struct ebb_diffusers_grid *out;
};

static bool spaced(const struct ebb_quirks *q, const char *spacing)
{
    return strcmp(q->spacing, spacing) == 0;
}

// n falling times as numpy makes them; `round` where the class wants whole ones.
static void plain_times(struct grid_rows *l, bool round)
{
    for (int i = 0; i < l->n; i++) {
        double t;
        if (spaced(l->q, "trailing"))
            t = rint(l->T - i * ((double)l->T / l->n)) - 1;
        else if (spaced(l->q, "leading"))
            t = (double)(l->n - 1 - i) * (l->T / l->n) + l->q->steps_offset;
        else
            t = l->n > 1 ? (l->n - 1 - i) * (l->T - 1.0) / (l->n - 1) : 0;
        l->value[i] = round ? rint(t) : t;
    }
}

static int by_step(struct grid_rows *l, struct ebb_error *error)
{
    for (int i = 0; i < l->n; i++) {
        if (l->value[i] > l->T - 1)
            return ebb_fail(error, EBB_INVALID, "%s: steps_offset %d leads to time %g of %d", l->q->source,
                            l->q->steps_offset, l->value[i], l->T);
        l->out->grid[i] = ebb_noise_level_at_step(l->s, l->value[i]);
    }
    return EBB_OK;
}

static struct ebb_noise_level at_or_final(const struct grid_rows *l, double t)
{
    if (t >= 0)
        return ebb_noise_level_at_step(l->s, fmin(t, l->T - 1));
    return l->q->alpha_to_one ? ebb_noise_level_clean(l->s) : ebb_noise_level_at_step(l->s, 0);
}

static enum ebb_result ddpm(struct grid_rows *l, struct ebb_error *error)
{
    plain_times(l, true);
    l->out->grid[l->n] = ebb_noise_level_clean(l->s);
    return by_step(l, error);
}

static enum ebb_result ddim(struct grid_rows *l, struct ebb_error *error)
{
    plain_times(l, true);
    if (by_step(l, error) != EBB_OK)
        return EBB_INVALID;
    int ratio = l->T / l->n;
    for (int i = 0; i < l->n; i++)
        l->out->target[i] = at_or_final(l, l->value[i] - ratio);
    l->out->grid[l->n] = l->out->target[l->n - 1];
    if (strcmp(l->q->sampler, "plms") == 0 && l->n > 1) { // the first step is done again from one stride
                                                          // above the second time
        l->out->from = at_or_final(l, l->value[1] + ratio);
    } else if (strcmp(l->q->sampler, "pndm") == 0) {
        for (int i = 0; i + 1 < l->n; i++) { // Runge and Kutta's middle lies half a stride above the next
                                             // time
            l->out->target[i] = i < 3 ? l->out->grid[i + 1] : l->out->target[i];
            l->out->middle[i] = at_or_final(l, l->value[i + 1] + ratio / 2);
        }
        if (l->n < 4)
            return ebb_fail(error, EBB_INVALID,
                            "%s: %d steps, expected 4 or more (its first three are Runge-Kutta steps)",
                            l->q->source, l->n);
    }
    return EBB_OK;
}

// Upwards: x is thought to be one stride below the time the network is told.
static enum ebb_result inverse(struct grid_rows *l, struct ebb_error *error)
{
    if (spaced(l->q, "linspace"))
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s: timestep_spacing linspace is not supported, only leading, trailing are",
                        l->q->source);
    plain_times(l, true);
    if (by_step(l, error) != EBB_OK)
        return EBB_INVALID;
    for (int i = 0; i < l->n; i++) {
        double t = l->value[l->n - 1 - i];
        l->out->target[i] = ebb_noise_level_at_step(l->s, t);
        l->out->grid[i] = at_or_final(l, fmin(t - l->T / l->n, l->T - 1));
        l->out->grid[i].label = t;
    }
    l->out->grid[l->n] = l->out->target[l->n - 1];
    l->out->init_alpha = l->out->grid[0].alpha;
    l->out->init_sigma = l->out->grid[0].sigma;
    return EBB_OK;
}

static enum ebb_result origin(struct grid_rows *l, struct ebb_error *error)
{
    int original = l->q->original_steps, stride = l->T / original;
    if (l->n > original)
        return ebb_fail(error, EBB_INVALID, "%s: %d steps, expected 1 to %d (original_inference_steps)",
                        l->q->source, l->n, original);
    for (int i = 0; i < l->n; i++)
        l->value[i] = (double)(original - (int)floor((double)i * original / l->n)) * stride - 1;
    l->out->grid[l->n] = strcmp(l->q->sampler, "tcd") == 0 ? ebb_noise_level_at_step(l->s, 0)
                                                           : ebb_noise_level_clean(l->s);
    return by_step(l, error);
}

// ---- by sigma ----

// sigma / alpha at a whole step, to the float that diffusers' table holds.
static double table_ratio(const struct ebb_schedule *s, double step)
{
    float abar = (float)ebb_schedule_abar(s, step);
    return sqrtf((1 - abar) / abar);
}

static double ratio_at(const struct ebb_schedule *s, double t)
{
    double low = floor(t), part = t - low;
    double ra = table_ratio(s, low), rb = table_ratio(s, low + 1);
    return part > 0 ? ra + part * (rb - ra) : ra; // diffusers interpolates sigma, not its logarithm
}

static struct ebb_noise_level at_ratio(const struct grid_rows *l, double ratio, double label)
{
    struct ebb_noise_level at = ratio > 0 ? ebb_noise_level_at_lambda(l->s, -log((float)ratio))
                                          : ebb_noise_level_clean(l->s);
    at.label = isnan(label) ? at.label : label;
    if (l->q->continuous_labels && ratio > 0)
        at.label = 0.25 * log(ratio);
    return at;
}

// Replaces value[0..n-1] by the grid the config names, between `high` and `low`.
static void named_grid(struct grid_rows *l, double high, double low)
{
    if (l->q->sigma_max > 0)
        high = l->q->sigma_max;
    if (l->q->sigma_min > 0)
        low = l->q->sigma_min;
    ebb_ratio_grid(l->q->grid, l->value, l->n, high, low, l->q->rho);
}

static void by_ratio(struct grid_rows *l, const double *label)
{
    for (int i = 0; i < l->n; i++) {
        struct ebb_noise_level at = at_ratio(l, l->value[i], label ? label[i] : NAN);
        if (l->q->round_labels)
            at.label = rint(at.label);
        if (l->q->cut_labels)
            at.label = trunc(at.label + 1e-4); // a whole one may have come out a float's breadth below
        l->out->grid[i] = at;
    }
}

static enum ebb_result sigma(struct grid_rows *l, double *label)
{
    plain_times(l, false);
    memcpy(label, l->value, (size_t)l->n * sizeof(*label));
    double lowest = ratio_at(l->s, 0), highest = ratio_at(l->s, l->T - 1);
    for (int i = 0; i < l->n; i++)
        l->value[i] = l->q->log_linear ? highest * pow(lowest / highest, (double)i / l->n)
                                       : ratio_at(l->s, fmin(label[i], l->T - 1));
    if (l->q->grid)
        named_grid(l, l->value[0], l->value[l->n - 1]);
    by_ratio(l, l->q->grid ? NULL : label);
    bool zero = l->q->final_zero && !l->q->log_linear;
    l->out->grid[l->n] = at_ratio(l, zero ? 0 : lowest, NAN);

    double top = l->value[0];
    l->out->init_sigma = l->out->grid[0].alpha * (spaced(l->q, "leading") ? sqrt(top * top + 1) : top);
    l->out->final_scale = 1 / l->out->grid[l->n].alpha; // the state is x / alpha
    return EBB_OK;
}

// The shift is the schedule's: found again where it is plainest, at half time.
static double flow_shift(const struct grid_rows *l)
{
    double half = (double)(l->T / 2) / l->T;
    return (1 - half) / half * exp(-ebb_noise_level_at_step(l->s, l->T / 2 - 1).lambda);
}

static double shifted(double u, double shift)
{
    return shift * u / (1 + (shift - 1) * u);
}

// value[i] is sigma of x = (1 - sigma) x_0 + sigma eps. Near 1 float32 decides what is left of the signal.
static struct ebb_noise_level at_flow(const struct grid_rows *l, double value)
{
    double sigma = fmin(1, (float)value);
    return ebb_noise_level_at_lambda(l->s, log1p(-sigma) - log(sigma));
}

static enum ebb_result stretch_to_terminal(struct grid_rows *l, struct ebb_error *error)
{
    double by = (1 - l->value[l->n - 1]) / (1 - l->q->shift_terminal);
    if (by <= 0)
        return ebb_fail(error, EBB_INVALID, "%s: %d step with shift_terminal, expected 2 or more",
                        l->q->source, l->n);
    for (int i = 0; i < l->n; i++)
        l->value[i] = 1 - (1 - l->value[i]) / by;
    return EBB_OK;
}

// Solvers on flow matching. UniPC starts at 1, a hair below so that there is a signal, the others one stride
// of T below.
static enum ebb_result flow_solver(struct grid_rows *l, struct ebb_error *error)
{
    bool unipc = strcmp(l->q->sampler, "unipc") == 0;
    double shift = flow_shift(l), stride = (1.0 / l->T - 1) / l->n;
    for (int i = 0; i < l->n; i++)
        l->value[i] = shifted(unipc ? 1 + i * stride : 1 - (1 + (l->n - i) * stride), shift);
    if (unipc && l->q->shift_terminal > 0 && stretch_to_terminal(l, error) != EBB_OK)
        return EBB_INVALID;
    if (unipc && fabs(l->value[0] - 1) < 1e-6)
        l->value[0] -= 1e-6;
    if (l->q->grid) {
        ebb_ratio_grid(l->q->grid, l->value, l->n, l->q->sigma_max, l->q->sigma_min, 7);
        for (int i = 0; i < l->n; i++)
            l->value[i] = l->value[i] / (l->value[i] + 1);
    }
    for (int i = 0; i < l->n; i++) {
        l->out->grid[i] = at_flow(l, l->value[i]);
        l->out->grid[i].label = floor(l->value[i] * l->T);
    }
    double last = l->q->ends_at_betas ? l->q->betas_end : l->value[l->n - 1];
    l->out->grid[l->n] = l->q->final_zero ? ebb_noise_level_clean(l->s) : at_flow(l, last);
    return EBB_OK;
}

static enum ebb_result dpm(struct grid_rows *l, double *label, struct ebb_error *error)
{
    if (l->q->flow_sigmas)
        return flow_solver(l, error);
    int last = l->T, n = l->n;
    while (l->q->clips_lambda && last > 1 &&
           ebb_noise_level_at_step(l->s, last - 1).lambda < l->q->lambda_min)
        last--;
    for (int i = 0; i < n; i++) {
        double t;
        if (spaced(l->q, "trailing"))
            t = rint(last - i * ((double)l->T / n)) - 1;
        else if (spaced(l->q, "leading"))
            t = (double)(n - i) * (last / (n + 1)) + l->q->steps_offset;
        else
            t = rint((n - i) * (last - 1.0) / n);
        if (t < 0 || t > l->T - 1)
            return ebb_fail(error, EBB_INVALID,
                            "%s: timestep_spacing %s with %d steps leads to time %g of %d", l->q->source,
                            l->q->spacing, n, t, l->T);
        label[i] = t;
        l->value[i] = ratio_at(l->s, t);
    }
    double lowest = ratio_at(l->s, 0);
    if (l->q->grid)
        named_grid(l, ratio_at(l->s, l->T - 1), lowest);
    by_ratio(l, l->q->grid ? NULL : label);
    double end = strcmp(l->q->sampler, "unipc") == 0 && l->q->grid ? l->value[n - 1] : lowest;
    l->out->grid[n] = at_ratio(l, l->q->final_zero ? 0 : end, NAN);
    return EBB_OK;
}

static enum ebb_result edm(struct grid_rows *l)
{
    double high = ebb_schedule_ratio_max(l->s), low = ebb_schedule_ratio_min(l->s);
    ebb_ratio_grid(l->q->grid, l->value, l->n, high, low, l->q->rho);
    by_ratio(l, NULL);
    l->out->grid[l->n] = at_ratio(l, l->q->final_zero ? 0 : low, NAN);
    l->out->init_sigma = sqrt(high * high + 1);
    return EBB_OK;
}

static enum ebb_result flow(struct grid_rows *l, struct ebb_error *error)
{
    // sigma from shifted 1 to shifted 1 / T in even steps, then shifted once more; dynamically it is shifted
    // once.
    double shift = flow_shift(l), low = l->q->dynamic ? 1.0 / l->T : ebb_noise_level_at_step(l->s, 0).sigma;
    for (int i = 0; i < l->n; i++)
        l->value[i] = shifted(l->n > 1 ? 1 + i * (low - 1) / (l->n - 1) : 1, shift);
    if (l->q->shift_terminal > 0 && stretch_to_terminal(l, error) != EBB_OK)
        return EBB_INVALID;
    if (l->q->grid)
        ebb_ratio_grid(l->q->grid, l->value, l->n, l->value[0], l->value[l->n - 1], l->q->rho);
    for (int i = 0; i < l->n; i++)
        l->out->grid[i] = at_flow(l, l->value[i]);
    l->out->grid[l->n] = ebb_noise_level_clean(l->s);
    return EBB_OK;
}

static enum ebb_result ve(struct grid_rows *l)
{
    const double early = 1e-5; // sampling_eps: the last time
    double high = ebb_schedule_ratio_max(l->s), low = ebb_schedule_ratio_min(l->s);
    for (int i = 0; i < l->n; i++) {
        double t = l->n > 1 ? 1 + i * (early - 1) / (l->n - 1) : 1;
        double stands = l->n > 1 ? low * pow(high / low, (l->n - 1.0 - i) / (l->n - 1)) : low;
        l->out->grid[i] = at_ratio(l, stands, low * pow(high / low, t));
    }
    l->out->grid[l->n] = ebb_noise_level_clean(l->s);
    l->out->init_sigma = high;
    return EBB_OK;
}

static enum ebb_result cm(struct grid_rows *l)
{
    double high = ebb_schedule_ratio_max(l->s), low = ebb_schedule_ratio_min(l->s), rho = l->q->rho;
    double from = pow(high, 1 / rho), to = pow(low, 1 / rho);
    for (int i = 0; i < l->n; i++) {
        double ratio = pow(from + (double)(i * (l->T / l->n)) / (l->T - 1) * (to - from), rho);
        l->out->grid[i] = at_ratio(l, ratio, 250 * log(ratio));
    }
    l->out->grid[l->n] = at_ratio(l, low, NAN);
    l->out->init_sigma = high;
    return EBB_OK;
}

static enum ebb_result lay_out(struct grid_rows *l, double *label, struct ebb_error *error)
{
    switch (l->q->layout) {
    case EBB_LAYOUT_STEPS: return ddpm(l, error);
    case EBB_LAYOUT_STRIDES: return ddim(l, error);
    case EBB_LAYOUT_INVERSE: return inverse(l, error);
    case EBB_LAYOUT_ORIGINAL: return origin(l, error);
    case EBB_LAYOUT_SIGMAS: return sigma(l, label);
    case EBB_LAYOUT_SOLVER: return dpm(l, label, error);
    case EBB_LAYOUT_EDM: return edm(l);
    case EBB_LAYOUT_FLOW: return flow(l, error);
    case EBB_LAYOUT_VE: return ve(l);
    case EBB_LAYOUT_CONSISTENCY: return cm(l);
    }
    return ebb_fail(error, EBB_UNSUPPORTED, "%s", l->q->source);
}

enum ebb_result ebb_diffusers_grid(const struct ebb_quirks *quirks, const struct ebb_schedule *schedule,
                                   int steps, struct ebb_diffusers_grid *out, struct ebb_error *error)
{
    struct grid_rows l = {
        .q = quirks, .s = schedule, .T = ebb_schedule_steps(schedule), .n = steps, .out = out};
    bool any = quirks->layout == EBB_LAYOUT_EDM || quirks->layout == EBB_LAYOUT_VE ||
               quirks->layout == EBB_LAYOUT_FLOW;
    if (steps > l.T && !any)
        return ebb_fail(error, EBB_INVALID, "%s: %d steps, expected 1 to %d", quirks->source, steps, l.T);

    bool aims = quirks->layout == EBB_LAYOUT_STRIDES || quirks->layout == EBB_LAYOUT_INVERSE;
    size_t count = (size_t)steps + 1;
    *out = (struct ebb_diffusers_grid){.init_sigma = 1, .final_scale = 1};
    out->grid = ebb_alloc(count, sizeof(*out->grid));
    out->target = aims ? ebb_alloc(count, sizeof(*out->target)) : NULL;
    out->middle = aims ? ebb_alloc(count, sizeof(*out->middle)) : NULL;
    double *room = ebb_alloc(2 * count, sizeof(*room));
    enum ebb_result result = EBB_OK;
    if (!out->grid || !room || (aims && (!out->target || !out->middle)))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a run of %d steps", steps);
    l.value = room;
    if (result == EBB_OK)
        result = lay_out(&l, room + count, error);
    free(room);
    if (result != EBB_OK) {
        free(out->grid);
        free(out->target);
        free(out->middle);
        *out = (struct ebb_diffusers_grid){0};
    }
    return result;
}
