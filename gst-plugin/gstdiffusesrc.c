/**
 * SECTION:element-diffusesrc
 * @title: diffusesrc
 *
 * Generates sound with a diffusion model: clips of one label, one after the other. A texture's clips (rain) are joined
 * without a seam, an event's (a bell) are separate, with a gap. Clip i depends on the seed and i alone, so the stream can be
 * seeked, and the same seed is the same sound again.
 *
 * A thread computes clips ahead; when that is slower than the clock, BUFFERING messages pause the application instead of
 * losing sound. With is-live there is silence instead.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 diffusesrc ! autoaudiosink
 * ]| Something pleasant to leave running.
 * |[
 * gst-launch-1.0 diffusesrc label=bell num-clips=3 ! audioconvert ! wavenc ! filesink location=bells.wav
 * ]| Three clips of a label, into a file.
 */
#include "gstdiffusesrc.h"

#include <string.h>

GST_DEBUG_CATEGORY_STATIC(diffusesrc_debug);
#define GST_CAT_DEFAULT diffusesrc_debug

#define CAPS                                                                                                             \
    "audio/x-raw, format = (string) { " GST_AUDIO_NE(F32) ", " GST_AUDIO_NE(S16) ", F64LE, F64BE, F32LE, F32BE, "         \
    "S32LE, S32BE, S24LE, S24BE, S24_32LE, S24_32BE, S16LE, S16BE, U16LE, U8, S8 }, "                                     \
    "layout = (string) { interleaved, non-interleaved }, rate = " GST_AUDIO_RATE_RANGE ", channels = (int) [ 1, 64 ]"

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));

G_DEFINE_TYPE_WITH_CODE(GstDiffuseSrc, gst_diffuse_src, GST_TYPE_PUSH_SRC,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_PRESET, NULL)
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, (GInterfaceInitFunc)gst_diffuse_src_uri_handler_init))
GST_ELEMENT_REGISTER_DEFINE(diffusesrc, "diffusesrc", GST_RANK_NONE, GST_TYPE_DIFFUSE_SRC)

#define PARENT(cast) cast(gst_diffuse_src_parent_class)

// ---- starting and stopping ----

static void on_buffering(void *user, int percent)
{
    GstElement *element = user;
    GST_DEBUG_OBJECT(element, "buffering %d %%", percent);
    gst_element_post_message(element, gst_message_new_buffering(GST_OBJECT(element), percent));
}

static GstClockTime duration_of(GstDiffuseSrc *src)
{
    guint64 total = clip_worker_total(src->worker);
    return total == G_MAXUINT64 ? GST_CLOCK_TIME_NONE
                                : gst_util_uint64_scale_round(total, GST_SECOND, (guint64)src->native_rate);
}

static void update_duration(GstDiffuseSrc *src)
{
    GST_OBJECT_LOCK(src);
    if (src->worker)
        GST_BASE_SRC(src)->segment.duration = duration_of(src);
    GST_OBJECT_UNLOCK(src);
}

static void on_length(void *user)
{
    update_duration(user);
    gst_element_post_message(user, gst_message_new_duration_changed(GST_OBJECT(user)));
}

static void send_tags(GstDiffuseSrc *src)
{
    const struct ebb_model_info *info = ebb_model_info(src->session.model);
    GST_OBJECT_LOCK(src);
    const struct clip_settings *clips = &src->settings.clips;
    const char *label = clips->label && *clips->label ? clips->label : NULL;
    if (!label && info->default_label >= 0)
        label = ebb_model_label(src->session.model, info->default_label)->name;
    char *recipe = g_strdup_printf("ebb model=%s hash=%s label=%s seed=%" G_GUINT64_FORMAT " steps=%d sampler=%s", info->name,
                                   info->hash, label ? label : "", clips->seed, clips->steps ? clips->steps : info->steps,
                                   clips->sampler && *clips->sampler ? clips->sampler : info->sampler);
    GstTagList *tags = gst_tag_list_new(GST_TAG_TITLE, label ? label : info->name, GST_TAG_COMMENT, recipe,
                                        GST_TAG_APPLICATION_NAME, "Ebb diffusesrc", NULL);
    GST_OBJECT_UNLOCK(src);
    if (info->licence)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_LICENSE, info->licence, NULL);
    if (info->credit)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_COPYRIGHT, info->credit, NULL);
    g_free(recipe);

    // The base class puts it after the segment; a tag list without scope would be taken for the stream's.
    PARENT(GST_ELEMENT_CLASS)->send_event(GST_ELEMENT(src), gst_event_new_tag(tags));
}

