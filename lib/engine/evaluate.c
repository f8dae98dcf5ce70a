// One evaluation of the network: what it is given, and what is made of its answer.
#include "engine/carrier.h"

#include <math.h>
#include <string.h>

#include "base/base.h"

enum ebb_result ebb_carrier_put(struct ebb_carrier *c, const struct ebb_blend *blend, struct ebb_error *error)
{
    return c->ahead ? ebb_tape_blend(c->loop->tape, blend, error) : ebb_blend(c->loop->device, blend, error);
}

enum ebb_result ebb_carrier_mix(struct ebb_carrier *c, struct ebb_buffer *dst, double a, struct ebb_buffer *x, double b,
                           struct ebb_buffer *y, struct ebb_error *error)
{
    struct ebb_blend blend = {.dst = dst, .terms = y ? 2 : 1, .src = {x, y}, .weight = {(float)a, (float)b},
                              .count = c->loop->count};
    return ebb_carrier_put(c, &blend, error);
}

struct ebb_buffer *ebb_carrier_own(struct ebb_carrier *c, int number)
{
    c->slot[number] = (struct ebb_slot){c->loop->slot[number], 0};
    return c->loop->slot[number];
}

enum ebb_result ebb_carrier_embed(struct ebb_carrier *c, int evals, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    int n = loop->size.n;
    for (int i = 0; i < evals * n; i++) {
        int label = c->job->item[i % n];
        float *time_row = loop->rows[0] + (size_t)i * loop->width[0];
        float *class_row = loop->kinds > 1 ? loop->rows[1] + (size_t)i * loop->width[1] : NULL;
        ebb_unet_embed(loop->unet, loop->timesteps[i / n], label, NULL, time_row, class_row);
    }
    enum ebb_result result = ebb_plan_steps(loop->plan, evals, (const float *const *)loop->rows, error);
    if (result == EBB_OK && c->job->guidance.classifier > 0)
        result = ebb_steer_prepare(loop->steer, &c->job->steer, &c->job->guidance, loop->timesteps, evals, error);
    return result;
}

