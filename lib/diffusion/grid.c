// SPDX-License-Identifier: LGPL-2.1-or-later
// The noise levels that a run visits. Spacings by index choose training steps; sigma grids choose ratios
// sigma / alpha, whose training steps may be fractional.
#include "diffusion/emit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

// Fills steps[0..n-1] with falling training step indices in end..start - 1; counts are 1..T.
typedef void index_fill(double *step, int n, int start, int end, int offset);
// Fills ratio[0..n-1] from high to low.
typedef void ratio_fill(double *ratio, int n, double high, double low, double rho);

static void trailing(double *step, int n, int start, int end, int offset)
{
    for (int i = 0; i < n; i++)
        step[i] = rint(start - (double)i * (start - end) / n) - 1;
}

static void leading(double *step, int n, int start, int end, int offset)
{
    int stride = (start - end) / n;
    for (int i = 0; i < n; i++)
        step[i] = fmin(end + (n - 1 - i) * stride + offset, start - 1);
}

static void linspace(double *step, int n, int start, int end, int offset)
{
    for (int i = 0; i < n; i++)
        step[i] = rint(n > 1 ? start - 1 - i * (start - 1.0 - end) / (n - 1) : start - 1);
}

// Even steps in sigma^(1/rho): many near the end, where detail is decided. Karras 2022, section 3, has rho
// = 7.
static void karras(double *ratio, int n, double high, double low, double rho)
{
    double from = pow(high, 1 / rho), to = pow(low, 1 / rho);
    for (int i = 0; i < n; i++)
        ratio[i] = pow(n > 1 ? from + i / (n - 1.0) * (to - from) : from, rho);
}

static void exponential(double *ratio, int n, double high, double low, double rho)
{
    for (int i = 0; i < n; i++)
        ratio[i] = n > 1 ? high * pow(low / high, i / (n - 1.0)) : high;
}

