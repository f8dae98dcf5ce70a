// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusion/emit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "diffusion/grid_diffusers.h"

void ebb_run_params_default(struct ebb_run_params *params)
{
    *params = (struct ebb_run_params){
        .sampler = "dpmpp-2m",
        .steps = 20,
        .start = 1,
        .spacing = "trailing",
        .variance = "fixed-small",
        .eta = NAN,
        .rtol = 1e-3,
        .atol = 1e-3,
        .snr = 0.16,
        .s_tmax = INFINITY,
        .s_noise = 1,
        .resample = 1,
    };
}

static void rewind_run(struct ebb_run *run)
{
    run->step = run->stage = run->round = run->seen = run->head = run->count = run->evals = run->rejected = 0;
    run->failure = NULL;
    run->waiting = run->finished = false;
    run->draw = 0;
    memset(run->number, 0, sizeof(run->number));
    for (int i = 0; i < RUN_PAST; i++)
        run->past[i] = (struct run_past){.slot = SLOT_PAST + i};
}

static const struct ebb_sampler_info *sampler_of(const char *name, struct ebb_error *error)
{
    const struct ebb_sampler_info *info = name ? ebb_sampler_find(name) : NULL;
    if (info)
        return info;

    char names[384] = "";
    EBB_EACH_SAMPLER (each) {
        strncat(names, names[0] ? ", " : "", sizeof(names) - strlen(names) - 1);
        strncat(names, each->name, sizeof(names) - strlen(names) - 1);
    }
    ebb_fail(error, EBB_INVALID, "no sampler \"%s\"; there are %s", name ? name : "(none)", names);
    return NULL;
}

static bool within(double value, double low, double high, const char *what, struct ebb_error *error)
{
    if (value >= low && value <= high)
        return true;
    ebb_fail(error, EBB_INVALID, "%s is %g, expected %g to %g", what, value, low, high);
    return false;
}

static bool check_params(const struct ebb_run_params *p, struct ebb_error *error)
{
    if (!p->schedule)
        return ebb_fail(error, EBB_INVALID, "a run needs a schedule"), false;
    if (!ebb_prediction_name(p->prediction))
        return ebb_fail(error, EBB_INVALID, "prediction %d, expected 0 to %d", (int)p->prediction,
                        EBB_PREDICTIONS - 1),
               false;
    const char *const variances[] = {"fixed-small", "fixed-large", "learned", "learned-range"};
    bool known = false;
    for (int i = 0; i < 4; i++)
        known |= p->variance && strcmp(p->variance, variances[i]) == 0;
    if (!known)
        return ebb_fail(error, EBB_INVALID,
                        "no variance \"%s\"; there are fixed-small, fixed-large, learned, learned-range",
                        p->variance ? p->variance : "(none)"),
               false;

    if (p->steps < 1 || p->steps > EBB_RUN_MAX_STEPS)
        return ebb_fail(error, EBB_INVALID, "%d steps, expected 1 to %d", p->steps, EBB_RUN_MAX_STEPS), false;
    if (!(p->start > 0 && p->start <= 1))
        return ebb_fail(error, EBB_INVALID, "start is %g, expected above 0 and at most 1", p->start), false;
    if (!(p->end >= 0 && p->end < p->start))
        return ebb_fail(error, EBB_INVALID, "end is %g, expected 0 or more and below the start, %g", p->end,
                        p->start),
               false;
    if (p->resample < 1 || p->resample > EBB_RUN_MAX_RESAMPLE)
        return ebb_fail(error, EBB_INVALID, "%d times each step, expected 1 to %d", p->resample,
                        EBB_RUN_MAX_RESAMPLE),
               false;
    const double big = 1e30;
    return (isnan(p->eta) || within(p->eta, 0, 1, "eta", error)) && within(p->clip, 0, big, "clip", error) &&
           within(p->threshold_ratio, 0, 1, "threshold_ratio", error) &&
           (p->threshold_ratio == 0 || within(p->threshold_max, 1, big, "threshold_max", error)) &&
           within(p->rtol, 0, big, "rtol", error) && within(p->atol, 0, big, "atol", error) &&
           within(p->snr, 0, 10, "snr", error) && within(p->s_churn, 0, big, "s_churn", error) &&
           within(p->s_tmin, 0, big, "s_tmin", error) && within(p->s_tmax, 0, INFINITY, "s_tmax", error) &&
           within(p->s_noise, 0, big, "s_noise", error);
}

