// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/generate.h>

#include <ebb/latents.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "generate/loop.h"
#include "generate/single.h"
#include "generate/window_sound.h"
#include "generate/timeline.h"

// One call of ebb_generate() or a call like it.
struct generate_job {
    struct ebb_model *model;
    const struct ebb_recipe *recipe;
    const struct ebb_hooks *hooks; // NULL: none
    struct ebb_settled settled;
    uint64_t index;
    int iterations; // of the phase reconstruction
};

static enum ebb_result check_verb(const struct ebb_recipe *recipe, struct ebb_error *error)
{
    if (ebb_recipe_verb(recipe) == EBB_VERB_GENERATE)
        return EBB_OK;
    return ebb_fail(error, EBB_WRONG_TYPE, "the recipe is one to %s, not to generate",
                    ebb_verb_name(ebb_recipe_verb(recipe)));
}

// Where `recipe` is NULL, `open` becomes a recipe with all settings open, which the caller destroys.
static enum ebb_result start(struct generate_job *job, struct ebb_recipe **open, struct ebb_error *error)
{
    *open = job->recipe ? NULL : ebb_recipe_create(EBB_VERB_GENERATE);
    job->recipe = job->recipe ? job->recipe : *open;
    if (!job->recipe)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a recipe");
    enum ebb_result result = check_verb(job->recipe, error);
    if (result == EBB_OK)
        result = ebb_settle_whole(job->model, job->recipe, &job->settled, error);
    job->index = ebb_recipe_seed(job->recipe, "index");
    job->iterations = (int)ebb_recipe_number(job->recipe, "phase-iterations");
    return result;
}

static struct ebb_counts *counts_of(const struct generate_job *job)
{
    return job->hooks ? job->hooks->counts : NULL;
}

// Columns of the state of a sound in one piece.
static int columns_of(const struct generate_job *job)
{
    return job->settled.columns > 0 ? job->settled.columns : job->model->state[2];
}

static size_t state_count(const struct generate_job *job)
{
    return (size_t)job->model->state[0] * job->model->state[1] * columns_of(job);
}

static size_t length_of(const struct generate_job *job)
{
    double seconds = ebb_recipe_number(job->recipe, "seconds");
    if (seconds == 0)
        return job->model->info.window_samples;
    double samples = round(seconds * job->model->info.sample_rate);
    return samples < 1 ? 1 : (size_t)samples;
}

size_t ebb_generate_length(const struct ebb_model *model, const struct ebb_recipe *recipe,
                           struct ebb_error *error)
{
    struct ebb_recipe *open;
    // The model is looked at, not changed.
    struct generate_job job = {.model = (struct ebb_model *)model, .recipe = recipe};
    enum ebb_result result = start(&job, &open, EBB_ERROR(error));
    size_t length = result == EBB_OK ? length_of(&job) : 0;
    ebb_recipe_destroy(&open);
    return length;
}

int ebb_generate_channels(const struct ebb_recipe *recipe)
{
    return recipe && ebb_recipe_number(recipe, "channels") == 2 ? 2 : 1;
}

// ---- watching ----

struct watcher {
    struct ebb_model *model;
    int columns;
    const struct ebb_hooks *hooks;
    float *mel;     // (n_mels, frames)
    float *latents; // (c, h, w)
};

static enum ebb_result show(void *user, const struct ebb_reverse_state *state, struct ebb_error *error)
{
    struct watcher *w = user;
    int columns = w->columns;
    enum ebb_result result = ebb_workspace_decode(w->model, state->values, columns, w->mel, error);
    if (result != EBB_OK)
        return result;

    ebb_window_to_latents(w->model, columns, state->values, w->latents);
    double signal = state->alpha * state->alpha, noise = state->sigma * state->sigma;
    struct ebb_generate_step step = {
        .step = state->step,
        .steps = state->steps,
        .abar = signal / (signal + noise),
        .mel = w->mel,
        .n_mels = w->model->info.n_mels,
        .frames = columns * w->model->state_stride,
        .latents = w->latents,
    };
    ebb_window_shape(w->model, columns, step.shape);
    return w->hooks->watch(w->hooks->user, &step) ? EBB_OK
                                                  : ebb_fail(error, EBB_CANCELLED, "stopped on request");
}

