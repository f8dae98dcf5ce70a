#include <ebb/generate.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "engine/sound.h"
#include "engine/timeline.h"

void ebb_generate_params_default(struct ebb_generate_params *params)
{
    *params = (struct ebb_generate_params){.label = -1, .guidance = NAN, .guidance_from = NAN, .guidance_to = NAN, .negative = -1,
                                            .eta = EBB_ETA_OWN, .phase_iterations = -1};
    ebb_tuning_default(&params->tuning);
}

static const struct ebb_generate_params *or_default(const struct ebb_generate_params *params,
                                                    struct ebb_generate_params *defaults)
{
    ebb_generate_params_default(defaults);
    return params ? params : defaults;
}

static size_t length_of(const struct ebb_model *model, const struct ebb_generate_params *params)
{
    if (params->seconds == 0)
        return model->info.window_samples;
    double samples = round(params->seconds * model->info.sample_rate);
    return samples < 1 ? 1 : (size_t)samples;
}

size_t ebb_generate_length(const struct ebb_model *model, const struct ebb_generate_params *params)
{
    struct ebb_generate_params defaults;
    struct ebb_recipe recipe;
    struct ebb_error ignored;
    params = or_default(params, &defaults);
    return ebb_recipe_make_quick(model, params, &recipe, &ignored) == EBB_OK ? length_of(model, params) : 0;
}

static int iterations_of(const struct ebb_generate_params *params)
{
    return params->phase_iterations < 0 ? EBB_SOUND_ITERATIONS : params->phase_iterations;
}

// ---- watching ----

struct watcher {
    struct ebb_model *model;
    const struct ebb_generate_params *params;
    float *mel;     // (n_mels, frames)
    float *latents; // (c, h, w)
};

static enum ebb_result show(void *user, const struct ebb_loop_state *state, struct ebb_error *error)
{
    struct watcher *w = user;
    int columns = w->model->state[2];
    enum ebb_result result = ebb_engine_decode(w->model, state->values, columns, w->mel, error);
    if (result != EBB_OK)
        return result;

    ebb_window_to_planes(w->model, state->values, w->latents);
    double signal = state->alpha * state->alpha, noise = state->sigma * state->sigma;
    struct ebb_generate_step step = {
        .step = state->step, .steps = state->steps, .abar = signal / (signal + noise), .mel = w->mel,
        .n_mels = w->model->info.n_mels, .frames = columns * w->model->state_stride,
        .latents = w->latents, .shape = {1, w->model->state[0], w->model->state[1], w->model->state[2]},
    };
    return w->params->watch(w->params->user, &step) ? EBB_OK : ebb_fail(error, EBB_CANCELLED, "stopped on request");
}

// ---- one window ----

struct room {
    float *state, *mel, *sound, *latents;
};

static enum ebb_result make_room(const struct ebb_model *model, struct room *room, struct ebb_error *error)
{
    size_t frames = (size_t)model->state[2] * model->state_stride;
    room->state = ebb_alloc(ebb_window_count(model), sizeof(float));
    room->mel = ebb_alloc(frames * model->info.n_mels, sizeof(float));
    room->sound = ebb_alloc(frames * model->info.hop, sizeof(float));
    room->latents = ebb_alloc(ebb_window_count(model), sizeof(float));
    bool whole = room->state && room->mel && room->sound && room->latents;
    return whole ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
}

static void free_room(struct room *room)
{
    free(room->state);
    free(room->mel);
    free(room->sound);
    free(room->latents);
}

static enum ebb_result make_state(struct ebb_model *model, const struct ebb_recipe *recipe,
                                  const struct ebb_generate_params *params, struct ebb_pulse pulse, struct room *room,
                                  struct ebb_error *error)
{
    struct watcher watcher = {model, params, room->mel, room->latents};
    struct ebb_window_job job = {.clip = params->index, .watch = params->watch ? show : NULL, .user = &watcher,
                                 .pulse = pulse};
    return ebb_window_make(model, recipe, &job, room->state, error);
}

static enum ebb_result make_short(struct ebb_model *model, const struct ebb_recipe *recipe,
                                  const struct ebb_generate_params *params, const struct ebb_pulse *pulse, float *samples,
                                  size_t count, struct ebb_error *error)
{
    int frames = model->state[2] * model->state_stride;
    struct room room = {0};
    enum ebb_result result = make_room(model, &room, error);
    if (result == EBB_OK)
        result = make_state(model, recipe, params, ebb_pulse_part(pulse, 0, 0.9), &room, error);
    if (result == EBB_OK)
        result = ebb_engine_decode(model, room.state, model->state[2], room.mel, error);
    if (result == EBB_OK) {
        struct ebb_sound_job job = {.mel = room.mel, .frames = frames, .to = frames, .iterations = iterations_of(params),
                                    .seed = ebb_sound_seed(ebb_noise_nearer(&recipe->seed), params->index)};
        result = ebb_sound_make(model, &job, room.sound, (size_t)frames * model->info.hop, error);
    }
    if (result == EBB_OK) {
        float level = ebb_sound_level(model, room.sound, count);
        for (size_t i = 0; i < count; i++)
            samples[i] = level * room.sound[i];
    }
    free_room(&room);
    return result;
}

// ---- more than a window ----

