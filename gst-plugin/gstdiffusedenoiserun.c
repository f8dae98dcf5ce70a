// The streaming thread of diffusedenoise: runs of sound between two discontinuities, in by slices, out as it gets ready.
#include "gstdiffusedenoise.h"

#include <string.h>

#include "samples.h"

GST_DEBUG_CATEGORY_EXTERN(diffusedenoise_debug);
#define GST_CAT_DEFAULT diffusedenoise_debug

#define JUMP (5 * GST_MSECOND) // a timestamp off by more is a discontinuity
#define RELAX (5 * GST_SECOND) // without much debt, before steps that were taken away are given back

static GstFlowReturn wait_for_model(GstDiffuseDenoise *filter)
{
    g_mutex_lock(&filter->mutex);
    while (!filter->load_ended && !g_atomic_int_get(&filter->cancel))
        g_cond_wait(&filter->cond, &filter->mutex);
    GstFlowReturn result = g_atomic_int_get(&filter->cancel) ? GST_FLOW_FLUSHING
                           : filter->load_good               ? GST_FLOW_OK
                                                             : GST_FLOW_ERROR; // the loader has said why
    g_mutex_unlock(&filter->mutex);
    return result;
}

void gst_diffuse_denoise_forget_run(GstDiffuseDenoise *filter)
{
    filter->run = (struct denoise_run){.start = GST_CLOCK_TIME_NONE, .discont = TRUE};
    if (filter->engine)
        ebb_denoise_reset(filter->engine);
}

// ---- out ----

static GstClockTime time_after(const GstDiffuseDenoise *filter, guint64 frames)
{
    return filter->run.start + gst_util_uint64_scale_round(frames, GST_SECOND, (guint64)filter->engine_info.rate);
}

static void stamp(GstDiffuseDenoise *filter, GstBuffer *buffer, gsize frames)
{
    struct denoise_run *run = &filter->run;
    GST_BUFFER_PTS(buffer) = time_after(filter, run->out);
    GST_BUFFER_DURATION(buffer) = time_after(filter, run->out + frames) - GST_BUFFER_PTS(buffer);
    GST_BUFFER_OFFSET(buffer) = run->out;
    GST_BUFFER_OFFSET_END(buffer) = run->out + frames;
    if (run->discont)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    run->discont = FALSE;
    run->out += frames;
}

// Copies `frames` frames out of the engine. TRUE if they are digital silence.
static gboolean copy_out(GstDiffuseDenoise *filter, const GstAudioBuffer *audio, gsize frames)
{
    gsize channels = (gsize)filter->engine_info.channels;
    gboolean silent = TRUE;
    for (gsize done = 0; done < frames;) {
        gsize got = ebb_denoise_read(filter->engine, filter->scratch, MIN(DIFFUSE_DENOISE_SLICE, frames - done));
        for (gsize i = 0; silent && i < got * channels; i++)
            silent = filter->scratch[i] == 0;
        samples_pack(audio, done, got, filter->scratch);
        done += got;
        if (!got)
            break;
    }
    return silent;
}

// The next up to 50 ms of what is ready; NULL in *out if there is nothing.
GstFlowReturn gst_diffuse_denoise_next_output(GstDiffuseDenoise *filter, GstBuffer **out)
{
    const GstAudioInfo *info = &filter->engine_info;
    *out = NULL;
    gsize frames = filter->engine ? ebb_denoise_available(filter->engine) : 0;
    frames = MIN(frames, (gsize)(info->rate / 20));
    if (!frames)
        return GST_FLOW_OK;

    GstBuffer *buffer = gst_buffer_new_allocate(NULL, frames * (gsize)info->bpf, NULL);
    if (buffer && info->layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED)
        gst_buffer_add_audio_meta(buffer, info, frames, NULL);
    GstAudioBuffer audio;
    if (!buffer || !gst_audio_buffer_map(&audio, info, buffer, GST_MAP_WRITE)) {
        gst_clear_buffer(&buffer);
        GST_ELEMENT_ERROR(filter, RESOURCE, NO_SPACE_LEFT, ("Out of memory."), (NULL));
        return GST_FLOW_ERROR;
    }
    gboolean silent = copy_out(filter, &audio, frames);
    gst_audio_buffer_unmap(&audio);
    stamp(filter, buffer, frames);
    if (silent)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_GAP);
    *out = buffer;
    return GST_FLOW_OK;
}

