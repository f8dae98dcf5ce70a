#include "engine/loop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "engine/aside.h"

struct ebb_loop {
    struct ebb_device *device;    // borrowed
    const struct ebb_unet *unet;  // borrowed
    struct ebb_loop_size size;
    size_t count;                 // floats of one state
    bool learned;                 // the network also gives a variance: twice the channels

    struct ebb_plan *plan;
    struct ebb_buffer *input, *output, *condition;
    struct ebb_buffer *slot[EBB_RUN_SLOTS];      // made when a sampler first needs them
    struct ebb_buffer *other;                       // learned variance: the second item's prediction
    struct ebb_buffer *first, *known, *mask, *pull; // held regions: draw 0, what is held, where, the way there

    float *draw, *turned;         // noise as drawn (c, h, w) and as stored (h, w, c)
    struct ebb_aside aside;       // for what the device cannot do
    double *timesteps;
    float *rows[2];               // step inputs, of all evaluations
    int width[2], kinds;
    int capacity;                 // evaluations that timesteps and rows hold
};

// One run under way.
struct carrier {
    struct ebb_loop *loop;
    const struct ebb_loop_job *job;
    struct ebb_run *run;
    struct ebb_torch_noise torch[2]; // of the path's ends
    int planned, done; // evaluations known beforehand (0: adaptive), and completed
    double share;      // of the whole, from the last completed step
    float *result;
};

// ---- life ----

static enum ebb_result make_plan(struct ebb_loop *loop, struct ebb_error *error)
{
    const struct ebb_loop_size *s = &loop->size;
    struct ebb_graph *graph = ebb_graph_create();
    if (!graph)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");

    enum ebb_result result = ebb_unet_build(loop->unet, graph, s->n, s->h, s->w, s->condition, error);
    if (result != EBB_OK) {
        ebb_graph_destroy(&graph);
        return result;
    }

    struct ebb_error why = {EBB_OUT_OF_MEMORY, "no memory for a plan"};
    loop->plan = ebb_plan_create(loop->device, graph, &why);
    return loop->plan ? EBB_OK : ebb_fail(error, why.code, "%s", why.message);
}

static enum ebb_result make_buffer(struct ebb_loop *loop, struct ebb_buffer **buffer, size_t count,
                                   struct ebb_error *error)
{
    struct ebb_error why = {EBB_OUT_OF_MEMORY, "no memory for a tensor"};
    if (!*buffer)
        *buffer = ebb_buffer_create(loop->device, count, &why);
    return *buffer ? EBB_OK : ebb_fail(error, why.code, "%s", why.message);
}

static enum ebb_result make_all(struct ebb_loop *loop, struct ebb_error *error)
{
    const struct ebb_loop_size *s = &loop->size;
    size_t pixels = (size_t)s->h * s->w;
    enum ebb_result result = make_plan(loop, error);
    if (result == EBB_OK)
        result = make_buffer(loop, &loop->input, s->n * loop->count, error);
    if (result == EBB_OK)
        result = make_buffer(loop, &loop->output, s->n * loop->count * (loop->learned ? 2 : 1), error);
    if (result == EBB_OK && loop->learned)
        result = make_buffer(loop, &loop->other, loop->count, error);
    if (result == EBB_OK && s->condition > 0)
        result = make_buffer(loop, &loop->condition, s->n * pixels * s->condition, error);
    if (result != EBB_OK)
        return result;

    loop->draw = ebb_alloc(loop->count, sizeof(float));
    loop->turned = ebb_alloc(loop->count, sizeof(float));
    loop->aside.count = loop->count;
    if (!loop->draw || !loop->turned)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for noise");
    return EBB_OK;
}

static enum ebb_result check_channels(const struct ebb_unet *unet, const struct ebb_loop_size *s, struct ebb_error *error)
{
    int in = ebb_unet_in_channels(unet), out = ebb_unet_out_channels(unet);
    if (in != s->c + s->condition)
        return ebb_fail(error, EBB_CORRUPT, "the network takes %d channels, the state has %d and its condition %d", in,
                        s->c, s->condition);
    if (out != s->c && out != 2 * s->c)
        return ebb_fail(error, EBB_CORRUPT, "the network gives %d channels, the state has %d", out, s->c);
    return EBB_OK;
}

