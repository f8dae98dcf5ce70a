// SPDX-License-Identifier: LGPL-2.1-or-later
#include "denoisestream.h"

#include <math.h>
#include <string.h>

#include "allocation.h"
#include "messages.h"
#include "pacing.h"
#include "samples.h"

GST_DEBUG_CATEGORY(diffusedenoise_debug);
#define GST_CAT_DEFAULT diffusedenoise_debug

#define JUMP (5 * GST_MSECOND)      // a timestamp off by more is a discontinuity
#define FLAG_JUMP (1 * GST_MSECOND) // the same where the buffer is marked as one

// ---- starting and stopping ----

static void forget_run(struct denoise_stream *stream)
{
    gst_clear_buffer(&stream->run.rest);
    stream->run = (struct denoise_run){.start = GST_CLOCK_TIME_NONE, .discont = TRUE};
    if (stream->denoiser)
        ebb_denoise_reset(stream->denoiser);
}

void denoise_stream_start(struct denoise_stream *stream)
{
    GST_OBJECT_LOCK(stream->element);
    stream->stats = (struct denoise_stats){.snr = NAN};
    GST_OBJECT_UNLOCK(stream->element);
    stream->posted = GST_CLOCK_TIME_NONE;
    stream->behind = GST_CLOCK_TIME_NONE;
    forget_run(stream);
}

void denoise_stream_stop(struct denoise_stream *stream)
{
    ebb_denoise_destroy(&stream->denoiser);
    g_clear_pointer(&stream->scratch, g_free);
    gst_clear_buffer(&stream->run.rest);
}

void denoise_stream_flush(struct denoise_stream *stream)
{
    forget_run(stream);
    overload_forgive(&stream->overload);
}

// ---- the format, and the latency that follows from it ----

static gboolean upstream_is_live(struct denoise_stream *stream)
{
    GstQuery *query = gst_query_new_latency();
    gboolean live = FALSE;
    GstClockTime latency = 0;
    if (gst_pad_peer_query(GST_BASE_TRANSFORM_SINK_PAD(stream->element), query))
        gst_query_parse_latency(query, &live, &latency, NULL);
    gst_query_unref(query);
    GST_OBJECT_LOCK(stream->element);
    stream->upstream = latency;
    GST_OBJECT_UNLOCK(stream->element);
    return live;
}

// What is asked for, and what a player needs that shows a film: large windows hold more of the sound than its
// queues hold of the pictures, and everything would wait for everything.
static gboolean wants_small_windows(const struct denoise_stream *stream)
{
    GST_OBJECT_LOCK(stream->element);
    gboolean asked = denoise_settings_is_quick(stream->settings);
    GST_OBJECT_UNLOCK(stream->element);
    return stream->live || asked || diffuse_pipeline_holds_little(GST_ELEMENT(stream->element));
}

// The knobs as the properties are now.
static struct denoiser_knobs wanted_knobs(const struct denoise_stream *stream)
{
    GST_OBJECT_LOCK(stream->element);
    struct denoiser_knobs knobs = denoiser_knobs_of(stream->settings->cleaning.recipe,
                                                    ebb_model_info(stream->session->model));
    GST_OBJECT_UNLOCK(stream->element);
    return knobs;
}

// The caller destroys the recipe.
static struct ebb_recipe *copy_recipe(const struct denoise_stream *stream)
{
    GST_OBJECT_LOCK(stream->element);
    struct ebb_recipe *recipe = ebb_recipe_copy(stream->settings->cleaning.recipe);
    GST_OBJECT_UNLOCK(stream->element);
    return recipe;
}

static struct denoiser_plan plan_of(const struct denoise_stream *stream, const struct ebb_recipe *recipe,
                                    const GstAudioInfo *info)
{
    GST_OBJECT_LOCK(stream->element);
    struct denoiser_window window = denoise_settings_window(stream->settings);
    GST_OBJECT_UNLOCK(stream->element);
    return (struct denoiser_plan){
        .window = window,
        .model = stream->session->model,
        .recipe = recipe,
        .info = info,
        .live = wants_small_windows(stream),
        .hooks = {sizeof(struct ebb_hooks), .progress = loader_go_on, .user = stream->loader},
    };
}

static struct ebb_denoise *make_denoiser(const struct denoise_stream *stream, const GstAudioInfo *info,
                                         struct ebb_error *error)
{
    struct ebb_recipe *recipe = copy_recipe(stream);
    struct denoiser_plan plan = plan_of(stream, recipe, info);
    struct ebb_denoise *denoiser = denoiser_create(&plan, &stream->knobs, error);
    ebb_recipe_destroy(&recipe);
    return denoiser;
}

