// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/schedule.h>

#include "test.h"

static struct ebb_schedule *make(const char *name, bool zero)
{
    static const double snrs[] = {9, 4, 0, -3, -9};
    static const double pairs[] = {0, 9, 0.3, 2, 0.7, -1, 1, -9};
    static double betas[1000];
    for (int i = 0; i < 1000; i++)
        betas[i] = 1e-4 + 2e-5 * i;
    struct ebb_schedule_params p;
    ebb_schedule_params_default(&p);
    p.name = name;
    p.zero_terminal_snr = zero;
    p.table = strcmp(name, "points") == 0 ? pairs : strcmp(name, "learned") == 0 ? snrs : betas;
    p.table_count = strcmp(name, "points") == 0 ? 8 : strcmp(name, "learned") == 0 ? 5 : 1000;
    struct ebb_error error;
    struct ebb_schedule *s = ebb_schedule_create(&p, &error);
    if (!s)
        TEST_FAIL("%s: %s", name, error.message);
    return s;
}

// A schedule of two steps whose first, at t = 0.5, leaves `abar`.
static struct ebb_schedule *of_abar(double abar)
{
    double betas[] = {1 - abar, 0.5};
    struct ebb_schedule_params p;
    ebb_schedule_params_default(&p);
    p.name = "table";
    p.train_steps = 2;
    p.table = betas;
    p.table_count = 2;
    struct ebb_schedule *s = ebb_schedule_create(&p, NULL);
    REQUIRE(s);
    return s;
}

// x_t in closed form, from x_0 and eps.
static double noised(double abar, double x0, double eps)
{
    struct ebb_schedule *s = of_abar(abar);
    struct ebb_gaussian g = ebb_schedule_forward(s, 0, 0.5);
    ebb_schedule_destroy(&s);
    return g.x * x0 + g.sd * eps;
}

// x_0 back, by way of the network's eps.
static double denoised(double abar, double x, double eps)
{
    struct ebb_schedule *s = of_abar(abar);
    double alpha, sigma;
    ebb_schedule_at(s, 0.5, &alpha, &sigma);
    ebb_schedule_destroy(&s);
    struct ebb_prediction_weights w = ebb_prediction_to_x0(EBB_PREDICT_EPS, alpha, sigma, 0.5);
    return w.x * x + w.out * eps;
}

// The worked numbers of a first course, to the digits printed.
TEST(worked_numbers)
{
    REQUIRE_NEAR(noised(0.81, 2, -0.5), 1.582055, 5e-7, "x_t");
    REQUIRE_NEAR(denoised(0.36, 1.2, 0.5), 1.3333, 5e-5, "x_0");
    REQUIRE_NEAR(denoised(0.36, -0.3, -1.0), 0.8333, 5e-5, "x_0");
    REQUIRE_NEAR(noised(0.64, 3, -1), 1.8, 1e-12, "x_t");
    REQUIRE_NEAR(noised(0.64, 0, 2), 1.2, 1e-12, "x_t");
    REQUIRE_NEAR(denoised(0.64, 1.8, -1), 3, 1e-12, "and back");
    REQUIRE_NEAR(noised(1e-14, 1e6, 0), 0, 0.2, "no signal: mean 0 whatever x_0");
    REQUIRE_NEAR(noised(1e-14, 0, 1), 1, 1e-13, "no signal: variance 1");
}

TEST(no_signal_at_all)
{
    struct ebb_schedule *s = make("linear", true);
    struct ebb_gaussian g = ebb_schedule_forward(s, 0, 1);
    REQUIRE(g.x == 0 && g.sd == 1); // whatever x_0
    REQUIRE(ebb_schedule_snr(s, 1) == 0 && ebb_schedule_t_of_snr(s, 0) == 1);
    ebb_schedule_destroy(&s);
}

