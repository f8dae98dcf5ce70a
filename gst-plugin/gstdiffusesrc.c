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

static gboolean open_stream(GstDiffuseSrc *src)
{
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
        stop(GST_BASE_SRC(src)); // not called for us
    return good;
}

// The base class has set up its segment.
static gboolean start(GstBaseSrc *base)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(base);
    if (!src->worker && !open_stream(src)) // the pad alone was activated again
        return FALSE;
    update_duration(src);
    return TRUE;
}

// What can fail has its turn before the base class, which has an error of its own to add to a start() that fails.
static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(element);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !open_stream(src))
        return GST_STATE_CHANGE_FAILURE;
    GstStateChangeReturn result = PARENT(GST_ELEMENT_CLASS)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE)
        stop(GST_BASE_SRC(src));
    if (transition == GST_STATE_CHANGE_READY_TO_NULL)
        diffuse_session_close(&src->session);
    return result;
}

// Events may be sent in any state: in NULL and READY there is no worker.
static void set_flushing(GstDiffuseSrc *src, gboolean flushing)
{
    GST_OBJECT_LOCK(src);
    if (src->worker)
        clip_worker_set_flushing(src->worker, flushing);
    GST_OBJECT_UNLOCK(src);
}

// The worker outlives the wait: unlock() comes for every seek, and what is under way may still be wanted.
static gboolean unlock(GstBaseSrc *base)
{
    set_flushing(GST_DIFFUSE_SRC(base), TRUE);
    return TRUE;
}

static gboolean unlock_stop(GstBaseSrc *base)
{
    set_flushing(GST_DIFFUSE_SRC(base), FALSE);
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
    GST_PUSH_SRC_CLASS(klass)->create = GST_DEBUG_FUNCPTR(gst_diffuse_src_create);
}

static void gst_diffuse_src_init(GstDiffuseSrc *src)
{
    gst_diffuse_src_init_properties(src);
    gst_base_src_set_format(GST_BASE_SRC(src), GST_FORMAT_TIME);
}
