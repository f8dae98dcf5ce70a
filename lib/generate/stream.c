// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/stream.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "generate/loop.h"
#include "generate/single.h"
#include "generate/window_sound.h"
#include "generate/timeline.h"

struct ebb_stream {
    struct ebb_model *model; // borrowed
    struct ebb_recipe *recipe;
    struct ebb_hooks hooks;
    uint64_t clips; // 0: without end
    struct ebb_settled settled, join;
    struct ebb_timeline *timeline; // textures; NULL: events
    size_t sound, length;          // samples of a clip without and with its gap
    float *planes;                 // the channels of a clip, one after the other; NULL: there is one
    bool whole;                    // `loop` is made
    float *loop;                   // a loop, interleaved: every clip is the loop again

    uint64_t position; // of ebb_stream_read()
    float *clip;       // the clip it is in, without its gap; made when somebody reads
    uint64_t index;    // which one; UINT64_MAX: none
};

// ---- life ----

static double window_seconds(const struct ebb_model *model)
{
    return (double)model->info.window_samples / model->info.sample_rate;
}

static enum ebb_result check_verb(const struct ebb_stream *s, struct ebb_error *error)
{
    if (ebb_recipe_verb(s->recipe) != EBB_VERB_STREAM)
        return ebb_fail(error, EBB_WRONG_TYPE, "the recipe is one to %s, not to stream",
                        ebb_verb_name(ebb_recipe_verb(s->recipe)));
    return EBB_OK;
}

static enum ebb_result settle(struct ebb_stream *s, struct ebb_error *error)
{
    enum ebb_result result = ebb_settle_whole(s->model, s->recipe, &s->settled, error);
    return result == EBB_OK ? ebb_settle_held(s->model, s->recipe, &s->join, error) : result;
}

// Seconds that windows are asked to overlap. The timeline overlaps them at least as far as it needs.
static double overlap_of(const struct ebb_stream *s)
{
    double crossfade = ebb_recipe_number(s->recipe, "crossfade");
    return isnan(crossfade) ? window_seconds(s->model) / 4 : crossfade;
}

static enum ebb_result prepare_texture(struct ebb_stream *s, struct ebb_error *error)
{
    double overlap = overlap_of(s), most = window_seconds(s->model) / 2;
    if (overlap > most)
        return ebb_fail(error, EBB_INVALID, "crossfade is %g seconds, expected 0 to %g", overlap, most);
    struct ebb_timeline_params p = {.settled = s->settled,
                                    .join = s->join,
                                    .counts = s->hooks.counts,
                                    .iterations = (int)ebb_recipe_number(s->recipe, "phase-iterations"),
                                    .overlap = overlap};
    s->timeline = ebb_timeline_create(s->model, &p, error);
    if (!s->timeline)
        return error->code;
    s->sound = s->length = ebb_timeline_clip_length(s->timeline);
    return EBB_OK;
}

static void prepare_event(struct ebb_stream *s)
{
    s->sound = ebb_single_length(s->model, &s->settled);
    s->length = s->sound + (size_t)round(ebb_recipe_number(s->recipe, "gap") * s->model->info.sample_rate);
}

static void prepare_loop(struct ebb_stream *s)
{
    double seconds = ebb_recipe_number(s->recipe, "seconds");
    s->sound = seconds > 0 ? (size_t)round(seconds * s->model->info.sample_rate)
                           : (size_t)s->model->info.window_samples;
    s->length = s->sound;
}

static enum ebb_result prepare(struct ebb_stream *s, struct ebb_error *error)
{
    enum ebb_result result = check_verb(s, error);
    if (result == EBB_OK)
        result = settle(s, error);
    if (result != EBB_OK)
        return result;
    if (s->settled.loop)
        prepare_loop(s);
    else if (ebb_settled_is_event(s->model, &s->settled))
        prepare_event(s);
    else
        result = prepare_texture(s, error);
    size_t all = s->sound * (size_t)s->settled.channels;
    if (result == EBB_OK && s->settled.channels > 1 && !(s->planes = ebb_alloc(all, sizeof(float))))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the channels of a clip");
    return result;
}

