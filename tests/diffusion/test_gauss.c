// SPDX-License-Identifier: LGPL-2.1-or-later
// Data whose score is known: x_0 ~ N(mean, dev^2), so that the ideal network is linear and everything has a
// closed form.
#include "test.h"

#include "diffusion/noise_level.h"
#include "diffusion/noise.h"
#include "machine.h"

static const double MEAN = 0.4, DEV = 0.6;

static double ideal(double x, double alpha, double sigma, double mean, double dev)
{
    double gain = alpha * dev * dev / (alpha * alpha * dev * dev + sigma * sigma);
    return mean + gain * (x - alpha * mean);
}

static void ideal_net(void *data, const struct ebb_run_instruction *in, const double *x, double *out,
                      double *second, int count)
{
    enum ebb_prediction p = *(enum ebb_prediction *)data;
    struct ebb_prediction_weights w = ebb_prediction_from_x0(p, in->alpha, in->sigma, 0.5);
    for (int i = 0; i < count; i++) {
        double state = x[i] / in->scale;
        out[i] = in->sigma > 0 ? w.x * state + w.out * ideal(state, in->alpha, in->sigma, MEAN, DEV)
                               : 0; // eps of clean data
        if (second)
            second[i] = 0;
    }
}

static struct ebb_run *make_run(struct ebb_run_params *params, const char *sampler, int steps)
{
    params->sampler = sampler;
    params->steps = steps;
    params->consistency = true;
    struct ebb_error error;
    struct ebb_run *run = ebb_run_create(params, &error);
    if (!run)
        TEST_FAIL("%s: %s", sampler, error.message);
    return run;
}

static struct machine m;

// Error at sigma_min of a run in `steps` steps from x = 0.8 sigma; along the flow (x - alpha mean) /
// sqrt(variance) stays.
static double flow_error(struct ebb_run_params *params, const char *sampler, int steps, int *evals)
{
    struct ebb_run *run = make_run(params, sampler, steps);
    struct ebb_noise_level from = ebb_noise_level_at_step(params->schedule, 999),
                           to = ebb_noise_level_at_step(params->schedule, 0);
    enum ebb_prediction prediction = params->prediction;
    m = (struct machine){.net = ideal_net, .data = &prediction, .count = 1};
    double start = 0.8;
    m.slot[0][0] = start;
    machine_run(&m, run);
    double z = (start - from.alpha * MEAN) / hypot(from.alpha * DEV, from.sigma);
    double want = to.alpha * MEAN + z * hypot(to.alpha * DEV, to.sigma);
    *evals = m.evals;
    ebb_run_destroy(&run);
    return fabs(m.slot[0][0] - want);
}

TEST(deterministic_samplers_have_their_order)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    EBB_EACH_SAMPLER (info) {
        if (info->order == 0 || info->evals == 0)
            continue;
        for (int p = 0; p <= EBB_PREDICT_V; p++) {
            struct ebb_run_params params;
            ebb_run_params_default(&params);
            params.schedule = s;
            params.prediction = p;
            params.spacing = "karras";
            params.end = 0.001;
            double x[4], y[4], mx = 0, my = 0, up = 0, down = 0;
            for (int k = 0; k < 4; k++) {
                int steps = 64 << k, evals;
                x[k] = log(steps);
                y[k] = log(flow_error(&params, info->name, steps, &evals));
                mx += x[k] / 4;
                my += y[k] / 4;
            }
            for (int k = 0; k < 4; k++) {
                up += (x[k] - mx) * (y[k] - my);
                down += (x[k] - mx) * (x[k] - mx);
            }
            REQUIRE_NEAR(-up / down, info->order, 0.2, info->name);
        }
    }
    ebb_schedule_destroy(&s);
}

// Permenter and Yuan 2023 in plain doubles: z = x / alpha moves by the change of r = sigma / alpha
// times 2 eps less the eps before; the first step has no eps before, the last one takes the estimate.
struct visited_levels {
    int count;
    double alpha[32], sigma[32];
};

static void net_that_keeps_levels(void *data, const struct ebb_run_instruction *in, const double *x,
                                  double *out, double *second, int count)
{
    struct visited_levels *levels = data;
    enum ebb_prediction prediction = EBB_PREDICT_EPS;
    levels->alpha[levels->count] = in->alpha;
    levels->sigma[levels->count++] = in->sigma;
    ideal_net(&prediction, in, x, out, second, count);
}

