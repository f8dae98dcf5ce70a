// SPDX-License-Identifier: LGPL-2.1-or-later
#include "process/reverse.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "process/reverse_pass.h"

// ---- life ----

static enum ebb_result make_plan(struct ebb_reverse *reverse, struct ebb_error *error)
{
    const struct ebb_reverse_size *s = &reverse->size;
    struct ebb_graph *graph = ebb_graph_create();
    if (!graph)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");

    int columns = s->window > 0 ? s->window : s->w;
    struct ebb_unet_shape shape = {.n = s->n, .h = s->h, .w = columns, .condition = s->condition};
    memcpy(shape.tokens, s->tokens, sizeof(shape.tokens));
    memcpy(shape.masked, s->masked, sizeof(shape.masked));
    shape.turned = s->time_down;
    enum ebb_result result = ebb_unet_build(reverse->unet, graph, &shape, error);
    if (result != EBB_OK) {
        ebb_graph_destroy(&graph);
        return result;
    }

    if (s->bf16)
        ebb_graph_use_bf16(graph);
    reverse->plan = ebb_plan_create(reverse->device, graph, error);
    return reverse->plan ? EBB_OK : error->code;
}

static enum ebb_result make_buffer(struct ebb_reverse *reverse, struct ebb_buffer **buffer, size_t count,
                                   struct ebb_error *error)
{
    if (!*buffer)
        *buffer = ebb_buffer_create(reverse->device, count, error);
    return *buffer ? EBB_OK : error->code;
}

// Floats of a text of one item.
static size_t text_count(const struct ebb_reverse *reverse, int text)
{
    return (size_t)reverse->size.tokens[text] * (size_t)ebb_unet_text_width(reverse->unet, text);
}

// What the evaluations of a ring need: a window's input and answer, and on the host the state, the window,
// the sum of the answers and their weights.
static enum ebb_result make_ring(struct ebb_reverse *reverse, struct ebb_error *error)
{
    const struct ebb_reverse_size *s = &reverse->size;
    size_t view = (size_t)s->n * s->h * s->window * s->c;
    reverse->ring = (struct ebb_ring){s->h, s->w, s->c, s->window};
    enum ebb_result result = make_buffer(reverse, &reverse->input, view, error);
    if (result == EBB_OK)
        result = make_buffer(reverse, &reverse->ring_output, view, error);
    reverse->ring_host = ebb_alloc((s->n + 1) * reverse->count + view + s->w, sizeof(float));
    if (result == EBB_OK && !reverse->ring_host)
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a ring of %d columns", s->w);
    return result;
}

static enum ebb_result make_all(struct ebb_reverse *reverse, struct ebb_error *error)
{
    const struct ebb_reverse_size *s = &reverse->size;
    size_t pixels = (size_t)s->h * s->w;
    enum ebb_result result = make_plan(reverse, error);
    if (result == EBB_OK && s->window > 0)
        result = make_ring(reverse, error);
    if (result == EBB_OK)
        result = make_buffer(reverse, &reverse->input, s->n * reverse->count, error);
    if (result == EBB_OK)
        result = make_buffer(reverse, &reverse->output, s->n * reverse->count * (reverse->learned ? 2 : 1),
                             error);
    if (result == EBB_OK && reverse->learned)
        result = make_buffer(reverse, &reverse->other, reverse->count, error);
    if (result == EBB_OK && s->condition > 0)
        result = make_buffer(reverse, &reverse->condition, s->n * pixels * s->condition, error);
    for (int i = 0; i < EBB_UNET_TEXTS && result == EBB_OK; i++)
        if (s->tokens[i] > 0)
            result = make_buffer(reverse, &reverse->text[i], s->n * text_count(reverse, i), error);
    if (result != EBB_OK)
        return result;

    reverse->host.count = reverse->count;
    reverse->noise = (struct ebb_run_noise){.device = reverse->device,
                                            .h = s->h,
                                            .w = s->w,
                                            .c = s->c,
                                            .down = s->time_down,
                                            .count = reverse->count};
    reverse->tape = ebb_tape_create(reverse->device, error);
    return reverse->tape ? ebb_run_noise_init(&reverse->noise, error) : EBB_OUT_OF_MEMORY;
}

