// SPDX-License-Identifier: LGPL-2.1-or-later
// One gain for all sounds of `ebb render --together`, so that they stay as loud beside each other.
#include "render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "longsound.h"

// What is known of all sounds, before their level is changed.
struct family {
    double power; // sum of their loudness, as power
    size_t heard; // of them that are not silent
    double peak;
};

// Where a sound is to be; its folder is made, for the spool that is put beside it.
static char *place_of(const struct render *r, const struct sound_job *job)
{
    char *path = r->out ? render_output_path(r, job) : strdup("-");
    if (!path || !r->out || render_is_file(r))
        return path;
    if (tool_make_folder(r->out) || render_make_folders(path, job)) {
        free(path);
        return NULL;
    }
    return path;
}

static enum ebb_result measure_long(struct render *r, const struct sound_job *job, struct sound_level *level,
                                    struct ebb_error *error)
{
    struct ebb_hooks hooks = render_hooks(r);
    const struct long_sound_job sound = {r->m.model, job->name, job->recipe, NULL, &hooks};
    char *path = place_of(r, job);
    enum ebb_result result = path ? long_sound_measure(&sound, path, level, error)
                                  : (error->code = EBB_UNWRITABLE);
    free(path);
    return result;
}

static enum ebb_result measure_sound(struct render *r, const struct sound_job *job, struct sound_level *level,
                                     struct ebb_error *error)
{
    struct ebb_sound sound = {0};
    if (long_sound_is(r->m.model, job->recipe))
        return measure_long(r, job, level, error);
    enum ebb_result result = render_make_sound(r, job, &sound, error);
    if (result == EBB_OK)
        result = sound_measure(&sound, level, error);
    ebb_sound_clear(&sound);
    return result;
}

static int measure(struct render *r, size_t i, struct family *family)
{
    struct sound_job job;
    struct sound_level level = {-INFINITY, 0};
    struct ebb_error error = {0};
    int code = sound_get(&r->sounds, i, &job);
    code = code ? code : sound_job_settle(&job, &r->m);
    r->progress.what = job.name;
    if (!code && measure_sound(r, &job, &level, &error) != EBB_OK)
        code = tool_error(&error);
    tool_progress_clear(&r->progress);
    family->power += isinf(level.lufs) ? 0 : pow(10, level.lufs / 10);
    family->heard += !isinf(level.lufs);
    family->peak = fmax(family->peak, level.peak);
    r->progress.what = NULL; // the job's name goes with it
    sound_job_clear(&job);
    return code;
}

// The gain that brings the family's mean loudness, or its highest peak, to what is asked for.
static double gain_of(const struct family *family, double lufs, double peak)
{
    const double ceiling = -0.3; // dBFS, as for a single sound
    double highest = 20 * log10(family->peak);
    if (isnan(lufs))
        return peak - highest;
    double gain = lufs - 10 * log10(family->power / (double)family->heard), room = ceiling - highest;
    if (gain > room)
        tool_warn("%.1f LUFS would clip; the highest peak of all holds them at %.1f", lufs,
                  lufs + room - gain);
    return fmin(gain, room);
}

int render_level_together(struct render *r)
{
    struct family family = {0};
    struct ebb_error error = {0};
    double lufs = ebb_recipe_number(r->base, "lufs"), peak = ebb_recipe_number(r->base, "peak");
    ebb_recipe_open(r->base, "lufs");
    ebb_recipe_open(r->base, "peak");
    int code = r->m.device ? TOOL_OK : tool_model_load(&r->m, r->device, r->threads, r->quiet);
    for (size_t i = 0; i < r->sounds.count && !code; i++)
        code = measure(r, i, &family);
    if (code || family.heard == 0)
        return code; // silence has no loudness to change
    double gain = round(100 * gain_of(&family, lufs, peak)) / 100;
    return ebb_recipe_set_number(r->base, "gain", fmin(fmax(gain, -120), 60), &error) == EBB_OK
               ? TOOL_OK
               : tool_error(&error);
}
