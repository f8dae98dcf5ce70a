#include "engine/loop.h"

#include <stdlib.h>

#include "base/base.h"
#include "engine/carrier.h"

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

    loop->aside.count = loop->count;
    loop->draws = (struct ebb_draws){.device = loop->device, .h = s->h, .w = s->w, .c = s->c, .count = loop->count};
    loop->tape = ebb_tape_create(loop->device, error);
    return loop->tape ? ebb_draws_init(&loop->draws, error) : EBB_OUT_OF_MEMORY;
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
    ebb_tape_destroy(&l->tape);
    struct ebb_buffer **others[] = {&l->input, &l->output, &l->condition, &l->first, &l->known, &l->mask, &l->pull};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        ebb_buffer_destroy(others[i]);
    for (int i = 0; i < EBB_RUN_SLOTS; i++)
        ebb_buffer_destroy(&l->slot[i]);
    ebb_plan_destroy(&l->plan);
    ebb_steer_destroy(&l->steer);
    ebb_aside_clear(&l->aside);
    ebb_buffer_destroy(&l->other);
    ebb_draws_clear(&l->draws);
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

static enum ebb_result prepare_steps(struct ebb_carrier *c, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    c->planned = ebb_run_timesteps(c->run, NULL, 0);
    enum ebb_result result = grow_rows(loop, c->planned > 0 ? c->planned : 1, error);
    if (result != EBB_OK || c->planned == 0)
        return result;
    ebb_run_timesteps(c->run, loop->timesteps, c->planned);
    return ebb_carrier_embed(c, c->planned, error);
}

// ---- instructions ----

static enum ebb_result blend(struct ebb_carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    struct ebb_blend blend = {.terms = in->terms, .clamp = (float)in->clamp, .count = c->loop->count};
    for (int i = 0; i < in->terms; i++) {
        blend.src[i] = c->slot[in->term[i].slot].buffer;
        blend.src_offset[i] = c->slot[in->term[i].slot].offset;
        blend.weight[i] = (float)in->term[i].weight;
    }
    if (in->noise_scale >= 0)
        blend.noise_scale = c->loop->slot[in->noise_scale];
    blend.dst = ebb_carrier_own(c, in->dst);
    return ebb_carrier_put(c, &blend, error);
}

// Dynamic thresholding, in slot[dst].
static enum ebb_result threshold(struct ebb_carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    struct ebb_slot from = c->slot[in->src];
    struct ebb_threshold t = {.x = ebb_carrier_own(c, in->dst), .count = c->loop->count, .ratio = (float)in->ratio,
                              .most = (float)in->clamp};
    struct ebb_blend copy = {.dst = t.x, .terms = 1, .src = {from.buffer}, .src_offset = {from.offset}, .weight = {1},
                             .count = t.count};
    enum ebb_result result = in->src == in->dst ? EBB_OK : ebb_carrier_put(c, &copy, error);
    if (result != EBB_OK)
        return result;
    return c->ahead ? ebb_tape_threshold(c->loop->tape, &t, error) : ebb_threshold(c->loop->device, &t, error);
}

static enum ebb_result draw_noise(struct ebb_carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    struct ebb_draws *draws = &c->loop->draws;
    if (!c->ahead)
        return ebb_draws_one(draws, in->draw, ebb_carrier_own(c, in->dst), error);
    c->slot[in->dst] = (struct ebb_slot){draws->ahead, (in->draw - 1) * draws->count};
    return EBB_OK;
}

static enum ebb_result measure(struct ebb_carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    double value;
    enum ebb_result result = ebb_aside_measure(&c->loop->aside, in, c->loop->slot, &value, error);
    if (result == EBB_OK)
        ebb_run_measured(c->run, value);
    return result;
}

static enum ebb_result show(struct ebb_carrier *c, int step, int steps, double alpha, double sigma, struct ebb_error *error)
{
    if (!c->job->watch)
        return EBB_OK;
    struct ebb_loop_state state = {step, steps, alpha, sigma, c->result};
    enum ebb_result result = ebb_buffer_read(c->loop->slot[0], 0, c->result, c->loop->count, error);
    return result == EBB_OK ? c->job->watch(c->job->user, &state, error) : result;
}

// Where something is held, x becomes alpha * known + sigma * (the noise of the start). The noise stays the same over all
// steps, so that a deterministic sampler sees one path.
static enum ebb_result hold(struct ebb_carrier *c, double alpha, double sigma, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    struct ebb_buffer *x = loop->slot[0];
    struct ebb_blend way = {.dst = loop->pull, .terms = 3, .src = {loop->known, loop->first, x},
                            .weight = {(float)alpha, (float)sigma, -1}, .count = loop->count};
    struct ebb_blend go = {.dst = x, .terms = 2, .src = {x, loop->pull}, .weight = {1, 1}, .noise_scale = loop->mask,
                           .count = loop->count};
    enum ebb_result result = ebb_carrier_put(c, &way, error);
    return result == EBB_OK ? ebb_carrier_put(c, &go, error) : result;
}

static enum ebb_result complete(struct ebb_carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    c->share = in->steps > 0 ? (double)in->step / in->steps : 0;
    enum ebb_result result = c->job->mask ? hold(c, in->alpha, in->sigma, error) : EBB_OK;
    return result == EBB_OK ? show(c, in->step, in->steps, in->alpha, in->sigma, error) : result;
}

