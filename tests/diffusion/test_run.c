// SPDX-License-Identifier: LGPL-2.1-or-later
#include "test.h"

#include "diffusion/emit.h"
#include "machine.h"

static struct ebb_schedule *linear(void)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    REQUIRE(s);
    return s;
}

struct constant {
    enum ebb_prediction prediction;
    double x0;
};

// A network that always has x_0 in mind.
static void constant_net(void *data, const struct ebb_run_instruction *in, const double *x, double *out,
                         double *second, int count)
{
    const struct constant *c = data;
    struct ebb_prediction_weights w = ebb_prediction_from_x0(c->prediction, in->alpha, in->sigma, 0.5);
    for (int i = 0; i < count; i++) {
        out[i] = w.x * x[i] / in->scale + w.out * c->x0;
        if (second)
            second[i] = 0;
    }
}

static void some_noise(void *data, uint64_t draw, double *out, int count)
{
    for (int i = 0; i < count; i++)
        out[i] = sin(37.0 * (double)draw + i);
}

TEST(every_sampler_finds_a_constant)
{
    struct ebb_schedule *s = linear();
    EBB_EACH_SAMPLER (info) {
        for (int p = 0; p <= EBB_PREDICT_FLOW && strcmp(info->name, "cm") != 0; p++) {
            struct ebb_run_params params;
            ebb_run_params_default(&params);
            params.sampler = info->name;
            params.schedule = s;
            params.prediction = p;
            params.steps = 12;
            params.consistency = true;
            struct ebb_error error;
            struct ebb_run *run = ebb_run_create(&params, &error);
            if (!run)
                TEST_FAIL("%s: %s", info->name, error.message);

            static struct machine m;
            struct constant constant = {p, 0.3};
            m = (struct machine){.net = constant_net, .data = &constant, .noise = some_noise, .count = 4};
            for (int i = 0; i < 4; i++)
                m.slot[0][i] = i - 1.5;
            machine_run(&m, run);
            for (int i = 0; i < 4; i++)
                REQUIRE_NEAR(m.slot[0][i], 0.3, 1e-6, info->name);
            int listed = ebb_run_timesteps(run, NULL, 0);
            if (listed != 0 && listed != m.evals)
                TEST_FAIL("%s lists %d evaluations and makes %d", info->name, listed, m.evals);
            struct ebb_run_outline outline;
            if (ebb_run_outline(run, &outline) != (listed > 0) ||
                (listed > 0 && (outline.evals != m.evals || outline.draws != m.draws)))
                TEST_FAIL("%s: %d evaluations and %d draws are outlined", info->name, outline.evals,
                          outline.draws);
            if ((m.draws > 0) != info->stochastic)
                TEST_FAIL("%s draws %d times", info->name, m.draws);
            if (info->evals && m.evals > info->evals * 12)
                TEST_FAIL("%s evaluates %d times in 12 steps", info->name, m.evals);
            REQUIRE(ebb_run_slots(run) <= EBB_RUN_SLOTS);
            ebb_run_destroy(&run);
        }
    }
    ebb_schedule_destroy(&s);
}

static void require_steps(const char *spacing, double start, int steps, int offset, const double *want,
                          int count)
{
    struct ebb_schedule *s = linear();
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.sampler = "ddim";
    params.schedule = s;
    params.spacing = spacing;
    params.steps = steps;
    params.steps_offset = offset;
    params.start = start;
    struct ebb_error error;
    struct ebb_run *run = ebb_run_create(&params, &error);
    if (!run)
        TEST_FAIL("%s", error.message);
    double got[100];
    REQUIRE(ebb_run_timesteps(run, got, 100) == count);
    for (int i = 0; i < count; i++)
        REQUIRE_NEAR(got[i], want[i], 0, spacing);
    ebb_run_destroy(&run);
    ebb_schedule_destroy(&s);
}