static enum ebb_result check_channels(const struct ebb_unet *unet, const struct ebb_reverse_size *s,
                                      struct ebb_error *error)
{
    int in = ebb_unet_in_channels(unet), out = ebb_unet_out_channels(unet);
    if (s->window > 0 && out != s->c)
        return ebb_fail(error, EBB_UNSUPPORTED, "a network that learned its variance makes no loops");
    if (in != s->c + s->condition)
        return ebb_fail(error, EBB_CORRUPT,
                        "the network takes %d channels, the state has %d and its condition %d", in, s->c,
                        s->condition);
    if (out != s->c && out != 2 * s->c)
        return ebb_fail(error, EBB_CORRUPT, "the network gives %d channels, the state has %d", out, s->c);
    return EBB_OK;
}

struct ebb_reverse *ebb_reverse_create(struct ebb_device *device, const struct ebb_unet *unet,
                                       const struct ebb_reverse_size *size, struct ebb_error *error)
{
    if (check_channels(unet, size, error) != EBB_OK)
        return NULL;

    struct ebb_reverse *reverse = ebb_alloc(1, sizeof(*reverse));
    if (!reverse) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a reverse process");
        return NULL;
    }
    reverse->device = device;
    reverse->unet = unet;
    reverse->size = *size;
    reverse->count = (size_t)size->h * size->w * size->c;
    reverse->learned = ebb_unet_out_channels(unet) == 2 * size->c;
    reverse->kinds = ebb_unet_step_inputs(unet, reverse->width);
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        if (size->tokens[i] > 0 && size->masked[i])
            reverse->width[reverse->kinds++] = size->tokens[i];
    if (make_all(reverse, error) != EBB_OK)
        ebb_reverse_destroy(&reverse);
    return reverse;
}

void ebb_reverse_destroy(struct ebb_reverse **reverse)
{
    struct ebb_reverse *l = *reverse;
    if (!l)
        return;
    ebb_tape_destroy(&l->tape);
    struct ebb_buffer **others[] = {&l->input, &l->output, &l->condition, &l->first,
                                    &l->known, &l->mask,   &l->pull,      &l->ring_output};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        ebb_buffer_destroy(others[i]);
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        ebb_buffer_destroy(&l->text[i]);
    for (int i = 0; i < EBB_RUN_SLOTS; i++)
        ebb_buffer_destroy(&l->slot[i]);
    ebb_plan_destroy(&l->plan);
    ebb_classifier_guidance_destroy(&l->classifier);
    ebb_host_ops_clear(&l->host);
    ebb_buffer_destroy(&l->other);
    ebb_run_noise_clear(&l->noise);
    free(l->ring_host);
    free(l->timesteps);
    for (int i = 0; i < EBB_STEP_KINDS; i++)
        free(l->rows[i]);
    free(l);
    *reverse = NULL;
}

const struct ebb_reverse_size *ebb_reverse_size(const struct ebb_reverse *reverse)
{
    return &reverse->size;
}

// ---- the step inputs, before the first step ----

static enum ebb_result grow_rows(struct ebb_reverse *reverse, int evals, struct ebb_error *error)
{
    if (evals <= reverse->capacity)
        return EBB_OK;
    reverse->capacity = 0;
    double *timesteps = realloc(reverse->timesteps, (size_t)evals * sizeof(double));
    if (timesteps)
        reverse->timesteps = timesteps;
    bool whole = timesteps != NULL;
    for (int i = 0; i < reverse->kinds; i++) {
        float *rows = realloc(reverse->rows[i],
                              (size_t)evals * reverse->size.n * reverse->width[i] * sizeof(float));
        if (rows)
            reverse->rows[i] = rows;
        whole = whole && rows;
    }
    if (!whole)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the embeddings of %d evaluations", evals);
    reverse->capacity = evals;
    return EBB_OK;
}