static void copy_settings(GstDiffuseSrc *src, struct src_settings *settings)
{
    struct clip_settings clips = {0};
    GST_OBJECT_LOCK(src);
    *settings = src->settings;
    settings->model = g_strdup(src->settings.model);
    settings->device = g_strdup(src->settings.device);
    clip_settings_copy(&clips, &src->settings.clips);
    settings->clips = clips;
    GST_OBJECT_UNLOCK(src);
}

static void clear_settings(struct src_settings *settings)
{
    g_free(settings->model);
    g_free(settings->device);
    clip_settings_clear(&settings->clips);
}

static gboolean start_worker(GstDiffuseSrc *src, const struct src_settings *settings)
{
    struct clip_worker_hooks hooks = {on_buffering, on_length, src};
    struct ebb_error error = {0};
    struct clip_worker *worker = clip_worker_create(&src->session, GST_ELEMENT(src), &settings->clips, settings->lookahead,
                                                    &hooks, &error);
    if (!worker) {
        diffuse_post_error(GST_ELEMENT(src), &error);
        return FALSE;
    }
    GST_OBJECT_LOCK(src);
    src->worker = worker;
    GST_OBJECT_UNLOCK(src);
    update_duration(src);
    if (clip_worker_start(worker, settings->device, settings->threads))
        return TRUE;

    GST_ELEMENT_ERROR(src, RESOURCE, NO_SPACE_LEFT, ("No thread could be started."), (NULL));
    return FALSE;
}

static gboolean stop(GstBaseSrc *base)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(base);
    GST_OBJECT_LOCK(src);
    struct clip_worker *worker = src->worker;
    src->worker = NULL;
    GST_OBJECT_UNLOCK(src);
    clip_worker_destroy(&worker);
    format_destroy(&src->format);
    g_clear_pointer(&src->scratch, g_free);
    src->scratch_size = 0;
    return TRUE;
}

static gboolean start(GstBaseSrc *base)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(base);
    struct src_settings settings;
    copy_settings(src, &settings);
    gboolean good = diffuse_session_open(&src->session, GST_ELEMENT(src), settings.model, EBB_MODEL_GENERATE);
    GstStructure *info = diffuse_session_info(&src->session);
    GST_OBJECT_LOCK(src);
    GstStructure *old = src->model_info;
    src->model_info = info;
    src->underruns = 0;
    src->latency = 0;
    GST_OBJECT_UNLOCK(src);
    g_clear_pointer(&old, gst_structure_free);
    if (good) {
        src->native_rate = ebb_model_info(src->session.model)->sample_rate;
        src->position = src->silence = 0;
        src->wanted = GST_CLOCK_TIME_NONE;
        src->volume = -1;
        src->left = src->held_up = 0;
        src->tags_sent = src->underrun = FALSE;
        good = start_worker(src, &settings);
    }
    clear_settings(&settings);
    if (!good)
        stop(base); // not called for us when start() fails
    return good;
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(element);
    GstStateChangeReturn result = PARENT(GST_ELEMENT_CLASS)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_READY_TO_NULL)
        diffuse_session_close(&src->session);
    return result;
}

// The worker outlives the wait: unlock() comes for every seek, and what is under way may still be wanted.
static gboolean unlock(GstBaseSrc *base)
{
    clip_worker_set_flushing(GST_DIFFUSE_SRC(base)->worker, TRUE);
    return TRUE;
}

static gboolean unlock_stop(GstBaseSrc *base)
{
    clip_worker_set_flushing(GST_DIFFUSE_SRC(base)->worker, FALSE);
    return TRUE;
}

// ---- caps ----