// ---- one window ----

// Room for what is shown and for a state.
struct window_room {
    float *state, *mel, *latents;
};

static size_t frames_of(const struct generate_job *job)
{
    return (size_t)columns_of(job) * job->model->state_stride;
}

static enum ebb_result make_room(const struct generate_job *job, struct window_room *room,
                                 struct ebb_error *error)
{
    const struct ebb_model *model = job->model;
    size_t frames = frames_of(job);
    room->state = ebb_alloc(state_count(job), sizeof(float));
    room->mel = ebb_alloc(frames * model->info.n_mels, sizeof(float));
    room->latents = ebb_alloc(state_count(job), sizeof(float));
    bool whole = room->state && room->mel && room->latents;
    return whole ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
}

static void free_room(struct window_room *room)
{
    free(room->state);
    free(room->mel);
    free(room->latents);
}

static enum ebb_result make_state(const struct generate_job *job, struct ebb_progress_span progress,
                                  struct window_room *room, struct ebb_error *error)
{
    struct watcher watcher = {job->model, columns_of(job), job->hooks, room->mel, room->latents};
    struct ebb_window_job window = {.noise = {.index = job->index},
                                    .counts = counts_of(job),
                                    .user = &watcher,
                                    .progress = progress,
                                    .watch = job->hooks && job->hooks->watch ? show : NULL};
    return ebb_window_make(job->model, &job->settled, &window, room->state, error);
}

static enum ebb_result make_window(const struct generate_job *job, const struct ebb_progress_span *progress,
                                   float *const *channels, struct ebb_error *error)
{
    struct window_room room = {0};
    struct ebb_settled join = {0};
    enum ebb_result result = make_room(job, &room, error);
    struct watcher watcher = {job->model, columns_of(job), job->hooks, room.mel, room.latents};
    struct ebb_single_params params = {.settled = &job->settled,
                                       .join = &join,
                                       .index = job->index,
                                       .iterations = job->iterations,
                                       .counts = counts_of(job),
                                       .watch = job->hooks && job->hooks->watch ? show : NULL,
                                       .user = &watcher};
    if (result == EBB_OK && job->settled.channels == 2)
        result = ebb_settle_held(job->model, job->recipe, &join, error);
    if (result == EBB_OK)
        result = ebb_single_make(job->model, &params, progress, channels, error);
    free_room(&room);
    return result;
}

static enum ebb_result make_short(const struct generate_job *job, const struct ebb_progress_span *progress,
                                  float *const *channels, size_t count, struct ebb_error *error)
{
    size_t whole = ebb_single_length(job->model, &job->settled);
    int both = job->settled.channels;
    float *sound = ebb_alloc(both * whole, sizeof(float));
    if (!sound)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
    float *const windows[2] = {sound, both == 2 ? sound + whole : NULL};
    enum ebb_result result = make_window(job, progress, windows, error);
    float level = 1;
    for (int c = 0; c < both && result == EBB_OK; c++)
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): there are one or two channels
        level = fminf(level, ebb_window_sound_gain(job->model, windows[c], count));
    for (size_t i = 0; i < both * count && result == EBB_OK; i++)
        channels[i / count][i % count] = level * windows[i / count][i % count];
    free(sound);
    return result;
}

// ---- more than a window ----

static enum ebb_result check_long(const struct generate_job *job, struct ebb_error *error)
{
    double seconds = ebb_recipe_number(job->recipe, "seconds");
    if (job->hooks && job->hooks->watch)
        return ebb_fail(error, EBB_INVALID, "%g seconds: only a sound of one window can be watched", seconds);
    if (job->settled.noise == EBB_NOISE_TORCH)
        return ebb_fail(error, EBB_UNSUPPORTED, "%g seconds: torch noise is for sounds of one window",
                        seconds);
    return EBB_OK;
}