static enum ebb_result prepare_steps(struct ebb_pass *pass, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    pass->planned = ebb_run_timesteps(pass->run, NULL, 0);
    enum ebb_result result = grow_rows(reverse, pass->planned > 0 ? pass->planned : 1, error);
    if (result != EBB_OK || pass->planned == 0)
        return result;
    ebb_run_timesteps(pass->run, reverse->timesteps, pass->planned);
    return ebb_pass_embed(pass, pass->planned, error);
}

// ---- instructions ----

static enum ebb_result blend(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                             struct ebb_error *error)
{
    struct ebb_blend blend = {.terms = in->terms, .clamp = (float)in->clamp, .count = pass->reverse->count};
    for (int i = 0; i < in->terms; i++) {
        blend.src[i] = pass->slot[in->term[i].slot].buffer;
        blend.src_offset[i] = pass->slot[in->term[i].slot].offset;
        blend.weight[i] = (float)in->term[i].weight;
    }
    if (in->noise_scale >= 0)
        blend.noise_scale = pass->reverse->slot[in->noise_scale];
    blend.dst = ebb_pass_own(pass, in->dst);
    return ebb_pass_blend(pass, &blend, error);
}

// Dynamic thresholding, in slot[dst].
static enum ebb_result threshold(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                                 struct ebb_error *error)
{
    struct ebb_slot from = pass->slot[in->src];
    struct ebb_threshold t = {.x = ebb_pass_own(pass, in->dst),
                              .count = pass->reverse->count,
                              .ratio = (float)in->ratio,
                              .most = (float)in->clamp};
    struct ebb_blend copy = {.dst = t.x,
                             .terms = 1,
                             .src = {from.buffer},
                             .src_offset = {from.offset},
                             .weight = {1},
                             .count = t.count};
    enum ebb_result result = in->src == in->dst ? EBB_OK : ebb_pass_blend(pass, &copy, error);
    if (result != EBB_OK)
        return result;
    return pass->ahead ? ebb_tape_threshold(pass->reverse->tape, &t, error)
                       : ebb_threshold(pass->reverse->device, &t, error);
}

static enum ebb_result draw_noise(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                                  struct ebb_error *error)
{
    struct ebb_run_noise *draws = &pass->reverse->noise;
    if (!pass->ahead)
        return ebb_run_noise_one(draws, in->draw, ebb_pass_own(pass, in->dst), error);
    pass->slot[in->dst] = (struct ebb_slot){draws->ahead, (in->draw - 1) * draws->count};
    return EBB_OK;
}

static enum ebb_result measure(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                               struct ebb_error *error)
{
    double value;
    enum ebb_result result = ebb_host_ops_measure(&pass->reverse->host, in, pass->reverse->slot, &value,
                                                  error);
    if (result == EBB_OK)
        ebb_run_measured(pass->run, value);
    return result;
}

static enum ebb_result show(struct ebb_pass *pass, int step, int steps, double alpha, double sigma,
                            struct ebb_error *error)
{
    if (!pass->job->watch)
        return EBB_OK;
    struct ebb_reverse_state state = {step, steps, alpha, sigma, pass->result};
    enum ebb_result result = ebb_buffer_read(pass->reverse->slot[0], 0, pass->result, pass->reverse->count,
                                             error);
    return result == EBB_OK ? pass->job->watch(pass->job->user, &state, error) : result;
}

// Where the mask is 1, x becomes alpha * known + sigma * (noise of the start). The noise is the same at all
// steps, so the held part follows one path, as a deterministic sampler needs it.
static enum ebb_result hold(struct ebb_pass *pass, double alpha, double sigma, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    struct ebb_buffer *x = reverse->slot[0];
    struct ebb_blend way = {.dst = reverse->pull,
                            .terms = 3,
                            .src = {reverse->known, reverse->first, x},
                            .weight = {(float)alpha, (float)sigma, -1},
                            .count = reverse->count};
    struct ebb_blend go = {.dst = x,
                           .terms = 2,
                           .src = {x, reverse->pull},
                           .weight = {1, 1},
                           .noise_scale = reverse->mask,
                           .count = reverse->count};
    enum ebb_result result = ebb_pass_blend(pass, &way, error);
    return result == EBB_OK ? ebb_pass_blend(pass, &go, error) : result;
}

