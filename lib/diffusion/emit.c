// SPDX-License-Identifier: LGPL-2.1-or-later
// The functions with which a sampler's method emits its instructions.
#include "diffusion/emit.h"

#include <math.h>
#include <string.h>

const struct ebb_noise_level *run_now(const struct ebb_run *run)
{
    return &run->grid[run->step];
}

const struct ebb_noise_level *run_next(const struct ebb_run *run)
{
    return &run->grid[run->step + 1];
}

const struct ebb_noise_level *run_target(const struct ebb_run *run)
{
    return run->target ? &run->target[run->step] : run_next(run);
}

bool run_last(const struct ebb_run *run)
{
    return run->step == run->steps - 1;
}

double run_eta(const struct ebb_run *run, double own)
{
    return isnan(run->params.eta) ? own : run->params.eta;
}

bool run_is_nothing(const struct ebb_run *run, const struct ebb_noise_level *at)
{
    return at->alpha == 0 || (!run->quirks && at->alpha * RUN_NOTHING < at->sigma);
}

struct ebb_run_instruction *run_emit(struct ebb_run *run, enum ebb_run_kind kind)
{
    // Too long a step is a mistake in a method, found by the tests: the last instruction is overwritten.
    struct ebb_run_instruction *in = &run->queue[run->count < RUN_QUEUE ? run->count++ : RUN_QUEUE - 1];
    *in = (struct ebb_run_instruction){
        .kind = kind,
        .dst = -1,
        .dst2 = -1,
        .src = -1,
        .src2 = -1,
        .src3 = -1,
        .noise_scale = -1,
        .scale = 1,
        .step = run->step,
        .steps = run->steps,
    };
    return in;
}

struct ebb_run_instruction *run_blend(struct ebb_run *run, int dst, const struct ebb_run_term *term,
                                      size_t count)
{
    struct ebb_run_instruction *in = run_emit(run, EBB_RUN_BLEND);
    in->dst = dst;
    for (size_t i = 0; i < count && in->terms < EBB_RUN_TERMS; i++)
        if (term[i].weight != 0)
            in->term[in->terms++] = term[i];
    return in;
}

static bool learns_variance(const struct ebb_run_params *p)
{
    return strcmp(p->variance, "learned") == 0 || strcmp(p->variance, "learned-range") == 0;
}

void run_ask(struct ebb_run *run, const struct ebb_noise_level *at, int src)
{
    struct ebb_run_instruction *eval = run_emit(run, EBB_RUN_EVAL);
    eval->src = src;
    eval->dst = SLOT_OUT;
    eval->dst2 = learns_variance(&run->params) ? SLOT_FACTOR : -1;
    eval->scale = at->scale;
    eval->timestep = at->label;
    eval->alpha = at->alpha;
    eval->sigma = at->sigma;
    run->evals++;
}

static struct ebb_prediction_weights to_x0(const struct ebb_run *run, const struct ebb_noise_level *at)
{
    return ebb_prediction_to_x0(run->params.prediction, at->alpha, at->sigma,
                                ebb_schedule_sigma_data(run->params.schedule));
}

void run_estimate(struct ebb_run *run, const struct ebb_noise_level *at, int src, int dst)
{
    const struct ebb_run_params *p = &run->params;
    run_ask(run, at, src);
    struct ebb_prediction_weights w = to_x0(run, at);
    struct ebb_run_instruction *blend = RUN_BLEND(run, dst, {src, w.x}, {SLOT_OUT, w.out});
    if (p->threshold_ratio > 0) {
        struct ebb_run_instruction *threshold = run_emit(run, EBB_RUN_THRESHOLD);
        threshold->dst = threshold->src = dst;
        threshold->ratio = p->threshold_ratio;
        threshold->clamp = p->threshold_max;
    } else {
        blend->clamp = p->clip;
    }
}

static int turn_past(struct ebb_run *run)
{
    int slot = run->past[RUN_PAST - 1].slot;
    memmove(run->past + 1, run->past, (RUN_PAST - 1) * sizeof(run->past[0]));
    run->past[0] = (struct run_past){slot, *run_now(run)};
    run->seen++;
    return slot;
}

void run_remember(struct ebb_run *run)
{
    int slot = turn_past(run);
    run_estimate(run, run_now(run), SLOT_X, slot);
}

void run_remember_eps(struct ebb_run *run)
{
    int slot = turn_past(run);
    const struct ebb_noise_level *now = run_now(run);
    if (run->params.clip > 0 || run->params.threshold_ratio > 0) {
        run_estimate(run, now, SLOT_X, slot);
        run_eps_of(run, now, SLOT_X, slot, slot);
    } else {
        run_ask(run, now, SLOT_X);
        run_eps_said(run, now, SLOT_X, slot);
    }
}