static GstCaps *fixate(GstBaseSrc *base, GstCaps *caps)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(base);
    caps = gst_caps_truncate(gst_caps_make_writable(caps));
    GstStructure *structure = gst_caps_get_structure(caps, 0);
    gst_structure_fixate_field_nearest_int(structure, "rate", src->native_rate ? src->native_rate : 48000);
    gst_structure_fixate_field_string(structure, "format", GST_AUDIO_NE(F32));
    gst_structure_fixate_field_string(structure, "layout", "interleaved");
    gst_structure_fixate_field_nearest_int(structure, "channels", 1);
    int channels = 1;
    gst_structure_get_int(structure, "channels", &channels);
    if (channels > 2 && !gst_structure_has_field(structure, "channel-mask"))
        gst_structure_set(structure, "channel-mask", GST_TYPE_BITMASK, gst_audio_channel_get_fallback_mask(channels), NULL);
    return PARENT(GST_BASE_SRC_CLASS)->fixate(base, caps);
}

static gboolean set_caps(GstBaseSrc *base, GstCaps *caps)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(base);
    GstAudioInfo info;
    if (!gst_audio_info_from_caps(&info, caps))
        return FALSE;
    struct format *format = format_create(src->native_rate, &info);
    if (!format) {
        GST_WARNING_OBJECT(src, "cannot convert to %" GST_PTR_FORMAT, (gpointer)caps);
        return FALSE;
    }

    // In mid-stream the next buffer begins where the last one ended.
    if (src->format && src->info.rate != info.rate)
        src->position = gst_util_uint64_scale_round(src->position, (guint64)info.rate, (guint64)src->info.rate);
    format_destroy(&src->format);
    src->format = format;
    src->info = info;
    GST_OBJECT_LOCK(src);
    src->latency = gst_util_uint64_scale_round(src->settings.samples_per_buffer, GST_SECOND, (guint64)info.rate);
    GST_OBJECT_UNLOCK(src);
    gst_element_post_message(GST_ELEMENT(src), gst_message_new_latency(GST_OBJECT(src)));
    return TRUE;
}

// ---- seeking and queries ----

static gboolean is_seekable(GstBaseSrc *base)
{
    return !gst_base_src_is_live(base);
}

// Backwards is refused here, before the base class flushes and forgets its segment.
static gboolean is_backwards(GstEvent *event)
{
    double rate = 1;
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEEK)
        gst_event_parse_seek(event, &rate, NULL, NULL, NULL, NULL, NULL, NULL);
    return rate < 0;
}

static gboolean event(GstBaseSrc *base, GstEvent *event)
{
    return !is_backwards(event) && PARENT(GST_BASE_SRC_CLASS)->event(base, event);
}

static gboolean send_event(GstElement *element, GstEvent *event)
{
    if (!is_backwards(event))
        return PARENT(GST_ELEMENT_CLASS)->send_event(element, event);
    gst_event_unref(event);
    return FALSE;
}

static gboolean do_seek(GstBaseSrc *base, GstSegment *segment)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(base);
    segment->time = segment->start;
    src->wanted = segment->position; // to frames when the rate is known
    src->left = src->held_up = 0;
    return TRUE;
}

static gboolean answer_duration(GstDiffuseSrc *src, GstQuery *query)
{
    GstFormat format;
    gst_query_parse_duration(query, &format, NULL);
    GST_OBJECT_LOCK(src);
    gboolean known = src->worker && format == GST_FORMAT_TIME;
    GstClockTime duration = known ? duration_of(src) : GST_CLOCK_TIME_NONE;
    GST_OBJECT_UNLOCK(src);
    if (known)
        gst_query_set_duration(query, format, (gint64)duration);
    return known;
}

static gboolean answer_latency(GstDiffuseSrc *src, GstQuery *query)
{
    GST_OBJECT_LOCK(src);
    GstClockTime latency = src->latency;
    GST_OBJECT_UNLOCK(src);
    if (!latency)
        return FALSE; // no rate yet; a message follows when there is
    gst_query_set_latency(query, gst_base_src_is_live(GST_BASE_SRC(src)), latency, GST_CLOCK_TIME_NONE);
    return TRUE;
}

static gboolean answer_convert(GstDiffuseSrc *src, GstQuery *query)
{
    GstFormat from, to;
    gint64 value, converted;
    gst_query_parse_convert(query, &from, &value, &to, NULL);
    GstCaps *caps = gst_pad_get_current_caps(GST_BASE_SRC_PAD(src));
    GstAudioInfo info;
    gboolean good = caps && gst_audio_info_from_caps(&info, caps) && gst_audio_info_convert(&info, from, value, to, &converted);
    if (good)
        gst_query_set_convert(query, from, value, to, converted);
    gst_clear_caps(&caps);
    return good;
}