static enum ebb_result complete(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                                struct ebb_error *error)
{
    pass->share = in->steps > 0 ? (double)in->step / in->steps : 0;
    enum ebb_result result = pass->job->mask ? hold(pass, in->alpha, in->sigma, error) : EBB_OK;
    return result == EBB_OK ? show(pass, in->step, in->steps, in->alpha, in->sigma, error) : result;
}

static enum ebb_result carry_out(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                                 struct ebb_error *error)
{
    switch (in->kind) {
    case EBB_RUN_EVAL: return ebb_pass_evaluate(pass, in, error);
    case EBB_RUN_BLEND: return blend(pass, in, error);
    case EBB_RUN_NOISE: return draw_noise(pass, in, error);
    case EBB_RUN_THRESHOLD: return threshold(pass, in, error);
    case EBB_RUN_EXP:
    case EBB_RUN_SQRT: return ebb_host_ops_map(&pass->reverse->host, in, pass->reverse->slot, error);
    case EBB_RUN_MEASURE: return measure(pass, in, error);
    case EBB_RUN_STEP: return complete(pass, in, error);
    case EBB_RUN_DONE: break;
    }
    return EBB_OK;
}

// ---- the run ----

static enum ebb_result prepare_held(struct ebb_pass *pass, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    struct ebb_buffer **buffers[] = {&reverse->known, &reverse->mask, &reverse->pull};
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < 3 && result == EBB_OK; i++)
        result = make_buffer(reverse, buffers[i], reverse->count, error);
    if (result == EBB_OK)
        result = ebb_buffer_write(reverse->known, 0, pass->job->known, reverse->count, error);
    if (result == EBB_OK)
        result = ebb_buffer_write(reverse->mask, 0, pass->job->mask, reverse->count, error);
    return result;
}

static enum ebb_result prepare_condition(struct ebb_pass *pass, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    size_t count = (size_t)reverse->size.h * reverse->size.w * reverse->size.condition;
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < reverse->size.n && result == EBB_OK; i++)
        result = ebb_buffer_write(reverse->condition, i * count, pass->job->condition, count, error);
    return result;
}

static enum ebb_result prepare_text(struct ebb_pass *pass, int text, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    size_t count = text_count(reverse, text);
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < reverse->size.n && result == EBB_OK; i++) {
        const struct ebb_words *words = pass->job->words[i];
        if (!words || words->tokens[text] != reverse->size.tokens[text])
            return ebb_fail(error, EBB_INVALID, "item %d has %d tokens, expected %d", i,
                            words ? words->tokens[text] : 0, reverse->size.tokens[text]);
        result = ebb_buffer_write(reverse->text[text], i * count, words->states[text], count, error);
    }
    return result;
}

static enum ebb_result prepare_classifier(struct ebb_pass *pass, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    const struct ebb_reverse_size *s = &reverse->size;
    if (!reverse->classifier)
        reverse->classifier = ebb_classifier_guidance_create(reverse->device,
                                                             pass->job->classifier_guidance.classifier, s->h,
                                                             s->w, s->c, error);
    return reverse->classifier ? EBB_OK : error->code;
}

