// SPDX-License-Identifier: LGPL-2.1-or-later
// Samplers of consistency-distilled models: the network jumps to the clean sound, the rest is noised down
// again.
#include <math.h>

#include "base/base.h"
#include "diffusion/quirks.h"
#include "diffusion/samplers/samplers.h"

enum { CLEAN = SLOT_PAST, EPS, CONSISTENCY_SLOTS };

// Latent consistency (Luo 2023): the boundary condition is a blend of estimate and state that is x itself at
// time 0.
static void lcm(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    const double sigma_data = 0.5, scale = run->quirks ? run->quirks->timestep_scaling : 10;
    double t = scale * now->label, all = t * t + sigma_data * sigma_data;
    double skip = sigma_data * sigma_data / all, out = t / sqrt(all);

    run_estimate(run, now, SLOT_X, CLEAN);
    if (run_last(run)) {
        RUN_BLEND(run, SLOT_X, {CLEAN, next->alpha * out}, {SLOT_X, next->alpha * skip});
    } else {
        run_noise(run, SLOT_NOISE);
        RUN_BLEND(run, SLOT_X, {CLEAN, next->alpha * out}, {SLOT_X, next->alpha * skip},
                  {SLOT_NOISE, next->sigma});
    }
    run_step_done(run);
}

static const struct ebb_sampler_method method_lcm = {.slots = CONSISTENCY_SLOTS,
                                                     .consistency = true,
                                                     .step = lcm};

// Trajectory consistency (Zheng 2024): down to (1 - eta) of the next time, then forward to it with fresh
// noise.
static void tcd(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_target(run);
    double eta = run_eta(run, 0.3), step = floor((1 - eta) * fmax(0, next->step));
    struct ebb_noise_level low = next->sigma == 0 ? *next
                                                  : ebb_noise_level_at_step(run->params.schedule, step);
    double keep = next->alpha / low.alpha;
    struct ebb_gaussian up = ebb_noise_level_forward(&low, next);
    bool last = run_last(run);

    run_estimate(run, now, SLOT_X, CLEAN);
    run_eps_said(run, now, SLOT_X, EPS);
    if (eta > 0 && !last)
        run_noise(run, SLOT_NOISE);
    double x = last ? 1 : keep, z = eta > 0 && !last ? up.sd : 0;
    if (eta == 0)
        x = 1;
    RUN_BLEND(run, SLOT_X, {CLEAN, x * low.alpha}, {EPS, x * low.sigma}, {SLOT_NOISE, z});
    run_step_done(run);
}

static const struct ebb_sampler_method method_tcd = {.slots = CONSISTENCY_SLOTS,
                                                     .consistency = true,
                                                     .step = tcd};

// Consistency models (Song 2023, algorithm 1): F is preconditioned so that x is its own answer at sigma_min.
static void cm(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    double d = ebb_schedule_sigma_data(run->params.schedule),
           low = ebb_schedule_ratio_min(run->params.schedule);
    double s = now->sigma / now->alpha, over = s - low;
    double skip = d * d / (over * over + d * d), out = over * d / sqrt(s * s + d * d);
    double to = fmax(next->sigma / next->alpha, low), fresh = sqrt(to * to - low * low);

    run_ask(run, now, SLOT_X);
    RUN_BLEND(run, CLEAN, {SLOT_OUT, out}, {SLOT_X, skip / now->alpha})->clamp = run->params.clip;
    if (run->quirks ? run->steps > 1 : fresh > 0)
        run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, SLOT_X, {CLEAN, next->alpha}, {SLOT_NOISE, next->alpha * fresh * run->params.s_noise});
    run_step_done(run);
}

static bool cm_check(const struct ebb_run *run, struct ebb_error *error)
{
    if (ebb_schedule_is_edm(run->params.schedule) && run->params.prediction == EBB_PREDICT_EDM)
        return true;
    ebb_fail(error, EBB_UNSUPPORTED,
             "sampler cm needs schedule edm and prediction edm; lcm and tcd take the others");
    return false;
}

static const struct ebb_sampler_method method_cm = {.slots = CONSISTENCY_SLOTS,
                                                    .consistency = true,
                                                    .check = cm_check,
                                                    .step = cm};

const struct ebb_sampler_info samplers_consistency[] = {
    {"lcm", "Latent consistency, for distilled models only", "Luo 2023", 0, 1, true, .method = &method_lcm},
    {"tcd", "Trajectory consistency, for distilled models only", "Zheng 2024", 0, 1, true, .eta = true,
     .method = &method_tcd},
    {"cm", "Multistep consistency, for distilled models only", "Song 2023", 0, 1, true, .method = &method_cm},
    SAMPLERS_END,
};
