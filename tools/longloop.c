// SPDX-License-Identifier: LGPL-2.1-or-later
// The file is a ring. It is written from a gentle place in the join on: the second half of the join, the
// stream, the first half.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "longloop.h"
#include "written.h"

static const double LONGEST_HELD = 3600; // seconds that ebb_generate() makes as a loop
static const double JOIN = 0.5;          // seconds that are made anew
static const double AROUND = 3;          // seconds on either side that the join is made from

struct pass {
    const struct long_loop_job *job;
    struct ebb_stream *stream;
    struct ebb_sound_writer *writer;
    struct ebb_sound join; // what lies on either side of the join, which is in its middle
    float *clip;
    size_t clip_frames, all, around, written; // frames
    uint64_t first, held;                     // clips: where the stream begins, which one `clip` is
    int channels, made;                       // of the file, of the stream
    double gain;                              // a factor
};

bool long_loop_is(const struct ebb_recipe *recipe)
{
    return ebb_recipe_verb(recipe) == EBB_VERB_GENERATE && ebb_recipe_number(recipe, "loop") == 1 &&
           ebb_recipe_number(recipe, "seconds") > LONGEST_HELD;
}

// What is left to do once a whole sound is there cannot be done here.
static int check(const struct ebb_recipe *recipe)
{
    static const char *const names[] = {"lufs", "peak", "rate", "to-seed", "classifier-guidance"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (ebb_recipe_has(recipe, names[i]))
            return tool_fail(TOOL_USAGE,
                             "%s: a loop of %g seconds is written as it is made, and goes without", names[i],
                             ebb_recipe_number(recipe, "seconds"));
    return TOOL_OK;
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

static enum ebb_result no_memory(struct ebb_error *error)
{
    snprintf(error->message, sizeof(error->message), "no memory for a loop");
    return error->code = EBB_OUT_OF_MEMORY;
}

static bool is_texture(const struct long_loop_job *job)
{
    const char *text = ebb_recipe_text(job->recipe, "label");
    char *first = strndup(text, strcspn(text, ":,"));
    int label = first && *first ? ebb_model_find_label(job->model, first, NULL) : -1;
    free(first);
    return label < 0 || ebb_model_label(job->model, label)->kind == EBB_LABEL_TEXTURE;
}

// ---- the stream ----

// Every index has clips of its own. Clip 0 fades in, and is left out.
static uint64_t first_clip(const struct ebb_recipe *recipe)
{
    enum { CLIPS_BITS = 20 }; // far more than a day has
    return ((ebb_recipe_seed(recipe, "index") & UINT32_MAX) << CLIPS_BITS) + 1;
}

static enum ebb_result open_stream(struct pass *p, struct ebb_error *error)
{
    struct ebb_recipe *recipe = as_verb(p->job->recipe, EBB_VERB_STREAM);
    bool wide = p->channels == 2 && ebb_recipe_number(p->job->recipe, "width") > 0;
    enum ebb_result result = recipe ? EBB_OK : no_memory(error);
    if (result == EBB_OK && wide)
        result = ebb_recipe_set_number(recipe, "width", ebb_recipe_number(p->job->recipe, "width"), error);
    if (result == EBB_OK && !(p->stream = ebb_stream_create(p->job->model, recipe, NULL, error)))
        result = error->code;
    ebb_recipe_destroy(&recipe);
    if (result != EBB_OK)
        return result;
    p->made = ebb_stream_channels(p->stream);
    p->clip_frames = ebb_stream_clip_length(p->stream);
    p->clip = calloc(p->clip_frames * (size_t)p->made, sizeof(float));
    p->held = UINT64_MAX;
    p->first = first_clip(p->job->recipe);
    return p->clip ? EBB_OK : no_memory(error);
}

// Frames of the stream from `at` on, as many as `count`, in the file's channels.
static enum ebb_result take(struct pass *p, size_t at, size_t count, float *to, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (size_t i = 0; i < count && result == EBB_OK; i++) {
        uint64_t clip = p->first + (at + i) / p->clip_frames;
        if (clip != p->held)
            result = ebb_stream_clip(p->stream, clip, p->clip, p->clip_frames, error);
        p->held = clip;
        const float *frame = p->clip + (at + i) % p->clip_frames * (size_t)p->made;
        for (int c = 0; c < p->channels && result == EBB_OK; c++)
            *to++ = frame[c < p->made ? c : 0];
    }
    return result;
}

// ---- the join ----

// The stream's end with its start behind it, of which the middle is made anew.
static enum ebb_result make_join(struct pass *p, struct ebb_error *error)
{
    struct ebb_sound parted = {0};
    struct ebb_recipe *recipe = as_verb(p->job->recipe, EBB_VERB_EDIT);
    int rate = ebb_model_info(p->job->model)->sample_rate;
    size_t middle = p->around * (size_t)p->channels;
    enum ebb_result result = recipe ? ebb_sound_alloc(&parted, 2 * p->around, p->channels, rate, error)
                                    : no_memory(error);
    if (result == EBB_OK)
        result = take(p, p->all - p->around, p->around, parted.samples, error);
    if (result == EBB_OK)
        result = take(p, 0, p->around, parted.samples + middle, error);
    if (result == EBB_OK)
        result = ebb_recipe_set_number(recipe, "from", (double)p->around / rate - JOIN / 2, error);
    if (result == EBB_OK)
        result = ebb_recipe_set_number(recipe, "to", (double)p->around / rate + JOIN / 2, error);
    if (result == EBB_OK)
        result = ebb_edit(p->job->model, recipe, &parted, &p->join, NULL, error);
    ebb_sound_clear(&parted);
    ebb_recipe_destroy(&recipe);
    return result;
}

// Where, within 10 ms behind the middle, the first channel passes 0 upwards most gently.
static size_t gentle_start(const struct pass *p)
{
    size_t most = (size_t)p->join.rate / 100, best = p->around, channels = (size_t)p->channels;
    float least = INFINITY;
    for (size_t i = p->around; i < p->around + most; i++) {
        float before = p->join.samples[(i - 1) * channels], now = p->join.samples[i * channels];
        if (before < 0 && now >= 0 && now - before < least) {
            least = now - before;
            best = i;
        }
    }
    return best;
}

// ---- the file ----

static enum ebb_result begin(struct pass *p, const char *path, struct ebb_error *error)
{
    const struct written_start start = {.recipe = p->job->recipe,
                                        .format = sound_format(p->job->recipe, EBB_WAV_16),
                                        .channels = p->channels,
                                        .rate = ebb_model_info(p->job->model)->sample_rate,
                                        .frames = p->all,
                                        .loop = p->all};
    p->writer = written_start(path, &start, error);
    return p->writer ? EBB_OK : error->code;
}

static enum ebb_result write_frames(struct pass *p, float *samples, size_t frames, struct ebb_error *error)
{
    for (size_t i = 0; i < frames * (size_t)p->channels; i++)
        samples[i] = (float)(samples[i] * p->gain);
    enum ebb_result result = ebb_sound_writer_write(p->writer, samples, frames, error);
    p->written += frames;
    bool on = tool_progress_show(p->job->progress, (double)p->written / (double)p->all);
    return result == EBB_OK && (!on || tool_interrupted()) ? (error->code = EBB_CANCELLED) : result;
}

// Frames of the stream, or silence where there is none.
static enum ebb_result write_middle(struct pass *p, size_t at, size_t end, struct ebb_error *error)
{
    enum { BLOCK = 1 << 14 };
    float *block = calloc((size_t)BLOCK * (size_t)p->channels, sizeof(float));
    enum ebb_result result = block ? EBB_OK : no_memory(error);
    while (at < end && result == EBB_OK) {
        size_t count = end - at < BLOCK ? end - at : BLOCK;
        result = p->stream ? take(p, at, count, block, error) : EBB_OK;
        if (result == EBB_OK)
            result = write_frames(p, block, count, error);
        at += count;
    }
    free(block);
    return result;
}

static enum ebb_result write_texture(struct pass *p, const char *path, struct ebb_error *error)
{
    size_t channels = (size_t)p->channels;
    enum ebb_result result = open_stream(p, error);
    if (result == EBB_OK)
        result = make_join(p, error);
    size_t start = result == EBB_OK ? gentle_start(p) : 0;
    if (result == EBB_OK)
        result = begin(p, path, error);
    if (result == EBB_OK)
        result = write_frames(p, p->join.samples + start * channels, 2 * p->around - start, error);
    if (result == EBB_OK)
        result = write_middle(p, p->around, p->all - p->around, error);
    return result == EBB_OK ? write_frames(p, p->join.samples, start, error) : result;
}

static enum ebb_result write_event(struct pass *p, const char *path, struct ebb_error *error)
{
    struct ebb_recipe *recipe = ebb_recipe_copy(p->job->recipe);
    struct ebb_sound *event = &p->join;
    enum ebb_result result = recipe ? EBB_OK : no_memory(error);
    if (result == EBB_OK) {
        ebb_recipe_open(recipe, "loop");
        ebb_recipe_open(recipe, "seconds");
        result = ebb_sound_alloc(event, ebb_generate_length(p->job->model, recipe, error), p->channels,
                                 ebb_model_info(p->job->model)->sample_rate, error);
    }
    if (result == EBB_OK)
        result = ebb_generate(p->job->model, recipe, event->samples, event->frames, NULL, error);
    ebb_recipe_destroy(&recipe);
    if (result == EBB_OK)
        result = begin(p, path, error);
    if (result == EBB_OK)
        result = write_frames(p, event->samples, event->frames, error);
    return result == EBB_OK ? write_middle(p, event->frames, p->all, error) : result;
}

int long_loop_write(const struct long_loop_job *job, const char *path, size_t *frames)
{
    struct ebb_error error = {0};
    int rate = ebb_model_info(job->model)->sample_rate, code = check(job->recipe);
    if (code)
        return code;
    struct pass p = {.job = job,
                     .all = ebb_generate_length(job->model, job->recipe, &error),
                     .around = (size_t)(AROUND * rate),
                     .channels = ebb_generate_channels(job->recipe),
                     .gain = pow(10, ebb_recipe_number(job->recipe, "gain") / 20)};
    enum ebb_result result = error.code;
    if (result == EBB_OK)
        result = is_texture(job) ? write_texture(&p, path, &error) : write_event(&p, path, &error);
    if (result == EBB_OK)
        result = ebb_sound_writer_finish(p.writer, &error);
    tool_progress_clear(job->progress);
    if (result == EBB_OK)
        written_clipped(path, p.writer);
    ebb_sound_writer_destroy(&p.writer);
    ebb_stream_destroy(&p.stream);
    ebb_sound_clear(&p.join);
    free(p.clip);
    *frames = p.all;
    return result == EBB_OK ? TOOL_OK : tool_error(&error);
}