// slot 0 = alpha * x_0 + sigma * noise
static enum ebb_result start(struct ebb_pass *pass, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    double alpha, sigma;
    ebb_run_start(pass->run, &alpha, &sigma);
    enum ebb_result result = pass->job->first ? ebb_buffer_write(reverse->first, 0, pass->job->first,
                                                                 reverse->count, error)
                                              : ebb_run_noise_one(&reverse->noise, 0, reverse->first, error);
    if (result == EBB_OK && pass->ahead)
        result = ebb_run_noise_all(&reverse->noise, (size_t)pass->draws, error);
    if (result == EBB_OK && !pass->job->start)
        result = ebb_pass_mix(pass, reverse->slot[0], sigma, reverse->first, 0, NULL, error);
    if (result == EBB_OK && pass->job->start)
        result = ebb_buffer_write(reverse->slot[0], 0, pass->job->start, reverse->count, error);
    if (result == EBB_OK && pass->job->start)
        result = ebb_pass_mix(pass, reverse->slot[0], alpha, reverse->slot[0], sigma, reverse->first, error);
    return result == EBB_OK ? show(pass, 0, pass->job->run->steps, alpha, sigma, error) : result;
}

// Whether the whole run can be put onto the tape: none of its work needs a state on the host.
static bool can_be_ahead(const struct ebb_pass *pass, const struct ebb_run_outline *outline)
{
    bool guided = (pass->reverse->size.n > 1 && pass->job->guidance.rescale > 0) ||
                  pass->job->guidance.classifier > 0;
    return !outline->on_host && !pass->job->watch && !pass->reverse->learned && !guided &&
           pass->reverse->size.window == 0 && ebb_run_noise_fit(&pass->reverse->noise, outline->draws);
}

static enum ebb_result prepare(struct ebb_pass *pass, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    struct ebb_run_outline outline;
    pass->ahead = ebb_run_outline(pass->run, &outline) && can_be_ahead(pass, &outline);
    pass->draws = outline.draws;
    ebb_tape_clear(reverse->tape);
    ebb_run_noise_seed(&reverse->noise, &pass->job->noise);

    enum ebb_result result = make_buffer(reverse, &reverse->first, reverse->count, error);
    for (int i = 0; i < ebb_run_slots(pass->run) && result == EBB_OK; i++) {
        result = make_buffer(reverse, &reverse->slot[i], reverse->count, error);
        ebb_pass_own(pass, i);
    }
    if (result == EBB_OK && pass->job->guidance.classifier > 0)
        result = prepare_classifier(pass, error);
    if (result == EBB_OK)
        result = prepare_steps(pass, error);
    if (result == EBB_OK && pass->job->mask)
        result = prepare_held(pass, error);
    if (result == EBB_OK && reverse->size.condition > 0)
        result = prepare_condition(pass, error);
    for (int i = 0; i < EBB_UNET_TEXTS && result == EBB_OK; i++)
        if (reverse->text[i])
            result = prepare_text(pass, i, error);
    return result == EBB_OK ? start(pass, error) : result;
}

static enum ebb_result tell_marks(void *user, int marks, struct ebb_error *error)
{
    struct ebb_pass *pass = user;
    return marks < pass->planned
               ? ebb_progress_tell(&pass->job->progress, (double)marks / pass->planned, error)
               : EBB_OK;
}

enum ebb_result ebb_reverse_run(struct ebb_reverse *reverse, const struct ebb_reverse_job *job, float *result,
                                struct ebb_error *error)
{
    struct ebb_pass pass = {.reverse = reverse,
                            .job = job,
                            .run = ebb_run_create(job->run, error),
                            .result = result};
    if (!pass.run)
        return error->code;

    struct ebb_run_instruction in = {.kind = EBB_RUN_STEP};
    enum ebb_result code = prepare(&pass, error);
    while (code == EBB_OK && in.kind != EBB_RUN_DONE) {
        code = ebb_run_next(pass.run, &in, error);
        if (code == EBB_OK)
            code = carry_out(&pass, &in, error);
    }
    if (code == EBB_OK && pass.ahead)
        code = ebb_tape_play(reverse->tape, tell_marks, &pass, error);
    if (code == EBB_OK)
        code = ebb_buffer_read(reverse->slot[0], 0, result, reverse->count, error);
    if (job->counts) {
        *job->counts = (struct ebb_counts){0};
        ebb_run_counts(pass.run, &job->counts->evals, &job->counts->rejected);
    }
    ebb_run_destroy(&pass.run);
    return code;
}
