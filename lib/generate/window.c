// SPDX-License-Identifier: LGPL-2.1-or-later
#include "generate/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/words.h"

// ---- states and their orders ----

size_t ebb_window_count(const struct ebb_model *model)
{
    return (size_t)model->state[0] * model->state[1] * model->state[2];
}

void ebb_window_shape(const struct ebb_model *model, int columns, int shape[4])
{
    shape[0] = 1;
    shape[1] = model->state[0];
    shape[2] = model->time_down ? columns : model->state[1];
    shape[3] = model->time_down ? model->state[1] : columns;
}

void ebb_window_to_latents(const struct ebb_model *model, int columns, const float *state, float *latents)
{
    size_t c = model->state[0], h = model->state[1], w = columns;
    for (size_t k = 0; k < c; k++)
        for (size_t i = 0; i < h * w; i++)
            latents[k * h * w + (model->time_down ? i % w * h + i / w : i)] = state[i * c + k];
}

// Channel after channel to (h, w, c). `turned`: w comes before h in a channel.
static void from_channels(const struct ebb_model *model, int columns, bool turned, const float *channels,
                          float *state)
{
    size_t c = model->state[0], h = model->state[1], w = columns;
    for (size_t k = 0; k < c; k++)
        for (size_t i = 0; i < h * w; i++)
            state[i * c + k] = channels[k * h * w + (turned ? i % w * h + i / w : i)];
}

void ebb_window_from_latents(const struct ebb_model *model, int columns, const float *latents, float *state)
{
    from_channels(model, columns, model->time_down, latents, state);
}

void ebb_window_copy_columns(const struct ebb_model *model, float *to, int at, const float *from, int first,
                             int count)
{
    int h = model->state[1], c = model->state[0], w = model->state[2];
    for (int y = 0; y < h; y++)
        memcpy(to + ((size_t)y * w + at) * c, from + ((size_t)y * w + first) * c,
               (size_t)count * c * sizeof(float));
}

// ---- one window ----

// Size of the process: its states, what it is told in words, and its arithmetic.
static enum ebb_result find_size(struct ebb_model *model, const struct ebb_settled *settled,
                                 const struct ebb_window_job *job, const struct ebb_words *words,
                                 struct ebb_reverse_size *size, struct ebb_error *error)
{
    *size = (struct ebb_reverse_size){.n = settled->n,
                                      .h = model->state[1],
                                      .w = job->ring > 0          ? job->ring
                                           : settled->columns > 0 ? settled->columns
                                                                  : model->state[2],
                                      .c = model->state[0],
                                      .time_down = model->time_down,
                                      .window = job->ring > 0 ? model->state[2] : 0};
    for (int i = 0; words && i < EBB_UNET_TEXTS; i++) {
        size->tokens[i] = words->tokens[i];
        size->masked[i] = words->seen[i] != NULL;
    }
    return ebb_workspace_bf16(model, settled->precision, &size->bf16, error);
}

static enum ebb_result check_variance(const struct ebb_model *model, const struct ebb_settled *settled,
                                      struct ebb_error *error)
{
    bool learned = ebb_unet_out_channels(model->unet) == 2 * model->state[0];
    if (learned && settled->n > 1 && (settled->guidance.labels > 1 || settled->guidance.rescale > 0))
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s learned its variance: its labels cannot be mixed, nor its guidance rescaled",
                        model->info.name);
    return EBB_OK;
}

enum ebb_result ebb_window_make(struct ebb_model *model, const struct ebb_settled *settled,
                                const struct ebb_window_job *job, float *state, struct ebb_error *error)
{
    struct ebb_reverse_size size;
    const struct ebb_words *words[EBB_GUIDANCE_LABELS + 1];
    enum ebb_result result = ebb_workspace_words(model, settled, words, error);
    if (result == EBB_OK)
        result = find_size(model, settled, job, words[0], &size, error);
    struct ebb_reverse *reverse = result == EBB_OK ? ebb_workspace_reverse(model, &size, error) : NULL;
    if (!reverse || check_variance(model, settled, error) != EBB_OK)
        return error->code;

    struct ebb_reverse_job run = {
        .run = &settled->run,
        .guidance = settled->guidance,
        .noise = {settled->noise, settled->seed, job->noise},
        .first = job->first,
        .start = job->start,
        .known = job->known,
        .mask = job->mask,
        .watch = job->watch,
        .user = job->user,
        .progress = job->progress,
        .counts = job->counts,
        .classifier_guidance = {.classifier = model->classifier},
    };
    memcpy(run.item, settled->item, sizeof(run.item));
    memcpy(run.words, words, sizeof(run.words));
    memcpy(run.classifier_guidance.label, settled->label, sizeof(run.classifier_guidance.label));
    return ebb_reverse_run(reverse, &run, state, error);
}

// ---- noise, and where it comes from ----

enum ebb_result ebb_window_noise(const struct ebb_model *model, const struct ebb_settled *settled,
                                 const struct ebb_noise_address *address, float *noise,
                                 struct ebb_error *error)
{
    size_t count = ebb_window_count(model);
    float *drawn = ebb_alloc(2 * count, sizeof(float));
    if (!drawn)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for noise");
    struct ebb_noise_place place = ebb_noise_place(address);
    ebb_noise_draw(&settled->seed, place.clip, place.draw, place.first, count, drawn, drawn + count);
    from_channels(model, model->state[2], false, drawn, noise); // whichever way time goes
    free(drawn);
    return EBB_OK;
}

enum ebb_result ebb_window_start(const struct ebb_settled *settled, double *alpha, double *sigma,
                                 struct ebb_error *error)
{
    struct ebb_run *run = ebb_run_create(&settled->run, error);
    if (!run)
        return error->code;
    ebb_run_start(run, alpha, sigma);
    ebb_run_destroy(&run);
    return EBB_OK;
}

enum ebb_result ebb_window_invert(struct ebb_model *model, const struct ebb_settled *settled,
                                  const float *state, const struct ebb_progress_span *progress,
                                  float *inverted, struct ebb_error *error)
{
    struct ebb_settled up = *settled;
    up.run.sampler = "ddim";
    up.run.eta = 0;
    up.run.resample = 1;
    up.run.inverse = true;
    up.run.quirks = NULL;
    if (up.run.prediction == EBB_PREDICT_X0) // tells no noise at t 0: one training step up
        up.run.end = 1.0 / ebb_schedule_steps(model->schedule);
    struct ebb_window_job job = {.start = state, .progress = *progress};
    return ebb_window_make(model, &up, &job, inverted, error);
}