// The regularised incomplete beta function for a = b, by its continued fraction (Press et al., 6.4).
static double beta_cdf(double x, double a)
{
    if (x > 0.5)
        return 1 - beta_cdf(1 - x, a);
    if (x <= 0)
        return 0;
    double c = 1, d = 1 - 2 * a * x / (a + 1), sum;
    sum = d = 1 / d;
    for (int m = 1; m < 200; m++) {
        double even = m * (a - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
               odd = -(a + m) * (2 * a + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / (1 + even * d);
        c = 1 + even / c;
        sum *= d * c;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        sum *= d * c;
    }
    return exp(a * log(x) + a * log1p(-x) + log(tgamma(2 * a)) - 2 * log(tgamma(a))) * sum / a;
}

// Steps at the quantiles of a Beta(0.6, 0.6) density: many at both ends (Lee 2024, "Beta sampling is all you
// need").
static void beta(double *ratio, int n, double high, double low, double rho)
{
    for (int i = 0; i < n; i++) {
        double want = n > 1 ? 1 - i / (n - 1.0) : 1, from = 0, to = 1;
        for (int k = 0; k < 60 && want > 0 && want < 1; k++) {
            double middle = 0.5 * (from + to);
            if (beta_cdf(middle, 0.6) < want)
                from = middle;
            else
                to = middle;
        }
        ratio[i] = low + (want >= 1 ? 1 : want <= 0 ? 0 : from) * (high - low);
    }
}

static const struct spacing {
    struct ebb_spacing about;
    index_fill *index; // one of the two
    ratio_fill *ratio;
} spacings[] = {
    {{"trailing", "training steps counted from the last one down, T, T - T/n, ... (Lin 2023)"},
     trailing,
     NULL},
    {{"leading", "training steps counted from the first one up, 0, T/n, ..., plus steps_offset (Ho 2020)"},
     leading,
     NULL},
    {{"linspace", "training steps from the last to the first, both visited (Nichol 2021)"}, linspace, NULL},
    {{"karras", "even in sigma^(1/7), dense near the end (Karras 2022)"}, NULL, karras},
    {{"exponential", "even in log sigma"}, NULL, exponential},
    {{"lu", "even in log-SNR (Lu 2022)"}, NULL, exponential},
    {{"beta", "at the quantiles of Beta(0.6, 0.6) in sigma, dense at both ends (Lee 2024)"}, NULL, beta},
};
enum { SPACINGS = sizeof(spacings) / sizeof(spacings[0]) };

const struct ebb_spacing *ebb_spacing_next(const struct ebb_spacing *previous)
{
    int next = 0;
    if (previous)
        while (next < SPACINGS && previous != &spacings[next++].about)
            continue;
    return next < SPACINGS ? &spacings[next].about : NULL;
}

static const struct spacing *spacing_find(const char *name, struct ebb_error *error)
{
    char names[128] = "";
    for (int i = 0; i < SPACINGS; i++) {
        const char *known = spacings[i].about.name;
        if (name && strcmp(name, known) == 0)
            return &spacings[i];
        strncat(names, i ? ", " : "", sizeof(names) - strlen(names) - 1);
        strncat(names, known, sizeof(names) - strlen(names) - 1);
    }
    ebb_fail(error, EBB_INVALID, "no spacing \"%s\"; there are %s", name ? name : "(none)", names);
    return NULL;
}

void ebb_ratio_grid(const char *grid, double *value, int n, double high, double low, double rho)
{
    const struct spacing *spacing = spacing_find(grid, NULL);
    if (spacing && spacing->ratio)
        spacing->ratio(value, n, high, low, rho);
}

static void ratio_grid(struct ebb_noise_level *grid, int n, const struct ebb_run_params *p, ratio_fill *fill,
                       double *value)
{
    int steps = ebb_schedule_steps(p->schedule);
    struct ebb_noise_level first = ebb_noise_level_at_step(p->schedule, p->start * steps - 1);
    struct ebb_noise_level last = ebb_noise_level_at_step(p->schedule, fmax(0, p->end * steps - 1));
    double high = fmin(exp(-first.lambda), ebb_schedule_ratio_max(p->schedule));
    int visits = p->end > 0 ? n + 1 : n; // with an end, it is the grid's own last value
    fill(value, visits, high, exp(-last.lambda), 7);
    for (int i = 0; i < visits; i++)
        grid[i] = ebb_noise_level_at_lambda(p->schedule, -log(value[i]));
}

static void index_grid(struct ebb_noise_level *grid, int n, const struct ebb_run_params *p, index_fill *fill,
                       double *value)
{
    int steps = ebb_schedule_steps(p->schedule);
    int start = (int)fmax(1, rint(p->start * steps)), end = (int)rint(p->end * steps);
    fill(value, n, start, end, p->steps_offset);
    for (int i = 0; i < n; i++)
        grid[i] = ebb_noise_level_at_step(p->schedule, value[i]);
    if (end > 0)
        grid[n] = ebb_noise_level_at_step(p->schedule, end - 1);
}

// Index spacings cannot visit more steps than there are between start and end.
static int visits(const struct ebb_run_params *p, bool index, struct ebb_error *error)
{
    int steps = ebb_schedule_steps(p->schedule);
    if (!index)
        return p->steps;
    if (p->steps > steps) {
        ebb_fail(
            error, EBB_INVALID,
            "%d steps with spacing %s, expected 1 to %d; a sigma grid (karras, exponential) has no such limit",
            p->steps, p->spacing, steps);
        return 0;
    }
    int span = (int)fmax(1, rint(p->start * steps)) - (int)rint(p->end * steps);
    return span < 1 ? 1 : p->steps < span ? p->steps : span;
}

struct ebb_noise_level *run_grid(const struct ebb_run_params *p, int *steps, struct ebb_error *error)
{
    const struct spacing *spacing = spacing_find(p->spacing, error);
    int n = !spacing ? 0 : visits(p, spacing->index, error);
    if (n == 0)
        return NULL;

    struct ebb_noise_level *grid = ebb_alloc((size_t)n + 1, sizeof(*grid));
    double *value = ebb_alloc((size_t)n + 1, sizeof(*value));
    if (!grid || !value) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a run of %d steps", n);
        free(grid);
        free(value);
        return NULL;
    }

    grid[n] = ebb_noise_level_clean(p->schedule);
    if (spacing->index)
        index_grid(grid, n, p, spacing->index, value);
    else
        ratio_grid(grid, n, p, spacing->ratio, value);
    free(value);
    for (int i = 0; p->inverse && i < (n + 1) / 2; i++) {
        struct ebb_noise_level swap = grid[i];
        grid[i] = grid[n - i];
        grid[n - i] = swap;
    }
    *steps = n;
    return grid;
}