// Tells the pipeline if the latency has changed.
static void publish_latency(struct denoise_stream *stream)
{
    GstClockTime computing = stream->live ? stream->allowance : 0, latency = stream->algorithm + computing;
    GST_OBJECT_LOCK(stream->element);
    gboolean changed = stream->stats.latency != latency;
    stream->stats.latency = latency;
    stream->stats.live = stream->live;
    GST_OBJECT_UNLOCK(stream->element);
    GST_INFO_OBJECT(stream->element,
                    "%s, latency %" GST_TIME_FORMAT ", of which %" GST_TIME_FORMAT " for computing",
                    stream->live ? "live" : "not live", GST_TIME_ARGS(latency), GST_TIME_ARGS(computing));
    if (changed)
        gst_element_post_message(GST_ELEMENT(stream->element),
                                 gst_message_new_latency(GST_OBJECT(stream->element)));
}

static gboolean reserve(struct denoise_stream *stream, gsize channels)
{
    float *scratch = g_try_realloc_n(stream->scratch, DENOISER_SLICE * channels, sizeof(*scratch));
    if (scratch)
        stream->scratch = scratch;
    return scratch != NULL;
}

gboolean denoise_stream_set_format(struct denoise_stream *stream, const GstAudioInfo *info)
{
    if (stream->denoiser && gst_audio_info_is_equal(info, &stream->info))
        return TRUE;

    stream->live = upstream_is_live(stream);
    ebb_denoise_destroy(&stream->denoiser);
    struct ebb_error error = {0};
    stream->knobs = wanted_knobs(stream);
    stream->denoiser = make_denoiser(stream, info, &error);
    if (!stream->denoiser)
        diffuse_post_error(GST_ELEMENT(stream->element), &error);
    if (!stream->denoiser || !reserve(stream, (gsize)info->channels)) {
        ebb_denoise_destroy(&stream->denoiser);
        return FALSE;
    }

    stream->info = *info;
    stream->overload = (struct overload){0};
    GST_OBJECT_LOCK(stream->element);
    gint latency = stream->settings->latency;
    GST_OBJECT_UNLOCK(stream->element);
    guint64 delay = ebb_denoise_latency(stream->denoiser);
    stream->warm = !stream->live || latency >= 0;
    stream->allowance = latency < 0 ? DENOISER_ALLOWANCE : (GstClockTime)latency * GST_MSECOND;
    stream->algorithm = gst_util_uint64_scale_ceil(delay, GST_SECOND, (guint64)info->rate);
    forget_run(stream);
    if (stream->warm) // what is still to be measured is told when it is known, once
        publish_latency(stream);
    return TRUE;
}

// ---- out ----

static GstClockTime time_after(const struct denoise_stream *stream, guint64 frames)
{
    return stream->run.start + gst_util_uint64_scale_round(frames, GST_SECOND, (guint64)stream->info.rate);
}

static void stamp(struct denoise_stream *stream, GstBuffer *buffer, gsize frames)
{
    struct denoise_run *run = &stream->run;
    GST_BUFFER_PTS(buffer) = time_after(stream, run->out);
    GST_BUFFER_DURATION(buffer) = time_after(stream, run->out + frames) - GST_BUFFER_PTS(buffer);
    GST_BUFFER_OFFSET(buffer) = run->out;
    GST_BUFFER_OFFSET_END(buffer) = run->out + frames;
    if (run->discont)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    run->discont = FALSE;
    run->out += frames;
}

// Copies `frames` frames out of the denoiser. TRUE if they are digital silence.
static gboolean copy_out(struct denoise_stream *stream, const GstAudioBuffer *audio, gsize frames)
{
    gsize channels = (gsize)stream->info.channels;
    gboolean silent = TRUE;
    for (gsize done = 0; done < frames;) {
        gsize got = ebb_denoise_read(stream->denoiser, stream->scratch, NULL,
                                     MIN(DENOISER_SLICE, frames - done));
        silent = silent && samples_are_silent(stream->scratch, got * channels);
        samples_pack(audio, done, got, stream->scratch);
        done += got;
        if (!got)
            break;
    }
    return silent;
}

