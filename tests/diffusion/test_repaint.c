// SPDX-License-Identifier: LGPL-2.1-or-later
// RePaint where everything is known: two numbers that belong together, one of them held.
#include "test.h"

#include "diffusion/noise.h"
#include "machine.h"

static const double TIE = 0.9, HELD = 1.5; // correlation of the pair; what the first of them is held at

// x_0 = (a, b), both N(0, 1), E[ab] = TIE: along the diagonals u = (a + b) / sqrt 2 and v they are
// independent.
static void pair_net(void *data, const struct ebb_run_instruction *in, const double *x, double *out,
                     double *second, int count)
{
    struct ebb_prediction_weights w = ebb_prediction_from_x0(EBB_PREDICT_EPS, in->alpha, in->sigma, 0.5);
    for (int i = 0; i < count; i += 2) {
        double u = (x[i] + x[i + 1]) / in->scale / 2, v = (x[i] - x[i + 1]) / in->scale / 2;
        double variance[] = {1 + TIE, 1 - TIE}, at = in->alpha * in->alpha, noise = in->sigma * in->sigma;
        u *= in->alpha * variance[0] / (at * variance[0] + noise);
        v *= in->alpha * variance[1] / (at * variance[1] + noise);
        out[i] = w.x * x[i] / in->scale + w.out * (u + v);
        out[i + 1] = w.x * x[i + 1] / in->scale + w.out * (u - v);
    }
}

static void normal(void *data, uint64_t draw, double *out, int count)
{
    static float values[MACHINE_COUNT];
    ebb_noise_philox(7, 0, (uint32_t)draw, 0, (size_t)count, values);
    for (int i = 0; i < count; i++)
        out[i] = values[i];
}

// As the engine's loop holds: on the way of the start's noise.
static void hold(void *data, const struct ebb_run_instruction *in, double *x, int count)
{
    const double *first = *(double *const *)data;
    for (int i = 0; i < count; i += 2)
        x[i] = in->alpha * HELD + in->sigma * first[i];
}

static struct machine m;
static double first[MACHINE_COUNT];

// Mean of the free number beside what it should be, TIE * HELD.
static double miss(const char *sampler, int resample, int *evals)
{
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.sampler = sampler;
    params.schedule = s;
    params.steps = 30;
    params.resample = resample;
    params.consistency = true;
    struct ebb_error error = {0};
    struct ebb_run *run = ebb_run_create(&params, &error);
    if (!run) {
        ebb_schedule_destroy(&s);
        REQUIRE(strstr(error.message, "done again") || strstr(error.message, "edm"));
        return NAN;
    }
    double *noise = first;
    m = (struct machine){
        .net = pair_net, .noise = normal, .after_step = hold, .data = &noise, .count = MACHINE_COUNT};
    normal(NULL, 0, first, MACHINE_COUNT);
    memcpy(m.slot[0], first, sizeof(first));
    machine_run(&m, run);
    double mean = 0;
    for (int i = 1; i < MACHINE_COUNT; i += 2)
        mean += m.slot[0][i] / (MACHINE_COUNT / 2);
    *evals = m.evals;
    ebb_run_destroy(&run);
    ebb_schedule_destroy(&s);
    return fabs(mean - TIE * HELD);
}

TEST(doing_steps_again_makes_old_and_new_agree)
{
    const char *const samplers[] = {"ddpm", "ddim", "dpmpp-2m", "heun"};
    for (int i = 0; i < 4; i++) {
        int evals;
        double once = miss(samplers[i], 1, &evals), few = miss(samplers[i], 4, &evals),
               many = miss(samplers[i], 16, &evals);
        printf("# %s: off by %.3f, %.3f, %.3f\n", samplers[i], once, few, many);
        REQUIRE(few < 0.7 * once && many < 0.7 * few);
        REQUIRE(once > 0.2 && many < 0.12);
    }
}

// Samplers that remember steps, and those that count on it, included.
TEST(every_sampler_can_do_steps_again_or_says_so)
{
    int ran = 0, evals;
    EBB_EACH_SAMPLER (info) {
        double off = miss(info->name, 6, &evals);
        ran += !isnan(off);
        if (off > 0.25)
            TEST_FAIL("%s is off by %.3f", info->name, off);
    }
    REQUIRE(ran >= 24);
}

TEST(every_step_but_the_last_is_done_as_often_as_asked)
{
    int one, five;
    miss("ddim", 1, &one);
    miss("ddim", 5, &five);
    REQUIRE(one == 30 && five == 29 * 5 + 1);
}

TEST_MAIN