static GstFlowReturn fail(GstDiffuseDenoise *filter, const struct ebb_error *error)
{
    if (error->code == EBB_CANCELLED)
        return GST_FLOW_FLUSHING;
    diffuse_post_error(GST_ELEMENT(filter), error);
    return GST_FLOW_ERROR;
}

// Everything that went in comes out, then the run is over.
GstFlowReturn gst_diffuse_denoise_drain(GstDiffuseDenoise *filter)
{
    GstFlowReturn result = GST_FLOW_OK;
    if (filter->engine && filter->run.in > 0) {
        struct ebb_error error = {0};
        if (ebb_denoise_finish(filter->engine, &error) != EBB_OK)
            result = fail(filter, &error);
        GstBuffer *buffer = NULL;
        do {
            if (result == GST_FLOW_OK)
                result = gst_diffuse_denoise_next_output(filter, &buffer);
            if (result == GST_FLOW_OK && buffer)
                result = gst_pad_push(GST_BASE_TRANSFORM_SRC_PAD(filter), buffer);
        } while (result == GST_FLOW_OK && buffer);
    }
    gst_diffuse_denoise_forget_run(filter);
    return result;
}

// ---- in ----

static void post_overload(GstDiffuseDenoise *filter, GstClockTime pts)
{
    GST_OBJECT_LOCK(filter);
    guint64 overloads = ++filter->stats.overloads;
    GST_OBJECT_UNLOCK(filter);
    const GstSegment *segment = &GST_BASE_TRANSFORM(filter)->segment;
    GstMessage *message =
        gst_message_new_qos(GST_OBJECT(filter), TRUE, gst_segment_to_running_time(segment, GST_FORMAT_TIME, pts),
                            gst_segment_to_stream_time(segment, GST_FORMAT_TIME, pts), pts, GST_CLOCK_TIME_NONE);
    gst_message_set_qos_values(message, (gint64)filter->debt, 1.0, filter->dry ? 0 : 1000000 >> filter->fewer);
    gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, filter->run.in / DIFFUSE_DENOISE_SLICE, overloads);
    gst_element_post_message(GST_ELEMENT(filter), message);
}

// Live: computing runs up a debt that the clock pays back. More of it than the latency allows for is an overload.
static void account(GstDiffuseDenoise *filter, GstClockTime compute, GstClockTime sound, GstClockTime pts)
{
    filter->debt += compute;
    filter->debt -= MIN(filter->debt, sound);
    GST_OBJECT_LOCK(filter);
    enum overload overload = filter->settings.overload;
    GST_OBJECT_UNLOCK(filter);
    GstClockTime limit = filter->allowance + 10 * GST_MSECOND;
    filter->calm = filter->debt <= limit / 2 ? filter->calm + sound : 0;
    if (filter->debt == 0)
        filter->dry = FALSE;
    if (filter->fewer > 0 && filter->calm >= RELAX) {
        filter->fewer--;
        filter->calm = 0;
    }
    if (overload == OVERLOAD_WAIT || filter->dry || filter->debt <= limit)
        return;

    int steps = filter->knobs.steps ? filter->knobs.steps : ebb_model_info(filter->session.model)->steps;
    if (overload == OVERLOAD_FEWER_STEPS && steps >> (filter->fewer + 1) > 0)
        filter->fewer++;
    else
        filter->dry = TRUE;
    GST_INFO_OBJECT(filter, "overload: %" GST_TIME_FORMAT " behind the clock, %s", GST_TIME_ARGS(filter->debt),
                    filter->dry ? "letting sound through" : "halving the steps");
    post_overload(filter, pts);
}