static gboolean query(GstBaseSrc *base, GstQuery *query)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(base);
    switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_DURATION:
        return answer_duration(src, query) || PARENT(GST_BASE_SRC_CLASS)->query(base, query);
    case GST_QUERY_LATENCY:
        return answer_latency(src, query);
    case GST_QUERY_CONVERT:
        return answer_convert(src, query);
    default:
        return PARENT(GST_BASE_SRC_CLASS)->query(base, query);
    }
}

static void get_times(GstBaseSrc *base, GstBuffer *buffer, GstClockTime *start, GstClockTime *end)
{
    *start = *end = GST_CLOCK_TIME_NONE;
    if (!gst_base_src_is_live(base))
        return;
    *start = GST_BUFFER_PTS(buffer);
    *end = *start + GST_BUFFER_DURATION(buffer);
}

// ---- sound ----

static GstClockTime time_of(const GstDiffuseSrc *src, guint64 frame)
{
    return gst_util_uint64_scale_round(frame, GST_SECOND, (guint64)src->info.rate);
}

static void apply_seek(GstDiffuseSrc *src)
{
    guint64 rate = (guint64)src->info.rate, native = (guint64)src->native_rate;
    src->position = gst_util_uint64_scale_round(src->wanted, rate, GST_SECOND);
    src->wanted = GST_CLOCK_TIME_NONE;
    src->silence = 0;
    src->volume = -1;
    src->underrun = FALSE;
    clip_worker_seek(src->worker, gst_util_uint64_scale(src->position, native, rate));
    format_reset(src->format);
}

// How long the next buffer may be: samplesperbuffer, or what is left to the end of clips or segment. 0: the end.
static gsize frames_left(GstDiffuseSrc *src, guint samples_per_buffer)
{
    guint64 rate = (guint64)src->info.rate, end = G_MAXUINT64, total = clip_worker_total(src->worker);
    if (total != G_MAXUINT64)
        end = gst_util_uint64_scale_ceil(total + src->silence, rate, (guint64)src->native_rate);
    GstClockTime stop = GST_BASE_SRC(src)->segment.stop;
    if (GST_CLOCK_TIME_IS_VALID(stop))
        end = MIN(end, gst_util_uint64_scale_round(stop, rate, GST_SECOND));
    return src->position < end ? (gsize)MIN(end - src->position, samples_per_buffer) : 0;
}

// A consumer with a clock holds us up for about as long as the sound lasts (less what lies in queues); one without (a file)
// takes all there is: being behind is no news to it, and every message would pause it.
static gboolean consumer_keeps_time(const GstDiffuseSrc *src)
{
    guint64 sound = gst_util_uint64_scale(src->position - src->began_at, G_USEC_PER_SEC, (guint64)src->info.rate);
    return src->left && (guint64)src->held_up >= sound / 4;
}

static enum clip_wait wait_for(GstDiffuseSrc *src, gsize count, gsize frames)
{
    if (clip_worker_is_ready(src->worker, count))
        return clip_worker_wait(src->worker, count, 0, FALSE);
    if (!gst_base_src_is_live(GST_BASE_SRC(src)))
        return clip_worker_wait(src->worker, count, 0, consumer_keeps_time(src));
    gint64 patience = (gint64)gst_util_uint64_scale(frames, G_USEC_PER_SEC, (guint64)src->info.rate);
    return clip_worker_wait(src->worker, count, g_get_monotonic_time() + patience, FALSE);
}

static GstClockTime running_time(GstDiffuseSrc *src, GstClockTime pts)
{
    return gst_segment_to_running_time(&GST_BASE_SRC(src)->segment, GST_FORMAT_TIME, pts);
}

static GstClockTime stream_time(GstDiffuseSrc *src, GstClockTime pts)
{
    return gst_segment_to_stream_time(&GST_BASE_SRC(src)->segment, GST_FORMAT_TIME, pts);
}