struct ebb_stream *ebb_stream_create(struct ebb_model *model, const struct ebb_recipe *recipe,
                                     const struct ebb_hooks *hooks, struct ebb_error *error)
{
    error = EBB_ERROR(error);
    struct ebb_stream *s = ebb_alloc(1, sizeof(*s));
    if (s)
        s->recipe = recipe ? ebb_recipe_copy(recipe) : ebb_recipe_create(EBB_VERB_STREAM);
    if (!s || !s->recipe) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a stream");
        free(s);
        return NULL;
    }
    s->model = model;
    s->hooks = ebb_hooks_copy(hooks);
    s->clips = (uint64_t)ebb_recipe_number(s->recipe, "num-clips");
    s->index = UINT64_MAX;
    if (prepare(s, error) != EBB_OK)
        ebb_stream_destroy(&s);
    return s;
}

void ebb_stream_destroy(struct ebb_stream **stream)
{
    struct ebb_stream *s = stream ? *stream : NULL;
    if (!s)
        return;
    ebb_timeline_destroy(&s->timeline);
    ebb_recipe_destroy(&s->recipe);
    free(s->planes);
    free(s->loop);
    free(s->clip);
    free(s);
    *stream = NULL;
}

size_t ebb_stream_gap(const struct ebb_stream *stream)
{
    return stream->length - stream->sound;
}

int ebb_stream_channels(const struct ebb_stream *stream)
{
    return stream->settled.channels;
}

size_t ebb_stream_clip_length(const struct ebb_stream *stream)
{
    return stream->length;
}

// ---- clips ----

static enum ebb_result make_event(struct ebb_stream *s, uint64_t index,
                                  const struct ebb_progress_span *progress, float *const *channels,
                                  struct ebb_error *error)
{
    struct ebb_single_params params = {.settled = &s->settled,
                                       .join = &s->join,
                                       .index = index,
                                       .counts = s->hooks.counts,
                                       .iterations = (int)ebb_recipe_number(s->recipe, "phase-iterations")};
    enum ebb_result result = ebb_single_make(s->model, &params, progress, channels, error);
    float level = 1;
    for (int c = 0; c < s->settled.channels && result == EBB_OK; c++)
        level = fminf(level, ebb_window_sound_gain(s->model, channels[c], s->sound));
    for (int c = 0; c < s->settled.channels && result == EBB_OK; c++)
        for (size_t i = 0; i < s->sound; i++)
            channels[c][i] *= level;
    return result;
}

static enum ebb_result make_loop(struct ebb_stream *s, const struct ebb_progress_span *progress,
                                 float *const *channels, struct ebb_error *error)
{
    struct ebb_loop_params params = {.settled = &s->settled,
                                     .join = &s->join,
                                     .iterations = (int)ebb_recipe_number(s->recipe, "phase-iterations"),
                                     .counts = s->hooks.counts};
    return ebb_loop_make(s->model, &params, progress, channels, s->sound, error);
}

static enum ebb_result make_clip(struct ebb_stream *s, uint64_t index, float *const *channels,
                                 struct ebb_error *error)
{
    struct ebb_progress_span progress = ebb_progress_whole(&s->hooks);
    enum ebb_result result = s->settled.loop ? make_loop(s, &progress, channels, error)
                             : s->timeline ? ebb_timeline_clip(s->timeline, index, &progress, channels, error)
                                           : make_event(s, index, &progress, channels, error);
    for (int c = 0; c < s->settled.channels && result == EBB_OK && !s->settled.loop; c++)
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): there are one or two channels
        ebb_window_sound_finish(s->model, channels[c], s->sound, !s->timeline || index == 0,
                                !s->timeline || index + 1 == s->clips ? s->settled.fade : 0);
    return result;
}

