// SPDX-License-Identifier: LGPL-2.1-or-later
#include "generate/single.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "generate/window_sound.h"

enum { FIXED = 8 };                // frames of the first channel that the tail of the second goes on from
static const double attack = 0.05; // seconds after the loudest moment that stay in the middle

struct single {
    struct ebb_model *model;
    const struct ebb_single_params *params;
    float *const *channels;
    int frames;
    float *state[2], *mel[2], *noise[2];
    float *mask;
};

static int columns_of(const struct ebb_model *model, const struct ebb_settled *settled)
{
    return settled->columns > 0 ? settled->columns : model->state[2];
}

// A sound of a length that was asked for ends with a part of a frame.
size_t ebb_single_length(const struct ebb_model *model, const struct ebb_settled *settled)
{
    size_t frames = (size_t)columns_of(model, settled) * model->state_stride;
    return (frames + (settled->columns > 0)) * model->info.hop;
}

static size_t length_of(const struct single *s)
{
    return ebb_single_length(s->model, s->params->settled);
}

static bool make_room(struct single *s)
{
    int columns = columns_of(s->model, s->params->settled);
    size_t state = (size_t)s->model->state[0] * s->model->state[1] * columns,
           cells = (size_t)s->model->info.n_mels * s->frames;
    bool whole = true;
    for (int i = 0; i < s->params->settled->channels; i++) {
        s->state[i] = ebb_alloc(state, sizeof(float));
        s->mel[i] = ebb_alloc(cells, sizeof(float));
        s->noise[i] = ebb_alloc(state, sizeof(float));
        whole = whole && s->state[i] && s->mel[i] && s->noise[i];
    }
    s->mask = ebb_alloc(state, sizeof(float));
    return whole && s->mask;
}

static void free_room(struct single *s)
{
    for (int i = 0; i < 2; i++) {
        free(s->state[i]);
        free(s->mel[i]);
        free(s->noise[i]);
    }
    free(s->mask);
}

static uint64_t phase_seed(const struct single *s)
{
    return ebb_window_sound_seed(ebb_noise_nearer(&s->params->settled->seed), s->params->index);
}

// ---- the first channel ----

static enum ebb_result make_first(struct single *s, const struct ebb_progress_span *progress,
                                  struct ebb_error *error)
{
    struct ebb_window_job job = {.noise = {.index = s->params->index},
                                 .counts = s->params->counts,
                                 .watch = s->params->watch,
                                 .user = s->params->user,
                                 .progress = ebb_progress_part(progress, 0, 0.9)};
    struct ebb_window_sound_job sound = {.mel = s->mel[0],
                                         .frames = s->frames,
                                         .to = s->frames,
                                         .iterations = s->params->iterations,
                                         .seed = phase_seed(s)};
    enum ebb_result result = ebb_window_make(s->model, s->params->settled, &job, s->state[0], error);
    if (result == EBB_OK)
        result = ebb_workspace_decode(s->model, s->state[0], s->frames / s->model->state_stride, s->mel[0],
                                      error);
    return result == EBB_OK ? ebb_window_sound_make(s->model, &sound, s->channels[0], length_of(s), error)
                            : result;
}

// ---- the second channel ----

// The second channel's noise has the first one's mean over the window, which decides much of the colour.
static void keep_mean(const struct single *s)
{
    int c = s->model->state[0], w = s->model->state[2];
    for (int i = 0; i < s->model->state[1] * c; i++) {
        const float *one = s->noise[0] + (size_t)(i / c) * w * c + i % c;
        float *two = s->noise[1] + (size_t)(i / c) * w * c + i % c;
        double difference = 0;
        for (int x = 0; x < w; x++)
            difference += (double)(one[(size_t)x * c] - two[(size_t)x * c]) / w;
        for (int x = 0; x < w; x++)
            two[(size_t)x * c] += (float)difference;
    }
}

static enum ebb_result fill_noise(const struct single *s, const struct ebb_settled *second,
                                  struct ebb_error *error)
{
    struct ebb_noise_address address = {.index = s->params->index};
    enum ebb_result result = ebb_window_noise(s->model, s->params->settled, &address, s->noise[0], error);
    if (result == EBB_OK)
        result = ebb_window_noise(s->model, second, &address, s->noise[1], error);
    if (result == EBB_OK)
        keep_mean(s);
    return result;
}

