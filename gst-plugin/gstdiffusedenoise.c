/**
 * SECTION:element-diffusedenoise
 * @title: diffusedenoise
 *
 * Takes noise out of a recording. The sound's log-mel spectrogram is noised to diffusion time t and denoised again by the
 * model; how it changed becomes a smooth gain on the sound itself. t = 0 leaves it alone, bit for bit.
 *
 * Any rate and channel count. Output frame k is input frame k: timestamps do not move, latency is reported. Live sources get
 * small windows (less than 0.3 s), anything else large ones, which clean better.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=noisy.wav ! decodebin ! audioconvert ! diffusedenoise t=0.4 ! wavenc ! filesink location=clean.wav
 * ]| Clean a file.
 * |[
 * gst-launch-1.0 autoaudiosrc ! queue ! audioconvert ! diffusedenoise auto-t=true ! queue ! autoaudiosink
 * ]| A microphone, cleaned as it is heard. The first queue keeps the network out of the capture thread.
 */
#include "gstdiffusedenoise.h"

#include <math.h>
#include <string.h>

#include "samples.h"

GST_DEBUG_CATEGORY_STATIC(diffusedenoise_debug);
#define GST_CAT_DEFAULT diffusedenoise_debug

#define SLICE 1024                     // frames between two looks at the controlled properties
#define JUMP (5 * GST_MSECOND)         // a timestamp off by more is a discontinuity
#define ALLOWANCE (20 * GST_MSECOND)   // for computing, until measured

#define CAPS                                                                                                             \
    "audio/x-raw, format = (string) { " GST_AUDIO_NE(F32) ", " GST_AUDIO_NE(S16) " }, "                                  \
    "layout = (string) { interleaved, non-interleaved }, rate = (int) [ 1000, 768000 ], channels = (int) [ 1, 64 ]"

G_DEFINE_TYPE_WITH_CODE(GstDiffuseDenoise, gst_diffuse_denoise, GST_TYPE_AUDIO_FILTER,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_PRESET, NULL))
GST_ELEMENT_REGISTER_DEFINE(diffusedenoise, "diffusedenoise", GST_RANK_NONE, GST_TYPE_DIFFUSE_DENOISE)

#define PARENT(cast) cast(gst_diffuse_denoise_parent_class)

// ---- stopping what is under way ----

static void update_cancel(GstDiffuseDenoise *filter)
{
    g_mutex_lock(&filter->mutex);
    g_atomic_int_set(&filter->cancel, g_atomic_int_get(&filter->flushing) || g_atomic_int_get(&filter->stopping));
    g_cond_broadcast(&filter->cond);
    g_mutex_unlock(&filter->mutex);
}

static void set_flag(GstDiffuseDenoise *filter, gint *flag, gboolean value)
{
    g_atomic_int_set(flag, value);
    update_cancel(filter);
}

static bool go_on(void *user, double fraction)
{
    GstDiffuseDenoise *filter = user;
    return !g_atomic_int_get(&filter->cancel);
}

// ---- starting ----

static gpointer load(gpointer data)
{
    GstDiffuseDenoise *filter = data;
    GST_OBJECT_LOCK(filter);
    char *device = g_strdup(filter->settings.device);
    int threads = filter->settings.threads;
    GST_OBJECT_UNLOCK(filter);
    gboolean good = diffuse_session_load(&filter->session, GST_ELEMENT(filter), device, threads, &filter->stopping);
    g_free(device);

    GST_OBJECT_LOCK(filter);
    filter->stats.loaded = good;
    GST_OBJECT_UNLOCK(filter);
    g_mutex_lock(&filter->mutex);
    filter->load_ended = TRUE;
    filter->load_good = good;
    g_cond_broadcast(&filter->cond);
    g_mutex_unlock(&filter->mutex);
    return NULL;
}

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

static void forget_run(GstDiffuseDenoise *filter)
{
    filter->run = (struct denoise_run){.start = GST_CLOCK_TIME_NONE, .discont = TRUE};
    if (filter->engine)
        ebb_denoise_reset(filter->engine);
}