// The controlled properties as they are at stream time `pts`, into the engine where they changed.
static enum ebb_result sync_engine(GstDiffuseDenoise *filter, GstClockTime pts, struct ebb_error *error)
{
    const GstSegment *segment = &GST_BASE_TRANSFORM(filter)->segment;
    gst_object_sync_values(GST_OBJECT(filter), gst_segment_to_stream_time(segment, GST_FORMAT_TIME, pts));
    struct denoise_knobs want = gst_diffuse_denoise_knobs(filter), *have = &filter->knobs;
    GST_OBJECT_LOCK(filter);
    gboolean bypass = filter->settings.bypass;
    GST_OBJECT_UNLOCK(filter);
    if (bypass || filter->dry)
        want.t = 0;
    if (filter->fewer)
        want.steps = MAX(1, (want.steps ? want.steps : ebb_model_info(filter->session.model)->steps) >> filter->fewer);

    enum ebb_result result = EBB_OK;
    if (want.t != have->t)
        result = ebb_denoise_set_t(filter->engine, have->t = want.t, error);
    if (result == EBB_OK && want.wet != have->wet)
        result = ebb_denoise_set_wet(filter->engine, have->wet = want.wet, error);
    if (result == EBB_OK && want.steps != have->steps)
        result = ebb_denoise_set_steps(filter->engine, have->steps = want.steps, error);
    return result;
}

static void post_state(GstDiffuseDenoise *filter, GstClockTime pts)
{
    GST_OBJECT_LOCK(filter);
    gboolean wanted = filter->settings.post_messages;
    struct denoise_stats stats = filter->stats;
    GST_OBJECT_UNLOCK(filter);
    const GstSegment *segment = &GST_BASE_TRANSFORM(filter)->segment;
    GstClockTime stream_time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, pts);
    gboolean due = !GST_CLOCK_TIME_IS_VALID(filter->posted) || stream_time < filter->posted ||
                   stream_time >= filter->posted + GST_SECOND;
    if (!wanted || !due || !stats.windows)
        return;

    filter->posted = stream_time;
    GstStructure *structure = gst_structure_new(
        "diffuse-denoise", "t", G_TYPE_DOUBLE, stats.t, "snr", G_TYPE_DOUBLE, stats.snr, "windows", G_TYPE_UINT64, stats.windows,
        "compute-time", G_TYPE_UINT64, stats.compute, "rtf", G_TYPE_DOUBLE,
        stats.sound ? (double)stats.compute / (double)stats.sound : 0, "timestamp", G_TYPE_UINT64, pts, "stream-time",
        G_TYPE_UINT64, stream_time, "running-time", G_TYPE_UINT64, gst_segment_to_running_time(segment, GST_FORMAT_TIME, pts),
        NULL);
    gst_element_post_message(GST_ELEMENT(filter), gst_message_new_element(GST_OBJECT(filter), structure));
}

// Feeds one slice, which lies in scratch.
static enum ebb_result feed(GstDiffuseDenoise *filter, gsize frames, struct ebb_error *error)
{
    GstClockTime pts = time_after(filter, filter->run.in);
    enum ebb_result result = sync_engine(filter, pts, error);
    gint64 begin = g_get_monotonic_time();
    if (result == EBB_OK)
        result = ebb_denoise_write(filter->engine, filter->scratch, frames, error);
    GstClockTime compute = (GstClockTime)(g_get_monotonic_time() - begin) * GST_USECOND;
    filter->run.in += frames;
    GstClockTime sound = time_after(filter, filter->run.in) - pts;

    GST_OBJECT_LOCK(filter);
    filter->stats.compute += compute;
    filter->stats.sound += sound;
    filter->stats.windows = ebb_denoise_windows(filter->engine);
    filter->stats.t = ebb_denoise_t(filter->engine);
    filter->stats.snr = ebb_denoise_snr(filter->engine);
    GST_OBJECT_UNLOCK(filter);
    if (result == EBB_OK)
        diffuse_session_check_device(&filter->session, GST_ELEMENT(filter));
    if (filter->live)
        account(filter, compute, sound, pts);
    post_state(filter, pts);
    return result;
}

