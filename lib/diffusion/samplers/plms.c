// SPDX-License-Identifier: LGPL-2.1-or-later
// Pseudo linear multistep (Liu 2022, PNDM): eps mixed with the weights of Adams and Bashforth, then moved
// along the line that DDIM takes. PLMS starts with one step of two evaluations, PNDM with three of Runge and
// Kutta's four.
#include <math.h>

#include "diffusion/quirks.h"
#include "diffusion/samplers/samplers.h"

enum { START = SLOT_FREE, MIX };

// diffusers mixes the network's outputs and computes eps from the mixture; Ebb mixes eps.
static int remember(struct ebb_run *run)
{
    if (!run->quirks) {
        run_remember_eps(run);
        return run->past[0].slot;
    }
    run_remember(run);
    RUN_BLEND(run, run->past[0].slot, {SLOT_OUT, 1});
    return run->past[0].slot;
}

// x = slot[src] at `from`, moved to `to` with the eps of the mixture.
static void transfer(struct ebb_run *run, const struct ebb_noise_level *from,
                     const struct ebb_noise_level *to, int src)
{
    int eps = MIX;
    if (run->quirks) {
        struct ebb_prediction_weights w = ebb_prediction_to_eps(run->params.prediction, from->alpha,
                                                                from->sigma, 0.5);
        RUN_BLEND(run, MIX, {src, w.x}, {MIX, w.out});
    }
    double keep = to->alpha / from->alpha;
    RUN_BLEND(run, SLOT_X, {src, keep}, {eps, to->sigma - keep * from->sigma});
}

static void adams_bashforth(struct ebb_run *run)
{
    static const double weight[4][4] = {{1},
                                        {3. / 2, -1. / 2},
                                        {23. / 12, -16. / 12, 5. / 12},
                                        {55. / 24, -59. / 24, 37. / 24, -9. / 24}};
    const struct run_past *m = run->past;
    const double *w = weight[(run->seen < 4 ? run->seen : 4) - 1];
    RUN_BLEND(run, MIX, {m[0].slot, w[0]}, {m[1].slot, w[1]}, {m[2].slot, w[2]}, {m[3].slot, w[3]});
}

static bool no_signal(struct ebb_run *run)
{
    if (!run_is_nothing(run, run_now(run)))
        return false;
    run_estimate(run, run_now(run), SLOT_X, MIX);
    run_move(run, run_now(run), run_next(run), SLOT_X, MIX, SLOT_X);
    run_step_done(run);
    return true;
}

// The second evaluation of the first step, at the guess. Its eps enters the average and is not remembered.
static void first_step(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_next(run);
    int first = remember(run);
    if (next->sigma == 0 || run->steps == 1) {
        RUN_BLEND(run, MIX, {first, 1});
        transfer(run, now, run_target(run), SLOT_X);
        return;
    }

    RUN_BLEND(run, START, {SLOT_X, 1});
    RUN_BLEND(run, MIX, {first, 1});
    transfer(run, now, run_target(run), SLOT_X);
    run_ask(run, next, SLOT_X);
    if (!run->quirks)
        run_eps_said(run, next, SLOT_X, SLOT_OUT);
    RUN_BLEND(run, MIX, {first, 0.5}, {SLOT_OUT, 0.5});
    struct ebb_noise_level from = run->quirks ? run->again_from : *now;
    transfer(run, &from, next, START);
}

static void plms(struct ebb_run *run)
{
    if (no_signal(run))
        return;
    if (run->seen == 0) {
        first_step(run);
    } else {
        remember(run);
        adams_bashforth(run);
        transfer(run, run_now(run), run_target(run), SLOT_X);
    }
    run_step_done(run);
}

static const struct ebb_sampler_method method_plms = {.slots = MIX + 1, .step = plms};

// One pseudo step of Runge and Kutta: three moves to the middle and the end; the weights of eps are 1, 2, 2,
// 1.
enum { SUM = MIX + 1 };

static void runge_kutta(struct ebb_run *run)
{
    const struct ebb_noise_level *now = run_now(run), *next = run_target(run);
    struct ebb_noise_level middle = run->middle ? run->middle[run->step]
                                                : ebb_noise_level_at_step(run->params.schedule,
                                                                          0.5 * (now->step + next->step));
    const struct ebb_noise_level *at[3] = {&middle, &middle, next}, *to[3] = {&middle, &middle, next};
    struct ebb_noise_level early = middle;
    // diffusers' first guess lies half a stride below, but the network is told the time of the middle.
    if (run->quirks) {
        int stride = ebb_schedule_steps(run->params.schedule) / run->steps;
        early = ebb_noise_level_at_step(run->params.schedule, now->step - stride / 2);
        to[0] = &early;
    }
    const double weight[3] = {1. / 3, 1. / 3, 1. / 6};
    int first = remember(run);
    RUN_BLEND(run, START, {SLOT_X, 1});
    RUN_BLEND(run, SUM, {first, 1. / 6});
    RUN_BLEND(run, MIX, {first, 1});
    for (int i = 0; i < 3; i++) {
        transfer(run, now, to[i], START);
        run_ask(run, at[i], SLOT_X);
        if (!run->quirks)
            run_eps_said(run, at[i], SLOT_X, SLOT_OUT);
        RUN_BLEND(run, SUM, {SUM, 1}, {SLOT_OUT, weight[i]});
        RUN_BLEND(run, MIX, {SLOT_OUT, 1});
    }
    RUN_BLEND(run, MIX, {SUM, 1});
    transfer(run, now, next, START);
}

static void pndm(struct ebb_run *run)
{
    if (no_signal(run))
        return;
    if (run->seen < 3 && run_target(run)->sigma > 0) {
        runge_kutta(run);
    } else {
        remember(run);
        adams_bashforth(run);
        transfer(run, run_now(run), run_target(run), SLOT_X);
    }
    run_step_done(run);
}

static const struct ebb_sampler_method method_pndm = {.slots = SUM + 1, .step = pndm};

// iPNDM (Zhang 2023, after Liu 2022): one evaluation a step, and no special start. The weights are those of
// as many values as there are.
static void ipndm(struct ebb_run *run)
{
    if (no_signal(run))
        return;
    remember(run);
    adams_bashforth(run);
    transfer(run, run_now(run), run_next(run), SLOT_X);
    run_step_done(run);
}

static const struct ebb_sampler_method method_ipndm = {.slots = MIX + 1, .step = ipndm};

const struct ebb_sampler_info samplers_plms[] = {
    {"plms", "Pseudo linear multistep, what Stable Diffusion folders ask for", "Liu 2022", 2, 2, false,
     .method = &method_plms},
    {"pndm", "The same, started by three Runge-Kutta steps of four evaluations", "Liu 2022", 2, 4, false,
     .method = &method_pndm},
    {"ipndm", "Improved pseudo linear multistep: the same weights, started by lower orders", "Zhang 2023", 2,
     1, false, .method = &method_ipndm},
    SAMPLERS_END,
};