static gboolean open_model(GstDiffuseDenoise *filter, struct ebb_error *error)
{
    GST_OBJECT_LOCK(filter);
    char *model = g_strdup(filter->settings.model), *device = g_strdup(filter->settings.device);
    char *sampler = g_strdup(filter->settings.sampler);
    int threads = filter->settings.threads;
    GST_OBJECT_UNLOCK(filter);

    gboolean good = diffuse_check_sampler(sampler, error);
    if (!good)
        diffuse_post_error(GST_ELEMENT(filter), error);
    good = good && diffuse_session_open(&filter->session, GST_ELEMENT(filter), model, EBB_MODEL_DENOISE);
    if (good)
        diffuse_session_announce(&filter->session, GST_ELEMENT(filter), device, threads);
    g_free(model);
    g_free(device);
    g_free(sampler);
    return good;
}

static gboolean start(GstBaseTransform *base)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(base);
    struct ebb_error error = {0};
    if (!open_model(filter, &error))
        return FALSE;

    GST_OBJECT_LOCK(filter);
    filter->model_t = ebb_model_info(filter->session.model)->t_default;
    filter->stats = (struct denoise_stats){.snr = NAN};
    GST_OBJECT_UNLOCK(filter);
    filter->load_ended = filter->load_good = FALSE;
    filter->posted = GST_CLOCK_TIME_NONE;
    g_atomic_int_set(&filter->flushing, 0);
    set_flag(filter, &filter->stopping, FALSE);
    forget_run(filter);
    filter->loader = g_thread_try_new("diffusedenoise", load, filter, NULL);
    if (filter->loader)
        return TRUE;
    GST_ELEMENT_ERROR(filter, RESOURCE, NO_SPACE_LEFT, ("No thread could be started."), (NULL));
    return FALSE;
}

static gboolean stop(GstBaseTransform *base)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(base);
    set_flag(filter, &filter->stopping, TRUE);
    g_clear_pointer(&filter->loader, g_thread_join);
    ebb_denoise_destroy(&filter->engine);
    g_clear_pointer(&filter->scratch, g_free);
    return TRUE;
}

// stop() comes only when the streaming thread is back: what it computes has to end first.
static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(element);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
        set_flag(filter, &filter->stopping, TRUE);
    GstStateChangeReturn result = PARENT(GST_ELEMENT_CLASS)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_READY_TO_NULL)
        diffuse_session_close(&filter->session);
    return result;
}

// ---- caps and latency ----

static gboolean upstream_is_live(GstDiffuseDenoise *filter)
{
    GstQuery *query = gst_query_new_latency();
    gboolean live = FALSE;
    if (gst_pad_peer_query(GST_BASE_TRANSFORM_SINK_PAD(filter), query))
        gst_query_parse_latency(query, &live, NULL, NULL);
    gst_query_unref(query);
    return live;
}

static struct ebb_denoise *make_engine(GstDiffuseDenoise *filter, const GstAudioInfo *info, struct ebb_error *error)
{
    struct ebb_denoise_params params;
    ebb_denoise_params_default(&params);
    GST_OBJECT_LOCK(filter);
    char *sampler = g_strdup(filter->settings.sampler);
    params.steps = filter->steps = filter->settings.steps;
    params.wet = filter->wet = filter->settings.wet;
    params.t = filter->t = filter->settings.t >= 0 ? filter->settings.t : filter->model_t;
    GST_OBJECT_UNLOCK(filter);
    params.sampler = sampler && *sampler ? sampler : NULL;
    params.live = filter->live;
    params.progress = go_on;
    params.user = filter;
    struct ebb_denoise *engine = ebb_denoise_create(filter->session.model, &params, info->rate, info->channels, error);
    g_free(sampler);
    return engine;
}

static void publish_latency(GstDiffuseDenoise *filter)
{
    GstClockTime latency = filter->algorithm + (filter->live ? filter->allowance : 0);
    GST_OBJECT_LOCK(filter);
    gboolean changed = filter->stats.latency != latency;
    filter->stats.latency = latency;
    filter->stats.live = filter->live;
    GST_OBJECT_UNLOCK(filter);
    if (changed)
        gst_element_post_message(GST_ELEMENT(filter), gst_message_new_latency(GST_OBJECT(filter)));
}