TEST(spacings_visit_what_they_say)
{
    require_steps("trailing", 1, 4, 0, (const double[]){999, 749, 499, 249}, 4);
    require_steps("leading", 1, 4, 1, (const double[]){751, 501, 251, 1}, 4);
    require_steps("linspace", 1, 4, 0, (const double[]){999, 666, 333, 0}, 4);
    require_steps("trailing", 0.4, 2, 0, (const double[]){399, 199}, 2);
    require_steps("trailing", 0.003, 20, 0, (const double[]){2, 1, 0}, 3); // no more than there are
    require_steps("trailing", 0.0001, 20, 0, (const double[]){0}, 1);
}

TEST(visits_are_the_times_of_the_evaluations)
{
    struct ebb_schedule *s = linear();
    double t[64];
    REQUIRE(ebb_sampler_visits("ddim", s, NULL, 4, t, 64, NULL) == 4);
    for (int i = 0; i < 4; i++)
        REQUIRE_NEAR(t[i], 1 - 0.25 * i, 1e-9, "trailing");
    REQUIRE(ebb_sampler_visits("heun", s, "karras", 5, t, 2, NULL) == 9); // no second one in the last step
    REQUIRE(fabs(t[0] - 1) < 1e-9 && t[1] < t[0]);
    struct ebb_error error = {0};
    REQUIRE(ebb_sampler_visits("rk45", s, NULL, 4, t, 64, &error) == 0 && error.code == EBB_UNSUPPORTED);
    REQUIRE(ebb_sampler_visits("ddim", s, "trail", 4, t, 64, &error) == 0 &&
            strstr(error.message, "trailing"));
    REQUIRE(ebb_sampler_visits("nosuch", s, NULL, 4, t, 64, &error) == 0 && strstr(error.message, "ddpm"));
    EBB_EACH_SAMPLER (info) {
        struct ebb_schedule_params p;
        ebb_schedule_params_default(&p);
        p.name = strcmp(info->name, "cm") == 0 ? "edm" : "linear";
        struct ebb_schedule *own = ebb_schedule_create(&p, NULL);
        int count = ebb_sampler_visits(info->name, own, "karras", 12, t, 64, NULL);
        bool within = info->evals == 0
                          ? count == 0
                          : strcmp(info->name, "cm") == 0 || (count >= 12 && count <= 12 * info->evals);
        if (!within)
            TEST_FAIL("%s visits %d times", info->name, count);
        ebb_schedule_destroy(&own);
    }
    ebb_schedule_destroy(&s);
}

// Every schedule with every sampler and spacing, the state left where it is: nothing overflows, and the
// constant is found.
TEST(every_schedule_runs_with_every_sampler)
{
    static const char *const schedules[] = {"linear", "cosine", "laplace", "ve", "edm", "flow"};
    for (size_t k = 0; k < sizeof(schedules) / sizeof(schedules[0]); k++) {
        struct ebb_schedule_params sp;
        ebb_schedule_params_default(&sp);
        sp.name = schedules[k];
        struct ebb_schedule *s = ebb_schedule_create(&sp, NULL);
        REQUIRE(s);
        enum ebb_prediction prediction = k == 3   ? EBB_PREDICT_SCORE
                                         : k == 4 ? EBB_PREDICT_EDM
                                         : k == 5 ? EBB_PREDICT_FLOW
                                                  : EBB_PREDICT_V;
        EBB_EACH_SAMPLER (info) {
            EBB_EACH_SPACING (spacing) {
                if (strcmp(info->name, "cm") == 0 && k != 4)
                    continue;
                struct ebb_run_params params;
                ebb_run_params_default(&params);
                params.sampler = info->name;
                params.schedule = s;
                params.prediction = prediction;
                params.spacing = spacing->name;
                params.steps = 10;
                params.consistency = true;
                char what[64];
                snprintf(what, sizeof(what), "%s %s %s", schedules[k], info->name, spacing->name);
                struct ebb_error error;
                struct ebb_run *run = ebb_run_create(&params, &error);
                if (!run)
                    TEST_FAIL("%s: %s", what, error.message);
                static struct machine m;
                struct constant constant = {prediction, 0.3};
                m = (struct machine){.net = constant_net, .data = &constant, .noise = some_noise, .count = 2};
                double alpha, sigma;
                ebb_run_start(run, &alpha, &sigma);
                m.slot[0][0] = sigma;
                m.slot[0][1] = -0.4 * sigma;
                machine_run(&m, run);
                if (!info->method->consistency) // their boundary condition leaves a trace of the state
                    REQUIRE_NEAR(m.slot[0][0], 0.3, 1e-3, what);
                REQUIRE(isfinite(m.slot[0][1]));
                ebb_run_destroy(&run);
            }
        }
        ebb_schedule_destroy(&s);
    }
}