GstFlowReturn denoise_stream_next(struct denoise_stream *stream, GstBuffer **out)
{
    const GstAudioInfo *info = &stream->info;
    *out = NULL;
    gsize frames = stream->denoiser ? ebb_denoise_available(stream->denoiser) : 0;
    frames = MIN(frames, (gsize)(info->rate / 20));
    if (!frames)
        return GST_FLOW_OK;

    GstBuffer *buffer = diffuse_allocate_for_transform(stream->element, frames * (gsize)info->bpf);
    if (buffer && info->layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED)
        gst_buffer_add_audio_meta(buffer, info, frames, NULL);
    GstAudioBuffer audio;
    if (!buffer || !gst_audio_buffer_map(&audio, info, buffer, GST_MAP_WRITE)) {
        gst_clear_buffer(&buffer);
        GST_ELEMENT_ERROR(stream->element, RESOURCE, NO_SPACE_LEFT, ("No memory."), (NULL));
        return GST_FLOW_ERROR;
    }
    gboolean silent = copy_out(stream, &audio, frames);
    gst_audio_buffer_unmap(&audio);
    stamp(stream, buffer, frames);
    if (silent)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_GAP);
    *out = buffer;
    return GST_FLOW_OK;
}

// ---- knobs, and the clock ----

static struct diffuse_moment moment_at(const struct denoise_stream *stream, GstClockTime pts)
{
    return diffuse_moment_at(&stream->element->segment, pts);
}

static void post_overload(struct denoise_stream *stream, GstClockTime pts)
{
    const struct overload *overload = &stream->overload;
    GST_INFO_OBJECT(stream->element, "overload: %" GST_TIME_FORMAT " behind the clock, %s",
                    GST_TIME_ARGS(overload->debt),
                    overload->dry ? "letting sound through" : "halving the steps");
    GST_OBJECT_LOCK(stream->element);
    guint64 overloads = ++stream->stats.overloads;
    GST_OBJECT_UNLOCK(stream->element);
    struct diffuse_moment moment = moment_at(stream, pts);
    struct diffuse_qos qos = {
        .duration = GST_CLOCK_TIME_NONE,
        .jitter = (gint64)overload->debt,
        .quality = overload_quality(overload),
        .processed = stream->run.in / DENOISER_SLICE,
        .dropped = overloads,
    };
    diffuse_post_qos(GST_ELEMENT(stream->element), &moment, &qos);
}

// `sound` of sound, which took `compute` to clean. The steps that count are those asked for.
static void account(struct denoise_stream *stream, GstClockTime compute, GstClockTime sound, GstClockTime pts)
{
    GST_OBJECT_LOCK(stream->element);
    enum overload_policy policy = stream->settings->overload;
    GST_OBJECT_UNLOCK(stream->element);
    if (overload_account(&stream->overload, policy, compute, sound, stream->allowance,
                         wanted_knobs(stream).steps))
        post_overload(stream, pts);
}

// How far the clock is past the time at which the buffer was to come in. FALSE: there is no telling.
static gboolean lateness_of(const struct denoise_stream *stream, const GstBuffer *buffer,
                            GstClockTime *behind)
{
    GstClockTime end = GST_BUFFER_PTS(buffer);
    if (!GST_CLOCK_TIME_IS_VALID(end))
        return FALSE;
    if (GST_BUFFER_DURATION_IS_VALID(buffer))
        end += GST_BUFFER_DURATION(buffer);
    GstClockTime due = moment_at(stream, end).running_time, base;
    GstClock *clock = gst_element_get_clock(GST_ELEMENT(stream->element));
    if (!clock || !GST_CLOCK_TIME_IS_VALID(due)) {
        gst_clear_object(&clock);
        return FALSE;
    }
    GstClockTime now = gst_clock_get_time(clock);
    gst_object_unref(clock);
    base = gst_element_get_base_time(GST_ELEMENT(stream->element));
    GST_OBJECT_LOCK(stream->element);
    due += base + stream->upstream;
    GST_OBJECT_UNLOCK(stream->element);
    *behind = now > due ? now - due : 0;
    return TRUE;
}

// Sound that comes in late has to be caught up with: after a stall of this thread, of what comes before, or
// of what comes after.
static void see_clock(struct denoise_stream *stream)
{
    if (GST_CLOCK_TIME_IS_VALID(stream->behind))
        overload_see_clock(&stream->overload, stream->behind, stream->unseen);
    stream->unseen = 0;
}

