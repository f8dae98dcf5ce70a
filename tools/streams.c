// SPDX-License-Identifier: LGPL-2.1-or-later
// A stream made again, as `diffusesrc` recorded it.
#include <math.h>
#include <stdlib.h>

#include "streams.h"
#include "written.h"

enum { BLOCK = 1 << 13, CHANNELS = 2 };

struct stream_writing {
    const struct stream_job *job;
    struct ebb_stream *stream;
    struct ebb_sound_writer *writer;
    double frames; // all
    size_t made, clip;
    float block[BLOCK * CHANNELS];
};

// The fraction is of the clip under way.
static bool on_progress(void *user, double fraction)
{
    struct stream_writing *p = user;
    double done = ((double)p->made + fraction * (double)p->clip) / p->frames;
    return tool_progress_show(p->job->progress, fmin(done, 1));
}

// The first clip of a loop goes round, as every one of them is the loop.
static size_t loop_of(const struct stream_writing *p)
{
    bool loop = ebb_recipe_number(p->job->recipe, "loop") == 1 && p->frames >= (double)p->clip;
    return loop ? p->clip : 0;
}

static enum ebb_result begin(struct stream_writing *p, const char *path, struct ebb_error *error)
{
    const struct stream_job *job = p->job;
    struct ebb_hooks hooks = EBB_HOOKS;
    hooks.progress = on_progress;
    hooks.user = p;
    hooks.counts = job->counts;
    p->stream = ebb_stream_create(job->model, job->recipe, &hooks, error);
    if (!p->stream)
        return error->code;
    double clips = ebb_recipe_number(job->recipe, "num-clips");
    p->clip = ebb_stream_clip_length(p->stream);
    p->frames = clips > 0 ? clips * (double)p->clip : (double)job->frames;
    const struct written_start start = {.recipe = job->recipe,
                                        .format = job->format,
                                        .channels = ebb_stream_channels(p->stream),
                                        .rate = ebb_model_info(job->model)->sample_rate,
                                        .frames = (size_t)p->frames,
                                        .loop = loop_of(p)};
    p->writer = written_start(path, &start, error);
    return p->writer ? EBB_OK : error->code;
}

static enum ebb_result run(struct stream_writing *p, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (size_t got = 1; got > 0 && (double)p->made < p->frames && result == EBB_OK; p->made += got) {
        double left = p->frames - (double)p->made;
        result = ebb_stream_read(p->stream, p->block, left < BLOCK ? (size_t)left : BLOCK, &got, error);
        if (result == EBB_OK && tool_interrupted())
            result = error->code = EBB_CANCELLED;
        if (result == EBB_OK)
            result = ebb_sound_writer_write(p->writer, p->block, got, error);
    }
    return result == EBB_OK ? ebb_sound_writer_finish(p->writer, error) : result;
}

int stream_write(const struct stream_job *job, const char *path, size_t *made)
{
    struct ebb_error error = {0};
    struct stream_writing *p = calloc(1, sizeof(*p));
    if (!p)
        return tool_fail(TOOL_FAILED, "no memory");
    p->job = job;
    enum ebb_result result = begin(p, path, &error);
    if (result == EBB_OK)
        result = run(p, &error);
    *made = p->made;
    if (result == EBB_OK)
        written_clipped(path, p->writer);
    ebb_sound_writer_destroy(&p->writer);
    ebb_stream_destroy(&p->stream);
    free(p);
    tool_progress_clear(job->progress);
    return result == EBB_OK ? TOOL_OK : tool_error(&error);
}