// Makes the sound of a clip, interleaved.
static enum ebb_result make_sound(struct ebb_stream *s, uint64_t index, float *samples,
                                  struct ebb_error *error)
{
    float *const channels[2] = {s->planes ? s->planes : samples, s->planes ? s->planes + s->sound : NULL};
    enum ebb_result result = make_clip(s, index, channels, error);
    if (result == EBB_OK && s->planes)
        ebb_window_sound_interleave(channels, 2, s->sound, samples);
    return result;
}

// Every clip of a loop is the loop.
static enum ebb_result take_loop(struct ebb_stream *s, float *samples, struct ebb_error *error)
{
    size_t all = s->sound * (size_t)s->settled.channels;
    if (!s->loop)
        s->loop = ebb_alloc(all, sizeof(float));
    if (!s->loop)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a loop");
    enum ebb_result result = s->whole ? EBB_OK : make_sound(s, 0, s->loop, error);
    s->whole = result == EBB_OK;
    if (result == EBB_OK)
        memcpy(samples, s->loop, all * sizeof(float));
    return result;
}

enum ebb_result ebb_stream_clip(struct ebb_stream *s, uint64_t index, float *samples, size_t count,
                                struct ebb_error *error)
{
    error = EBB_ERROR(error);
    if (s->clips > 0 && index >= s->clips)
        return ebb_fail(error, EBB_INVALID, "clip %llu: the stream has %llu", (unsigned long long)index,
                        (unsigned long long)s->clips);
    if (count != s->length && count != s->sound)
        return ebb_fail(error, EBB_INVALID, "room for %zu samples, a clip has %zu", count, s->length);

    size_t channels = (size_t)s->settled.channels;
    memset(samples + s->sound * channels, 0, (count - s->sound) * channels * sizeof(float));
    enum ebb_result result = ebb_model_ready(s->model, error);
    if (result != EBB_OK)
        return result;
    return s->settled.loop ? take_loop(s, samples, error) : make_sound(s, index, samples, error);
}

// ---- in a row ----

// Clip `index` becomes the one that is read.
static enum ebb_result turn_to(struct ebb_stream *s, uint64_t index, struct ebb_error *error)
{
    if (index == s->index)
        return EBB_OK;
    if (!s->clip)
        s->clip = ebb_alloc(s->sound * (size_t)s->settled.channels, sizeof(float));
    if (!s->clip)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a clip");
    s->index = UINT64_MAX; // until it is whole
    enum ebb_result result = ebb_stream_clip(s, index, s->clip, s->sound, error);
    if (result == EBB_OK)
        s->index = index;
    return result;
}

// Samples at..at + count of the clip: its sound, then silence.
static void copy_part(const struct ebb_stream *s, size_t at, size_t count, float *to)
{
    size_t from = at < s->sound ? at : s->sound, left = s->sound - from, heard = count < left ? count : left;
    size_t channels = (size_t)s->settled.channels;
    memcpy(to, s->clip + from * channels, heard * channels * sizeof(float));
    memset(to + heard * channels, 0, (count - heard) * channels * sizeof(float));
}

enum ebb_result ebb_stream_read(struct ebb_stream *s, float *samples, size_t count, size_t *got,
                                struct ebb_error *error)
{
    *got = 0;
    while (*got < count) {
        uint64_t index = s->position / s->length;
        if (s->clips > 0 && index >= s->clips)
            break;
        enum ebb_result result = turn_to(s, index, error);
        if (result != EBB_OK)
            return result;
        size_t at = s->position % s->length, left = s->length - at, want = count - *got;
        size_t part = want < left ? want : left;
        copy_part(s, at, part, samples + *got * (size_t)s->settled.channels);
        s->position += part;
        *got += part;
    }
    return EBB_OK;
}

void ebb_stream_seek(struct ebb_stream *s, uint64_t sample)
{
    s->position = sample;
}