struct ebb_loop *ebb_loop_create(struct ebb_device *device, const struct ebb_unet *unet, const struct ebb_loop_size *size,
                                 struct ebb_error *error)
{
    if (check_channels(unet, size, error) != EBB_OK)
        return NULL;

    struct ebb_loop *loop = ebb_alloc(1, sizeof(*loop));
    if (!loop) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a step loop");
        return NULL;
    }
    loop->device = device;
    loop->unet = unet;
    loop->size = *size;
    loop->count = (size_t)size->h * size->w * size->c;
    loop->learned = ebb_unet_out_channels(unet) == 2 * size->c;
    loop->kinds = ebb_unet_step_inputs(unet, loop->width);
    if (make_all(loop, error) != EBB_OK)
        ebb_loop_destroy(&loop);
    return loop;
}

void ebb_loop_destroy(struct ebb_loop **loop)
{
    struct ebb_loop *l = *loop;
    if (!l)
        return;
    struct ebb_buffer **others[] = {&l->input, &l->output, &l->condition, &l->first, &l->known, &l->mask, &l->pull};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        ebb_buffer_destroy(others[i]);
    for (int i = 0; i < EBB_RUN_SLOTS; i++)
        ebb_buffer_destroy(&l->slot[i]);
    ebb_plan_destroy(&l->plan);
    ebb_aside_clear(&l->aside);
    ebb_buffer_destroy(&l->other);
    free(l->draw);
    free(l->turned);
    free(l->timesteps);
    free(l->rows[0]);
    free(l->rows[1]);
    free(l);
    *loop = NULL;
}

const struct ebb_loop_size *ebb_loop_size(const struct ebb_loop *loop)
{
    return &loop->size;
}

// ---- the step inputs, before the loop ----

static enum ebb_result grow_rows(struct ebb_loop *loop, int evals, struct ebb_error *error)
{
    if (evals <= loop->capacity)
        return EBB_OK;
    loop->capacity = 0;
    double *timesteps = realloc(loop->timesteps, (size_t)evals * sizeof(double));
    if (timesteps)
        loop->timesteps = timesteps;
    bool whole = timesteps != NULL;
    for (int i = 0; i < loop->kinds; i++) {
        float *rows = realloc(loop->rows[i], (size_t)evals * loop->size.n * loop->width[i] * sizeof(float));
        if (rows)
            loop->rows[i] = rows;
        whole = whole && rows;
    }
    if (!whole)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the embeddings of %d evaluations", evals);
    loop->capacity = evals;
    return EBB_OK;
}

// Rows `first`, first + 1, ... of the evaluations' embeddings, and what the plan computes from them.
static enum ebb_result embed(struct carrier *c, int evals, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    int n = loop->size.n;
    for (int i = 0; i < evals * n; i++) {
        int label = c->job->item[i % n];
        float *time_row = loop->rows[0] + (size_t)i * loop->width[0];
        float *class_row = loop->kinds > 1 ? loop->rows[1] + (size_t)i * loop->width[1] : NULL;
        ebb_unet_embed(loop->unet, loop->timesteps[i / n], label, NULL, time_row, class_row);
    }
    return ebb_plan_steps(loop->plan, evals, (const float *const *)loop->rows, error);
}

static enum ebb_result prepare_steps(struct carrier *c, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    c->planned = ebb_run_timesteps(c->run, NULL, 0);
    enum ebb_result result = grow_rows(loop, c->planned > 0 ? c->planned : 1, error);
    if (result != EBB_OK || c->planned == 0)
        return result;
    ebb_run_timesteps(c->run, loop->timesteps, c->planned);
    return embed(c, c->planned, error);
}

// ---- instructions ----

// dst = a * x + b * y over one state.
static enum ebb_result mix(struct ebb_loop *loop, struct ebb_buffer *dst, double a, struct ebb_buffer *x, double b,
                           struct ebb_buffer *y, size_t y_offset, struct ebb_error *error)
{
    struct ebb_blend blend = {.dst = dst, .terms = y ? 2 : 1, .src = {x, y}, .weight = {(float)a, (float)b},
                              .count = loop->count, .src_offset = {0, y_offset}};
    return ebb_blend(loop->device, &blend, error);
}