static enum ebb_result carry_out(struct ebb_carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    switch (in->kind) {
    case EBB_RUN_EVAL: return ebb_carrier_evaluate(c, in, error);
    case EBB_RUN_BLEND: return blend(c, in, error);
    case EBB_RUN_NOISE: return draw_noise(c, in, error);
    case EBB_RUN_THRESHOLD: return threshold(c, in, error);
    case EBB_RUN_EXP:
    case EBB_RUN_SQRT: return ebb_aside_map(&c->loop->aside, in, c->loop->slot, error);
    case EBB_RUN_MEASURE: return measure(c, in, error);
    case EBB_RUN_STEP: return complete(c, in, error);
    case EBB_RUN_DONE: break;
    }
    return EBB_OK;
}

// ---- the run ----

static enum ebb_result prepare_held(struct ebb_carrier *c, struct ebb_error *error)
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

static enum ebb_result prepare_condition(struct ebb_carrier *c, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    size_t count = (size_t)loop->size.h * loop->size.w * loop->size.condition;
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < loop->size.n && result == EBB_OK; i++)
        result = ebb_buffer_write(loop->condition, i * count, c->job->condition, count, error);
    return result;
}

static enum ebb_result prepare_steer(struct ebb_carrier *c, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    const struct ebb_loop_size *s = &loop->size;
    if (!loop->steer)
        loop->steer = ebb_steer_create(loop->device, c->job->steer.classifier, s->h, s->w, s->c, error);
    return loop->steer ? EBB_OK : error->code;
}

// slot 0 = alpha * x_0 + sigma * noise
static enum ebb_result start(struct ebb_carrier *c, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    double alpha, sigma;
    ebb_run_start(c->run, &alpha, &sigma);
    enum ebb_result result = c->job->first ? ebb_buffer_write(loop->first, 0, c->job->first, loop->count, error)
                                           : ebb_draws_one(&loop->draws, 0, loop->first, error);
    if (result == EBB_OK && c->ahead)
        result = ebb_draws_all(&loop->draws, (size_t)c->draws, error);
    if (result == EBB_OK && !c->job->start)
        result = ebb_carrier_mix(c, loop->slot[0], sigma, loop->first, 0, NULL, error);
    if (result == EBB_OK && c->job->start)
        result = ebb_buffer_write(loop->slot[0], 0, c->job->start, loop->count, error);
    if (result == EBB_OK && c->job->start)
        result = ebb_carrier_mix(c, loop->slot[0], alpha, loop->slot[0], sigma, loop->first, error);
    return result == EBB_OK ? show(c, 0, c->job->run->steps, alpha, sigma, error) : result;
}

// Whether the whole run can be put on the tape: nothing in it looks at a tensor from the host.
static bool can_be_ahead(const struct ebb_carrier *c, const struct ebb_run_outline *outline)
{
    bool guided = (c->loop->size.n > 1 && c->job->guidance.rescale > 0) || c->job->guidance.classifier > 0;
    return !outline->aside && !c->job->watch && !c->loop->learned && !guided && ebb_draws_fit(&c->loop->draws, outline->draws);
}

static enum ebb_result prepare(struct ebb_carrier *c, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    struct ebb_run_outline outline;
    c->ahead = ebb_run_outline(c->run, &outline) && can_be_ahead(c, &outline);
    c->draws = outline.draws;
    ebb_tape_clear(loop->tape);
    ebb_draws_seed(&loop->draws, &c->job->noise);

    enum ebb_result result = make_buffer(loop, &loop->first, loop->count, error);
    for (int i = 0; i < ebb_run_slots(c->run) && result == EBB_OK; i++) {
        result = make_buffer(loop, &loop->slot[i], loop->count, error);
        ebb_carrier_own(c, i);
    }
    if (result == EBB_OK && c->job->guidance.classifier > 0)
        result = prepare_steer(c, error);
    if (result == EBB_OK)
        result = prepare_steps(c, error);
    if (result == EBB_OK && c->job->mask)
        result = prepare_held(c, error);
    if (result == EBB_OK && loop->size.condition > 0)
        result = prepare_condition(c, error);
    return result == EBB_OK ? start(c, error) : result;
}

static enum ebb_result tell_marks(void *user, int marks, struct ebb_error *error)
{
    struct ebb_carrier *c = user;
    return marks < c->planned ? ebb_pulse_tell(&c->job->pulse, (double)marks / c->planned, error) : EBB_OK;
}

enum ebb_result ebb_loop_run(struct ebb_loop *loop, const struct ebb_loop_job *job, float *result,
                             struct ebb_error *error)
{
    struct ebb_carrier c = {.loop = loop, .job = job, .run = ebb_run_create(job->run, error), .result = result};
    if (!c.run)
        return error->code;

    struct ebb_run_instruction in = {.kind = EBB_RUN_STEP};
    enum ebb_result code = prepare(&c, error);
    while (code == EBB_OK && in.kind != EBB_RUN_DONE) {
        code = ebb_run_next(c.run, &in, error);
        if (code == EBB_OK)
            code = carry_out(&c, &in, error);
    }
    if (code == EBB_OK && c.ahead)
        code = ebb_tape_play(loop->tape, tell_marks, &c, error);
    if (code == EBB_OK)
        code = ebb_buffer_read(loop->slot[0], 0, result, loop->count, error);
    if (job->counts)
        ebb_run_counts(c.run, &job->counts->evals, &job->counts->rejected);
    ebb_run_destroy(&c.run);
    return code;
}
