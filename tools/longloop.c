// SPDX-License-Identifier: LGPL-2.1-or-later
// The file is a ring, and may begin anywhere. It begins a few seconds into the sound, so that the join comes
// when both of its sides are there: the sound from there to near its end, the join, the few seconds.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "longloop.h"

static const double LONGEST_HELD = 3600; // seconds that ebb_generate() makes as a loop
static const double JOIN = 0.5;          // seconds that are made anew
static const double AROUND = 3;          // seconds on either side that the join is made from
static const double GENTLE = 0.01;       // seconds in which the start is looked for

struct loop_join {
    const struct long_loop_job *job;
    struct ebb_sound parted; // the last frames of the sound and, behind them, the first
    float *block;            // what is handed on: it may be changed there
    size_t all, at;          // frames: of the sound, of those that came
    size_t around, head;     // frames: on either side of the join, that are kept from the start
    size_t start;            // of the ring, in the sound
    ebb_take_frames take;
    void *user;
};

bool long_loop_is(const struct ebb_recipe *recipe)
{
    return ebb_recipe_verb(recipe) == EBB_VERB_GENERATE && ebb_recipe_number(recipe, "loop") == 1 &&
           ebb_recipe_number(recipe, "seconds") > LONGEST_HELD;
}

static enum ebb_result no_memory(struct ebb_error *error)
{
    snprintf(error->message, sizeof(error->message), "no memory for a loop");
    return error->code = EBB_OUT_OF_MEMORY;
}

// ---- what is asked for, in other recipes ----

// The recipe's settings as far as another verb has them, without those that say length and loop.
static struct ebb_recipe *as_verb(const struct ebb_recipe *from, enum ebb_verb verb)
{
    static const char *const own[] = {"loop", "seconds", "index", "format", "lead", "gain"};
    struct ebb_recipe *recipe = ebb_recipe_create(verb);
    if (recipe && ebb_recipe_merge(recipe, from, NULL) != EBB_OK)
        ebb_recipe_destroy(&recipe);
    for (size_t i = 0; recipe && i < sizeof(own) / sizeof(*own); i++)
        ebb_recipe_open(recipe, own[i]);
    return recipe;
}

// As a stream has it: a gap follows events alone.
static enum ebb_result find_kind(const struct long_loop_job *job, bool *event, struct ebb_error *error)
{
    struct ebb_recipe *recipe = as_verb(job->recipe, EBB_VERB_STREAM);
    enum ebb_result result = recipe ? ebb_recipe_set_number(recipe, "gap", 1, error) : no_memory(error);
    struct ebb_stream *stream = result == EBB_OK ? ebb_stream_create(job->model, recipe, NULL, error) : NULL;
    *event = stream && ebb_stream_gap(stream) > 0;
    if (result == EBB_OK && !stream)
        result = error->code;
    ebb_stream_destroy(&stream);
    ebb_recipe_destroy(&recipe);
    return result;
}

// ---- handing on ----

enum { BLOCK = 1 << 14 }; // frames

static int channels_of(const struct long_loop_job *job)
{
    return ebb_generate_channels(job->recipe);
}

// `samples` NULL: silence. What takes them may change them, and they are wanted again.
static bool hand_on(const struct loop_join *r, const float *samples, size_t frames)
{
    size_t channels = (size_t)channels_of(r->job);
    bool on = true;
    for (size_t i = 0; i < frames && on; i += BLOCK) {
        size_t count = frames - i < BLOCK ? frames - i : BLOCK;
        if (samples)
            memcpy(r->block, samples + i * channels, count * channels * sizeof(float));
        else
            memset(r->block, 0, count * channels * sizeof(float));
        on = r->take(r->user, r->block, count) && !tool_interrupted();
    }
    return on;
}

static enum ebb_result stopped(struct ebb_error *error)
{
    snprintf(error->message, sizeof(error->message), "stopped on request");
    return error->code = EBB_CANCELLED;
}

// ---- a texture ----

static float *parted_at(const struct loop_join *r, size_t frame)
{
    return r->parted.samples + frame * (size_t)r->parted.channels;
}

// Where, within 10 ms behind the join's surroundings, the first channel passes 0 upwards most gently.
static size_t gentle_start(const struct loop_join *r)
{
    size_t most = (size_t)(GENTLE * r->parted.rate), best = r->around;
    float least = INFINITY;
    for (size_t i = r->around; i < r->around + most; i++) {
        float before = *parted_at(r, r->around + i - 1), now = *parted_at(r, r->around + i);
        if (before < 0 && now >= 0 && now - before < least) {
            least = now - before;
            best = i;
        }
    }
    return best;
}

// Frames of the sound that come next, not more than `count`, for which the same is done: up to `end`.
static size_t up_to(const struct loop_join *r, size_t end, size_t count)
{
    return end - r->at < count ? end - r->at : count;
}

static bool take_head(struct loop_join *r, const float *samples, size_t frames)
{
    memcpy(parted_at(r, r->around + r->at), samples, frames * (size_t)r->parted.channels * sizeof(float));
    if (r->at + frames < r->head)
        return true;
    r->start = gentle_start(r);
    size_t from = r->start - r->job->margin;
    return hand_on(r, parted_at(r, r->around + from), r->head - from);
}