// A learned variance lies behind the prediction, channel by channel: parts them, of every item. The first item's counts.
static enum ebb_result part_output(struct carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    if (in->dst2 < 0)
        return ebb_fail(error, EBB_UNSUPPORTED, "the network learned its variance, this sampler does not use it");

    struct ebb_buffer *to[] = {loop->slot[in->dst], loop->other};
    enum ebb_result result = EBB_OK;
    for (int i = loop->size.n - 1; i >= 0 && result == EBB_OK; i--)
        result = ebb_aside_part(&loop->aside, loop->output, 2 * i * loop->count, loop->size.c, to[i],
                                loop->slot[in->dst2], error);
    return result;
}

// The diffusion time of an evaluation, where guidance asks for it: where the schedule has its level.
static double time_of(const struct carrier *c, const struct ebb_run_instruction *in)
{
    if (c->job->guidance.from <= 0 && c->job->guidance.to >= 1)
        return 1;
    double t = ebb_schedule_t_of_snr(c->job->run->schedule, in->alpha * in->alpha / (in->sigma * in->sigma));
    return fmin(fmax(t, 0), 1);
}

static double deviation(const float *values, size_t count)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        squares += (double)values[i] * values[i];
    }
    return sqrt(fmax(0, squares / count - sum / count * (sum / count)));
}

// Brings the guided answer's deviation towards that of the conditional one (Lin 2023). Reads the answers back.
static enum ebb_result rescale(struct carrier *c, struct ebb_buffer *dst, double scale, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    struct ebb_guidance plain = c->job->guidance;
    double weight[EBB_GUIDANCE_LABELS + 1];
    plain.scale = 1;
    ebb_guidance_weights(&plain, 0, weight);

    enum ebb_result result = EBB_OK;
    memset(loop->turned, 0, loop->count * sizeof(float));
    for (int k = 0; k < plain.labels && result == EBB_OK; k++) {
        result = ebb_buffer_read(loop->output, k * loop->count, loop->draw, loop->count, error);
        for (size_t i = 0; i < loop->count; i++)
            loop->turned[i] += (float)(scale * weight[k + 1]) * loop->draw[i];
    }
    if (result == EBB_OK)
        result = ebb_buffer_read(dst, 0, loop->draw, loop->count, error);
    if (result != EBB_OK)
        return result;
    double factor = ebb_guidance_rescaled(&plain, deviation(loop->turned, loop->count), deviation(loop->draw, loop->count));
    return mix(loop, dst, factor, dst, 0, NULL, 0, error);
}

// The network's output -> the prediction, guided.
static enum ebb_result take_output(struct carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    struct ebb_buffer *dst = loop->slot[in->dst];
    double scale = ebb_unet_output_scale(loop->unet, in->timestep);
    enum ebb_result result = loop->learned ? part_output(c, in, error) : EBB_OK;
    if (result != EBB_OK)
        return result;

    struct ebb_buffer *one = loop->learned ? dst : loop->output, *two = loop->learned ? loop->other : loop->output;
    if (loop->size.n == 1)
        return mix(loop, dst, scale, one, 0, NULL, 0, error);

    double weight[EBB_GUIDANCE_LABELS + 1];
    const struct ebb_guidance *g = &c->job->guidance;
    ebb_guidance_weights(g, time_of(c, in), weight);
    struct ebb_blend blend = {.dst = dst, .terms = g->labels + 1, .count = loop->count};
    for (int i = 0; i <= g->labels; i++) {
        blend.src[i] = i == 0 ? one : two;
        blend.weight[i] = (float)(scale * weight[i < g->labels ? i + 1 : 0]);
        blend.src_offset[i] = loop->learned ? 0 : i * loop->count;
    }
    result = ebb_blend(loop->device, &blend, error);
    return result == EBB_OK && g->rescale > 0 ? rescale(c, dst, scale, error) : result;
}

