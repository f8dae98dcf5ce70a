// SPDX-License-Identifier: LGPL-2.1-or-later
#include "longsound.h"

#include <math.h>
#include <stdlib.h>

#include <ebb/lab.h>
#include <ebb/memory.h>

#include "longloop.h"
#include "ring.h"
#include "spool_finish.h"
#include "written.h"

enum { BLOCK = 1 << 14 }; // frames

// The way of the samples: from the network to a new rate, and then to one of three places.
struct sample_path {
    const struct long_sound_job *job;
    struct ebb_resampler *resampler; // NULL: they keep the model's rate
    struct ring_margin margin;       // of a loop that is resampled; otherwise none
    float *block;                    // what comes out of the resampler
    size_t channels, skip, left;     // frames: that are not wanted in front, that are wanted then
    int rate;                        // Hz, of the file
    struct spool *spool;
    struct ebb_meter *meter;
    struct ebb_sound_writer *writer;
    struct ebb_error error; // of what takes the samples
};

static bool is_loop(const struct ebb_recipe *recipe)
{
    return ebb_recipe_number(recipe, "loop") == 1;
}

static bool is_resampled(const struct ebb_recipe *recipe)
{
    return !isnan(ebb_recipe_number(recipe, "rate"));
}

static bool needs_spool(const struct ebb_recipe *recipe)
{
    return sound_has_level(recipe) || sound_is_cut(recipe);
}

static bool is_large(const struct ebb_model *model, const struct ebb_recipe *recipe)
{
    enum { PARTS = 8 }; // of the memory that a call may take
    double frames = ebb_recipe_number(recipe, "seconds") * ebb_model_info(model)->sample_rate;
    double bytes = frames * ebb_generate_channels(recipe) * (double)sizeof(float);
    return bytes > (double)ebb_memory_bound() / PARTS;
}

bool long_sound_is(const struct ebb_model *model, const struct ebb_recipe *recipe)
{
    if (ebb_recipe_verb(recipe) != EBB_VERB_GENERATE || !(ebb_recipe_number(recipe, "seconds") > 0))
        return false;
    if (is_loop(recipe))
        return long_loop_is(recipe);
    return !needs_spool(recipe) || is_large(model, recipe);
}

// ---- the way of the samples ----

static enum ebb_result put(struct sample_path *p, float *samples, size_t frames)
{
    if (p->spool)
        return spool_put(p->spool, spool_frames(p->spool), samples, frames, &p->error);
    if (p->meter)
        return ebb_meter_add(p->meter, samples, frames, &p->error);
    struct ebb_sound sound = {.samples = samples, .frames = frames, .channels = (int)p->channels};
    ebb_sound_gain(&sound, ebb_recipe_number(p->job->recipe, "gain"));
    return ebb_sound_writer_write(p->writer, samples, frames, &p->error);
}

// What lies in front of a ring, and behind it, is not wanted.
static enum ebb_result put_wanted(struct sample_path *p, float *samples, size_t frames)
{
    size_t skip = p->skip < frames ? p->skip : frames, rest = frames - skip;
    size_t count = rest < p->left ? rest : p->left;
    p->skip -= skip;
    p->left -= count;
    return count > 0 ? put(p, samples + skip * p->channels, count) : EBB_OK;
}

static enum ebb_result put_resampled(struct sample_path *p)
{
    enum ebb_result result = EBB_OK;
    for (size_t got; result == EBB_OK && (got = ebb_resampler_read(p->resampler, p->block, BLOCK)) > 0;)
        result = put_wanted(p, p->block, got);
    return result;
}

static bool take(void *user, float *samples, size_t frames)
{
    struct sample_path *p = user;
    if (!p->resampler)
        return put_wanted(p, samples, frames) == EBB_OK;
    return ebb_resampler_write(p->resampler, samples, frames, &p->error) == EBB_OK &&
           put_resampled(p) == EBB_OK;
}

static enum ebb_result make(struct sample_path *p, struct ebb_error *error)
{
    const struct long_sound_job *job = p->job;
    const struct long_loop_job loop = {job->model, job->recipe, p->margin.before, job->hooks};
    enum ebb_result result = is_loop(job->recipe)
                                 ? long_loop_parts(&loop, take, p, error)
                                 : ebb_generate_parts(job->model, job->recipe, take, p, job->hooks, error);
    if (result == EBB_OK && p->resampler &&
        ebb_resampler_finish(p->resampler, EBB_RESAMPLE_EXACT, &p->error) == EBB_OK)
        put_resampled(p);
    if (p->error.code)
        *error = p->error;
    if (error->code == EBB_OK && tool_interrupted())
        error->code = EBB_CANCELLED;
    return error->code;
}

// ---- life ----

