// SPDX-License-Identifier: LGPL-2.1-or-later
#include "longsound.h"

#include <math.h>

#include "written.h"

struct pass {
    struct ebb_sound_writer *writer;
    size_t channels;
    double gain; // a factor
    struct ebb_error error;
};

bool long_sound_is(const struct ebb_recipe *recipe)
{
    return ebb_recipe_verb(recipe) == EBB_VERB_GENERATE && ebb_recipe_number(recipe, "seconds") > 0 &&
           ebb_recipe_number(recipe, "loop") != 1 && !sound_needs_all(recipe);
}

static bool take(void *user, float *samples, size_t frames)
{
    struct pass *p = user;
    for (size_t i = 0; i < frames * p->channels && p->gain != 1; i++)
        samples[i] = (float)(samples[i] * p->gain);
    return ebb_sound_writer_write(p->writer, samples, frames, &p->error) == EBB_OK;
}

static enum ebb_result make(const struct long_sound_job *job, struct pass *p, struct ebb_error *error)
{
    enum ebb_result result = ebb_generate_parts(job->model, job->recipe, take, p, job->hooks, error);
    if (p->error.code)
        *error = p->error;
    if (result == EBB_OK && tool_interrupted())
        error->code = EBB_CANCELLED;
    return error->code;
}

enum ebb_result long_sound_write(const struct long_sound_job *job, const char *path, bool *lost,
                                 struct ebb_error *error)
{
    const struct written_start start = {.recipe = job->recipe,
                                        .format = sound_format(job->recipe, EBB_WAV_16),
                                        .channels = ebb_generate_channels(job->recipe),
                                        .rate = ebb_model_info(job->model)->sample_rate,
                                        .frames = ebb_generate_length(job->model, job->recipe, error)};
    struct pass p = {.writer = error->code ? NULL : written_start(path, &start, error),
                     .channels = (size_t)start.channels,
                     .gain = pow(10, ebb_recipe_number(job->recipe, "gain") / 20)};
    enum ebb_result result = p.writer ? make(job, &p, error) : error->code;
    *lost = result == EBB_OK && job->claimer && !claim_holds(job->claimer);
    if (result == EBB_OK && !*lost)
        result = ebb_sound_writer_finish(p.writer, error);
    if (result == EBB_OK && !*lost)
        written_clipped(path, p.writer);
    ebb_sound_writer_destroy(&p.writer);
    return result;
}
