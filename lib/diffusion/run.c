#include "diffusion/method.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

void ebb_run_params_default(struct ebb_run_params *params)
{
    *params = (struct ebb_run_params){
        .sampler = "dpmpp-2m",
        .steps = 20,
        .start = 1,
        .spacing = "trailing",
        .variance = "fixed-small",
        .rtol = 0.05,
        .atol = 0.0078,
        .s_tmax = INFINITY,
        .s_noise = 1,
    };
}

const struct ebb_level *run_now(const struct ebb_run *run)
{
    return &run->grid[run->step];
}

const struct ebb_level *run_next(const struct ebb_run *run)
{
    return &run->grid[run->step + 1];
}

bool run_last(const struct ebb_run *run)
{
    return run->step == run->steps - 1;
}

struct ebb_run_instruction *run_emit(struct ebb_run *run, enum ebb_run_kind kind)
{
    // Too long a step is a mistake in a method, found by the tests: the last instruction is overwritten.
    struct ebb_run_instruction *in = &run->queue[run->count < RUN_QUEUE ? run->count++ : RUN_QUEUE - 1];
    *in = (struct ebb_run_instruction){
        .kind = kind, .dst = -1, .dst2 = -1, .src = -1, .src2 = -1, .src3 = -1, .noise_scale = -1, .scale = 1,
        .step = run->step, .steps = run->steps,
    };
    return in;
}

struct ebb_run_instruction *run_blend(struct ebb_run *run, int dst, const struct ebb_run_term *term, size_t count)
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

