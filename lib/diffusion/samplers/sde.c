// SPDX-License-Identifier: LGPL-2.1-or-later
// The reverse SDE (Song 2021) in v = (sigma / alpha)^2: d(x / alpha) = score dv + noise of variance dv.
// Euler-Maruyama steps in v, Langevin steps at a level, and the two in turn.
#include <math.h>

#include "diffusion/samplers/samplers.h"

enum { CLEAN = SLOT_PAST, SCORE, SDE_SLOTS };

// (x / alpha)' = x / alpha + (x_0 - x / alpha) / v * (v - v') + sqrt(v - v') z; the last step ends at x_0.
static void predict(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    run_estimate(run, now, SLOT_X, CLEAN);
    double r = next->sigma / next->alpha, part = r * now->alpha / now->sigma, keep = part * part;
    if (next->sigma == 0 || run_is_nothing(run, now)) {
        run_move(run, now, next, SLOT_X, CLEAN, SLOT_X);
        return;
    }
    double fresh = next->alpha * r * sqrt(fmax(0, 1 / keep - 1));
    run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, SLOT_X, {SLOT_X, keep * next->alpha / now->alpha}, {CLEAN, next->alpha * (1 - keep)},
              {SLOT_NOISE, fresh});
}

static void euler_maruyama(struct ebb_run *run)
{
    predict(run);
    run_step_done(run);
}

static const struct ebb_sampler_method method_euler_maruyama = {.slots = SDE_SLOTS, .step = euler_maruyama};

// Corrector (Song 2021, algorithm 4): a Langevin step. Its size gives the wanted ratio of score to noise.
static void pc(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run);
    double v = now->sigma * now->sigma / (now->alpha * now->alpha);
    if (run_is_nothing(run, now)) {
        predict(run);
        run_step_done(run);
    } else if (run->stage == 0) {
        run_estimate(run, now, SLOT_X, CLEAN);
        RUN_BLEND(run, SCORE, {CLEAN, 1 / v}, {SLOT_X, -1 / (v * now->alpha)});
        run_noise(run, SLOT_NOISE);
        run_measure(run, EBB_MEASURE_RMS, SCORE, -1, -1);
        run->stage = 1;
    } else if (run->stage == 1) {
        run->number[0] = run->measured;
        run_measure(run, EBB_MEASURE_RMS, SLOT_NOISE, -1, -1);
        run->stage = 2;
    } else {
        double ratio = run->number[0] > 0 ? run->params.snr * run->measured / run->number[0] : 0,
               step = 2 * ratio * ratio;
        step = run->quirks ? step : fmin(step, v); // a tiny score would make a huge step
        RUN_BLEND(run, SLOT_X, {SLOT_X, 1}, {SCORE, now->alpha * step},
                  {SLOT_NOISE, now->alpha * sqrt(2 * step)});
        predict(run);
        run_step_done(run);
    }
}

static const struct ebb_sampler_method method_pc = {.slots = SDE_SLOTS, .measures = true, .step = pc};

// Annealed Langevin dynamics (Song 2019, algorithm 1): steps of size GRAIN * v at every level; nothing
// happens between levels. x + step / 2 * score + sqrt(step) z.
static void langevin(struct ebb_run *run)
{
    enum { INNER = 4 };
    static const double GRAIN = 0.5;
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    if (run_is_nothing(run, now)) {
        predict(run);
        run_step_done(run);
        return;
    }

    int inner = next->sigma == 0 ? INNER - 1 : INNER;
    for (int i = 0; i < inner; i++) {
        run_estimate(run, now, SLOT_X, CLEAN);
        run_noise(run, SLOT_NOISE);
        RUN_BLEND(run, SLOT_X, {SLOT_X, 1 - GRAIN / 2}, {CLEAN, now->alpha * GRAIN / 2},
                  {SLOT_NOISE, sqrt(GRAIN) * now->sigma});
    }
    if (next->sigma == 0)
        run_estimate(run, now, SLOT_X, SLOT_X);
    else
        RUN_BLEND(run, SLOT_X, {SLOT_X, next->alpha / now->alpha});
    run_step_done(run);
}

static const struct ebb_sampler_method method_langevin = {.slots = SDE_SLOTS, .step = langevin};

const struct ebb_sampler_info samplers_sde[] = {
    {"euler-maruyama", "The reverse SDE in plain steps", "Song 2021", 0, 1, true,
     .method = &method_euler_maruyama},
    {"pc", "Reverse SDE steps, each after a Langevin corrector", "Song 2021", 0, 2, true,
     .method = &method_pc},
    {"langevin", "Annealed Langevin dynamics, four steps a level", "Song 2019", 0, 4, true,
     .method = &method_langevin},
    SAMPLERS_END,
};