static gboolean setup(GstAudioFilter *base, const GstAudioInfo *info)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(base);
    if (filter->engine && gst_audio_info_is_equal(info, &filter->engine_info))
        return TRUE;

    filter->live = upstream_is_live(filter);
    ebb_denoise_destroy(&filter->engine);
    struct ebb_error error = {0};
    filter->engine = make_engine(filter, info, &error);
    float *scratch = g_try_realloc_n(filter->scratch, SLICE * (gsize)info->channels, sizeof(*scratch));
    if (scratch)
        filter->scratch = scratch;
    if (!filter->engine || !scratch) {
        if (!filter->engine)
            diffuse_post_error(GST_ELEMENT(filter), &error);
        ebb_denoise_destroy(&filter->engine);
        return FALSE;
    }

    filter->engine_info = *info;
    filter->warm = FALSE;
    filter->debt = 0;
    filter->dry = FALSE;
    filter->fewer = 0;
    GST_OBJECT_LOCK(filter);
    gint latency = filter->settings.latency;
    GST_OBJECT_UNLOCK(filter);
    filter->allowance = latency < 0 ? ALLOWANCE : (GstClockTime)latency * GST_MSECOND;
    filter->algorithm = gst_util_uint64_scale_ceil(ebb_denoise_latency(filter->engine), GST_SECOND, (guint64)info->rate);
    forget_run(filter);
    publish_latency(filter);
    return TRUE;
}

static gboolean answer_latency(GstDiffuseDenoise *filter, GstQuery *query)
{
    GST_OBJECT_LOCK(filter);
    GstClockTime own = filter->stats.latency;
    GST_OBJECT_UNLOCK(filter);
    if (!own || !gst_pad_peer_query(GST_BASE_TRANSFORM_SINK_PAD(filter), query))
        return FALSE; // no rate yet; a message follows when there is

    gboolean live;
    GstClockTime min, max;
    gst_query_parse_latency(query, &live, &min, &max);
    gst_query_set_latency(query, live, min + own, GST_CLOCK_TIME_IS_VALID(max) ? max + own : GST_CLOCK_TIME_NONE);
    return TRUE;
}

static gboolean query(GstBaseTransform *base, GstPadDirection direction, GstQuery *query)
{
    if (direction == GST_PAD_SRC && GST_QUERY_TYPE(query) == GST_QUERY_LATENCY)
        return answer_latency(GST_DIFFUSE_DENOISE(base), query);
    return PARENT(GST_BASE_TRANSFORM_CLASS)->query(base, direction, query);
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
        gsize got = ebb_denoise_read(filter->engine, filter->scratch, MIN(SLICE, frames - done));
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
static GstFlowReturn next_output(GstDiffuseDenoise *filter, GstBuffer **out)
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
static GstFlowReturn drain(GstDiffuseDenoise *filter)
{
    GstFlowReturn result = GST_FLOW_OK;
    if (filter->engine && filter->run.in > 0) {
        struct ebb_error error = {0};
        if (ebb_denoise_finish(filter->engine, &error) != EBB_OK)
            result = fail(filter, &error);
        GstBuffer *buffer = NULL;
        do {
            if (result == GST_FLOW_OK)
                result = next_output(filter, &buffer);
            if (result == GST_FLOW_OK && buffer)
                result = gst_pad_push(GST_BASE_TRANSFORM_SRC_PAD(filter), buffer);
        } while (result == GST_FLOW_OK && buffer);
    }
    forget_run(filter);
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
    gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, filter->run.in / SLICE, overloads);
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
    if (filter->debt == 0)
        filter->dry = FALSE;
    if (overload == OVERLOAD_WAIT || filter->dry || filter->debt <= filter->allowance + 10 * GST_MSECOND)
        return;

    int steps = filter->steps ? filter->steps : ebb_model_info(filter->session.model)->steps;
    if (overload == OVERLOAD_FEWER_STEPS && steps >> (filter->fewer + 1) > 0)
        filter->fewer++;
    else
        filter->dry = TRUE;
    post_overload(filter, pts);
}

// The controlled properties as they are at stream time `pts`, into the engine where they changed.
static enum ebb_result sync_engine(GstDiffuseDenoise *filter, GstClockTime pts, struct ebb_error *error)
{
    const GstSegment *segment = &GST_BASE_TRANSFORM(filter)->segment;
    gst_object_sync_values(GST_OBJECT(filter), gst_segment_to_stream_time(segment, GST_FORMAT_TIME, pts));
    GST_OBJECT_LOCK(filter);
    const struct denoise_settings *settings = &filter->settings;
    double t = settings->auto_t ? EBB_T_AUTO : settings->t >= 0 ? settings->t : filter->model_t;
    if (settings->bypass || filter->dry)
        t = 0;
    double wet = settings->wet;
    gint steps = settings->steps;
    GST_OBJECT_UNLOCK(filter);
    if (filter->fewer)
        steps = MAX(1, (steps ? steps : ebb_model_info(filter->session.model)->steps) >> filter->fewer);