TEST(gradient_estimation_is_its_papers)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    struct visited_levels levels = {0};
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.schedule = s;
    params.spacing = "karras";
    struct ebb_run *run = make_run(&params, "gradient-estimation", 12);
    m = (struct machine){.net = net_that_keeps_levels, .data = &levels, .count = 1};
    m.slot[0][0] = 0.8;
    machine_run(&m, run);
    ebb_run_destroy(&run);
    REQUIRE(levels.count == 12 && m.draws == 0);

    double z = 0.8 / levels.alpha[0], before = 0;
    for (int i = 0; i < 12; i++) {
        double a = levels.alpha[i], r = levels.sigma[i] / a, x0 = ideal(z * a, a, levels.sigma[i], MEAN, DEV);
        double eps = (z - x0) / r, direction = i ? 2 * eps - before : eps;
        z = i < 11 ? z + (levels.sigma[i + 1] / levels.alpha[i + 1] - r) * direction : x0;
        before = eps;
    }
    REQUIRE_NEAR(m.slot[0][0], z, 1e-12, "twelve steps");
    ebb_schedule_destroy(&s);
}

// What `ebb plot convergence` draws: a line per run, for whoever names a file in EBB_CONVERGENCE. Errors fall
// fifty times from the first run to the last; those of first order to a fiftieth of Euler's first, for the
// error of gradient-estimation changes its sign in few steps and is small there.
TEST(convergence_is_written_down)
{
    const char *path = getenv("EBB_CONVERGENCE");
    FILE *out = path ? fopen(path, "w") : NULL;
    if (path && !out)
        TEST_FAIL("%s: cannot be written", path);
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.schedule = s;
    params.spacing = "karras";
    params.end = 0.001;
    int asked;
    double euler = flow_error(&params, "euler", 8, &asked);
    EBB_EACH_SAMPLER (info) {
        double first = 0;
        for (int k = 0; k < 8 && info->order > 0; k++) {
            params.rtol = params.atol = pow(10, -k - 1);
            int evals, steps = info->evals > 1 && info->evals < 4 ? 4 << k : 8 << k;
            double error = flow_error(&params, info->name, info->evals ? steps : 1, &evals);
            if (out)
                fprintf(out, "%s\t%d\t%.6g\n", info->name, evals, error);
            first = k ? first : info->order == 1 ? euler : error;
            if (k == 7 && !(error < first / 50))
                TEST_FAIL("%s: error %g falls to %g only", info->name, first, error);
        }
    }
    if (out)
        fclose(out);
    ebb_schedule_destroy(&s);
}

TEST(rk45_keeps_its_tolerance)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.schedule = s;
    params.end = 0.001;
    int last = 0, evals;
    for (int k = 3; k <= 9; k++) {
        params.rtol = params.atol = pow(10, -k);
        double error = flow_error(&params, "rk45", 1, &evals);
        if (error > 10 * params.rtol)
            TEST_FAIL("tolerance %g, error %g", params.rtol, error);
        REQUIRE(evals > last);
        last = evals;
    }
    ebb_schedule_destroy(&s);
}

// What a stochastic run does to a linear network is linear: element 0 starts at 0 without noise, element 1 at
// 1, element j + 1 hears draw j alone. Mean and variance of the result follow exactly.
static void one_draw_each(void *data, uint64_t draw, double *out, int count)
{
    if ((int)draw + 1 < count)
        out[draw + 1] = 1;
}

struct moments {
    double mean, variance;
};

static struct moments exact_moments(struct ebb_run_params *params, const char *sampler, int steps)
{
    struct ebb_run *run = make_run(params, sampler, steps);
    enum ebb_prediction prediction = params->prediction;
    m = (struct machine){.net = ideal_net,
                         .data = &prediction,
                         .noise = one_draw_each,
                         .count = MACHINE_COUNT};
    memset(m.slot, 0, sizeof(m.slot));
    m.slot[0][1] = 1;
    machine_run(&m, run);
    ebb_run_destroy(&run);
    struct moments out = {.mean = m.slot[0][0]};
    for (int i = 1; i < m.draws + 2; i++)
        out.variance += pow(m.slot[0][i] - m.slot[0][0], 2);
    REQUIRE(m.draws + 2 <= MACHINE_COUNT);
    return out;
}

static bool drawn(const struct ebb_sampler_info *info)
{
    static const char *const others[] = {"pc", "lcm", "tcd", "cm"}; // measuring, or for distilled networks
                                                                    // only
    for (int i = 0; i < 4; i++)
        if (strcmp(info->name, others[i]) == 0)
            return false;
    return info->stochastic;
}

static void philox(void *data, uint64_t draw, double *out, int count)
{
    static float noise[MACHINE_COUNT];
    ebb_noise_philox(7, 0, (uint32_t)draw, 0, (size_t)count, noise);
    for (int i = 0; i < count; i++)
        out[i] = noise[i];
}