void run_estimate(struct ebb_run *run, const struct ebb_level *at, int src, int dst)
{
    const struct ebb_run_params *p = &run->params;
    struct ebb_run_instruction *eval = run_emit(run, EBB_RUN_EVAL);
    eval->src = src;
    eval->dst = SLOT_OUT;
    eval->dst2 = learns_variance(p) ? SLOT_FACTOR : -1;
    eval->scale = at->scale;
    eval->timestep = at->label;
    eval->alpha = at->alpha;
    eval->sigma = at->sigma;

    struct ebb_prediction_weights w = ebb_prediction_to_x0(p->prediction, at->alpha, at->sigma, ebb_schedule_sigma_data(p->schedule));
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

void run_remember(struct ebb_run *run)
{
    int slot = run->past[RUN_PAST - 1].slot;
    memmove(run->past + 1, run->past, (RUN_PAST - 1) * sizeof(run->past[0]));
    run->past[0] = (struct run_past){slot, *run_now(run)};
    run->seen++;
    run_estimate(run, run_now(run), SLOT_X, slot);
}

void run_eps_of(struct ebb_run *run, const struct ebb_level *at, int src, int x0, int dst)
{
    RUN_BLEND(run, dst, {src, 1 / at->sigma}, {x0, -at->alpha / at->sigma});
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

void run_step_done(struct ebb_run *run)
{
    struct ebb_run_instruction *in = run_emit(run, EBB_RUN_STEP);
    in->alpha = run_next(run)->alpha;
    in->sigma = run_next(run)->sigma;
    in->step = ++run->step;
    run->stage = 0;
    if (run->step == run->steps) {
        run_emit(run, EBB_RUN_DONE);
        run->finished = true;
    }
}

static void rewind_run(struct ebb_run *run)
{
    run->step = run->stage = run->seen = run->head = run->count = 0;
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
    for (info = ebb_samplers; info->name; info++) {
        strncat(names, info == ebb_samplers ? "" : ", ", sizeof(names) - strlen(names) - 1);
        strncat(names, info->name, sizeof(names) - strlen(names) - 1);
    }
    ebb_fail(error, EBB_INVALID, "no sampler \"%s\"; there are %s", name ? name : "(none)", names);
    return NULL;
}

static bool within(double value, double low, double high, const char *what, struct ebb_error *error)
{
    if (value >= low && value <= high)
        return true;
    ebb_fail(error, EBB_INVALID, "%s is %g, expected %g..%g", what, value, low, high);
    return false;
}

static bool check_params(const struct ebb_run_params *p, struct ebb_error *error)
{
    if (!p->schedule)
        return ebb_fail(error, EBB_INVALID, "a run needs a schedule"), false;
    if (!ebb_prediction_name(p->prediction))
        return ebb_fail(error, EBB_INVALID, "prediction %d, expected 0..%d", (int)p->prediction, EBB_PREDICTIONS - 1), false;
    const char *const variances[] = {"fixed-small", "fixed-large", "learned", "learned-range"};
    bool known = false;
    for (int i = 0; i < 4; i++)
        known |= p->variance && strcmp(p->variance, variances[i]) == 0;
    if (!known)
        return ebb_fail(error, EBB_INVALID, "no variance \"%s\"; there are fixed-small, fixed-large, learned, learned-range", p->variance ? p->variance : "(none)"), false;

    if (p->steps < 1 || p->steps > EBB_RUN_MAX_STEPS)
        return ebb_fail(error, EBB_INVALID, "%d steps, expected 1..%d", p->steps, EBB_RUN_MAX_STEPS), false;
    if (!(p->start > 0 && p->start <= 1))
        return ebb_fail(error, EBB_INVALID, "start is %g, expected above 0 and at most 1", p->start), false;
    if (!(p->end >= 0 && p->end < p->start))
        return ebb_fail(error, EBB_INVALID, "end is %g, expected 0 or more and below the start, %g", p->end, p->start), false;
    const double big = 1e30;
    return within(p->eta, 0, big, "eta", error) && within(p->clip, 0, big, "clip", error) &&
           within(p->threshold_ratio, 0, 1, "threshold_ratio", error) &&
           (p->threshold_ratio == 0 || within(p->threshold_max, 1, big, "threshold_max", error)) &&
           within(p->rtol, 0, big, "rtol", error) && within(p->atol, 0, big, "atol", error) &&
           within(p->s_churn, 0, big, "s_churn", error) && within(p->s_tmin, 0, big, "s_tmin", error) &&
           within(p->s_tmax, 0, INFINITY, "s_tmax", error) && within(p->s_noise, 0, big, "s_noise", error);
}

static bool check_use(const struct ebb_run *run, struct ebb_error *error)
{
    const struct ebb_run_params *p = &run->params;
    const char *name = run->info->name;
    if (run->info->method->consistency && !p->consistency)
        return ebb_fail(error, EBB_UNSUPPORTED, "sampler %s needs a consistency-distilled model, this one is not", name), false;
    bool needs_signal = p->prediction == EBB_PREDICT_EPS || p->prediction == EBB_PREDICT_SCORE;
    if (needs_signal && run->grid[0].alpha == 0)
        return ebb_fail(error, EBB_UNSUPPORTED, "a network that predicts %s cannot start where there is no signal (zero terminal SNR); one that predicts %s, %s or %s can",
                        ebb_prediction_name(p->prediction), ebb_prediction_name(EBB_PREDICT_X0), ebb_prediction_name(EBB_PREDICT_V), ebb_prediction_name(EBB_PREDICT_FLOW)), false;
    return !run->info->method->check || run->info->method->check(run, error);
}

struct ebb_run *ebb_run_create(const struct ebb_run_params *params, struct ebb_error *error)
{
    const struct ebb_sampler_info *info = sampler_of(params->sampler, error);
    if (!info || !check_params(params, error))
        return NULL;

    struct ebb_run *run = ebb_alloc(1, sizeof(*run));
    if (!run) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "a run");
        return NULL;
    }
    run->params = *params;
    run->info = info;
    run->grid = run_grid(params, &run->steps, error);
    if (!run->grid || !check_use(run, error)) {
        ebb_run_destroy(&run);
        return NULL;
    }
    bool pure = params->start >= 1 && ebb_schedule_preserves_variance(params->schedule);
    run->init_alpha = pure ? 0 : run->grid[0].alpha;
    run->init_sigma = pure ? 1 : run->grid[0].sigma;
    rewind_run(run);
    return run;
}

void ebb_run_destroy(struct ebb_run **run)
{
    if (!run || !*run)
        return;
    free((*run)->grid);
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
    struct ebb_run_instruction in;
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
    }
    *out = run->queue[run->head++];
    return EBB_OK;
}

void ebb_run_measured(struct ebb_run *run, double value)
{
    run->measured = value;
    run->waiting = false;
}