    enum ebb_result result = EBB_OK;
    if (t != filter->t)
        result = ebb_denoise_set_t(filter->engine, filter->t = t, error);
    if (result == EBB_OK && wet != filter->wet)
        result = ebb_denoise_set_wet(filter->engine, filter->wet = wet, error);
    if (result == EBB_OK && steps != filter->steps)
        result = ebb_denoise_set_steps(filter->engine, filter->steps = steps, error);
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
    if (filter->live)
        account(filter, compute, sound, pts);
    post_state(filter, pts);
    return result;
}

// The time a live window takes here, so that the latency is true from the first sound on.
static enum ebb_result warm_up(GstDiffuseDenoise *filter, struct ebb_error *error)
{
    gsize channels = (gsize)filter->engine_info.channels, left = 2 * ebb_denoise_latency(filter->engine);
    struct ebb_denoise *engine = make_engine(filter, &filter->engine_info, error);
    enum ebb_result result = engine ? EBB_OK : error->code;
    gint64 longest = 0;
    GRand *random = g_rand_new_with_seed(1);
    for (guint64 windows = 0; result == EBB_OK && left > 0;) {
        gsize frames = MIN(left, SLICE);
        for (gsize i = 0; i < frames * channels; i++)
            filter->scratch[i] = (float)g_rand_double_range(random, -0.1, 0.1);
        gint64 begin = g_get_monotonic_time();
        result = ebb_denoise_write(engine, filter->scratch, frames, error);
        if (windows > 0) // the first one also plans
            longest = MAX(longest, g_get_monotonic_time() - begin);
        windows = ebb_denoise_windows(engine);
        while (ebb_denoise_read(engine, filter->scratch, SLICE) > 0)
            ;
        left -= frames;
    }
    g_rand_free(random);
    ebb_denoise_destroy(&engine);

    // A quarter more, in steps of 10 ms: a number that is the same each time.
    GstClockTime needed = (GstClockTime)longest * GST_USECOND * 5 / 4;
    filter->allowance = MAX(ALLOWANCE, (needed + 10 * GST_MSECOND - 1) / (10 * GST_MSECOND) * (10 * GST_MSECOND));
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
    publish_latency(filter);
    return GST_FLOW_OK;
}

// Feeds `frames` frames of `audio`, or of silence where that is NULL.
static GstFlowReturn feed_all(GstDiffuseDenoise *filter, const GstAudioBuffer *audio, gsize frames)
{
    struct ebb_error error = {0};
    for (gsize done = 0; done < frames;) {
        gsize part = MIN(SLICE, frames - done);
        if (audio)
            samples_unpack(audio, done, part, filter->scratch);
        else
            memset(filter->scratch, 0, part * (gsize)filter->engine_info.channels * sizeof(float));
        if (feed(filter, part, &error) != EBB_OK)
            return fail(filter, &error);
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
        GstFlowReturn result = drain(filter);
        if (result != GST_FLOW_OK)
            return result;
        pts = GST_CLOCK_TIME_IS_VALID(pts) ? pts : expected;
    }
    filter->run.start = GST_CLOCK_TIME_IS_VALID(pts) ? pts : GST_BASE_TRANSFORM(filter)->segment.start;
    return GST_FLOW_OK;
}

static GstFlowReturn submit_input_buffer(GstBaseTransform *base, gboolean is_discont, GstBuffer *input)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(base);
    GstFlowReturn result = PARENT(GST_BASE_TRANSFORM_CLASS)->submit_input_buffer(base, is_discont, input);
    GstBuffer *buffer = base->queued_buf; // NULL: outside the segment
    base->queued_buf = NULL;
    if (result == GST_FLOW_OK && buffer && !filter->engine)
        result = GST_FLOW_NOT_NEGOTIATED;
    if (result == GST_FLOW_OK && buffer)
        result = prepare(filter);
    if (result == GST_FLOW_OK && buffer)
        result = begin_run(filter, buffer);
    if (result == GST_FLOW_OK && buffer)
        result = feed_buffer(filter, buffer);
    gst_clear_buffer(&buffer);
    return result;
}