static void refused(const struct ebb_run_params *params, const char *word)
{
    struct ebb_error error = {0};
    REQUIRE(!ebb_run_create(params, &error));
    if (!strstr(error.message, word))
        TEST_FAIL("\"%s\" does not say \"%s\"", error.message, word);
}

TEST(bad_runs_are_refused)
{
    struct ebb_schedule *s = linear();
    struct ebb_run_params good;
    ebb_run_params_default(&good);
    good.schedule = s;
#define BAD(field, value, word)                                                                              \
    do {                                                                                                     \
        struct ebb_run_params p = good;                                                                      \
        p.field = (value);                                                                                   \
        refused(&p, word);                                                                                   \
    } while (0)
    BAD(sampler, "ddmp", "ddpm, ddim");
    BAD(sampler, NULL, "ddpm, ddim");
    BAD(schedule, NULL, "schedule");
    BAD(steps, 0, "1 to 1000");
    BAD(steps, -1, "1 to 1000");
    BAD(steps, 100000, "1 to 1000");
    BAD(steps, 1001, "1 to 1000");
    BAD(start, 0, "start");
    BAD(start, NAN, "start");
    BAD(start, 1.01, "start");
    BAD(end, 1, "end");
    BAD(eta, -0.1, "eta");
    BAD(eta, 1.1, "eta"); // not a number is the sampler's own
    BAD(clip, -1, "clip");
    BAD(threshold_ratio, 2, "threshold_ratio");
    BAD(s_churn, NAN, "s_churn");
    BAD(resample, 0, "1 to 100");
    BAD(resample, 101, "1 to 100");
    BAD(spacing, "trail", "trailing, leading");
    BAD(variance, "small", "fixed-small");
    BAD(prediction, (enum ebb_prediction)99, "prediction");
    BAD(sampler, "lcm", "consistency-distilled");
    good.consistency = true;
    BAD(sampler, "cm", "edm");
    ebb_schedule_destroy(&s);

    struct ebb_schedule_params p;
    ebb_schedule_params_default(&p);
    p.zero_terminal_snr = true;
    good.schedule = s = ebb_schedule_create(&p, NULL);
    refused(&good, "no signal");
    ebb_schedule_destroy(&s);
}

// From no signal at all, a network that predicts v starts the run all the same.
TEST(zero_terminal_snr_runs)
{
    struct ebb_schedule_params p;
    ebb_schedule_params_default(&p);
    p.zero_terminal_snr = true;
    struct ebb_schedule *s = ebb_schedule_create(&p, NULL);
    EBB_EACH_SAMPLER (info) {
        struct ebb_run_params params;
        if (strcmp(info->name, "cm") == 0)
            continue;
        ebb_run_params_default(&params);
        params.sampler = info->name;
        params.schedule = s;
        params.prediction = EBB_PREDICT_V;
        params.steps = 8;
        params.consistency = true;
        struct ebb_error error;
        struct ebb_run *run = ebb_run_create(&params, &error);
        if (!run)
            TEST_FAIL("%s: %s", info->name, error.message);
        static struct machine m;
        struct constant constant = {EBB_PREDICT_V, 0.3};
        m = (struct machine){.net = constant_net, .data = &constant, .noise = some_noise, .count = 1};
        m.slot[0][0] = 1.2;
        machine_run(&m, run);
        REQUIRE_NEAR(m.slot[0][0], 0.3, 1e-6, info->name);
        ebb_run_destroy(&run);
    }
    ebb_schedule_destroy(&s);
}

TEST_MAIN