static bool check_use(const struct ebb_run *run, struct ebb_error *error)
{
    const struct ebb_run_params *p = &run->params;
    const char *name = run->info->name;
    if (run->info->method->consistency && !p->consistency)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "sampler %s needs a consistency-distilled model, this one is not", name),
               false;
    if (p->inverse && (strcmp(name, "ddim") != 0 || run_eta(run, 0) > 0))
        return ebb_fail(error, EBB_UNSUPPORTED, "sampler %s does not run backwards; ddim does, with eta 0",
                        name),
               false;
    if (p->resample > 1 && (p->inverse || run->info->method->measures))
        return ebb_fail(error, EBB_UNSUPPORTED, "steps of %s cannot be done again",
                        p->inverse ? "an inversion" : name),
               false;
    if (p->inverse && p->prediction == EBB_PREDICT_X0 && run->grid[0].sigma == 0)
        return ebb_fail(
                   error, EBB_UNSUPPORTED,
                   "a network that predicts %s says nothing about noise in the clean sound; inversion needs "
                   "an end above 0",
                   ebb_prediction_name(p->prediction)),
               false;
    bool needs_signal = p->prediction == EBB_PREDICT_EPS || p->prediction == EBB_PREDICT_SCORE;
    if (needs_signal && run->grid[0].alpha == 0)
        return ebb_fail(
                   error, EBB_UNSUPPORTED,
                   "a network that predicts %s cannot start where there is no signal (zero terminal SNR); one "
                   "that predicts %s, %s or %s can",
                   ebb_prediction_name(p->prediction), ebb_prediction_name(EBB_PREDICT_X0),
                   ebb_prediction_name(EBB_PREDICT_V), ebb_prediction_name(EBB_PREDICT_FLOW)),
               false;
    return !run->info->method->check || run->info->method->check(run, error);
}

static bool lay_out_as_diffusers(struct ebb_run *run, struct ebb_error *error)
{
    struct ebb_diffusers_grid laid;
    if (ebb_diffusers_grid(run->params.quirks, run->params.schedule, run->params.steps, &laid, error) !=
        EBB_OK)
        return false;
    run->quirks = run->params.quirks;
    run->steps = run->params.steps;
    run->grid = laid.grid;
    run->target = laid.target;
    run->middle = laid.middle;
    run->again_from = laid.from;
    run->init_alpha = laid.init_alpha;
    run->init_sigma = laid.init_sigma;
    run->final_scale = laid.final_scale;
    return true;
}

static bool lay_out(struct ebb_run *run, struct ebb_error *error)
{
    const struct ebb_run_params *p = &run->params;
    run->final_scale = 1;
    if (p->quirks && strcmp(p->quirks->sampler, run->info->name) == 0 && p->start == 1 && p->end == 0 &&
        !p->inverse)
        return lay_out_as_diffusers(run, error);

    run->grid = run_grid(p, &run->steps, error);
    if (!run->grid)
        return false;
    bool pure = p->start >= 1 && !p->inverse && ebb_schedule_preserves_variance(p->schedule);
    run->init_alpha = pure ? 0 : run->grid[0].alpha;
    run->init_sigma = pure ? 1 : run->grid[0].sigma;
    return true;
}

struct ebb_run *ebb_run_create(const struct ebb_run_params *params, struct ebb_error *error)
{
    const struct ebb_sampler_info *info = sampler_of(params->sampler, error);
    if (!info || !check_params(params, error))
        return NULL;

    struct ebb_run *run = ebb_alloc(1, sizeof(*run));
    if (!run) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a run");
        return NULL;
    }
    run->params = *params;
    run->info = info;
    if (!lay_out(run, error) || !check_use(run, error)) {
        ebb_run_destroy(&run);
        return NULL;
    }
    rewind_run(run);
    return run;
}