// mu = (x_t - beta / sqrt(1 - abar) eps) / sqrt(alpha) with alpha 0.9, abar 0.5: a schedule of two steps.
TEST(worked_reverse_mean)
{
    static const double betas[] = {1 - 0.5 / 0.9, 0.1};
    struct ebb_schedule_params p;
    ebb_schedule_params_default(&p);
    p.name = "table";
    p.train_steps = 2;
    p.table = betas;
    p.table_count = 2;
    struct ebb_schedule *s = ebb_schedule_create(&p, NULL);
    REQUIRE(s);
    struct ebb_gaussian posterior = ebb_schedule_posterior(s, 1, 0.5);
    struct ebb_prediction_weights w = ebb_prediction_to_x0(EBB_PREDICT_EPS, sqrt(0.5), sqrt(0.5), 0.5);
    REQUIRE_NEAR(posterior.x * 0.7 + posterior.x0 * (w.x * 0.7 + w.out * 0.2), 0.7081, 5e-5, "mu");
    REQUIRE_NEAR(posterior.sd * posterior.sd, 0.1 * (1 - 0.5 / 0.9) / 0.5, 1e-12, "fixed small variance");
    struct ebb_gaussian step = ebb_schedule_forward(s, 0.5, 1);
    REQUIRE_NEAR(step.x, sqrt(0.9), 1e-12, "forward step");
    REQUIRE_NEAR(step.sd, sqrt(0.1), 1e-12, "forward step");
    ebb_schedule_destroy(&s);
    REQUIRE(!s);
}

TEST(linear_ends_where_it_should)
{
    struct ebb_schedule *s = make("linear", false);
    double product = 1;
    for (int i = 0; i < 1000; i++)
        product *= 1 - (1e-4 + (0.02 - 1e-4) * i / 999);
    REQUIRE_NEAR(ebb_schedule_abar(s, 999), 4.0358e-5, 5e-10, "abar_1000");
    REQUIRE_NEAR(ebb_schedule_abar(s, 999), product, 1e-17, "abar_1000");
    REQUIRE_NEAR(ebb_schedule_beta(s, 0), 1e-4, 1e-14, "beta_1");
    REQUIRE_NEAR(ebb_schedule_beta(s, 999), 0.02, 1e-12, "beta_1000");
    ebb_schedule_destroy(&s);
}

TEST(every_schedule_falls_and_reads_both_ways)
{
    EBB_EACH_SCHEDULE_KIND (k) {
        for (int zero = 0; zero < 2; zero++) {
            if (zero && (strcmp(k->name, "ve") == 0 || strcmp(k->name, "edm") == 0))
                continue;
            struct ebb_schedule *s = make(k->name, zero);
            REQUIRE(ebb_schedule_steps(s) == 1000);
            REQUIRE(ebb_schedule_abar(s, -1) == 1);
            REQUIRE(isinf(ebb_schedule_snr(s, 0)));
            double last = INFINITY;
            for (int i = 1; i <= 4000; i++) {
                double t = i / 4000.0, snr = ebb_schedule_snr(s, t), alpha, sigma;
                REQUIRE(snr < last);
                last = snr;
                REQUIRE_NEAR(ebb_schedule_t_of_snr(s, snr), t, 1e-9, k->name);
                ebb_schedule_at(s, t, &alpha, &sigma);
                REQUIRE_NEAR(alpha * alpha, snr * sigma * sigma, 1e-9 * (1 + snr), k->name);
            }
            if (zero)
                REQUIRE(last == 0);
            ebb_schedule_destroy(&s);
        }
    }
}