// The time a live window takes here, so that the latency is true from the first sound on.
static enum ebb_result warm_up(GstDiffuseDenoise *filter, struct ebb_error *error)
{
    gsize channels = (gsize)filter->engine_info.channels, left = 2 * ebb_denoise_latency(filter->engine);
    const struct ebb_model_info *info = ebb_model_info(filter->session.model);
    struct denoise_knobs knobs = gst_diffuse_denoise_knobs(filter);
    gboolean automatic = knobs.t == EBB_T_AUTO;
    knobs.wet = 1; // the knobs may turn, and the latency stays: never measure that nothing is computed
    if (automatic || knobs.t == 0)
        knobs.t = info->t_default;
    struct ebb_denoise *engine = gst_diffuse_denoise_make_engine(filter, &filter->engine_info, &knobs, error);
    enum ebb_result result = engine ? EBB_OK : error->code;
    gint64 longest = 0;
    GRand *random = g_rand_new_with_seed(1);
    for (guint64 windows = 0; result == EBB_OK && left > 0;) {
        gsize frames = MIN(left, DIFFUSE_DENOISE_SLICE);
        for (gsize i = 0; i < frames * channels; i++)
            filter->scratch[i] = (float)g_rand_double_range(random, -0.1, 0.1);
        gint64 begin = g_get_monotonic_time();
        result = ebb_denoise_write(engine, filter->scratch, frames, error);
        if (windows > 0) // the first one also plans
            longest = MAX(longest, g_get_monotonic_time() - begin);
        windows = ebb_denoise_windows(engine);
        while (ebb_denoise_read(engine, filter->scratch, DIFFUSE_DENOISE_SLICE) > 0)
            ;
        left -= frames;
    }
    g_rand_free(random);
    ebb_denoise_destroy(&engine);

    // Automatic t asks the network once more. What it would choose for this noise, perhaps to do nothing, is no measure.
    if (automatic)
        longest += longest / (knobs.steps ? knobs.steps : info->steps);
    // A quarter more, in steps of 10 ms: a number that is the same each time.
    GstClockTime needed = (GstClockTime)longest * GST_USECOND * 5 / 4;
    filter->allowance = MAX(DIFFUSE_DENOISE_ALLOWANCE, (needed + 10 * GST_MSECOND - 1) / (10 * GST_MSECOND) * (10 * GST_MSECOND));
    return result;
}

// Before the first sound: the model is there, and live the latency measured.
static GstFlowReturn prepare(GstDiffuseDenoise *filter)
{
    GstFlowReturn flow = wait_for_model(filter);
    if (flow != GST_FLOW_OK || filter->warm)
        return flow;

    GST_OBJECT_LOCK(filter);
    gboolean measure = filter->live && filter->settings.latency < 0;
    GST_OBJECT_UNLOCK(filter);
    struct ebb_error error = {0};
    if (measure && warm_up(filter, &error) != EBB_OK)
        return fail(filter, &error);
    filter->warm = TRUE;
    gst_diffuse_denoise_publish_latency(filter);
    return GST_FLOW_OK;
}

// Feeds `frames` frames of `audio`, or of silence where that is NULL. A run that failed or was stopped cannot go on.
static GstFlowReturn feed_all(GstDiffuseDenoise *filter, const GstAudioBuffer *audio, gsize frames)
{
    struct ebb_error error = {0};
    for (gsize done = 0; done < frames;) {
        gsize part = MIN(DIFFUSE_DENOISE_SLICE, frames - done);
        if (audio)
            samples_unpack(audio, done, part, filter->scratch);
        else
            memset(filter->scratch, 0, part * (gsize)filter->engine_info.channels * sizeof(float));
        if (feed(filter, part, &error) != EBB_OK) {
            gst_diffuse_denoise_forget_run(filter);
            return fail(filter, &error);
        }
        done += part;
    }
    return GST_FLOW_OK;
}