// A sink without a queue in front holds this thread until the last window's sound is due. What came in
// meanwhile is not late as long as the next window is complete in time: only sound that completes one tells.
static void watch_clock(struct denoise_stream *stream, const GstBuffer *buffer)
{
    GstClockTime behind;
    stream->behind = stream->live && lateness_of(stream, buffer, &behind) ? behind : GST_CLOCK_TIME_NONE;
    if (!stream->overload.dry)
        return;
    see_clock(stream);
    account(stream, 0, 0, GST_BUFFER_PTS(buffer));
}

// The controlled properties take their values at stream time `pts`. The denoiser's knobs follow.
static enum ebb_result sync_knobs(struct denoise_stream *stream, GstClockTime pts, struct ebb_error *error)
{
    struct diffuse_moment moment = moment_at(stream, pts);
    diffuse_sync_properties(GST_ELEMENT(stream->element), &moment);
    struct denoiser_knobs want = wanted_knobs(stream);
    GST_OBJECT_LOCK(stream->element);
    gboolean bypass = stream->settings->bypass;
    GST_OBJECT_UNLOCK(stream->element);
    if (bypass || stream->overload.dry) {
        want.automatic = FALSE;
        want.t = 0;
    }
    want.steps = overload_steps(&stream->overload, want.steps);
    return denoiser_turn(stream->denoiser, &stream->knobs, &want, error);
}

// ---- the end of a run ----

static GstFlowReturn fail(struct denoise_stream *stream, const struct ebb_error *error)
{
    if (error->code == EBB_CANCELLED)
        return GST_FLOW_FLUSHING;
    diffuse_post_error(GST_ELEMENT(stream->element), error);
    return GST_FLOW_ERROR;
}

// Computes what is left of the run. Live, that is time that somebody waits for, as any other computing.
static enum ebb_result finish_run(struct denoise_stream *stream, struct ebb_error *error)
{
    GstClockTime pts = time_after(stream, stream->run.in);
    enum ebb_result result = stream->live ? sync_knobs(stream, pts, error) : EBB_OK;
    gint64 begin = g_get_monotonic_time();
    if (result == EBB_OK)
        result = ebb_denoise_finish(stream->denoiser, error);
    GstClockTime compute = (GstClockTime)(g_get_monotonic_time() - begin) * GST_USECOND;
    GST_OBJECT_LOCK(stream->element);
    stream->stats.compute += compute;
    GST_OBJECT_UNLOCK(stream->element);
    if (stream->live)
        account(stream, compute, 0, pts);
    return result;
}

GstFlowReturn denoise_stream_drain(struct denoise_stream *stream)
{
    GstFlowReturn result = GST_FLOW_OK;
    if (stream->denoiser && stream->run.in > 0) {
        struct ebb_error error = {0};
        if (finish_run(stream, &error) != EBB_OK)
            result = fail(stream, &error);
        GstBuffer *buffer = NULL;
        do {
            if (result == GST_FLOW_OK)
                result = denoise_stream_next(stream, &buffer);
            if (result == GST_FLOW_OK && buffer)
                result = gst_pad_push(GST_BASE_TRANSFORM_SRC_PAD(stream->element), buffer);
        } while (result == GST_FLOW_OK && buffer);
    }
    forget_run(stream);
    return result;
}

// ---- in ----

static gboolean is_due(const struct denoise_stream *stream, GstClockTime stream_time)
{
    return !GST_CLOCK_TIME_IS_VALID(stream->posted) || stream_time < stream->posted ||
           stream_time >= stream->posted + GST_SECOND;
}

// Once per second of sound.
static void post_state(struct denoise_stream *stream, GstClockTime pts)
{
    GST_OBJECT_LOCK(stream->element);
    gboolean wanted = stream->settings->post_messages;
    struct denoise_stats stats = stream->stats;
    GST_OBJECT_UNLOCK(stream->element);
    struct diffuse_moment moment = moment_at(stream, pts);
    if (!wanted || !is_due(stream, moment.stream_time) || !stats.windows)
        return;

    stream->posted = moment.stream_time;
    double rtf = stats.sound ? (double)stats.compute / (double)stats.sound : 0;
    GstStructure *structure = gst_structure_new("diffuse-denoise", "t", G_TYPE_DOUBLE, stats.t, "snr",
                                                G_TYPE_DOUBLE, stats.snr, "windows", G_TYPE_UINT64,
                                                stats.windows, "compute-time", G_TYPE_UINT64, stats.compute,
                                                "rtf", G_TYPE_DOUBLE, rtf, NULL);
    diffuse_post_structure(GST_ELEMENT(stream->element), &moment, GST_CLOCK_TIME_NONE, structure);
}