// Columns of the state that stay in the middle: all up to the end of the attack, and half a transform, in
// which new sound goes on from the old.
static int middle_columns(const struct single *s)
{
    size_t count = length_of(s), block = (size_t)s->model->info.sample_rate / 100, loudest = 0;
    double most = -1;
    for (size_t at = 0; at + block <= count; at += block) {
        double sum = 0;
        for (size_t i = at; i < at + block; i++)
            sum += (double)s->channels[0][i] * s->channels[0][i];
        loudest = sum > most ? at : loudest;
        most = sum > most ? sum : most;
    }
    double column = (double)s->model->state_stride * s->model->info.hop,
           end = (double)(loudest + block) + attack * s->model->info.sample_rate + s->model->mel.n_fft / 2.0;
    return (int)(end / column) + 1;
}

// Holds the first `columns` columns of the second channel to the first channel.
static void hold(const struct single *s, int columns)
{
    int c = s->model->state[0], w = s->model->state[2];
    for (size_t i = 0; i < ebb_window_count(s->model); i++)
        s->mask[i] = (int)(i / c % w) < columns;
    ebb_window_copy_columns(s->model, s->noise[1], 0, s->noise[0], 0, columns);
}

// Makes the second channel from column `middle` on; before that it is the first one.
static enum ebb_result make_second(struct single *s, const struct ebb_settled *settled, int middle,
                                   const struct ebb_progress_span *progress, struct ebb_error *error)
{
    struct ebb_settled second = ebb_settled_second(settled);
    size_t length = length_of(s);
    int from = middle * s->model->state_stride, fixed = from < FIXED ? from : FIXED;
    struct ebb_mel_beside beside = {s->mel[0], s->channels[0], length, settled->width};
    struct ebb_window_job job = {.noise = {.index = s->params->index},
                                 .first = s->noise[1],
                                 .known = middle > 0 ? s->state[0] : NULL,
                                 .mask = middle > 0 ? s->mask : NULL,
                                 .progress = ebb_progress_part(progress, 0, 0.9)};
    struct ebb_window_sound_job sound = {.mel = s->mel[1],
                                         .frames = s->frames,
                                         .from = from - fixed,
                                         .to = s->frames,
                                         .fixed_before = fixed,
                                         .iterations = s->params->iterations,
                                         .beside = &beside,
                                         .seed = ebb_window_sound_other_seed(phase_seed(s))};
    enum ebb_result result = fill_noise(s, &second, error);
    if (result == EBB_OK && middle > 0)
        hold(s, middle);
    if (result == EBB_OK)
        result = ebb_window_make(s->model, &second, &job, s->state[1], error);
    if (result == EBB_OK)
        result = ebb_workspace_decode(s->model, s->state[1], s->model->state[2], s->mel[1], error);
    if (result == EBB_OK)
        ebb_window_sound_balance(s->model, s->mel[0], s->mel[1], s->frames, from);
    for (int band = 0; band < s->model->info.n_mels; band++)
        memcpy(s->mel[1] + (size_t)band * s->frames, s->mel[0] + (size_t)band * s->frames,
               from * sizeof(float));
    return result == EBB_OK ? ebb_window_sound_make(s->model, &sound, s->channels[1], length, error) : result;
}

static enum ebb_result make_other(struct single *s, const struct ebb_progress_span *progress,
                                  struct ebb_error *error)
{
    bool event = ebb_settled_is_event(s->model, s->params->settled);
    int middle = event ? middle_columns(s) : 0, least = 2; // columns of a tail
    memcpy(s->channels[1], s->channels[0], length_of(s) * sizeof(float));
    if (s->params->settled->width == 0 || middle + least > s->model->state[2])
        return EBB_OK;
    return make_second(s, event ? s->params->join : s->params->settled, middle, progress, error);
}

enum ebb_result ebb_single_make(struct ebb_model *model, const struct ebb_single_params *params,
                                const struct ebb_progress_span *progress, float *const *channels,
                                struct ebb_error *error)
{
    struct single s = {.model = model,
                       .params = params,
                       .channels = channels,
                       .frames = columns_of(model, params->settled) * model->state_stride};
    bool two = params->settled->channels == 2;
    struct ebb_progress_span part[] = {ebb_progress_part(progress, 0, two ? 0.5 : 1),
                                       ebb_progress_part(progress, 0.5, 1)};
    enum ebb_result result = make_room(&s) ? EBB_OK
                                           : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
    if (result == EBB_OK)
        result = make_first(&s, &part[0], error);
    if (result == EBB_OK && two)
        result = make_other(&s, &part[1], error);
    free_room(&s);
    return result;
}
