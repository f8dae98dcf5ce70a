// SPDX-License-Identifier: LGPL-2.1-or-later
// One evaluation of the network: its inputs, and guidance on its answer.
#include "process/reverse_pass.h"

#include <math.h>
#include <string.h>

#include "base/base.h"

enum ebb_result ebb_pass_blend(struct ebb_pass *pass, const struct ebb_blend *blend, struct ebb_error *error)
{
    return pass->ahead ? ebb_tape_blend(pass->reverse->tape, blend, error)
                       : ebb_blend(pass->reverse->device, blend, error);
}

enum ebb_result ebb_pass_mix(struct ebb_pass *pass, struct ebb_buffer *dst, double a, struct ebb_buffer *x,
                             double b, struct ebb_buffer *y, struct ebb_error *error)
{
    struct ebb_blend blend = {.dst = dst,
                              .terms = y ? 2 : 1,
                              .src = {x, y},
                              .weight = {(float)a, (float)b},
                              .count = pass->reverse->count};
    return ebb_pass_blend(pass, &blend, error);
}

struct ebb_buffer *ebb_pass_own(struct ebb_pass *pass, int number)
{
    pass->slot[number] = (struct ebb_slot){pass->reverse->slot[number], 0};
    return pass->reverse->slot[number];
}

// Which tokens of its texts item `row` of all evaluations sees: attention weighs a token by the part of it
// that is seen. The number for none is diffusers' own.
static void mask_row(struct ebb_reverse *reverse, const struct ebb_words *words, int kind, size_t row)
{
    const float unseen = -10000;
    for (int text = 0; text < EBB_UNET_TEXTS; text++) {
        if (!reverse->size.tokens[text] || !reverse->size.masked[text])
            continue;
        const float *seen = words ? words->seen[text] : NULL;
        float *to = reverse->rows[kind] + row * (size_t)reverse->width[kind];
        for (int i = 0; i < reverse->width[kind]; i++)
            to[i] = !seen ? 0 : seen[i] > 0 ? logf(seen[i]) : unseen;
        kind++;
    }
}

enum ebb_result ebb_pass_embed(struct ebb_pass *pass, int evals, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    int n = reverse->size.n;
    int width[2], own = ebb_unet_step_inputs(reverse->unet, width);
    for (int i = 0; i < evals * n; i++) {
        int label = pass->job->item[i % n];
        const struct ebb_words *words = pass->job->words[i % n];
        float *time_row = reverse->rows[0] + (size_t)i * reverse->width[0];
        float *class_row = own > 1 ? reverse->rows[1] + (size_t)i * reverse->width[1] : NULL;
        ebb_unet_embed(reverse->unet, reverse->timesteps[i / n], label, words ? words->vector : NULL,
                       time_row, class_row);
        mask_row(reverse, words, own, (size_t)i);
    }
    enum ebb_result result = ebb_plan_steps(reverse->plan, evals, (const float *const *)reverse->rows, error);
    if (result == EBB_OK && pass->job->guidance.classifier > 0)
        result = ebb_classifier_guidance_prepare(reverse->classifier, &pass->job->classifier_guidance,
                                                 &pass->job->guidance, reverse->timesteps, evals, error);
    return result;
}

// Splits the output of a network that also predicts a variance: the variance's channels follow those of the
// prediction. The variance of the first item of the batch is used.
static enum ebb_result part_output(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                                   struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    if (in->dst2 < 0)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "the network learned its variance, this sampler does not use it");

    struct ebb_buffer *to[] = {reverse->slot[in->dst], reverse->other};
    enum ebb_result result = EBB_OK;
    for (int i = reverse->size.n - 1; i >= 0 && result == EBB_OK; i--)
        result = ebb_host_ops_split(&reverse->host, reverse->output, 2 * i * reverse->count, reverse->size.c,
                                    to[i], reverse->slot[in->dst2], error);
    return result;
}