// Steps composed equal the closed form in mean and variance, and Bayes holds: posterior times forward is the
// joint.
TEST(forward_process_is_consistent)
{
    EBB_EACH_SCHEDULE_KIND (k) {
        struct ebb_schedule *s = make(k->name, false);
        double mean = 1, variance = 0;
        for (int i = 0; i < 1000; i++) {
            struct ebb_gaussian step = ebb_schedule_forward(s, i / 1000.0, (i + 1) / 1000.0);
            mean *= step.x;
            variance = variance * step.x * step.x + step.sd * step.sd;
            if (i % 100 != 7)
                continue;
            struct ebb_gaussian closed = ebb_schedule_forward(s, 0, (i + 1) / 1000.0);
            REQUIRE_NEAR(mean, closed.x, 1e-9, k->name);
            REQUIRE_NEAR(variance, closed.sd * closed.sd, 1e-9 * (1 + variance), k->name);

            struct ebb_gaussian before = ebb_schedule_forward(s, 0, i / 1000.0),
                                back = ebb_schedule_posterior(s, (i + 1) / 1000.0, i / 1000.0);
            REQUIRE_NEAR(back.x * closed.x + back.x0, before.x, 1e-9, k->name);
            REQUIRE_NEAR(back.x * back.x * closed.sd * closed.sd + back.sd * back.sd, before.sd * before.sd,
                         1e-9 * (1 + variance), k->name);
        }
        ebb_schedule_destroy(&s);
    }
}

TEST(predictions_agree)
{
    static const double levels[][2] = {{0.9, 0.4358898943540674},
                                       {0.1, 0.99498743710662},
                                       {1, 20},
                                       {0.3, 0.7}};
    for (size_t l = 0; l < 4; l++) {
        double alpha = levels[l][0], sigma = levels[l][1], x0 = 0.37, eps = -1.2,
               x = alpha * x0 + sigma * eps;
        for (int p = 0; p < EBB_PREDICTIONS; p++) {
            struct ebb_prediction_weights from = ebb_prediction_from_x0(p, alpha, sigma, 0.5);
            double out = from.x * x + from.out * x0;
            struct ebb_prediction_weights to = ebb_prediction_to_x0(p, alpha, sigma, 0.5);
            REQUIRE_NEAR(to.x * x + to.out * out, x0, 1e-12, ebb_prediction_name(p));
            to = ebb_prediction_to_eps(p, alpha, sigma, 0.5);
            REQUIRE_NEAR(to.x * x + to.out * out, eps, 1e-12, ebb_prediction_name(p));
            if (p == EBB_PREDICT_V)
                REQUIRE_NEAR(out, alpha * eps - sigma * x0, 1e-12, "velocity");
            if (p == EBB_PREDICT_SCORE)
                REQUIRE_NEAR(out, -(x - alpha * x0) / (sigma * sigma), 1e-12, "score identity");
            if (p == EBB_PREDICT_FLOW)
                REQUIRE_NEAR(out, eps - x0, 1e-12, "flow");
        }
    }
}

static void refused(const struct ebb_schedule_params *p, const char *word)
{
    struct ebb_error error = {0};
    REQUIRE(!ebb_schedule_create(p, &error));
    if (!strstr(error.message, word))
        TEST_FAIL("\"%s\" does not say \"%s\"", error.message, word);
}

TEST(bad_schedules_are_refused)
{
    struct ebb_schedule_params p;
    ebb_schedule_params_default(&p);
    p.name = "lineal";
    refused(&p, "linear, scaled-linear");
    p.name = NULL;
    refused(&p, "linear");
    ebb_schedule_params_default(&p);
    p.train_steps = 1;
    refused(&p, "2 to 100000");
    p.train_steps = 100001;
    refused(&p, "2 to 100000");
    ebb_schedule_params_default(&p);
    p.beta_end = NAN;
    refused(&p, "beta");
    p.beta_end = 1.5;
    refused(&p, "beta");
    p.beta_end = 0.02;
    p.shift = 0;
    refused(&p, "shift");
    ebb_schedule_params_default(&p);
    p.name = "points";
    refused(&p, "pairs");
    static const double rising[] = {0, 1, 1, 2}, nans[] = {0, 1, 1, NAN};
    p.table = rising;
    p.table_count = 4;
    refused(&p, "falls");
    p.table = nans;
    refused(&p, "finite");
    p.name = "learned";
    refused(&p, "entry");
    p.name = "table";
    refused(&p, "1000");
}

TEST_MAIN