// Feeds one slice, which lies in scratch.
static enum ebb_result feed(struct denoise_stream *stream, gsize frames, struct ebb_error *error)
{
    GstClockTime pts = time_after(stream, stream->run.in);
    enum ebb_result result = sync_knobs(stream, pts, error);
    gint64 begin = g_get_monotonic_time();
    if (result == EBB_OK)
        result = ebb_denoise_write(stream->denoiser, stream->scratch, frames, error);
    GstClockTime compute = (GstClockTime)(g_get_monotonic_time() - begin) * GST_USECOND;
    stream->run.in += frames;
    GstClockTime sound = time_after(stream, stream->run.in) - pts;

    GST_OBJECT_LOCK(stream->element);
    stream->stats.compute += compute;
    stream->stats.sound += sound;
    stream->stats.windows = ebb_denoise_windows(stream->denoiser);
    stream->stats.t = ebb_denoise_t(stream->denoiser);
    stream->stats.snr = ebb_denoise_snr(stream->denoiser);
    GST_OBJECT_UNLOCK(stream->element);
    if (result == EBB_OK)
        diffuse_session_check_device(stream->session, GST_ELEMENT(stream->element));
    stream->unseen += sound;
    if (stream->live && !stream->overload.dry && ebb_denoise_available(stream->denoiser) > 0)
        see_clock(stream);
    if (stream->live)
        account(stream, compute, sound, pts);
    post_state(stream, pts);
    return result;
}

// Measures a live window on this machine, so that the latency is true from the first sound on.
static enum ebb_result warm_up(struct denoise_stream *stream, struct ebb_error *error)
{
    struct ebb_recipe *recipe = copy_recipe(stream);
    struct denoiser_plan plan = plan_of(stream, recipe, &stream->info);
    struct denoiser_knobs knobs = wanted_knobs(stream);
    gsize frames = 2 * ebb_denoise_latency(stream->denoiser);
    enum ebb_result result = denoiser_measure(&plan, &knobs, frames, stream->scratch, &stream->allowance,
                                              error);
    ebb_recipe_destroy(&recipe);
    return result;
}

// Before the first sound: waits for the model, and measures the latency of a live stream.
static GstFlowReturn prepare(struct denoise_stream *stream)
{
    GstFlowReturn flow = loader_wait(stream->loader);
    if (flow != GST_FLOW_OK || stream->warm)
        return flow;

    struct ebb_error error = {0};
    if (warm_up(stream, &error) != EBB_OK)
        return fail(stream, &error);
    stream->warm = TRUE;
    publish_latency(stream);
    return GST_FLOW_OK;
}

// Feeds `frames` frames of `audio`, or of silence where that is NULL. A run that failed or was stopped cannot
// go on.
static GstFlowReturn feed_all(struct denoise_stream *stream, const GstAudioBuffer *audio, gsize frames)
{
    struct ebb_error error = {0};
    for (gsize done = 0; done < frames;) {
        gsize part = MIN(DENOISER_SLICE, frames - done);
        if (audio)
            samples_unpack(audio, done, part, stream->scratch);
        else
            memset(stream->scratch, 0, part * (gsize)stream->info.channels * sizeof(float));
        if (feed(stream, part, &error) != EBB_OK) {
            forget_run(stream);
            return fail(stream, &error);
        }
        done += part;
    }
    return GST_FLOW_OK;
}

static GstFlowReturn feed_buffer(struct denoise_stream *stream, GstBuffer *buffer)
{
    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP))
        return feed_all(stream, NULL, gst_buffer_get_size(buffer) / (gsize)stream->info.bpf);

    GstAudioBuffer audio;
    if (!gst_audio_buffer_map(&audio, &stream->info, buffer, GST_MAP_READ)) {
        GST_ELEMENT_ERROR(stream->element, STREAM, FORMAT, ("A buffer does not hold what its caps say."),
                          (NULL));
        return GST_FLOW_ERROR;
    }
    GstFlowReturn result = feed_all(stream, &audio, audio.n_samples);
    gst_audio_buffer_unmap(&audio);
    return result;
}

