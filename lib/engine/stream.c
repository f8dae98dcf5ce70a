#include <ebb/stream.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "engine/sound.h"
#include "engine/timeline.h"

enum { MOST_GAP = 3600 }; // seconds

struct ebb_stream {
    struct ebb_model *model; // borrowed
    struct ebb_stream_params params;
    struct ebb_recipe recipe, join;
    struct ebb_timeline *timeline; // textures; NULL: events
    size_t sound, length;          // samples of a clip without and with its gap
    float *state, *mel;            // events: one window

    uint64_t position; // of ebb_stream_read()
    float *clip;       // the clip it is in
    uint64_t index;    // which one; UINT64_MAX: none
};

void ebb_stream_params_default(struct ebb_stream_params *params)
{
    *params = (struct ebb_stream_params){.label = -1, .guidance = NAN, .crossfade = NAN, .gap = 0.25};
}

// ---- life ----

static enum ebb_result check(const struct ebb_model *model, const struct ebb_stream_params *p, struct ebb_error *error)
{
    double window = (double)model->info.window_samples / model->info.sample_rate;
    if (!isnan(p->crossfade) && !(p->crossfade >= 0.05 && p->crossfade <= window / 2))
        return ebb_fail(error, EBB_INVALID, "crossfade is %g seconds, allowed are 0.05 to %g", p->crossfade, window / 2);
    if (!(p->gap >= 0 && p->gap <= MOST_GAP))
        return ebb_fail(error, EBB_INVALID, "gap is %g seconds, allowed are 0 to %d", p->gap, MOST_GAP);
    return EBB_OK;
}

static enum ebb_result make_recipe(struct ebb_stream *s, struct ebb_error *error)
{
    struct ebb_generate_params p;
    ebb_generate_params_default(&p);
    p.label = s->params.label = s->params.label < 0 ? s->model->info.default_label : s->params.label;
    p.seed = s->params.seed;
    p.steps = s->params.steps;
    p.sampler = s->params.sampler;
    p.guidance = s->params.guidance;
    p.classifier_guidance = s->params.classifier_guidance;
    enum ebb_result result = ebb_recipe_make_quick(s->model, &p, &s->recipe, error);
    return result == EBB_OK ? ebb_recipe_make_join(s->model, &p, &s->join, error) : result;
}

static enum ebb_result prepare_texture(struct ebb_stream *s, struct ebb_error *error)
{
    double window = (double)s->model->info.window_samples / s->model->info.sample_rate;
    struct ebb_timeline_params p = {.recipe = s->recipe, .join = s->join, .iterations = EBB_SOUND_ITERATIONS,
                                    .overlap = isnan(s->params.crossfade) ? window / 4 : s->params.crossfade};
    s->timeline = ebb_timeline_create(s->model, &p, error);
    if (!s->timeline)
        return error->code;
    s->sound = s->length = ebb_timeline_clip_length(s->timeline);
    return EBB_OK;
}

static bool is_event(const struct ebb_model *model, const struct ebb_stream_params *p)
{
    int label = p->label < 0 ? model->info.default_label : p->label;
    return label >= 0 && label < model->info.label_count && model->labels[label].kind == EBB_LABEL_EVENT;
}

size_t ebb_stream_gap(const struct ebb_model *model, const struct ebb_stream_params *params)
{
    bool silent = is_event(model, params) && params->gap > 0 && params->gap <= MOST_GAP;
    return silent ? (size_t)round(params->gap * model->info.sample_rate) : 0;
}

static enum ebb_result prepare_event(struct ebb_stream *s, struct ebb_error *error)
{
    const struct ebb_model *m = s->model;
    size_t frames = (size_t)m->state[2] * m->state_stride;
    s->sound = frames * m->info.hop;
    s->length = s->sound + ebb_stream_gap(m, &s->params);
    s->state = ebb_alloc(ebb_window_count(m), sizeof(float));
    s->mel = ebb_alloc(frames * m->info.n_mels, sizeof(float));
    return s->state && s->mel ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
}

static enum ebb_result prepare(struct ebb_stream *s, struct ebb_error *error)
{
    enum ebb_result result = check(s->model, &s->params, error);
    if (result == EBB_OK)
        result = make_recipe(s, error);
    if (result != EBB_OK)
        return result;