static struct ebb_timeline *make_timeline(const struct generate_job *job, struct ebb_error *error)
{
    double window = (double)job->model->info.window_samples / job->model->info.sample_rate;
    struct ebb_timeline_params params = {.settled = job->settled,
                                         .index = job->index,
                                         .overlap = window / 4,
                                         .iterations = job->iterations,
                                         .counts = counts_of(job)};
    enum ebb_result result = check_long(job, error);
    if (result == EBB_OK)
        result = ebb_settle_held(job->model, job->recipe, &params.join, error);
    return result == EBB_OK ? ebb_timeline_create(job->model, &params, error) : NULL;
}

// Where the parts of a sound go.
struct sink {
    ebb_take_frames take;
    void *user;
};

// A clip of the timeline and the same interleaved; in mono they are one array.
struct clip_room {
    float *channels[2], *frames;
};

static enum ebb_result make_clip_room(const struct generate_job *job, size_t length, struct clip_room *room,
                                      struct ebb_error *error)
{
    bool stereo = job->settled.channels == 2;
    room->channels[0] = ebb_alloc(length, sizeof(float));
    room->channels[1] = stereo ? ebb_alloc(length, sizeof(float)) : NULL;
    room->frames = stereo ? ebb_alloc(2 * length, sizeof(float)) : room->channels[0];
    bool whole = room->channels[0] && room->frames && (!stereo || room->channels[1]);
    return whole ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a clip");
}

static void free_clip_room(struct clip_room *room)
{
    if (room->frames != room->channels[0])
        free(room->frames);
    free(room->channels[0]);
    free(room->channels[1]);
}

// Hands on `frames` frames of a clip, which begins at frame `at` of the `count` that the sound has.
static enum ebb_result hand_on(const struct generate_job *job, const struct sink *sink,
                               const struct clip_room *room, size_t frames, size_t at, size_t count,
                               struct ebb_error *error)
{
    int channels = job->settled.channels;
    for (int c = 0; c < channels; c++)
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): there are one or two channels
        ebb_window_sound_finish_part(job->model, room->channels[c], frames, at, count, job->settled.fade);
    if (channels == 2)
        ebb_window_sound_interleave(room->channels, channels, frames, room->frames);
    return sink->take(sink->user, room->frames, frames)
               ? EBB_OK
               : ebb_fail(error, EBB_CANCELLED, "stopped on request");
}

static enum ebb_result make_long(const struct generate_job *job, const struct ebb_progress_span *progress,
                                 const struct sink *sink, size_t count, struct ebb_error *error)
{
    struct ebb_timeline *timeline = make_timeline(job, error);
    if (!timeline)
        return error->code;

    struct clip_room room = {0};
    size_t length = ebb_timeline_clip_length(timeline), clips = (count + length - 1) / length;
    enum ebb_result result = make_clip_room(job, length, &room, error);
    for (size_t i = 0; i < clips && result == EBB_OK; i++) {
        struct ebb_progress_span part = ebb_progress_part(progress, (double)i / clips, (i + 1.0) / clips);
        size_t left = count - i * length;
        result = ebb_timeline_clip(timeline, i, &part, room.channels, error);
        if (result == EBB_OK)
            result = hand_on(job, sink, &room, left < length ? left : length, i * length, count, error);
    }
    free_clip_room(&room);
    ebb_timeline_destroy(&timeline);
    return result;
}

// ---- a loop ----

static enum ebb_result make_loop(const struct generate_job *job, const struct ebb_progress_span *progress,
                                 float *const *channels, size_t count, struct ebb_error *error)
{
    struct ebb_loop_params params = {.settled = &job->settled,
                                     .join = &job->settled, // the student makes no loops
                                     .index = job->index,
                                     .iterations = job->iterations,
                                     .counts = counts_of(job)};
    if (job->hooks && job->hooks->watch)
        return ebb_fail(error, EBB_INVALID, "a loop cannot be watched, only a sound of one window");
    if (count > (size_t)EBB_LOOP_HELD * job->model->info.sample_rate)
        return ebb_fail(
            error, EBB_UNSUPPORTED,
            "a loop of %g seconds: at most %d are made in memory; ebb render writes longer ones to "
            "a file",
            ebb_recipe_number(job->recipe, "seconds"), EBB_LOOP_HELD);
    return ebb_loop_make(job->model, &params, progress, channels, count, error);
}