static GstFlowReturn feed_buffer(GstDiffuseDenoise *filter, GstBuffer *buffer)
{
    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP))
        return feed_all(filter, NULL, gst_buffer_get_size(buffer) / (gsize)filter->engine_info.bpf);

    GstAudioBuffer audio;
    if (!gst_audio_buffer_map(&audio, &filter->engine_info, buffer, GST_MAP_READ)) {
        GST_ELEMENT_ERROR(filter, STREAM, FORMAT, ("A buffer does not hold what its caps say."), (NULL));
        return GST_FLOW_ERROR;
    }
    GstFlowReturn result = feed_all(filter, &audio, audio.n_samples);
    gst_audio_buffer_unmap(&audio);
    return result;
}

// A buffer that does not continue the run ends it. The base class's own idea of a discontinuity lasts until something comes
// out, so only the buffer is asked.
static GstFlowReturn begin_run(GstDiffuseDenoise *filter, GstBuffer *buffer)
{
    GstClockTime pts = GST_BUFFER_PTS(buffer);
    if (GST_CLOCK_TIME_IS_VALID(filter->run.start)) {
        GstClockTime expected = time_after(filter, filter->run.in);
        gboolean jump = GST_CLOCK_TIME_IS_VALID(pts) && (pts > expected ? pts - expected : expected - pts) > JUMP;
        if (!jump && !GST_BUFFER_IS_DISCONT(buffer))
            return GST_FLOW_OK;
        GST_DEBUG_OBJECT(filter, "discontinuity at %" GST_TIME_FORMAT ", expected %" GST_TIME_FORMAT, GST_TIME_ARGS(pts),
                         GST_TIME_ARGS(expected));
        GstFlowReturn result = gst_diffuse_denoise_drain(filter);
        if (result != GST_FLOW_OK)
            return result;
        pts = GST_CLOCK_TIME_IS_VALID(pts) ? pts : expected;
    }
    filter->run.start = GST_CLOCK_TIME_IS_VALID(pts) ? pts : GST_BASE_TRANSFORM(filter)->segment.start;
    return GST_FLOW_OK;
}

GstFlowReturn gst_diffuse_denoise_submit(GstDiffuseDenoise *filter, GstBuffer *buffer)
{
    if (!filter->engine)
        return GST_FLOW_NOT_NEGOTIATED;
    GstFlowReturn result = prepare(filter);
    if (result == GST_FLOW_OK)
        result = begin_run(filter, buffer);
    if (result == GST_FLOW_OK)
        result = feed_buffer(filter, buffer);
    return result;
}

// A short gap in a run is silence in it: the sound goes on without a break. TRUE if it was taken that way.
gboolean gst_diffuse_denoise_fill_gap(GstDiffuseDenoise *filter, GstEvent *event)
{
    GstClockTime pts, duration;
    gst_event_parse_gap(event, &pts, &duration);
    if (!GST_CLOCK_TIME_IS_VALID(filter->run.start) || !GST_CLOCK_TIME_IS_VALID(duration) || duration > GST_SECOND)
        return FALSE;
    GstClockTime expected = time_after(filter, filter->run.in);
    if ((pts > expected ? pts - expected : expected - pts) > JUMP)
        return FALSE;

    gsize frames = (gsize)gst_util_uint64_scale_round(duration, (guint64)filter->engine_info.rate, GST_SECOND);
    if (feed_all(filter, NULL, frames) != GST_FLOW_OK)
        return FALSE;
    GstBuffer *buffer;
    while (gst_diffuse_denoise_next_output(filter, &buffer) == GST_FLOW_OK && buffer)
        if (gst_pad_push(GST_BASE_TRANSFORM_SRC_PAD(filter), buffer) != GST_FLOW_OK)
            break;
    return TRUE;
}
