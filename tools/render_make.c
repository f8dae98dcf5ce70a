// SPDX-License-Identifier: LGPL-2.1-or-later
// How `ebb render` makes one sound and its file.
#include "render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/latents.h>

#include "longsound.h"
#include "npy.h"
#include "report.h"
#include "ring.h"
#include "streams.h"
#include "written.h"

struct ebb_hooks render_hooks(struct render *r)
{
    struct ebb_hooks hooks = EBB_HOOKS;
    hooks.counts = &r->counts;
    hooks.progress = tool_on_progress;
    hooks.user = &r->progress;
    return hooks;
}

static bool save_step(void *user, const struct ebb_generate_step *step)
{
    struct render *r = user;
    char path[4096];
    size_t sizes[4];
    for (int i = 0; i < 4; i++)
        sizes[i] = (size_t)step->shape[i];
    snprintf(path, sizeof(path), "%s/step-%03d.npy", r->steps_folder, step->step);
    r->step_code = npy_write(path, step->latents, 4, sizes);
    return r->step_code == TOOL_OK && !tool_interrupted();
}

int render_save_latents(struct render *r)
{
    const struct ebb_recipe *recipe = r->survey.first;
    struct ebb_error error = {0};
    struct ebb_hooks hooks = render_hooks(r);
    int shape[4];
    if (r->steps_folder) {
        int made = tool_make_folder(r->steps_folder);
        if (made)
            return made;
        hooks.watch = save_step;
        hooks.progress = NULL;
        hooks.user = r;
    }
    if (ebb_generate_latents(r->m.model, recipe, NULL, 0, shape, &hooks, &error) != EBB_OK)
        return tool_error(&error);
    size_t sizes[4], count = 1;
    for (int i = 0; i < 4; i++)
        count *= sizes[i] = (size_t)shape[i];
    float *x = calloc(count, sizeof(*x));
    int code = x ? TOOL_OK : tool_fail(TOOL_FAILED, "no memory");
    if (x && ebb_generate_latents(r->m.model, recipe, x, count, shape, &hooks, &error) != EBB_OK) {
        tool_progress_clear(&r->progress);
        code = r->step_code ? r->step_code : tool_error(&error);
    } else if (x && r->latents) {
        tool_progress_clear(&r->progress);
        code = npy_write(r->latents, x, 4, sizes);
    }
    free(x);
    return code;
}

void render_report(const struct render *r, const char *path, const char *status, double seconds, double took)
{
    if (!r->json)
        return;
    json_t *o = report_of(path, status, seconds, took);
    if (seconds > 0)
        json_object_set_new(o, "evaluations", json_integer(r->counts.evals)); // of its last window
    if (seconds > 0 && r->counts.rejected > 0)
        json_object_set_new(o, "rejected_steps", json_integer(r->counts.rejected));
    report_print(o);
}

static bool is_loop(const struct sound_job *job)
{
    return ebb_recipe_number(job->recipe, "loop") == 1;
}

enum ebb_result render_make_sound(struct render *r, const struct sound_job *job, struct ebb_sound *sound,
                                  struct ebb_error *error)
{
    struct ebb_hooks hooks = render_hooks(r);
    size_t count = ebb_generate_length(r->m.model, job->recipe, error);
    if (count == 0 && error->code)
        return error->code;
    double rate = ebb_recipe_number(job->recipe, "rate");
    enum ebb_result result = ebb_sound_alloc(sound, count, ebb_generate_channels(job->recipe),
                                             r->m.info->sample_rate, error);
    if (result == EBB_OK && !(sound->comment = sound_comment(job->recipe)))
        result = error->code = EBB_OUT_OF_MEMORY;
    if (result == EBB_OK)
        result = ebb_generate(r->m.model, job->recipe, sound->samples, count, &hooks, error);
    tool_progress_clear(&r->progress);
    if (result == EBB_OK && !isnan(rate))
        result = is_loop(job) ? ring_resample(sound, (int)rate, error)
                              : ebb_sound_resample(sound, (int)rate, error);
    if (result == EBB_OK)
        result = sound_finish(job->recipe, job->name, sound, error);
    return result == EBB_OK && tool_interrupted() ? (error->code = EBB_CANCELLED) : result;
}

static int make(struct render *r, const struct sound_job *job, const char *path)
{
    struct ebb_error error = {0};
    struct ebb_sound sound = {0};
    double start = tool_now();
    enum ebb_wav_format format = sound_format(job->recipe, EBB_WAV_16);
    enum ebb_result result = render_make_sound(r, job, &sound, &error);
    struct ebb_sound_metadata *metadata = NULL;
    if (result == EBB_OK) {
        metadata = written_loop(format, sound.channels, sound.rate, is_loop(job) ? sound.frames : 0, &error);
        result = error.code;
    }
    r->lost = r->claimer && result == EBB_OK && !claim_holds(r->claimer);
    if (result == EBB_OK && !r->lost)
        result = written_sound(path, &sound, NULL, metadata, format, &error);
    ebb_sound_metadata_destroy(&metadata);
    if (result == EBB_OK && !r->lost)
        render_report(r, path, "made", (double)sound.frames / sound.rate, tool_now() - start);
    ebb_sound_clear(&sound);
    return result == EBB_OK ? TOOL_OK : tool_error(&error);
}

static int make_long_sound(struct render *r, const struct sound_job *job, const char *path)
{
    struct ebb_hooks hooks = render_hooks(r);
    const struct long_sound_job sound = {r->m.model, job->name, job->recipe, r->claimer, &hooks};
    struct ebb_error error = {0};
    double start = tool_now(), seconds = 0;
    enum ebb_result result = long_sound_write(&sound, path, &r->lost, &seconds, &error);
    tool_progress_clear(&r->progress);
    if (result != EBB_OK)
        return tool_error(&error);
    if (!r->lost)
        render_report(r, path, "made", seconds, tool_now() - start);
    return TOOL_OK;
}

// As many clips as the recipe says, or as long as the recording was, at the model's rate.
static int make_stream(struct render *r, const struct sound_job *job, const char *path)
{
    double start = tool_now(), rate = r->m.info->sample_rate;
    size_t made = 0;
    const struct stream_job stream = {
        .model = r->m.model,
        .recipe = job->recipe,
        .format = sound_format(r->given, r->origin.format),
        .frames = (size_t)round((double)r->origin.frames * rate / r->origin.rate),
        .progress = &r->progress,
        .counts = &r->counts,
    };
    int code = stream_write(&stream, path, &made);
    if (!code)
        render_report(r, path, "made", (double)made / rate, tool_now() - start);
    return code;
}

int render_make_job(struct render *r, struct sound_job *job, const char *path)
{
    int code = r->m.device ? TOOL_OK : tool_model_load(&r->m, r->device, r->threads, r->quiet);
    if (!code)
        code = sound_settle(job->recipe, &r->m, sound_where(job));
    r->progress.what = job->name;
    if (code)
        return code;
    return render_is_stream(r)                      ? make_stream(r, job, path)
           : long_sound_is(r->m.model, job->recipe) ? make_long_sound(r, job, path)
                                                    : make(r, job, path);
}