// Mean and variance of 4096 runs at once, within 4 standard errors of `want`.
static void require_moments(struct ebb_run_params *params, const char *sampler, int steps,
                            struct moments want, double slack)
{
    struct ebb_run *run = make_run(params, sampler, steps);
    enum ebb_prediction prediction = params->prediction;
    m = (struct machine){.net = ideal_net, .data = &prediction, .noise = philox, .count = MACHINE_COUNT};
    philox(NULL, 0, m.slot[0], MACHINE_COUNT);
    machine_run(&m, run);
    ebb_run_destroy(&run);
    double mean = 0, variance = 0;
    for (int i = 0; i < MACHINE_COUNT; i++)
        mean += m.slot[0][i] / MACHINE_COUNT;
    for (int i = 0; i < MACHINE_COUNT; i++)
        variance += pow(m.slot[0][i] - mean, 2) / (MACHINE_COUNT - 1);
    REQUIRE_NEAR(mean, want.mean, slack + 4 * sqrt(want.variance / MACHINE_COUNT), sampler);
    REQUIRE_NEAR(variance, want.variance, slack + 4 * want.variance * sqrt(2.0 / MACHINE_COUNT), sampler);
}

TEST(stochastic_samplers_match_their_recursion)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.schedule = s;
    params.prediction = EBB_PREDICT_V;
    EBB_EACH_SAMPLER (info)
        if (drawn(info))
            require_moments(&params, info->name, 20, exact_moments(&params, info->name, 20), 0);
    params.eta = 1;
    require_moments(&params, "ddim", 20, exact_moments(&params, "ddpm", 20), 0); // eta 1 is ancestral
    ebb_schedule_destroy(&s);
}

TEST(stochastic_samplers_come_to_the_truth)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.schedule = s;
    params.spacing = "karras";
    EBB_EACH_SAMPLER (info) {
        if (!drawn(info))
            continue;
        struct moments few = exact_moments(&params, info->name, 50),
                       many = exact_moments(&params, info->name, 800);
        // Langevin's steps have a size of their own, which more levels do not make smaller.
        double slack = strcmp(info->name, "langevin") == 0 ? 0.1 : 0.02;
        REQUIRE_NEAR(many.mean, MEAN, slack, info->name);
        REQUIRE_NEAR(many.variance / (DEV * DEV), 1, slack, info->name);
        REQUIRE(fabs(many.variance - DEV * DEV) < fabs(few.variance - DEV * DEV) + 1e-3);
    }
    require_moments(&params, "pc", 200, (struct moments){MEAN, DEV * DEV}, 0.02);
    ebb_schedule_destroy(&s);
}

// A cosine begins where the noise is 20 291 times the signal. From there forty steps still lead to the data.
TEST(next_to_no_signal_does_no_harm)
{
    struct ebb_schedule_params sp;
    ebb_schedule_params_default(&sp);
    sp.name = "cosine";
    struct ebb_schedule *s = ebb_schedule_create(&sp, NULL);
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.schedule = s;
    params.prediction = EBB_PREDICT_V;
    EBB_EACH_SAMPLER (info) {
        if (info->stochastic && !drawn(info) && strcmp(info->name, "pc") != 0)
            continue;
        EBB_EACH_SPACING (spacing) {
            if (strcmp(spacing->name, "exponential") != 0 && strcmp(spacing->name, "trailing") != 0)
                continue;
            params.spacing = spacing->name;
            struct ebb_run *run = make_run(&params, info->name, 40);
            enum ebb_prediction prediction = params.prediction;
            m = (struct machine){.net = ideal_net,
                                 .data = &prediction,
                                 .noise = philox,
                                 .count = MACHINE_COUNT};
            philox(NULL, 0, m.slot[0], MACHINE_COUNT);
            machine_run(&m, run);
            ebb_run_destroy(&run);
            double mean = 0, squares = 0;
            for (int i = 0; i < MACHINE_COUNT; i++) {
                mean += m.slot[0][i] / MACHINE_COUNT;
                squares += m.slot[0][i] * m.slot[0][i] / MACHINE_COUNT;
            }
            char what[96];
            snprintf(what, sizeof(what), "%s, %s: %g, %g", info->name, spacing->name, mean,
                     sqrt(squares - mean * mean));
            REQUIRE_NEAR(mean, MEAN, 0.1, what);
            REQUIRE_NEAR(sqrt(squares - mean * mean) / DEV, 1,
                         strcmp(info->name, "langevin") == 0 ? 0.35 : 0.25, what);
        }
    }
    ebb_schedule_destroy(&s);
}

// Churn adds noise that the steps take away again.
TEST(churn_keeps_the_distribution)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.schedule = s;
    params.spacing = "karras";
    params.s_churn = 20;
    static const char *const names[] = {"euler", "heun", "dpm2"};
    for (int i = 0; i < 3; i++) {
        struct moments got = exact_moments(&params, names[i], 400);
        REQUIRE(m.draws == 400 - 1 || m.draws == 400);
        REQUIRE_NEAR(got.mean, MEAN, i ? 0.01 : 0.05, names[i]); // euler is of first order
        REQUIRE_NEAR(got.variance / (DEV * DEV), 1, i ? 0.01 : 0.05, names[i]);
    }
    ebb_schedule_destroy(&s);
}