// The diffusion time of an evaluation, by its noise level; computed only if the guidance needs it.
static double time_of(const struct ebb_pass *pass, const struct ebb_run_instruction *in)
{
    if (pass->job->guidance.from <= 0 && pass->job->guidance.to >= 1)
        return 1;
    double t = ebb_schedule_t_of_snr(pass->job->run->schedule,
                                     in->alpha * in->alpha / (in->sigma * in->sigma));
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

// Brings the guided answer's deviation towards that of the conditional one (Lin 2023). Reads the answers
// back.
static enum ebb_result rescale(struct ebb_pass *pass, struct ebb_buffer *dst, double scale,
                               struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    struct ebb_guidance plain = pass->job->guidance;
    double weight[EBB_GUIDANCE_LABELS + 1];
    plain.scale = 1;
    ebb_guidance_weights(&plain, 0, weight);

    enum ebb_result result = EBB_OK;
    float *sum = reverse->noise.turned, *one = reverse->noise.drawn; // free between draws
    memset(sum, 0, reverse->count * sizeof(float));
    for (int k = 0; k < plain.labels && result == EBB_OK; k++) {
        result = ebb_buffer_read(reverse->output, k * reverse->count, one, reverse->count, error);
        for (size_t i = 0; i < reverse->count; i++)
            sum[i] += (float)(scale * weight[k + 1]) * one[i];
    }
    if (result == EBB_OK)
        result = ebb_buffer_read(dst, 0, one, reverse->count, error);
    if (result != EBB_OK)
        return result;
    double factor = ebb_guidance_rescaled(&plain, deviation(sum, reverse->count),
                                          deviation(one, reverse->count));
    return ebb_pass_mix(pass, dst, factor, dst, 0, NULL, error);
}

// From the network's output to the guided prediction.
static enum ebb_result take_output(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                                   struct ebb_buffer *output, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    struct ebb_buffer *dst = reverse->slot[in->dst];
    double scale = ebb_unet_output_scale(reverse->unet, in->timestep);
    enum ebb_result result = reverse->learned ? part_output(pass, in, error) : EBB_OK;
    if (result != EBB_OK)
        return result;

    struct ebb_buffer *one = reverse->learned ? dst : output,
                      *two = reverse->learned ? reverse->other : output;
    if (reverse->size.n == 1)
        return one == dst && scale == 1 ? EBB_OK : ebb_pass_mix(pass, dst, scale, one, 0, NULL, error);

    double weight[EBB_GUIDANCE_LABELS + 1];
    const struct ebb_guidance *g = &pass->job->guidance;
    ebb_guidance_weights(g, time_of(pass, in), weight);
    struct ebb_blend blend = {.dst = dst, .terms = g->labels + 1, .count = reverse->count};
    for (int i = 0; i <= g->labels; i++) {
        blend.src[i] = i == 0 ? one : two;
        blend.weight[i] = (float)(scale * weight[i < g->labels ? i + 1 : 0]);
        blend.src_offset[i] = reverse->learned ? 0 : i * reverse->count;
    }
    result = ebb_pass_blend(pass, &blend, error);
    return result == EBB_OK && g->rescale > 0 ? rescale(pass, dst, scale, error) : result;
}

// Classifier guidance: computes the gradient at the state that the network saw, and its weight; 0 where it
// does not act.
static enum ebb_result ask_classifier(struct ebb_pass *pass, const struct ebb_run_instruction *in, int row,
                                      struct ebb_buffer *input, double *weight, struct ebb_error *error)
{
    const struct ebb_guidance *g = &pass->job->guidance;
    double t = g->classifier > 0 ? time_of(pass, in) : 0;
    *weight = 0;
    if (g->classifier <= 0 || t < g->from || t > g->to)
        return EBB_OK;
    struct ebb_classifier_guidance_at at = {row,
                                            in->alpha,
                                            in->sigma,
                                            in->scale,
                                            pass->job->run->prediction,
                                            ebb_schedule_sigma_data(pass->job->run->schedule)};
    return ebb_classifier_guidance_evaluate(pass->reverse->classifier, g->classifier, &at, input, weight,
                                            error);
}

// The network's input: the scaled state, once for each item of the batch. A single item that needs no
// scaling is read from the state's own buffer.
static struct ebb_buffer *give_input(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                                     enum ebb_result *result, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    struct ebb_slot from = pass->slot[in->src];
    *result = EBB_OK;
    if (reverse->size.n == 1 && in->scale == 1 && from.offset == 0)
        return from.buffer;
    struct ebb_blend copy = {.dst = reverse->input,
                             .terms = 1,
                             .src = {from.buffer},
                             .src_offset = {from.offset},
                             .weight = {(float)in->scale},
                             .count = reverse->count,
                             .copies = reverse->size.n};
    *result = ebb_pass_blend(pass, &copy, error);
    return reverse->input;
}

// The buffer that the network writes to: the prediction itself, where no guidance follows.
static struct ebb_buffer *output_of(struct ebb_pass *pass, const struct ebb_run_instruction *in)
{
    struct ebb_reverse *reverse = pass->reverse;
    bool straight = reverse->size.n == 1 && !reverse->learned && in->dst != in->src &&
                    ebb_unet_output_scale(reverse->unet, in->timestep) == 1;
    return straight ? reverse->slot[in->dst] : reverse->output;
}

// Tells the progress of the run, unless the tape does; `part` is of the evaluation under way.
static enum ebb_result tell_progress(struct ebb_pass *pass, double part, struct ebb_error *error)
{
    double fraction = pass->planned > 0 ? (pass->done + part) / pass->planned : pass->share;
    return pass->ahead ? EBB_OK : ebb_progress_tell(&pass->job->progress, fraction, error);
}

// ---- rings ----

// Room of a ring on the host.
struct ring_room {
    float *state;   // of the ring
    float *window;  // input or answer of one window, n items
    float *sum;     // answers, n rings one after the other
    float *weights; // a number a column
};

static struct ring_room ring_room_of(const struct ebb_reverse *reverse)
{
    float *at = reverse->ring_host;
    size_t view = ebb_buffer_count(reverse->ring_output), count = reverse->count;
    return (struct ring_room){at, at + count, at + count + view, at + count + view + reverse->size.n * count};
}

enum { INPUTS = 2 + EBB_UNET_TEXTS };

// What the network is given, in the order of its declaration.
static void list_inputs(const struct ebb_reverse *reverse, struct ebb_buffer *input,
                        struct ebb_buffer *inputs[INPUTS])
{
    int used = 0;
    inputs[used++] = input;
    if (reverse->condition)
        inputs[used++] = reverse->condition;
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        if (reverse->text[i])
            inputs[used++] = reverse->text[i];
}

// Asks the network about the window that begins at `start`, and adds its answer.
static enum ebb_result see_window(struct ebb_pass *pass, const struct ebb_run_instruction *in, int row,
                                  int start, const struct ring_room *r, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    int n = reverse->size.n;
    size_t all = ebb_buffer_count(reverse->ring_output), one = all / n;
    ebb_ring_take(&reverse->ring, r->state, start, (float)in->scale, r->window);
    for (int i = 1; i < n; i++)
        memcpy(r->window + i * one, r->window, one * sizeof(float));
    struct ebb_buffer *inputs[INPUTS];
    list_inputs(reverse, reverse->input, inputs);
    enum ebb_result result = ebb_buffer_write(reverse->input, 0, r->window, all, error);
    if (result == EBB_OK)
        result = ebb_plan_run(reverse->plan, row, inputs, &reverse->ring_output, error);
    if (result == EBB_OK)
        result = ebb_buffer_read(reverse->ring_output, 0, r->window, all, error);
    for (int i = 0; i < n && result == EBB_OK; i++)
        ebb_ring_add(&reverse->ring, r->window + i * one, start, r->sum + i * reverse->count);
    ebb_ring_weigh(&reverse->ring, start, r->weights);
    return result;
}

// The network's answer for a ring, from its windows.
static enum ebb_result see_ring(struct ebb_pass *pass, const struct ebb_run_instruction *in, int row,
                                struct ebb_buffer *output, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    const struct ebb_ring *ring = &reverse->ring;
    struct ring_room r = ring_room_of(reverse);
    struct ebb_slot from = pass->slot[in->src];
    int windows = ebb_ring_windows(ring), turn = ebb_ring_turn(ring, pass->done);
    memset(r.sum, 0, (reverse->size.n * reverse->count + ring->w) * sizeof(float)); // the weights follow it
    enum ebb_result result = ebb_buffer_read(from.buffer, from.offset, r.state, reverse->count, error);
    for (int i = 0; i < windows && result == EBB_OK; i++) {
        result = tell_progress(pass, (double)i / windows, error);
        if (result == EBB_OK)
            result = see_window(pass, in, row, ebb_ring_start(ring, i, turn), &r, error);
    }
    for (int i = 0; i < reverse->size.n && result == EBB_OK; i++)
        ebb_ring_divide(ring, r.weights, r.sum + i * reverse->count);
    return result == EBB_OK ? ebb_buffer_write(output, 0, r.sum, reverse->size.n * reverse->count, error)
                            : result;
}

// The network's answer for the state as it is.
static enum ebb_result see_whole(struct ebb_pass *pass, int row, struct ebb_buffer *input,
                                 struct ebb_buffer *output, struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    struct ebb_buffer *inputs[INPUTS];
    list_inputs(reverse, input, inputs);
    return pass->ahead ? ebb_plan_tape(reverse->plan, reverse->tape, row, inputs, &output, error)
                       : ebb_plan_run(reverse->plan, row, inputs, &output, error);
}

// ---- an evaluation ----

enum ebb_result ebb_pass_evaluate(struct ebb_pass *pass, const struct ebb_run_instruction *in,
                                  struct ebb_error *error)
{
    struct ebb_reverse *reverse = pass->reverse;
    enum ebb_result result = tell_progress(pass, 0, error);
    int row = pass->done;
    if (result == EBB_OK && pass->planned == 0) { // adaptive sampler: its timestep was not known before
        row = 0;
        reverse->timesteps[0] = in->timestep;
        result = ebb_pass_embed(pass, 1, error);
    }
    if (result != EBB_OK)
        return result;

    bool ring = reverse->size.window > 0;
    struct ebb_buffer *input = ring ? NULL : give_input(pass, in, &result, error),
                      *output = output_of(pass, in);
    if (result == EBB_OK)
        result = ring ? see_ring(pass, in, row, output, error) : see_whole(pass, row, input, output, error);
    double weight;
    if (result == EBB_OK)
        result = ask_classifier(pass, in, row, input, &weight, error); // before the answer can take the
                                                                       // state's place
    if (result != EBB_OK)
        return result;
    pass->done++;
    ebb_pass_own(pass, in->dst);
    result = take_output(pass, in, output, error);
    if (result == EBB_OK && weight != 0)
        result = ebb_pass_mix(pass, reverse->slot[in->dst], 1, reverse->slot[in->dst], weight,
                              ebb_classifier_guidance_gradient(reverse->classifier), error);
    return result == EBB_OK && pass->ahead ? ebb_tape_mark(reverse->tape, error) : result;
}