static enum ebb_result evaluate(struct carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    double fraction = c->planned > 0 ? (double)c->done / c->planned : c->share;
    enum ebb_result result = ebb_pulse_tell(&c->job->pulse, fraction, error);

    int row = c->done;
    if (result == EBB_OK && c->planned == 0) { // an adaptive sampler: the time is known only now
        row = 0;
        loop->timesteps[0] = in->timestep;
        result = embed(c, 1, error);
    }

    for (int i = 0; i < loop->size.n && result == EBB_OK; i++) {
        struct ebb_blend copy = {.dst = loop->input, .terms = 1, .src = {loop->slot[in->src]},
                                 .weight = {(float)in->scale}, .count = loop->count, .dst_offset = i * loop->count};
        result = ebb_blend(loop->device, &copy, error);
    }

    struct ebb_buffer *inputs[] = {loop->input, loop->condition}, *outputs[] = {loop->output};
    if (result == EBB_OK)
        result = ebb_plan_run(loop->plan, row, inputs, outputs, error);
    if (result != EBB_OK)
        return result;

    c->done++;
    return take_output(c, in, error);
}

static enum ebb_result blend(struct carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    struct ebb_blend blend = {.dst = loop->slot[in->dst], .terms = in->terms, .clamp = (float)in->clamp,
                              .count = loop->count};
    for (int i = 0; i < in->terms; i++) {
        blend.src[i] = loop->slot[in->term[i].slot];
        blend.weight[i] = (float)in->term[i].weight;
    }
    if (in->noise_scale >= 0)
        blend.noise_scale = loop->slot[in->noise_scale];
    return ebb_blend(loop->device, &blend, error);
}

// Standard normal noise into `dst`; torch's draws follow each other, ours know their number.
static enum ebb_result draw_noise(struct carrier *c, uint64_t number, struct ebb_buffer *dst, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    const struct ebb_loop_noise *noise = &c->job->noise;
    if (noise->source == EBB_NOISE_TORCH) {
        ebb_torch_noise_draw(&c->torch[0], loop->count, loop->draw);
        if (noise->seed.share > 0) {
            ebb_torch_noise_draw(&c->torch[1], loop->count, loop->turned);
            ebb_noise_slerp(loop->draw, loop->turned, noise->seed.share, loop->count);
        }
    } else {
        ebb_noise_draw(&noise->seed, noise->clip, (uint32_t)number, 0, loop->count, loop->draw, loop->turned);
    }

    size_t pixels = (size_t)loop->size.h * loop->size.w, channels = loop->size.c;
    for (size_t channel = 0; channel < channels; channel++)
        for (size_t i = 0; i < pixels; i++)
            loop->turned[i * channels + channel] = loop->draw[channel * pixels + i];
    return ebb_buffer_write(dst, 0, loop->turned, loop->count, error);
}

static enum ebb_result measure(struct carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    double value;
    enum ebb_result result = ebb_aside_measure(&c->loop->aside, in, c->loop->slot, &value, error);
    if (result == EBB_OK)
        ebb_run_measured(c->run, value);
    return result;
}

static enum ebb_result show(struct carrier *c, int step, int steps, double alpha, double sigma, struct ebb_error *error)
{
    if (!c->job->watch)
        return EBB_OK;
    struct ebb_loop_state state = {step, steps, alpha, sigma, c->result};
    enum ebb_result result = ebb_buffer_read(c->loop->slot[0], 0, c->result, c->loop->count, error);
    return result == EBB_OK ? c->job->watch(c->job->user, &state, error) : result;
}

// Where something is held, x becomes alpha * known + sigma * (the noise of the start). The noise stays the same over all
// steps, so that a deterministic sampler sees one path.
static enum ebb_result hold(struct carrier *c, double alpha, double sigma, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    struct ebb_buffer *x = loop->slot[0];
    struct ebb_blend way = {.dst = loop->pull, .terms = 3, .src = {loop->known, loop->first, x},
                            .weight = {(float)alpha, (float)sigma, -1}, .count = loop->count};
    struct ebb_blend go = {.dst = x, .terms = 2, .src = {x, loop->pull}, .weight = {1, 1}, .noise_scale = loop->mask,
                           .count = loop->count};
    enum ebb_result result = ebb_blend(loop->device, &way, error);
    return result == EBB_OK ? ebb_blend(loop->device, &go, error) : result;
}

static enum ebb_result complete(struct carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    c->share = in->steps > 0 ? (double)in->step / in->steps : 0;
    enum ebb_result result = c->job->mask ? hold(c, in->alpha, in->sigma, error) : EBB_OK;
    return result == EBB_OK ? show(c, in->step, in->steps, in->alpha, in->sigma, error) : result;
}