static GstFlowReturn generate_output(GstBaseTransform *base, GstBuffer **out)
{
    return next_output(GST_DIFFUSE_DENOISE(base), out);
}

// ---- events ----

// A short gap in a run is silence in it: the sound goes on without a break. TRUE if it was taken that way.
static gboolean fill_gap(GstDiffuseDenoise *filter, GstEvent *event)
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
    while (next_output(filter, &buffer) == GST_FLOW_OK && buffer)
        if (gst_pad_push(GST_BASE_TRANSFORM_SRC_PAD(filter), buffer) != GST_FLOW_OK)
            break;
    return TRUE;
}

// Held samples go out before whatever must not overtake them.
static gboolean sink_event(GstBaseTransform *base, GstEvent *event)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(base);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
        set_flag(filter, &filter->flushing, TRUE);
        break;
    case GST_EVENT_FLUSH_STOP:
        set_flag(filter, &filter->flushing, FALSE);
        forget_run(filter);
        filter->debt = 0;
        filter->dry = FALSE;
        break;
    case GST_EVENT_GAP:
        if (fill_gap(filter, event)) {
            gst_event_unref(event);
            return TRUE;
        }
        drain(filter);
        break;
    case GST_EVENT_EOS:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_CAPS:
        drain(filter);
        break;
    default:
        break;
    }
    return PARENT(GST_BASE_TRANSFORM_CLASS)->sink_event(base, event);
}

// ---- the class ----

static void gst_diffuse_denoise_finalize(GObject *object)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(object);
    gst_diffuse_denoise_clear_properties(filter);
    diffuse_session_close(&filter->session);
    g_mutex_clear(&filter->mutex);
    g_cond_clear(&filter->cond);
    G_OBJECT_CLASS(gst_diffuse_denoise_parent_class)->finalize(object);
}

static void gst_diffuse_denoise_class_init(GstDiffuseDenoiseClass *klass)
{
    GstElementClass *element = GST_ELEMENT_CLASS(klass);
    GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS(klass);
    GST_DEBUG_CATEGORY_INIT(diffusedenoise_debug, "diffusedenoise", 0, "diffusion denoiser");
    diffuse_session_init_types();

    G_OBJECT_CLASS(klass)->finalize = gst_diffuse_denoise_finalize;
    gst_diffuse_denoise_install_properties(G_OBJECT_CLASS(klass));
    GstCaps *caps = gst_caps_from_string(CAPS);
    gst_audio_filter_class_add_pad_templates(GST_AUDIO_FILTER_CLASS(klass), caps);
    gst_caps_unref(caps);
    gst_element_class_set_static_metadata(element, "Diffusion denoiser", "Filter/Effect/Audio",
                                          "Takes noise out of a recording with a diffusion model", "The Ebb authors <ebb@ebb.invalid>");
    element->change_state = GST_DEBUG_FUNCPTR(change_state);
    base->start = GST_DEBUG_FUNCPTR(start);
    base->stop = GST_DEBUG_FUNCPTR(stop);
    base->query = GST_DEBUG_FUNCPTR(query);
    base->sink_event = GST_DEBUG_FUNCPTR(sink_event);
    base->submit_input_buffer = GST_DEBUG_FUNCPTR(submit_input_buffer);
    base->generate_output = GST_DEBUG_FUNCPTR(generate_output);
    GST_AUDIO_FILTER_CLASS(klass)->setup = GST_DEBUG_FUNCPTR(setup);
}

static void gst_diffuse_denoise_init(GstDiffuseDenoise *filter)
{
    GstBaseTransform *base = GST_BASE_TRANSFORM(filter);
    g_mutex_init(&filter->mutex);
    g_cond_init(&filter->cond);
    gst_diffuse_denoise_init_properties(filter);
    // Never passthrough, not even for t = 0: the sound would jump by the latency.
    gst_base_transform_set_in_place(base, FALSE);
    gst_base_transform_set_passthrough(base, FALSE);
    gst_base_transform_set_gap_aware(base, TRUE);
    gst_base_transform_set_qos_enabled(base, FALSE); // dropping input would move the sound
}