static enum ebb_result resample(struct sample_path *p, size_t *frames, struct ebb_error *error)
{
    int from = p->rate, to = (int)ebb_recipe_number(p->job->recipe, "rate");
    bool loop = is_loop(p->job->recipe);
    *frames = loop ? ring_frames(*frames, from, to) : ebb_resample_length(*frames, from, to);
    p->margin = loop ? ring_margin(from, to) : (struct ring_margin){0};
    p->skip = p->margin.after;
    p->left = *frames;
    p->rate = to;
    p->block = calloc((size_t)BLOCK * p->channels, sizeof(float));
    p->resampler = ebb_resampler_create(from, to, (int)p->channels, error);
    if (!p->block)
        *error = (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a part of a sound"};
    return p->resampler && p->block ? EBB_OK : error->code;
}

// `frames`: of the sound, before it is cut.
static enum ebb_result begin(struct sample_path *p, const struct long_sound_job *job, size_t *frames,
                             struct ebb_error *error)
{
    *p = (struct sample_path){.job = job,
                              .channels = (size_t)ebb_generate_channels(job->recipe),
                              .rate = ebb_model_info(job->model)->sample_rate,
                              .left = SIZE_MAX};
    *frames = ebb_generate_length(job->model, job->recipe, error);
    return error->code == EBB_OK && is_resampled(job->recipe) ? resample(p, frames, error) : error->code;
}

static void end(struct sample_path *p)
{
    ebb_resampler_destroy(&p->resampler);
    ebb_sound_writer_destroy(&p->writer);
    ebb_meter_destroy(&p->meter);
    spool_destroy(&p->spool);
    free(p->block);
}

// ---- into a file ----

static enum ebb_result open_writer(struct sample_path *p, const char *path, size_t frames,
                                   struct ebb_error *error)
{
    const struct written_start start = {.recipe = p->job->recipe,
                                        .format = sound_format(p->job->recipe, EBB_WAV_16),
                                        .channels = (int)p->channels,
                                        .rate = p->rate,
                                        .frames = frames,
                                        .loop = is_loop(p->job->recipe) ? frames : 0};
    p->writer = written_start(path, &start, error);
    return p->writer ? EBB_OK : error->code;
}

// That the file can say the loop, before the hours in which it is made.
static enum ebb_result check_loop(const struct sample_path *p, size_t frames, struct ebb_error *error)
{
    struct ebb_sound_metadata *loop = written_loop(sound_format(p->job->recipe, EBB_WAV_16), (int)p->channels,
                                                   p->rate, is_loop(p->job->recipe) ? frames : 0, error);
    ebb_sound_metadata_destroy(&loop);
    return error->code;
}

// Onto the spool, and what is to be written of it.
static enum ebb_result record(struct sample_path *p, const char *path, struct spool_span *span,
                              struct ebb_error *error)
{
    p->spool = spool_create(path, (int)p->channels, p->rate, error);
    enum ebb_result result = p->spool ? make(p, error) : error->code;
    return result == EBB_OK ? spool_cut(p->spool, p->job->recipe, span, error) : result;
}

static enum ebb_result write_spool(struct sample_path *p, const char *path, size_t *frames,
                                   struct ebb_error *error)
{
    struct spool_span span = {0};
    struct sound_level level = {-INFINITY, 0};
    const struct ebb_recipe *recipe = p->job->recipe;
    enum ebb_result result = check_loop(p, *frames, error);
    if (result == EBB_OK)
        result = record(p, path, &span, error);
    if (result == EBB_OK && sound_has_level(recipe))
        result = spool_measure(p->spool, &span, &level, error);
    double db = sound_has_level(recipe) && result == EBB_OK ? sound_gain(recipe, p->job->name, &level)
                                                            : ebb_recipe_number(recipe, "gain");
    *frames = span.frames + span.silence;
    if (result == EBB_OK)
        result = open_writer(p, path, *frames, error);
    return result == EBB_OK ? spool_write(p->spool, &span, db, p->writer, error) : result;
}

static enum ebb_result write_as_made(struct sample_path *p, const char *path, size_t frames,
                                     struct ebb_error *error)
{
    enum ebb_result result = open_writer(p, path, frames, error);
    return result == EBB_OK ? make(p, error) : result;
}

enum ebb_result long_sound_write(const struct long_sound_job *job, const char *path, bool *lost,
                                 double *seconds, struct ebb_error *error)
{
    struct sample_path p;
    size_t frames;
    enum ebb_result result = begin(&p, job, &frames, error);
    if (result == EBB_OK)
        result = needs_spool(job->recipe) ? write_spool(&p, path, &frames, error)
                                          : write_as_made(&p, path, frames, error);
    *lost = result == EBB_OK && job->claimer && !claim_holds(job->claimer);
    if (result == EBB_OK && !*lost)
        result = ebb_sound_writer_finish(p.writer, error);
    if (result == EBB_OK && !*lost)
        written_clipped(path, p.writer);
    *seconds = (double)frames / p.rate;
    end(&p);
    return result;
}

// ---- into numbers ----

static enum ebb_result meter(struct sample_path *p, struct sound_level *level, struct ebb_error *error)
{
    p->meter = ebb_meter_create((int)p->channels, p->rate, error);
    enum ebb_result result = p->meter ? make(p, error) : error->code;
    if (result == EBB_OK)
        *level = (struct sound_level){ebb_meter_loudness(p->meter), ebb_meter_peak(p->meter)};
    return result;
}

enum ebb_result long_sound_measure(const struct long_sound_job *job, const char *path,
                                   struct sound_level *level, struct ebb_error *error)
{
    struct sample_path p;
    struct spool_span span;
    size_t frames;
    enum ebb_result result = begin(&p, job, &frames, error);
    if (result == EBB_OK && sound_is_cut(job->recipe)) {
        result = record(&p, path, &span, error);
        if (result == EBB_OK)
            result = spool_measure(p.spool, &span, level, error);
    } else if (result == EBB_OK) {
        result = meter(&p, level, error);
    }
    end(&p);
    return result;
}