static enum ebb_result make_long(struct ebb_model *model, const struct ebb_recipe *recipe,
                                 const struct ebb_generate_params *params, const struct ebb_pulse *pulse, float *samples,
                                 size_t count, struct ebb_error *error)
{
    if (params->watch)
        return ebb_fail(error, EBB_INVALID, "%g seconds: only a sound of one window can be watched", params->seconds);
    if (params->noise == EBB_NOISE_TORCH)
        return ebb_fail(error, EBB_UNSUPPORTED, "%g seconds: torch noise is for sounds of one window", params->seconds);

    double window = (double)model->info.window_samples / model->info.sample_rate;
    struct ebb_timeline_params settings = {.recipe = *recipe, .clip = params->index,
                                           .overlap = window / 4, .iterations = iterations_of(params)};
    enum ebb_result result = ebb_recipe_make_join(model, params, &settings.join, error);
    struct ebb_timeline *timeline = result == EBB_OK ? ebb_timeline_create(model, &settings, error) : NULL;
    if (!timeline)
        return error->code;

    size_t length = ebb_timeline_clip_length(timeline), clips = (count + length - 1) / length;
    float *clip = ebb_alloc(length, sizeof(float));
    result = clip ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a clip");
    for (size_t i = 0; i < clips && result == EBB_OK; i++) {
        struct ebb_pulse part = ebb_pulse_part(pulse, (double)i / clips, (i + 1.0) / clips);
        size_t left = count - i * length;
        result = ebb_timeline_clip(timeline, i, &part, clip, error);
        if (result == EBB_OK)
            memcpy(samples + i * length, clip, (left < length ? left : length) * sizeof(float));
    }
    free(clip);
    ebb_timeline_destroy(&timeline);
    return result;
}

// ---- the calls ----

enum ebb_result ebb_generate(struct ebb_model *model, const struct ebb_generate_params *params, float *samples,
                             size_t count, struct ebb_error *error)
{
    struct ebb_generate_params defaults;
    struct ebb_recipe recipe;
    struct ebb_error ignored;
    error = error ? error : &ignored;
    params = or_default(params, &defaults);

    enum ebb_result result = ebb_recipe_make_quick(model, params, &recipe, error);
    if (result == EBB_OK && count != length_of(model, params))
        result = ebb_fail(error, EBB_INVALID, "room for %zu samples, the sound has %zu", count, length_of(model, params));
    if (result == EBB_OK)
        result = ebb_engine_ready(model, error);
    if (result != EBB_OK)
        return result;

    struct ebb_pulse pulse = {params->progress, params->user, 0, 1};
    size_t window = (size_t)model->state[2] * model->state_stride * model->info.hop;
    result = count <= window ? make_short(model, &recipe, params, &pulse, samples, count, error)
                             : make_long(model, &recipe, params, &pulse, samples, count, error);
    if (result == EBB_OK)
        ebb_sound_finish(model, samples, count, true, true);
    return result == EBB_OK ? ebb_pulse_tell(&pulse, 1, error) : result;
}

static enum ebb_result make_latents(struct ebb_model *model, const struct ebb_recipe *recipe,
                                    const struct ebb_generate_params *params, float *latents, struct ebb_error *error)
{
    struct room room = {0};
    struct ebb_pulse pulse = {params->progress, params->user, 0, 1};
    enum ebb_result result = ebb_engine_ready(model, error);
    if (result == EBB_OK)
        result = make_room(model, &room, error);
    if (result == EBB_OK)
        result = make_state(model, recipe, params, pulse, &room, error);
    if (result == EBB_OK)
        ebb_window_to_planes(model, room.state, latents);
    free_room(&room);
    return result;
}

enum ebb_result ebb_generate_latents(struct ebb_model *model, const struct ebb_generate_params *params, float *latents,
                                     size_t count, int shape[4], struct ebb_error *error)
{
    struct ebb_generate_params defaults;
    struct ebb_recipe recipe;
    struct ebb_error ignored;
    error = error ? error : &ignored;
    params = or_default(params, &defaults);

    enum ebb_result result = ebb_recipe_make_quick(model, params, &recipe, error);
    if (result != EBB_OK)
        return result;
    shape[0] = 1;
    memcpy(shape + 1, model->state, sizeof(model->state));
    if (!latents)
        return EBB_OK;
    if (count != ebb_window_count(model))
        return ebb_fail(error, EBB_INVALID, "room for %zu floats, the state has %zu", count, ebb_window_count(model));
    return make_latents(model, &recipe, params, latents, error);
}

enum ebb_result ebb_generate_mel(struct ebb_model *model, const float *latents, size_t count, float *mel, size_t mel_count,
                                 struct ebb_error *error)
{
    struct ebb_error ignored;
    error = error ? error : &ignored;
    size_t floats = ebb_window_count(model);
    size_t cells = (size_t)model->state[2] * model->state_stride * model->info.n_mels;
    if (count != floats || mel_count != cells)
        return ebb_fail(error, EBB_INVALID, "%zu latents and %zu cells given, the model has %zu and %zu", count, mel_count,
                        floats, cells);
    enum ebb_result result = ebb_engine_ready(model, error);
    float *state = ebb_alloc(count, sizeof(float));
    if (result == EBB_OK && !state)
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a state");
    if (result == EBB_OK) {
        ebb_window_from_planes(model, latents, state);
        result = ebb_engine_decode(model, state, model->state[2], mel, error);
    }
    free(state);
    return result;
}
