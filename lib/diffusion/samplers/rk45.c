// SPDX-License-Identifier: LGPL-2.1-or-later
// Adaptive Dormand and Prince 5(4) on the probability-flow ODE, d(x / alpha) / dr = eps over the ratio r =
// sigma / alpha (Song 2021, section 4.3). The error is measured against atol + rtol * |x|; a step that misses
// is taken back. The last slope of a step is the first of the next.
#include <math.h>

#include "diffusion/samplers/samplers.h"

enum { SLOPE = SLOT_PAST, GUESS = SLOPE + 7, CLEAN, ERROR, RK_SLOTS };
enum { R, H, R_END, COUNT }; // run->number
enum { BEGIN, TRIED };       // run->stage

static const double node[7] = {0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1};
static const double tableau[7][6] = {
    {0},
    {1. / 5},
    {3. / 40, 9. / 40},
    {44. / 45, -56. / 15, 32. / 9},
    {19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
    {9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
    {35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84},
};
static const double fault[7] = {71. / 57600,      0,         -71. / 16695, 71. / 1920,
                                -17253. / 339200, 22. / 525, -1. / 40};

static void slope(struct ebb_run *run, const struct ebb_noise_level *at, int src, int dst)
{
    run_estimate(run, at, src, CLEAN);
    run_eps_of(run, at, src, CLEAN, dst);
}

static void attempt(struct ebb_run *run)
{
    double r = run->number[R], h = run->number[H];
    struct ebb_noise_level at = run->level;
    for (int i = 1; i < 7; i++) {
        at = ebb_noise_level_at_lambda(run->params.schedule, -log(r + node[i] * h));
        struct ebb_run_term terms[7] = {{SLOT_X, at.alpha / run->level.alpha}};
        for (int j = 0; j < i; j++)
            terms[j + 1] = (struct ebb_run_term){SLOPE + j, at.alpha * h * tableau[i][j]};
        run_blend(run, GUESS, terms, (size_t)i + 1);
        slope(run, &at, GUESS, SLOPE + i);
    }

    struct ebb_run_term terms[7];
    for (int j = 0; j < 7; j++)
        terms[j] = (struct ebb_run_term){SLOPE + j, at.alpha * h * fault[j]};
    run_blend(run, ERROR, terms, 7);
    run_measure(run, EBB_MEASURE_ERROR, ERROR, GUESS, GUESS);
    run->stage = TRIED;
}

static void begin(struct ebb_run *run)
{
    const struct ebb_noise_level *end = &run->grid[run->steps];
    run->level = run->grid[0];
    if (run_is_nothing(run, &run->level)) { // no signal yet: one Euler step to a level with signal
        struct ebb_noise_level from = run->level;
        run->level = ebb_noise_level_at_lambda(run->params.schedule,
                                               -log(fmin(RUN_NOTHING,
                                                         ebb_schedule_ratio_max(run->params.schedule))));
        run_estimate(run, &from, SLOT_X, CLEAN);
        run_move(run, &from, &run->level, SLOT_X, CLEAN, SLOT_X);
    }
    run->number[R] = run->level.sigma / run->level.alpha;
    run->number[R_END] = end->sigma > 0 ? end->sigma / end->alpha
                                        : ebb_schedule_ratio_min(run->params.schedule);
    run->number[H] = 0.1 * (run->number[R_END] - run->number[R]);
    slope(run, &run->level, SLOT_X, SLOPE);
}

// Accepts the step. At the end, the last slope removes the rest of the noise.
static void accept(struct ebb_run *run)
{
    run->number[R] += run->number[H];
    run->level = ebb_noise_level_at_lambda(run->params.schedule, -log(run->number[R]));
    bool done = run->number[R] <= run->number[R_END] * (1 + 1e-12);
    const struct ebb_noise_level *end = &run->grid[run->steps];
    if (done && end->sigma == 0) {
        RUN_BLEND(run, SLOT_X, {GUESS, 1 / run->level.alpha}, {SLOPE + 6, -run->number[R]});
        run->level = *end;
    } else {
        RUN_BLEND(run, SLOT_X, {GUESS, 1});
        RUN_BLEND(run, SLOPE, {SLOPE + 6, 1});
    }

    run->step = (int)run->number[COUNT]++; // a count; the levels are not those of the grid
    run_step_to(run, &run->level);
    run->queue[run->count - 1].steps = done ? run->step + 1 : run->step + 2;
    if (done)
        run_finish(run);
}

static void rk45(struct ebb_run *run)
{
    if (run->stage == BEGIN) {
        begin(run);
    } else {
        double error = run->measured;
        if (!isfinite(error)) {
            run->failure = "the network's answer is not finite";
            return;
        }
        if (error <= 1)
            accept(run);
        else
            run->rejected++;
        run->number[H] *= fmin(5, fmax(0.2, 0.9 * pow(fmax(error, 1e-10), -0.2)));
    }
    if (run->finished)
        return;

    run->number[H] = fmax(run->number[H], run->number[R_END] - run->number[R]);
    if (run->evals > 6 * EBB_RUN_MAX_STEPS || fabs(run->number[H]) < 1e-12 * run->number[R])
        run->failure = "the tolerance cannot be met";
    else
        attempt(run);
}

static const struct ebb_sampler_method method_rk45 = {.slots = RK_SLOTS, .measures = true, .step = rk45};

const struct ebb_sampler_info samplers_rk45[] = {
    {"rk45", "Adaptive Dormand-Prince on the probability-flow ODE, rtol and atol", "Song 2021", 5, 0, false,
     .method = &method_rk45},
    SAMPLERS_END,
};