// Once per gap, when it begins.
static void post_underrun(GstDiffuseSrc *src, GstClockTime pts, GstClockTime duration)
{
    GST_OBJECT_LOCK(src);
    guint64 underruns = ++src->underruns;
    GST_OBJECT_UNLOCK(src);
    GstMessage *message = gst_message_new_qos(GST_OBJECT(src), TRUE, running_time(src, pts), stream_time(src, pts), pts, duration);
    gst_message_set_qos_values(message, (gint64)duration, 1.0, 1000000);
    gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, src->position / MAX(1, src->settings.samples_per_buffer), underruns);
    gst_element_post_message(GST_ELEMENT(src), message);
}

static void post_clip(GstDiffuseSrc *src, const struct clip_info *info, GstClockTime pts)
{
    double seconds = (double)info->length / src->native_rate;
    GstStructure *structure = gst_structure_new(
        "diffuse-clip", "index", G_TYPE_UINT64, info->index, "seed", G_TYPE_UINT64, info->seed, "compute-time", G_TYPE_UINT64,
        info->compute, "rtf", G_TYPE_DOUBLE, (double)info->compute / GST_SECOND / seconds, "timestamp", G_TYPE_UINT64, pts,
        "stream-time", G_TYPE_UINT64, stream_time(src, pts), "running-time", G_TYPE_UINT64, running_time(src, pts), "duration",
        G_TYPE_UINT64, gst_util_uint64_scale_round(info->length, GST_SECOND, (guint64)src->native_rate), NULL);
    gst_element_post_message(GST_ELEMENT(src), gst_message_new_element(GST_OBJECT(src), structure));
}

static gboolean all_zero(const float *samples, gsize count)
{
    for (gsize i = 0; i < count; i++)
        if (samples[i] != 0)
            return FALSE;
    return TRUE;
}

// Fills scratch with `count` samples, zeros where there are none: a late clip's, or past the end (the resampler's tail).
static gsize gather(GstDiffuseSrc *src, gsize count, gboolean late, gboolean post, GstClockTime pts)
{
    gsize begun;
    struct clip_info info;
    gsize got = clip_worker_read(src->worker, src->scratch, count, &begun, &info);
    memset(src->scratch + got, 0, (count - got) * sizeof(*src->scratch));
    if (begun != G_MAXSIZE && post)
        post_clip(src, &info, pts + gst_util_uint64_scale_round(begun, GST_SECOND, (guint64)src->native_rate));
    if (late)
        src->silence += count - got;
    return got;
}

static gboolean reserve(GstDiffuseSrc *src, gsize count)
{
    if (count <= src->scratch_size)
        return TRUE;
    float *scratch = g_try_realloc_n(src->scratch, count, sizeof(*scratch));
    if (!scratch)
        return FALSE;
    src->scratch = scratch;
    src->scratch_size = count;
    return TRUE;
}

static void stamp(GstDiffuseSrc *src, GstBuffer *buffer, gsize frames)
{
    GST_BUFFER_PTS(buffer) = time_of(src, src->position);
    GST_BUFFER_OFFSET(buffer) = src->position;
    if (!src->left)
        src->began_at = src->position;
    src->left = g_get_monotonic_time();
    src->position += frames;
    GST_BUFFER_DURATION(buffer) = time_of(src, src->position) - GST_BUFFER_PTS(buffer);
    GST_BUFFER_OFFSET_END(buffer) = src->position;
}

// The volume at `pts`, and whether to post messages.
static double sync_controls(GstDiffuseSrc *src, GstClockTime pts, gboolean *post)
{
    gst_object_sync_values(GST_OBJECT(src), stream_time(src, pts));
    GST_OBJECT_LOCK(src);
    double volume = src->settings.volume;
    *post = src->settings.post_messages;
    GST_OBJECT_UNLOCK(src);
    return volume;
}

static GstBuffer *make_buffer(GstDiffuseSrc *src, gsize count, gsize frames, gboolean late)
{
    GstClockTime pts = time_of(src, src->position);
    gboolean post;
    double volume = sync_controls(src, pts, &post);
    gsize got = gather(src, count, late, post, pts);
    gboolean silent = all_zero(src->scratch, count), resumed = src->underrun && got > 0;
    if (late && !src->underrun)
        post_underrun(src, pts, time_of(src, src->position + frames) - pts);
    src->underrun = late;

    GstBuffer *buffer = format_convert(src->format, src->scratch, count, frames, src->volume < 0 ? volume : src->volume, volume);
    if (!buffer)
        return NULL;
    src->volume = volume;
    stamp(src, buffer, frames);
    if (silent && src->info.rate == src->native_rate)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_GAP);
    if (resumed)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    return buffer;
}