// Learned variances: half way between the two fixed ones.
TEST(learned_range_lies_between)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.schedule = s;
    params.variance = "fixed-small";
    double small = exact_moments(&params, "ddpm", 20).variance;
    params.variance = "fixed-large";
    double large = exact_moments(&params, "ddpm", 20).variance;
    params.variance = "learned-range";
    double range = exact_moments(&params, "ddpm", 20).variance;
    REQUIRE(small < range && range < large);
    ebb_schedule_destroy(&s);
}

// 0.7 at (2, 1), 0.3 at (-2, -1), each of deviation 0.25: pairs of elements are points.
static const double SHARE = 0.7, SPOT[2] = {2, 1}, SPREAD = 0.25;

static void mixture_net(void *data, const struct ebb_run_instruction *in, const double *x, double *out,
                        double *second, int count)
{
    struct ebb_prediction_weights w = ebb_prediction_from_x0(EBB_PREDICT_EPS, in->alpha, in->sigma, 0.5);
    double a = in->alpha, v = a * a * SPREAD * SPREAD + in->sigma * in->sigma;
    for (int i = 0; i < count; i += 2) {
        double dot = a * (x[i] * SPOT[0] + x[i + 1] * SPOT[1]) / v; // half the log odds the position tells
        double right = 1 / (1 + (1 - SHARE) / SHARE * exp(-2 * dot));
        for (int k = 0; k < 2; k++) {
            double x0 = right * ideal(x[i + k], a, in->sigma, SPOT[k], SPREAD) +
                        (1 - right) * ideal(x[i + k], a, in->sigma, -SPOT[k], SPREAD);
            out[i + k] = w.x * x[i + k] + w.out * x0;
        }
    }
}

TEST(mixture_keeps_its_shares)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.schedule = s;
    params.spacing = "karras";
    params.rtol = params.atol = 1e-4;
    EBB_EACH_SAMPLER (info) {
        if (info->stochastic && !drawn(info) && strcmp(info->name, "pc") != 0)
            continue;
        struct ebb_run *run = make_run(&params, info->name, 60);
        m = (struct machine){.net = mixture_net, .noise = philox, .count = MACHINE_COUNT};
        philox(NULL, 0, m.slot[0], MACHINE_COUNT);
        machine_run(&m, run);
        ebb_run_destroy(&run);
        int right = 0, near = 0, points = MACHINE_COUNT / 2;
        for (int i = 0; i < MACHINE_COUNT; i += 2) {
            const double *x = m.slot[0] + i;
            double side = x[0] * SPOT[0] + x[1] * SPOT[1] > 0 ? 1 : -1;
            right += side > 0;
            near += hypot(x[0] - side * SPOT[0], x[1] - side * SPOT[1]) < 4 * SPREAD;
        }
        double slack = strcmp(info->name, "langevin") == 0 ? 0.05 : 0; // its few steps a level mix
                                                                       // imperfectly
        REQUIRE_NEAR((double)right / points, SHARE, slack + 4 * sqrt(SHARE * (1 - SHARE) / points),
                     info->name);
        REQUIRE(near > 0.99 * points);
    }
    ebb_schedule_destroy(&s);
}

// Down to the noise and up again with DDIM: what is missing falls with the steps.
TEST(inversion_comes_back)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    double error[2];
    for (int k = 0; k < 2; k++) {
        struct ebb_run_params params;
        ebb_run_params_default(&params);
        params.schedule = s;
        params.inverse = true;
        struct ebb_run *run = make_run(&params, "ddim", k ? 500 : 50);
        enum ebb_prediction prediction = EBB_PREDICT_EPS;
        m = (struct machine){.net = ideal_net, .data = &prediction, .count = 1};
        m.slot[0][0] = 0.9;
        double alpha, sigma;
        ebb_run_start(run, &alpha, &sigma);
        REQUIRE(alpha == 1 && sigma == 0);
        machine_run(&m, run);
        ebb_run_destroy(&run);

        params.inverse = false;
        run = make_run(&params, "ddim", k ? 500 : 50);
        machine_run(&m, run);
        error[k] = fabs(m.slot[0][0] - 0.9);
        ebb_run_destroy(&run);
    }
    REQUIRE_NEAR(error[1], 0, 0.02, "inversion");
    REQUIRE(error[1] < 0.2 * error[0]);
    ebb_schedule_destroy(&s);
}

TEST_MAIN