    result = is_event(s->model, &s->params) ? prepare_event(s, error) : prepare_texture(s, error);
    if (result != EBB_OK)
        return result;
    s->clip = ebb_alloc(s->length, sizeof(float));
    return s->clip ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a clip");
}

struct ebb_stream *ebb_stream_create(struct ebb_model *model, const struct ebb_stream_params *params,
                                     struct ebb_error *error)
{
    struct ebb_error ignored;
    error = error ? error : &ignored;
    struct ebb_stream *s = ebb_alloc(1, sizeof(*s));
    if (!s) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a stream");
        return NULL;
    }
    s->model = model;
    s->index = UINT64_MAX;
    ebb_stream_params_default(&s->params);
    if (params)
        s->params = *params;
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
    free(s->state);
    free(s->mel);
    free(s->clip);
    free(s);
    *stream = NULL;
}

size_t ebb_stream_clip_length(const struct ebb_stream *stream)
{
    return stream->length;
}

// ---- clips ----

static enum ebb_result make_event(struct ebb_stream *s, uint64_t index, const struct ebb_pulse *pulse, float *samples,
                                  struct ebb_error *error)
{
    struct ebb_model *m = s->model;
    int frames = m->state[2] * m->state_stride;
    struct ebb_window_job job = {.clip = index, .pulse = ebb_pulse_part(pulse, 0, 0.9)};
    enum ebb_result result = ebb_window_make(m, &s->recipe, &job, s->state, error);
    if (result == EBB_OK)
        result = ebb_engine_decode(m, s->state, m->state[2], s->mel, error);
    if (result != EBB_OK)
        return result;

    struct ebb_sound_job sound = {.mel = s->mel, .frames = frames, .to = frames, .iterations = EBB_SOUND_ITERATIONS,
                                  .seed = ebb_sound_seed(s->params.seed, index)};
    result = ebb_sound_make(m, &sound, samples, s->sound, error);
    float level = result == EBB_OK ? ebb_sound_level(m, samples, s->sound) : 1;
    for (size_t i = 0; i < s->sound; i++)
        samples[i] *= level;
    memset(samples + s->sound, 0, (s->length - s->sound) * sizeof(float));
    return result;
}

enum ebb_result ebb_stream_clip(struct ebb_stream *s, uint64_t index, float *samples, size_t count,
                                struct ebb_error *error)
{
    struct ebb_error ignored;
    error = error ? error : &ignored;
    if (s->params.clips > 0 && index >= s->params.clips)
        return ebb_fail(error, EBB_INVALID, "clip %llu: the stream has %llu", (unsigned long long)index,
                        (unsigned long long)s->params.clips);
    if (count != s->length)
        return ebb_fail(error, EBB_INVALID, "room for %zu samples, a clip has %zu", count, s->length);

    struct ebb_pulse pulse = {s->params.progress, s->params.user, 0, 1};
    enum ebb_result result = ebb_engine_ready(s->model, error);
    if (result == EBB_OK)
        result = s->timeline ? ebb_timeline_clip(s->timeline, index, &pulse, samples, error)
                             : make_event(s, index, &pulse, samples, error);
    if (result == EBB_OK)
        ebb_sound_finish(s->model, samples, s->sound, !s->timeline || index == 0, !s->timeline || index + 1 == s->params.clips);
    return result;
}

// ---- in a row ----

enum ebb_result ebb_stream_read(struct ebb_stream *s, float *samples, size_t count, size_t *got, struct ebb_error *error)
{
    *got = 0;
    while (*got < count) {
        uint64_t index = s->position / s->length;
        if (s->params.clips > 0 && index >= s->params.clips)
            break;
        if (index != s->index) {
            s->index = UINT64_MAX; // until it is whole
            enum ebb_result result = ebb_stream_clip(s, index, s->clip, s->length, error);
            if (result != EBB_OK)
                return result;
            s->index = index;
        }
        size_t at = s->position % s->length, left = s->length - at, want = count - *got;
        size_t part = want < left ? want : left;
        memcpy(samples + *got, s->clip + at, part * sizeof(float));
        s->position += part;
        *got += part;
    }
    return EBB_OK;
}

void ebb_stream_seek(struct ebb_stream *s, uint64_t sample)
{
    s->position = sample;
}
