// SPDX-License-Identifier: LGPL-2.1-or-later
// The reverse process as trained (Ho 2020): draw from the posterior q(x_next | x_now, x_0) with the estimate
// for x_0.
#include <math.h>
#include <string.h>

#include "diffusion/samplers/samplers.h"

// Learned range (Nichol 2021, equation 15): log variance between log posterior variance and log beta by the
// network's second half p in [-1, 1]: sd = exp(log(small) + (p + 1) / 2 * (log(large) - log(small))), in
// deviations.
static void learned_range(struct ebb_run *run, double small, double large)
{
    struct ebb_run_instruction *in = run_emit(run, EBB_RUN_EXP);
    double low = log(fmax(small, 1e-10)), high = log(large);
    in->dst = in->src = SLOT_FACTOR;
    in->scale = 0.5 * (high - low);
    in->offset = 0.5 * (high + low);
}

static void ddpm(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    const char *variance = run->params.variance;
    struct ebb_gaussian posterior = ebb_noise_level_posterior(now, next);
    double large = ebb_noise_level_forward(next, now).sd;
    bool learned = strcmp(variance, "learned") == 0, range = strcmp(variance, "learned-range") == 0;

    run_estimate(run, now, SLOT_X, SLOT_PAST);
    // diffusers draws noise once more if the last visited step is not step 0.
    bool draws = run->quirks ? now->step > 0 : next->sigma > 0;
    if (!draws) {
        RUN_BLEND(run, SLOT_X, {SLOT_X, posterior.x}, {SLOT_PAST, posterior.x0});
        run_step_done(run);
        return;
    }

    if (range) {
        learned_range(run, posterior.sd, large);
    } else if (learned) {
        struct ebb_run_instruction *in = run_emit(run, EBB_RUN_SQRT);
        in->dst = in->src = SLOT_FACTOR;
    }
    run_noise(run, SLOT_NOISE);
    double sd = learned || range                       ? 1
                : strcmp(variance, "fixed-large") == 0 ? large
                                                       : fmax(posterior.sd, 1e-10);
    struct ebb_run_instruction *step = RUN_BLEND(run, SLOT_X, {SLOT_X, posterior.x},
                                                 {SLOT_PAST, posterior.x0}, {SLOT_NOISE, sd});
    step->noise_scale = learned || range ? SLOT_FACTOR : -1;
    run_step_done(run);
}

static const struct ebb_sampler_method method_ddpm = {.slots = SLOT_PAST + 1, .step = ddpm};

const struct ebb_sampler_info samplers_ddpm[] = {
    {"ddpm", "Ancestral steps as trained, small, large or learned variance", "Ho 2020, Nichol 2021", 0, 1,
     true, .method = &method_ddpm},
    SAMPLERS_END,
};