void ebb_run_destroy(struct ebb_run **run)
{
    if (!run || !*run)
        return;
    free((*run)->grid);
    free((*run)->target);
    free((*run)->middle);
    free(*run);
    *run = NULL;
}

void ebb_run_start(const struct ebb_run *run, double *alpha, double *sigma)
{
    *alpha = run->init_alpha;
    *sigma = run->init_sigma;
}

int ebb_run_timesteps(const struct ebb_run *run, double *timesteps, int capacity)
{
    if (run->info->method->measures)
        return 0;

    struct ebb_run walk = *run; // the grid is shared, everything that moves is not
    struct ebb_run_instruction in = {.kind = EBB_RUN_DONE};
    int count = 0;
    rewind_run(&walk);
    while (ebb_run_next(&walk, &in, NULL) == EBB_OK && in.kind != EBB_RUN_DONE) {
        if (in.kind != EBB_RUN_EVAL)
            continue;
        if (timesteps && count < capacity)
            timesteps[count] = in.timestep;
        count++;
    }
    return count;
}

bool ebb_run_outline(const struct ebb_run *run, struct ebb_run_outline *outline)
{
    *outline = (struct ebb_run_outline){0};
    if (run->info->method->measures)
        return false;

    struct ebb_run walk = *run;
    struct ebb_run_instruction in = {.kind = EBB_RUN_DONE};
    rewind_run(&walk);
    while (ebb_run_next(&walk, &in, NULL) == EBB_OK && in.kind != EBB_RUN_DONE) {
        outline->evals += in.kind == EBB_RUN_EVAL;
        outline->draws += in.kind == EBB_RUN_NOISE;
        outline->on_host |= in.kind == EBB_RUN_EXP || in.kind == EBB_RUN_SQRT;
    }
    return true;
}

int ebb_sampler_visits(const char *sampler, const struct ebb_schedule *schedule, const char *spacing,
                       int steps, double *t, int capacity, struct ebb_error *error)
{
    struct ebb_run_params params;
    ebb_run_params_default(&params);
    params.sampler = sampler;
    params.schedule = schedule;
    params.spacing = spacing ? spacing : params.spacing;
    params.steps = steps;
    params.prediction = EBB_PREDICT_V; // the times are the same for all
    params.consistency = true;
    struct ebb_run *run = ebb_run_create(&params, error);
    if (run && run->info->evals == 0) {
        ebb_fail(error, EBB_UNSUPPORTED,
                 "sampler %s chooses its times by the network's answers: they are not known before the run",
                 sampler);
        ebb_run_destroy(&run);
    }

    struct ebb_run_instruction in = {.kind = EBB_RUN_DONE};
    int count = 0;
    while (run && ebb_run_next(run, &in, error) == EBB_OK && in.kind != EBB_RUN_DONE) {
        if (in.kind == EBB_RUN_MEASURE)
            ebb_run_measured(run, 1);
        if (in.kind != EBB_RUN_EVAL)
            continue;
        if (count < capacity)
            t[count] = ebb_schedule_t_of_snr(schedule, in.alpha * in.alpha / (in.sigma * in.sigma));
        count++;
    }
    ebb_run_destroy(&run);
    return count;
}

int ebb_run_slots(const struct ebb_run *run)
{
    return run->info->method->slots;
}

enum ebb_result ebb_run_next(struct ebb_run *run, struct ebb_run_instruction *out, struct ebb_error *error)
{
    if (run->head == run->count) {
        if (run->finished && run->head > 0) { // asked again: still done
            *out = run->queue[run->head - 1];
            return EBB_OK;
        }
        if (run->waiting)
            return ebb_fail(error, EBB_INVALID, "sampler %s waits for a measurement", run->info->name);
        run->head = run->count = 0;
        run->info->method->step(run);
        if (run->failure)
            return ebb_fail(error, EBB_INVALID, "sampler %s: %s", run->info->name, run->failure);
    }
    *out = run->queue[run->head++];
    return EBB_OK;
}

void ebb_run_measured(struct ebb_run *run, double value)
{
    run->measured = value;
    run->waiting = false;
}

void ebb_run_counts(const struct ebb_run *run, int *evals, int *rejected)
{
    *evals = run->evals;
    *rejected = run->rejected;
}
