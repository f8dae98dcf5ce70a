// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusion/schedule_kinds.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/base.h"

#define PI 3.14159265358979323846

// abar is the product of 1 - beta; kept as its logarithm, so that 1 - abar loses nothing when it is small.
static bool from_betas(double *lambda, const double *beta, const struct ebb_schedule_params *p,
                       struct ebb_error *error)
{
    double log_abar = 0, product = 1;
    for (int i = 0; i < p->train_steps; i++) {
        double b = p->single_precision ? (float)beta[i] : beta[i];
        if (!(b > 0 && b <= 1))
            return ebb_fail(error, EBB_INVALID, "schedule %s: beta %d is %g, expected above 0 and at most 1",
                            p->name, i, b),
                   false;

        if (p->single_precision) { // as torch: 1 - beta in float, product in double, result in float
            product *= 1.0f - (float)b;
            double abar = (float)product;
            lambda[i] = 0.5 * (log(abar) - log1p(-abar));
        } else {
            log_abar += log1p(-b);
            lambda[i] = 0.5 * (log_abar - log(-expm1(log_abar)));
        }
    }
    return true;
}

// `lambda` doubles as the room for the betas: entry i is read before it is written.
static bool linear(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    for (int i = 0; i < p->train_steps; i++)
        lambda[i] = p->beta_start + (p->beta_end - p->beta_start) * i / (p->train_steps - 1);
    return from_betas(lambda, lambda, p, error);
}

static bool scaled_linear(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    double from = sqrt(p->beta_start), to = sqrt(p->beta_end);
    for (int i = 0; i < p->train_steps; i++) {
        double root = from + (to - from) * i / (p->train_steps - 1);
        lambda[i] = p->single_precision ? (float)root * (float)root : root * root;
    }
    return from_betas(lambda, lambda, p, error);
}

static bool quadratic(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    for (int i = 0; i < p->train_steps; i++) {
        double u = i / (p->train_steps - 1.0);
        lambda[i] = p->beta_start + u * u * (p->beta_end - p->beta_start);
    }
    return from_betas(lambda, lambda, p, error);
}

static bool sigmoid(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    for (int i = 0; i < p->train_steps; i++) {
        double u = 12.0 * i / (p->train_steps - 1) - 6;
        lambda[i] = p->beta_start + (p->beta_end - p->beta_start) / (1 + exp(-u));
    }
    return from_betas(lambda, lambda, p, error);
}

// Betas from abar(t): beta = 1 - abar(t_next) / abar(t), held below 0.999 where the signal ends.
static bool from_curve(double *lambda, double (*abar)(double t), const struct ebb_schedule_params *p,
                       struct ebb_error *error)
{
    for (int i = 0; i < p->train_steps; i++) {
        double now = abar((double)i / p->train_steps), next = abar((i + 1.0) / p->train_steps);
        lambda[i] = fmin(1 - next / now, 0.999);
    }
    return from_betas(lambda, lambda, p, error);
}

static double cosine_abar(double t)
{
    double c = cos((t + 0.008) / 1.008 * PI / 2);
    return c * c;
}

static bool cosine(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    return from_curve(lambda, cosine_abar, p, error);
}

static double exp_abar(double t)
{
    return exp(-12 * t);
}

static bool exponential(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    return from_curve(lambda, exp_abar, p, error);
}

// SNR of a Laplace-distributed log-SNR of scale 0.5 (Hang 2024), with the guards of diffusers.
static double laplace_abar(double t)
{
    double u = 0.5 - t, sign = (u > 0) - (u < 0);
    double snr = exp(-0.5 * sign * log(1 - 2 * fabs(u) + 1e-6));
    return snr / (1 + snr);
}

static bool laplace(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    for (int i = 0; i < p->train_steps; i++) {
        double now = sqrt(laplace_abar((double)i / p->train_steps)),
               next = sqrt(laplace_abar((i + 1.0) / p->train_steps));
        lambda[i] = fmin(1 - next / now, 0.999);
    }
    return from_betas(lambda, lambda, p, error);
}

static bool table(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    if (!p->table || p->table_count != (size_t)p->train_steps)
        return ebb_fail(error, EBB_INVALID, "schedule table: %zu betas for %d training steps",
                        p->table ? p->table_count : 0, p->train_steps),
               false;
    return from_betas(lambda, p->table, p, error);
}