static enum ebb_result carry_out(struct carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    switch (in->kind) {
    case EBB_RUN_EVAL: return evaluate(c, in, error);
    case EBB_RUN_BLEND: return blend(c, in, error);
    case EBB_RUN_NOISE: return draw_noise(c, in->draw, c->loop->slot[in->dst], error);
    case EBB_RUN_THRESHOLD:
    case EBB_RUN_EXP:
    case EBB_RUN_SQRT: return ebb_aside_map(&c->loop->aside, in, c->loop->slot, error);
    case EBB_RUN_MEASURE: return measure(c, in, error);
    case EBB_RUN_STEP: return complete(c, in, error);
    case EBB_RUN_DONE: break;
    }
    return EBB_OK;
}

// ---- the run ----

static enum ebb_result prepare_held(struct carrier *c, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    struct ebb_buffer **buffers[] = {&loop->known, &loop->mask, &loop->pull};
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < 3 && result == EBB_OK; i++)
        result = make_buffer(loop, buffers[i], loop->count, error);
    if (result == EBB_OK)
        result = ebb_buffer_write(loop->known, 0, c->job->known, loop->count, error);
    if (result == EBB_OK)
        result = ebb_buffer_write(loop->mask, 0, c->job->mask, loop->count, error);
    return result;
}

static enum ebb_result prepare_condition(struct carrier *c, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    size_t count = (size_t)loop->size.h * loop->size.w * loop->size.condition;
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < loop->size.n && result == EBB_OK; i++)
        result = ebb_buffer_write(loop->condition, i * count, c->job->condition, count, error);
    return result;
}

// slot 0 = alpha * x_0 + sigma * noise
static enum ebb_result start(struct carrier *c, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    double alpha, sigma;
    ebb_run_start(c->run, &alpha, &sigma);
    enum ebb_result result = c->job->first ? ebb_buffer_write(loop->first, 0, c->job->first, loop->count, error)
                                           : draw_noise(c, 0, loop->first, error);
    if (result == EBB_OK && !c->job->start)
        result = mix(loop, loop->slot[0], sigma, loop->first, 0, NULL, 0, error);
    if (result == EBB_OK && c->job->start)
        result = ebb_buffer_write(loop->slot[0], 0, c->job->start, loop->count, error);
    if (result == EBB_OK && c->job->start)
        result = mix(loop, loop->slot[0], alpha, loop->slot[0], sigma, loop->first, 0, error);
    return result == EBB_OK ? show(c, 0, c->job->run->steps, alpha, sigma, error) : result;
}

static enum ebb_result prepare(struct carrier *c, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    enum ebb_result result = make_buffer(loop, &loop->first, loop->count, error);
    for (int i = 0; i < ebb_run_slots(c->run) && result == EBB_OK; i++)
        result = make_buffer(loop, &loop->slot[i], loop->count, error);
    if (result == EBB_OK)
        result = prepare_steps(c, error);
    if (result == EBB_OK && c->job->mask)
        result = prepare_held(c, error);
    if (result == EBB_OK && loop->size.condition > 0)
        result = prepare_condition(c, error);
    return result == EBB_OK ? start(c, error) : result;
}

enum ebb_result ebb_loop_run(struct ebb_loop *loop, const struct ebb_loop_job *job, float *result,
                             struct ebb_error *error)
{
    struct carrier c = {.loop = loop, .job = job, .run = ebb_run_create(job->run, error), .result = result};
    if (!c.run)
        return error->code;
    if (job->noise.source == EBB_NOISE_TORCH) {
        ebb_torch_noise_seed(&c.torch[0], job->noise.seed.from + job->noise.clip);
        ebb_torch_noise_seed(&c.torch[1], job->noise.seed.to + job->noise.clip);
    }

    struct ebb_run_instruction in = {.kind = EBB_RUN_STEP};
    enum ebb_result code = prepare(&c, error);
    while (code == EBB_OK && in.kind != EBB_RUN_DONE) {
        code = ebb_run_next(c.run, &in, error);
        if (code == EBB_OK)
            code = carry_out(&c, &in, error);
    }
    if (code == EBB_OK)
        code = ebb_buffer_read(loop->slot[0], 0, result, loop->count, error);
    ebb_run_destroy(&c.run);
    return code;
}