// ---- the calls ----

// More than is made in one piece.
static bool is_long(const struct generate_job *job)
{
    return !job->settled.loop && length_of(job) > ebb_single_length(job->model, &job->settled);
}

// A loop, or a sound in one piece.
static enum ebb_result make_channels(const struct generate_job *job, const struct ebb_progress_span *progress,
                                     float *const *channels, size_t count, struct ebb_error *error)
{
    bool loop = job->settled.loop;
    enum ebb_result result = loop ? make_loop(job, progress, channels, count, error)
                                  : make_short(job, progress, channels, count, error);
    for (int c = 0; c < job->settled.channels && result == EBB_OK && !loop; c++)
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): there are one or two channels
        ebb_window_sound_finish(job->model, channels[c], count, true, job->settled.fade);
    return result;
}

static enum ebb_result make_stereo(const struct generate_job *job, const struct ebb_progress_span *progress,
                                   float *samples, size_t count, struct ebb_error *error)
{
    float *room = ebb_alloc(2 * count, sizeof(float));
    if (!room)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for two channels of %zu samples", count);
    float *const channels[2] = {room, room + count};
    enum ebb_result result = make_channels(job, progress, channels, count, error);
    ebb_window_sound_interleave(channels, 2, count, samples);
    free(room);
    return result;
}

// Puts the parts of a sound behind one another.
struct whole {
    float *next;
    int channels;
};

static bool append(void *user, float *samples, size_t frames)
{
    struct whole *whole = user;
    memcpy(whole->next, samples, frames * whole->channels * sizeof(float));
    whole->next += frames * whole->channels;
    return true;
}

static enum ebb_result make_whole(const struct generate_job *job, const struct ebb_progress_span *progress,
                                  float *samples, size_t count, struct ebb_error *error)
{
    struct whole whole = {samples, job->settled.channels};
    const struct sink sink = {append, &whole};
    return is_long(job)                 ? make_long(job, progress, &sink, count, error)
           : job->settled.channels == 2 ? make_stereo(job, progress, samples, count, error)
                                        : make_channels(job, progress, &samples, count, error);
}

// Not long: made in one piece, and handed on as one.
static enum ebb_result make_piece(const struct generate_job *job, const struct ebb_progress_span *progress,
                                  const struct sink *sink, size_t count, struct ebb_error *error)
{
    float *samples = ebb_alloc(count * job->settled.channels, sizeof(float));
    if (!samples)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a sound of %zu samples", count);
    enum ebb_result result = make_whole(job, progress, samples, count, error);
    if (result == EBB_OK && !sink->take(sink->user, samples, count))
        result = ebb_fail(error, EBB_CANCELLED, "stopped on request");
    free(samples);
    return result;
}

static enum ebb_result into_samples(struct generate_job *job, float *samples, size_t count,
                                    struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    if (count != length_of(job))
        result = ebb_fail(error, EBB_INVALID, "room for %zu samples, the sound has %zu", count,
                          length_of(job));
    if (result == EBB_OK)
        result = ebb_model_ready(job->model, error);
    struct ebb_progress_span progress = ebb_progress_whole(job->hooks);
    if (result == EBB_OK)
        result = make_whole(job, &progress, samples, count, error);
    return result == EBB_OK ? ebb_progress_tell(&progress, 1, error) : result;
}