// Piecewise linear through (t, log-SNR), both strictly monotone.
static bool through(double *lambda, const double *at, size_t stride, size_t count,
                    const struct ebb_schedule_params *p, struct ebb_error *error)
{
    const double *snr = at + stride - 1;
    for (size_t k = 0; k < count; k++) {
        double t = stride == 2 ? at[2 * k] : 0;
        bool good = isfinite(snr[stride * k]) && isfinite(t) && t >= 0 && t <= 1;
        if (k && good)
            good = snr[stride * k] < snr[stride * (k - 1)] && (stride == 1 || t > at[2 * (k - 1)]);
        if (!good)
            return ebb_fail(
                       error, EBB_INVALID,
                       "schedule %s: entry %zu is not finite or does not go on (t rises within 0 to 1, log-SNR falls)",
                       p->name, k),
                   false;
    }

    for (int i = 0; i < p->train_steps; i++) {
        double t = (i + 1.0) / p->train_steps, position = t * (double)(count - 1);
        size_t k = stride == 1 ? (size_t)position : 0;
        while (stride == 2 && k + 2 < count && at[2 * (k + 1)] <= t)
            k++;
        if (k > count - 2)
            k = count - 2;
        double part = stride == 1 ? position - (double)k : (t - at[2 * k]) / (at[2 * k + 2] - at[2 * k]);
        lambda[i] = 0.5 * (snr[stride * k] + part * (snr[stride * (k + 1)] - snr[stride * k]));
    }
    return true;
}

static bool points(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    if (!p->table || p->table_count < 4 || p->table_count % 2)
        return ebb_fail(error, EBB_INVALID,
                        "schedule points: %zu numbers, expected two or more pairs (t, log-SNR)",
                        p->table ? p->table_count : 0),
               false;
    return through(lambda, p->table, 2, p->table_count / 2, p, error);
}

static bool learned(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    if (!p->table || p->table_count < 2)
        return ebb_fail(error, EBB_INVALID, "schedule learned: %zu numbers, expected two or more log-SNRs",
                        p->table ? p->table_count : 0),
               false;
    return through(lambda, p->table, 1, p->table_count, p, error);
}

static bool geometric(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    if (!(p->sigma_min > 0 && p->sigma_max > p->sigma_min && isfinite(p->sigma_max)))
        return ebb_fail(error, EBB_INVALID,
                        "schedule %s: sigma_min %g and sigma_max %g, expected 0 < sigma_min < sigma_max",
                        p->name, p->sigma_min, p->sigma_max),
               false;
    for (int i = 0; i < p->train_steps; i++)
        lambda[i] = -log(p->sigma_min) - log(p->sigma_max / p->sigma_min) * i / (p->train_steps - 1);
    return true;
}

static bool flow(double *lambda, const struct ebb_schedule_params *p, struct ebb_error *error)
{
    for (int i = 0; i < p->train_steps; i++) {
        double sigma = (i + 1.0) / p->train_steps;
        lambda[i] = log1p(-sigma) - log(sigma);
    }
    return true;
}