// Bytes from a file or an application may end anywhere: a frame that a buffer's end cuts goes on in the next
// one. The caller unreferences the result.
static GstBuffer *whole_frames(struct denoise_stream *stream, GstBuffer *buffer)
{
    const GstAudioInfo *info = &stream->info;
    gboolean planar = info->layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED;
    if (planar || (!stream->run.rest && gst_buffer_get_size(buffer) % (gsize)info->bpf == 0))
        return gst_buffer_ref(buffer);

    GstBuffer *all = gst_buffer_ref(buffer);
    if (stream->run.rest)
        all = gst_buffer_append(g_steal_pointer(&stream->run.rest), all);
    gsize size = gst_buffer_get_size(all), left = size % (gsize)info->bpf;
    if (left > 0)
        stream->run.rest = gst_buffer_copy_region(all, GST_BUFFER_COPY_MEMORY, size - left, left);
    GstBuffer *whole = gst_buffer_copy_region(all, GST_BUFFER_COPY_MEMORY, 0, size - left);
    gst_buffer_unref(all);
    return whole;
}

static gboolean is_jump(GstClockTime pts, GstClockTime expected, GstClockTime tolerance)
{
    return (pts > expected ? pts - expected : expected - pts) > tolerance;
}

// Times decide; where there are none, the buffer's own flag does. The base class's own mark of a
// discontinuity lasts until a buffer comes out.
static gboolean continues_run(const GstBuffer *buffer, GstClockTime expected)
{
    gboolean marked = GST_BUFFER_IS_DISCONT(buffer);
    if (GST_BUFFER_PTS_IS_VALID(buffer))
        return !is_jump(GST_BUFFER_PTS(buffer), expected, marked ? FLAG_JUMP : JUMP);
    return !marked;
}

// A buffer that does not continue the run ends it.
static GstFlowReturn begin_run(struct denoise_stream *stream, GstBuffer *buffer)
{
    GstClockTime pts = GST_BUFFER_PTS(buffer);
    if (GST_CLOCK_TIME_IS_VALID(stream->run.start)) {
        GstClockTime expected = time_after(stream, stream->run.in);
        if (continues_run(buffer, expected))
            return GST_FLOW_OK;
        GST_DEBUG_OBJECT(stream->element, "discontinuity at %" GST_TIME_FORMAT ", expected %" GST_TIME_FORMAT,
                         GST_TIME_ARGS(pts), GST_TIME_ARGS(expected));
        GstFlowReturn result = denoise_stream_drain(stream);
        if (result != GST_FLOW_OK)
            return result;
        pts = GST_CLOCK_TIME_IS_VALID(pts) ? pts : expected;
    }
    const GstSegment *segment = &stream->element->segment;
    if (!GST_CLOCK_TIME_IS_VALID(pts))
        pts = segment->format == GST_FORMAT_TIME ? segment->start : 0;
    stream->run.start = pts;
    return GST_FLOW_OK;
}

GstFlowReturn denoise_stream_submit(struct denoise_stream *stream, GstBuffer *buffer)
{
    if (!stream->denoiser)
        return GST_FLOW_NOT_NEGOTIATED;
    GstFlowReturn result = prepare(stream);
    if (result == GST_FLOW_OK)
        watch_clock(stream, buffer);
    if (result == GST_FLOW_OK)
        result = begin_run(stream, buffer);
    if (result != GST_FLOW_OK)
        return result;
    GstBuffer *whole = whole_frames(stream, buffer);
    result = feed_buffer(stream, whole);
    gst_buffer_unref(whole);
    return result;
}

gboolean denoise_stream_fill_gap(struct denoise_stream *stream, GstEvent *event)
{
    GstClockTime pts, duration;
    gst_event_parse_gap(event, &pts, &duration);
    if (!GST_CLOCK_TIME_IS_VALID(stream->run.start) || !GST_CLOCK_TIME_IS_VALID(duration) ||
        duration > GST_SECOND)
        return FALSE;
    if (is_jump(pts, time_after(stream, stream->run.in), JUMP))
        return FALSE;

    gsize frames = (gsize)gst_util_uint64_scale_round(duration, (guint64)stream->info.rate, GST_SECOND);
    if (feed_all(stream, NULL, frames) != GST_FLOW_OK)
        return FALSE;
    GstBuffer *buffer;
    while (denoise_stream_next(stream, &buffer) == GST_FLOW_OK && buffer)
        if (gst_pad_push(GST_BASE_TRANSFORM_SRC_PAD(stream->element), buffer) != GST_FLOW_OK)
            break;
    return TRUE;
}