static enum ebb_result into_sink(struct generate_job *job, const struct sink *sink, struct ebb_error *error)
{
    enum ebb_result result = ebb_model_ready(job->model, error);
    struct ebb_progress_span progress = ebb_progress_whole(job->hooks);
    if (result == EBB_OK)
        result = is_long(job) ? make_long(job, &progress, sink, length_of(job), error)
                              : make_piece(job, &progress, sink, length_of(job), error);
    return result == EBB_OK ? ebb_progress_tell(&progress, 1, error) : result;
}

enum ebb_result ebb_generate(struct ebb_model *model, const struct ebb_recipe *recipe, float *samples,
                             size_t count, const struct ebb_hooks *hooks, struct ebb_error *error)
{
    struct ebb_recipe *open;
    struct generate_job job = {.model = model, .recipe = recipe, .hooks = hooks};
    error = EBB_ERROR(error);
    enum ebb_result result = start(&job, &open, error);
    if (result == EBB_OK)
        result = into_samples(&job, samples, count, error);
    ebb_recipe_destroy(&open);
    return result;
}

enum ebb_result ebb_generate_parts(struct ebb_model *model, const struct ebb_recipe *recipe,
                                   ebb_take_frames take, void *user, const struct ebb_hooks *hooks,
                                   struct ebb_error *error)
{
    struct ebb_recipe *open;
    struct generate_job job = {.model = model, .recipe = recipe, .hooks = hooks};
    const struct sink sink = {take, user};
    error = EBB_ERROR(error);
    enum ebb_result result = start(&job, &open, error);
    if (result == EBB_OK)
        result = into_sink(&job, &sink, error);
    ebb_recipe_destroy(&open);
    return result;
}

// ---- latents ----

static enum ebb_result make_latents(const struct generate_job *job, float *latents, struct ebb_error *error)
{
    struct window_room room = {0};
    enum ebb_result result = ebb_model_ready(job->model, error);
    if (result == EBB_OK)
        result = make_room(job, &room, error);
    if (result == EBB_OK)
        result = make_state(job, ebb_progress_whole(job->hooks), &room, error);
    if (result == EBB_OK)
        ebb_window_to_latents(job->model, columns_of(job), room.state, latents);
    free_room(&room);
    return result;
}

enum ebb_result ebb_generate_latents(struct ebb_model *model, const struct ebb_recipe *recipe, float *latents,
                                     size_t count, int shape[4], const struct ebb_hooks *hooks,
                                     struct ebb_error *error)
{
    struct ebb_recipe *open;
    struct generate_job job = {.model = model, .recipe = recipe, .hooks = hooks};
    error = EBB_ERROR(error);
    enum ebb_result result = start(&job, &open, error);
    if (result == EBB_OK)
        ebb_window_shape(model, columns_of(&job), shape);
    if (result == EBB_OK && latents && count != state_count(&job))
        result = ebb_fail(error, EBB_INVALID, "room for %zu floats, the state has %zu", count,
                          state_count(&job));
    if (result == EBB_OK && latents)
        result = make_latents(&job, latents, error);
    ebb_recipe_destroy(&open);
    return result;
}

enum ebb_result ebb_generate_mel(struct ebb_model *model, const float *latents, size_t count, float *mel,
                                 size_t mel_count, struct ebb_error *error)
{
    error = EBB_ERROR(error);
    // A network that takes any length: the latents say which.
    size_t column = (size_t)model->state[0] * model->state[1], given = count / column;
    int columns = model->vocoder && given > 0 && given < 1 << 20 ? (int)given : model->state[2];
    size_t floats = column * columns, cells = (size_t)columns * model->state_stride * model->info.n_mels;
    if (count != floats || mel_count != cells)
        return ebb_fail(error, EBB_INVALID, "%zu latents and %zu cells given, the model has %zu and %zu",
                        count, mel_count, floats, cells);
    enum ebb_result result = ebb_model_ready(model, error);
    float *state = ebb_alloc(count, sizeof(float));
    if (result == EBB_OK && !state)
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a state");
    if (result == EBB_OK) {
        ebb_window_from_latents(model, columns, latents, state);
        result = ebb_workspace_decode(model, state, columns, mel, error);
    }
    free(state);
    return result;
}