static const struct schedule_kind kinds[] = {
    {{"linear", "beta from beta_start to beta_end in even steps", "Ho 2020"}, SPACE_PRESERVING, linear},
    {{"scaled-linear", "sqrt(beta) in even steps", "Rombach 2022"}, SPACE_PRESERVING, scaled_linear},
    {{"cosine", "abar = cos^2((t + 0.008) / 1.008 * pi / 2), beta <= 0.999", "Nichol 2021"},
     SPACE_PRESERVING,
     cosine},
    {{"quadratic", "beta_start + u^2 (beta_end - beta_start), u from 0 to 1", ""},
     SPACE_PRESERVING,
     quadratic},
    {{"sigmoid", "beta along a sigmoid from -6 to 6", "Xu 2022"}, SPACE_PRESERVING, sigmoid},
    {{"exp", "abar = exp(-12 t), beta <= 0.999", ""}, SPACE_PRESERVING, exponential},
    {{"laplace", "log-SNR with a Laplace density, most time near SNR 1", "Hang 2024"},
     SPACE_PRESERVING,
     laplace},
    {{"table", "betas as given, one per training step", "Ho 2020"}, SPACE_PRESERVING, table},
    {{"points", "log-SNR piecewise linear through given (t, log-SNR)", "Kingma 2021"},
     SPACE_PRESERVING,
     points},
    {{"learned", "log-SNR from a falling table stored with the model", "Kingma 2021"},
     SPACE_PRESERVING,
     learned},
    {{"ve", "variance exploding: sigma geometric from sigma_min to sigma_max", "Song 2021"},
     SPACE_EXPLODING,
     geometric},
    {{"edm", "variance exploding with EDM's scalings", "Karras 2022"}, SPACE_EDM, geometric},
    {{"flow", "x = (1 - sigma) x_0 + sigma eps, sigma = t", "Lipman 2023, Liu 2023"}, SPACE_FLOW, flow},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

const struct ebb_schedule_kind *ebb_schedule_kind_next(const struct ebb_schedule_kind *previous)
{
    int next = 0;
    if (previous)
        while (next < KINDS && previous != &kinds[next++].about)
            continue;
    return next < KINDS ? &kinds[next].about : NULL;
}

const struct schedule_kind *schedule_kind_find(const char *name, struct ebb_error *error)
{
    char names[256] = "";
    for (int i = 0; i < KINDS; i++) {
        const char *known = kinds[i].about.name;
        if (name && strcmp(known, name) == 0)
            return &kinds[i];
        strncat(names, i ? ", " : "", sizeof(names) - strlen(names) - 1);
        strncat(names, known, sizeof(names) - strlen(names) - 1);
    }
    ebb_fail(error, EBB_INVALID, "no schedule \"%s\"; there are %s", name ? name : "(none)", names);
    return NULL;
}

bool schedule_params_check(const struct ebb_schedule_params *p, struct ebb_error *error)
{
    if (p->train_steps < 2 || p->train_steps > 100000)
        return ebb_fail(error, EBB_INVALID, "a schedule of %d steps, expected 2 to 100000", p->train_steps),
               false;
    if (!(p->shift > 0 && isfinite(p->shift)))
        return ebb_fail(error, EBB_INVALID, "schedule shift %g, expected above 0", p->shift), false;
    if (!(p->terminal_abar >= 0 && p->terminal_abar < 1))
        return ebb_fail(error, EBB_INVALID, "terminal_abar %g, expected 0 or more and below 1",
                        p->terminal_abar),
               false;
    if (!(p->sigma_data > 0 && isfinite(p->sigma_data)))
        return ebb_fail(error, EBB_INVALID, "sigma_data %g, expected above 0", p->sigma_data), false;
    return true;
}

// A floor at the end can lie above the steps before it (diffusers' does): they are held just above it.
static void hold_above_floor(double *lambda, const struct ebb_schedule_params *p)
{
    for (int i = p->train_steps - 2; i > 0 && p->terminal_abar > 0 && lambda[i] <= lambda[i + 1]; i--)
        lambda[i] = lambda[i + 1] + 1e-6;
}

// Zero terminal SNR as diffusers has it: abar in float, from there betas in float, and their product once
// more.
static void zero_terminal_single(double *lambda, const struct ebb_schedule_params *p)
{
    int steps = p->train_steps;
    float first = (float)sqrt(1 / (1 + exp(-2 * lambda[0]))),
          last = (float)sqrt(1 / (1 + exp(-2 * lambda[steps - 1])));
    float before = 1;
    double product = 1;
    for (int i = 0; i < steps; i++) {
        float root = sqrtf((float)(1 / (1 + exp(-2 * lambda[i]))));
        root = (root - last) * (first / (first - last));
        float abar = root * root, beta = 1 - (i ? abar / before : abar);
        before = abar;
        product *= 1 - beta;
        double now = i == steps - 1 ? p->terminal_abar : (float)product;
        lambda[i] = 0.5 * (log(now) - log1p(-now));
    }
}

// Lin 2023, algorithm 1: shift and stretch sqrt(abar) so that it ends at 0 and still starts where it did.
void schedule_zero_terminal(double *lambda, const struct ebb_schedule_params *p)
{
    int steps = p->train_steps;
    if (p->single_precision) {
        zero_terminal_single(lambda, p);
        hold_above_floor(lambda, p);
        return;
    }
    double first = 1 / sqrt(1 + exp(-2 * lambda[0])), last = 1 / sqrt(1 + exp(-2 * lambda[steps - 1]));
    for (int i = 1; i < steps; i++) {
        double root = (1 / sqrt(1 + exp(-2 * lambda[i])) - last) * first / (first - last);
        double abar = i == steps - 1 ? p->terminal_abar : root * root;
        lambda[i] = 0.5 * (log(abar) - log1p(-abar));
    }
    hold_above_floor(lambda, p);
}