void run_eps_of(struct ebb_run *run, const struct ebb_noise_level *at, int src, int x0, int dst)
{
    RUN_BLEND(run, dst, {src, 1 / at->sigma}, {x0, -at->alpha / at->sigma});
}

void run_eps_said(struct ebb_run *run, const struct ebb_noise_level *at, int src, int dst)
{
    struct ebb_prediction_weights w = ebb_prediction_to_eps(run->params.prediction, at->alpha, at->sigma,
                                                            ebb_schedule_sigma_data(run->params.schedule));
    RUN_BLEND(run, dst, {src, w.x}, {SLOT_OUT, w.out});
}

void run_move(struct ebb_run *run, const struct ebb_noise_level *from, const struct ebb_noise_level *to,
              int src, int x0, int dst)
{
    double keep = to->sigma / from->sigma;
    RUN_BLEND(run, dst, {src, keep}, {x0, to->alpha - keep * from->alpha});
}

struct run_ancestral run_ancestral(const struct ebb_noise_level *now, const struct ebb_noise_level *next,
                                   double eta)
{
    double r = next->sigma / next->alpha, part = next->sigma * now->alpha / (next->alpha * now->sigma);
    double up = fmin(r, eta * r * sqrt(fmax(0, 1 - part * part)));
    struct run_ancestral a = {.down = *next, .up = next->alpha * up};
    a.down.sigma = next->alpha * sqrt(fmax(0, r * r - up * up));
    return a;
}

struct ebb_noise_level run_churn(struct ebb_run *run)
{
    const struct ebb_run_params *p = &run->params;
    const struct ebb_noise_level *now = run_now(run);
    double r = now->sigma / now->alpha;
    double gamma = r >= p->s_tmin && r <= p->s_tmax && isfinite(r)
                       ? fmin(p->s_churn / run->steps, sqrt(2) - 1)
                       : 0;
    if (!(gamma > 0))
        return *now;

    double more = r * (1 + gamma), added = p->s_noise * sqrt(more * more - r * r);
    struct ebb_noise_level at = ebb_noise_level_at_lambda(p->schedule, -log(more));
    run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, SLOT_X, {SLOT_X, at.alpha / now->alpha}, {SLOT_NOISE, at.alpha * added});
    return at;
}

void run_noise(struct ebb_run *run, int dst)
{
    struct ebb_run_instruction *in = run_emit(run, EBB_RUN_NOISE);
    in->dst = dst;
    in->draw = ++run->draw;
}

void run_measure(struct ebb_run *run, enum ebb_run_measure measure, int src, int src2, int src3)
{
    struct ebb_run_instruction *in = run_emit(run, EBB_RUN_MEASURE);
    in->measure = measure;
    in->src = src;
    in->src2 = src2;
    in->src3 = src3;
    in->rtol = run->params.rtol;
    in->atol = run->params.atol;
    run->waiting = true;
}

void run_step_to(struct ebb_run *run, const struct ebb_noise_level *level)
{
    struct ebb_run_instruction *in = run_emit(run, EBB_RUN_STEP);
    in->alpha = level->alpha;
    in->sigma = level->sigma;
    in->step = run->step + 1;
}

// RePaint (Lugmayr 2022, algorithm 1): what a step reached is noised back to where it began, and the step
// done again. What was learned on the way belongs to another state: it is forgotten.
static bool goes_back(struct ebb_run *run)
{
    if (run_last(run) || ++run->round >= run->params.resample) {
        run->round = 0;
        return false;
    }
    struct ebb_gaussian back = ebb_noise_level_forward(run_next(run), run_now(run));
    run_noise(run, SLOT_NOISE);
    RUN_BLEND(run, SLOT_X, {SLOT_X, back.x}, {SLOT_NOISE, back.sd});
    run->stage = run->seen = 0;
    memset(run->number, 0, sizeof(run->number));
    return true;
}

void run_step_done(struct ebb_run *run)
{
    run_step_to(run, run_next(run));
    if (goes_back(run))
        return;
    run->step++;
    run->stage = 0;
    if (run->step == run->steps)
        run_finish(run);
}

void run_finish(struct ebb_run *run)
{
    if (run->final_scale != 1)
        RUN_BLEND(run, SLOT_X, {SLOT_X, run->final_scale});
    run_emit(run, EBB_RUN_DONE);
    run->finished = true;
}