static GstFlowReturn create(GstPushSrc *push, GstBuffer **buffer)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(push);
    if (!src->format)
        return GST_FLOW_NOT_NEGOTIATED;
    if (GST_CLOCK_TIME_IS_VALID(src->wanted))
        apply_seek(src);
    if (src->left)
        src->held_up += g_get_monotonic_time() - src->left;
    if (!src->tags_sent) {
        src->tags_sent = TRUE;
        send_tags(src);
    }

    GST_OBJECT_LOCK(src);
    guint samples_per_buffer = src->settings.samples_per_buffer;
    GST_OBJECT_UNLOCK(src);
    gsize frames = frames_left(src, samples_per_buffer);
    if (!frames)
        return GST_FLOW_EOS;
    gsize count = format_needs(src->format, frames);
    enum clip_wait result = reserve(src, count) ? wait_for(src, count, frames) : CLIP_FAILED;
    if (result == CLIP_FLUSHING)
        return GST_FLOW_FLUSHING;
    if (result == CLIP_FAILED)
        return GST_FLOW_ERROR; // the worker has said why
    *buffer = make_buffer(src, count, frames, result == CLIP_LATE);
    if (*buffer)
        return GST_FLOW_OK;
    GST_ELEMENT_ERROR(src, RESOURCE, NO_SPACE_LEFT, ("Out of memory."), (NULL));
    return GST_FLOW_ERROR;
}

// ---- the class ----

static void gst_diffuse_src_finalize(GObject *object)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(object);
    gst_diffuse_src_clear_properties(src);
    g_clear_pointer(&src->model_info, gst_structure_free);
    diffuse_session_close(&src->session);
    G_OBJECT_CLASS(gst_diffuse_src_parent_class)->finalize(object);
}

static void gst_diffuse_src_class_init(GstDiffuseSrcClass *klass)
{
    GstElementClass *element = GST_ELEMENT_CLASS(klass);
    GstBaseSrcClass *base = GST_BASE_SRC_CLASS(klass);
    GST_DEBUG_CATEGORY_INIT(diffusesrc_debug, "diffusesrc", 0, "diffusion audio source");
    diffuse_session_init_types();

    G_OBJECT_CLASS(klass)->finalize = gst_diffuse_src_finalize;
    gst_diffuse_src_install_properties(G_OBJECT_CLASS(klass));
    gst_element_class_add_static_pad_template(element, &src_template);
    gst_element_class_set_static_metadata(element, "Diffusion audio source", "Source/Audio",
                                          "Generates sound with a diffusion model", "The Ebb authors <ebb@ebb.invalid>");
    element->change_state = GST_DEBUG_FUNCPTR(change_state);
    element->send_event = GST_DEBUG_FUNCPTR(send_event);
    base->start = GST_DEBUG_FUNCPTR(start);
    base->stop = GST_DEBUG_FUNCPTR(stop);
    base->unlock = GST_DEBUG_FUNCPTR(unlock);
    base->unlock_stop = GST_DEBUG_FUNCPTR(unlock_stop);
    base->fixate = GST_DEBUG_FUNCPTR(fixate);
    base->set_caps = GST_DEBUG_FUNCPTR(set_caps);
    base->is_seekable = GST_DEBUG_FUNCPTR(is_seekable);
    base->event = GST_DEBUG_FUNCPTR(event);
    base->do_seek = GST_DEBUG_FUNCPTR(do_seek);
    base->query = GST_DEBUG_FUNCPTR(query);
    base->get_times = GST_DEBUG_FUNCPTR(get_times);
    GST_PUSH_SRC_CLASS(klass)->create = GST_DEBUG_FUNCPTR(create);
}

static void gst_diffuse_src_init(GstDiffuseSrc *src)
{
    gst_diffuse_src_init_properties(src);
    gst_base_src_set_format(GST_BASE_SRC(src), GST_FORMAT_TIME);
}