// The next frames of the sound.
static bool take_part(void *user, float *samples, size_t frames)
{
    struct loop_join *r = user;
    size_t last = r->all - r->around;
    bool on = true;
    while (frames > 0 && on) {
        size_t count;
        if (r->at < r->head) {
            count = up_to(r, r->head, frames);
            on = take_head(r, samples, count);
        } else if (r->at < last) {
            count = up_to(r, last, frames);
            on = r->take(r->user, samples, count);
        } else {
            count = frames;
            memcpy(parted_at(r, r->at - last), samples, count * (size_t)r->parted.channels * sizeof(float));
        }
        r->at += count;
        frames -= count;
        samples += count * (size_t)r->parted.channels;
    }
    return on && !tool_interrupted();
}

// The sound that goes round: it neither fades nor ends.
static enum ebb_result make_sound(struct loop_join *r, struct ebb_error *error)
{
    struct ebb_recipe *recipe = ebb_recipe_copy(r->job->recipe);
    enum ebb_result result = recipe ? EBB_OK : no_memory(error);
    if (result == EBB_OK) {
        ebb_recipe_open(recipe, "loop");
        result = ebb_recipe_set_number(recipe, "fade", 0, error);
    }
    if (result == EBB_OK)
        result = ebb_generate_parts(r->job->model, recipe, take_part, r, r->job->hooks, error);
    ebb_recipe_destroy(&recipe);
    return result;
}

// The sound's end with its start behind it, of which the middle is made anew.
static enum ebb_result make_join(const struct loop_join *r, struct ebb_sound *join, struct ebb_error *error)
{
    struct ebb_recipe *recipe = as_verb(r->job->recipe, EBB_VERB_EDIT);
    struct ebb_sound parted = r->parted;
    double middle = (double)r->around / parted.rate;
    enum ebb_result result = recipe ? EBB_OK : no_memory(error);
    parted.frames = 2 * r->around;
    if (result == EBB_OK)
        result = ebb_recipe_set_number(recipe, "from", middle - JOIN / 2, error);
    if (result == EBB_OK)
        result = ebb_recipe_set_number(recipe, "to", middle + JOIN / 2, error);
    if (result == EBB_OK)
        result = ebb_edit(r->job->model, recipe, &parted, join, NULL, error);
    ebb_recipe_destroy(&recipe);
    return result;
}

static enum ebb_result go_round_texture(struct loop_join *r, struct ebb_error *error)
{
    int rate = ebb_model_info(r->job->model)->sample_rate;
    struct ebb_sound join = {0};
    r->around = (size_t)(AROUND * rate);
    r->head = r->around + (size_t)(GENTLE * rate) + r->job->margin;
    enum ebb_result result = ebb_sound_alloc(&r->parted, r->around + r->head, channels_of(r->job), rate,
                                             error);
    if (result == EBB_OK)
        result = make_sound(r, error);
    if (result == EBB_OK)
        result = make_join(r, &join, error);
    if (result == EBB_OK && !(hand_on(r, join.samples, join.frames) &&
                              hand_on(r, parted_at(r, 2 * r->around), r->start + r->job->margin - r->around)))
        result = stopped(error);
    ebb_sound_clear(&join);
    return result;
}

// ---- an event ----

static enum ebb_result make_event(const struct loop_join *r, struct ebb_sound *event, struct ebb_error *error)
{
    struct ebb_recipe *recipe = ebb_recipe_copy(r->job->recipe);
    enum ebb_result result = recipe ? EBB_OK : no_memory(error);
    if (result == EBB_OK) {
        ebb_recipe_open(recipe, "loop");
        ebb_recipe_open(recipe, "seconds");
        result = ebb_sound_alloc(event, ebb_generate_length(r->job->model, recipe, error),
                                 channels_of(r->job), ebb_model_info(r->job->model)->sample_rate, error);
    }
    if (result == EBB_OK)
        result = ebb_generate(r->job->model, recipe, event->samples, event->frames, r->job->hooks, error);
    ebb_recipe_destroy(&recipe);
    return result;
}

static enum ebb_result go_round_event(struct loop_join *r, struct ebb_error *error)
{
    struct ebb_sound event = {0};
    enum ebb_result result = make_event(r, &event, error);
    size_t margin = r->job->margin, again = event.frames < margin ? event.frames : margin;
    if (result == EBB_OK && !(hand_on(r, NULL, margin) && hand_on(r, event.samples, event.frames) &&
                              hand_on(r, NULL, r->all - event.frames) && hand_on(r, event.samples, again) &&
                              hand_on(r, NULL, margin - again)))
        result = stopped(error);
    ebb_sound_clear(&event);
    return result;
}

enum ebb_result long_loop_parts(const struct long_loop_job *job, ebb_take_frames take, void *user,
                                struct ebb_error *error)
{
    struct loop_join r = {.job = job, .take = take, .user = user};
    bool event = false;
    r.all = ebb_generate_length(job->model, job->recipe, error);
    r.block = calloc((size_t)BLOCK * (size_t)channels_of(job), sizeof(float));
    enum ebb_result result = r.block || error->code ? error->code : no_memory(error);
    if (result == EBB_OK)
        result = find_kind(job, &event, error);
    if (result == EBB_OK)
        result = event ? go_round_event(&r, error) : go_round_texture(&r, error);
    ebb_sound_clear(&r.parted);
    free(r.block);
    return result;
}