// A learned variance lies behind the prediction, channel by channel: parts them, of every item. The first item's counts.
static enum ebb_result part_output(struct ebb_carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
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
static double time_of(const struct ebb_carrier *c, const struct ebb_run_instruction *in)
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
static enum ebb_result rescale(struct ebb_carrier *c, struct ebb_buffer *dst, double scale, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    struct ebb_guidance plain = c->job->guidance;
    double weight[EBB_GUIDANCE_LABELS + 1];
    plain.scale = 1;
    ebb_guidance_weights(&plain, 0, weight);

    enum ebb_result result = EBB_OK;
    float *sum = loop->draws.turned, *one = loop->draws.drawn; // free between draws
    memset(sum, 0, loop->count * sizeof(float));
    for (int k = 0; k < plain.labels && result == EBB_OK; k++) {
        result = ebb_buffer_read(loop->output, k * loop->count, one, loop->count, error);
        for (size_t i = 0; i < loop->count; i++)
            sum[i] += (float)(scale * weight[k + 1]) * one[i];
    }
    if (result == EBB_OK)
        result = ebb_buffer_read(dst, 0, one, loop->count, error);
    if (result != EBB_OK)
        return result;
    double factor = ebb_guidance_rescaled(&plain, deviation(sum, loop->count), deviation(one, loop->count));
    return ebb_carrier_mix(c, dst, factor, dst, 0, NULL, error);
}

// The network's output -> the prediction, guided.
static enum ebb_result take_output(struct ebb_carrier *c, const struct ebb_run_instruction *in, struct ebb_buffer *output,
                                   struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    struct ebb_buffer *dst = loop->slot[in->dst];
    double scale = ebb_unet_output_scale(loop->unet, in->timestep);
    enum ebb_result result = loop->learned ? part_output(c, in, error) : EBB_OK;
    if (result != EBB_OK)
        return result;

    struct ebb_buffer *one = loop->learned ? dst : output, *two = loop->learned ? loop->other : output;
    if (loop->size.n == 1)
        return one == dst && scale == 1 ? EBB_OK : ebb_carrier_mix(c, dst, scale, one, 0, NULL, error);

    double weight[EBB_GUIDANCE_LABELS + 1];
    const struct ebb_guidance *g = &c->job->guidance;
    ebb_guidance_weights(g, time_of(c, in), weight);
    struct ebb_blend blend = {.dst = dst, .terms = g->labels + 1, .count = loop->count};
    for (int i = 0; i <= g->labels; i++) {
        blend.src[i] = i == 0 ? one : two;
        blend.weight[i] = (float)(scale * weight[i < g->labels ? i + 1 : 0]);
        blend.src_offset[i] = loop->learned ? 0 : i * loop->count;
    }
    result = ebb_carrier_put(c, &blend, error);
    return result == EBB_OK && g->rescale > 0 ? rescale(c, dst, scale, error) : result;
}

// Classifier guidance: what is to be added to the answer, from the state that the network saw. *weight is 0 where it does not act.
static enum ebb_result steer(struct ebb_carrier *c, const struct ebb_run_instruction *in, int row, struct ebb_buffer *input,
                             double *weight, struct ebb_error *error)
{
    const struct ebb_guidance *g = &c->job->guidance;
    double t = g->classifier > 0 ? time_of(c, in) : 0;
    *weight = 0;
    if (g->classifier <= 0 || t < g->from || t > g->to)
        return EBB_OK;
    struct ebb_steer_at at = {row, in->alpha, in->sigma, in->scale, c->job->run->prediction,
                              ebb_schedule_sigma_data(c->job->run->schedule)};
    return ebb_steer_look(c->loop->steer, g->classifier, &at, input, weight, error);
}

// The state as the network is given it, once for each of its items; one item alone is read where it lies.
static struct ebb_buffer *give_input(struct ebb_carrier *c, const struct ebb_run_instruction *in, enum ebb_result *result,
                                     struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    struct ebb_slot from = c->slot[in->src];
    *result = EBB_OK;
    if (loop->size.n == 1 && in->scale == 1 && from.offset == 0)
        return from.buffer;
    struct ebb_blend copy = {.dst = loop->input, .terms = 1, .src = {from.buffer}, .src_offset = {from.offset},
                             .weight = {(float)in->scale}, .count = loop->count, .copies = loop->size.n};
    *result = ebb_carrier_put(c, &copy, error);
    return loop->input;
}

// Where the network writes: straight to the prediction, when nothing is left to do with it.
static struct ebb_buffer *output_of(struct ebb_carrier *c, const struct ebb_run_instruction *in)
{
    struct ebb_loop *loop = c->loop;
    bool straight = loop->size.n == 1 && !loop->learned && in->dst != in->src && ebb_unet_output_scale(loop->unet, in->timestep) == 1;
    return straight ? loop->slot[in->dst] : loop->output;
}

// How far the run is is told here, unless the tape tells it.
static enum ebb_result tell_pulse(struct ebb_carrier *c, struct ebb_error *error)
{
    double fraction = c->planned > 0 ? (double)c->done / c->planned : c->share;
    return c->ahead ? EBB_OK : ebb_pulse_tell(&c->job->pulse, fraction, error);
}

enum ebb_result ebb_carrier_evaluate(struct ebb_carrier *c, const struct ebb_run_instruction *in, struct ebb_error *error)
{
    struct ebb_loop *loop = c->loop;
    enum ebb_result result = tell_pulse(c, error);
    int row = c->done;
    if (result == EBB_OK && c->planned == 0) { // an adaptive sampler: the time is known only now
        row = 0;
        loop->timesteps[0] = in->timestep;
        result = ebb_carrier_embed(c, 1, error);
    }
    if (result != EBB_OK)
        return result;

    struct ebb_buffer *input = give_input(c, in, &result, error), *output = output_of(c, in);
    struct ebb_buffer *inputs[] = {input, loop->condition};
    if (result == EBB_OK)
        result = c->ahead ? ebb_plan_tape(loop->plan, loop->tape, row, inputs, &output, error)
                          : ebb_plan_run(loop->plan, row, inputs, &output, error);
    double weight;
    if (result == EBB_OK)
        result = steer(c, in, row, input, &weight, error); // before the answer can take the state's place
    if (result != EBB_OK)
        return result;
    c->done++;
    ebb_carrier_own(c, in->dst);
    result = take_output(c, in, output, error);
    if (result == EBB_OK && weight != 0)
        result = ebb_carrier_mix(c, loop->slot[in->dst], 1, loop->slot[in->dst], weight, ebb_steer_gradient(loop->steer), error);
    return result == EBB_OK && c->ahead ? ebb_tape_mark(loop->tape, error) : result;
}
