// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-diffusedenoise
 * @title: diffusedenoise
 *
 * diffusedenoise takes noise out of a recording with a diffusion model. The element adds noise to the sound's
 * log-mel spectrogram, up to diffusion time t. The model takes that noise out again, and the recording's own
 * noise with it. The difference becomes a smooth gain on the sound itself. With t = 0 the sound stays as it
 * is, bit for bit.
 *
 * The element takes any rate and up to 64 channels. Output frame k is input frame k with its timestamp; the
 * latency is reported. A live source gets small windows, with a delay below 0.3 s. Every other source gets
 * large windows, which clean better.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=noisy.wav ! decodebin ! audioconvert ! \
 *     diffusedenoise t=0.4 ! wavenc ! filesink location=clean.wav
 * ]| Cleans a file.
 * |[
 * gst-launch-1.0 autoaudiosrc ! queue ! audioconvert ! diffusedenoise auto-t=true ! queue ! autoaudiosink
 * ]| Cleans a microphone while it is heard. The first queue keeps the network out of the capture thread.
 */
#include "gstdiffusedenoise.h"

#include <math.h>

#include "denoisestream.h"
#include "messages.h"

#define GST_CAT_DEFAULT diffusedenoise_debug

// clang-format off
#define CAPS                                                                             \
    "audio/x-raw, format = (string) { " GST_AUDIO_NE(F32) ", " GST_AUDIO_NE(S16) " }, "  \
    "layout = (string) { interleaved, non-interleaved }, "                               \
    "rate = (int) [ 1000, 768000 ], channels = (int) [ 1, 64 ]"
// clang-format on

struct _GstDiffuseDenoise {
    GstAudioFilter parent;

    struct denoise_settings settings; // under the object lock
    struct diffuse_session session;   // of the state changes, and of the loader while it runs
    struct loader loader;
    struct denoise_stream stream;
};

G_DEFINE_TYPE_WITH_CODE(GstDiffuseDenoise, gst_diffuse_denoise, GST_TYPE_AUDIO_FILTER,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_PRESET, NULL))
GST_ELEMENT_REGISTER_DEFINE(diffusedenoise, "diffusedenoise", GST_RANK_NONE, GST_TYPE_DIFFUSE_DENOISE)

#define PARENT(cast) cast(gst_diffuse_denoise_parent_class)

// ---- starting and stopping ----

// FALSE after an error, which has been posted.
static gboolean open_model(GstDiffuseDenoise *filter, const struct model_settings *model)
{
    GST_OBJECT_LOCK(filter);
    struct diffuse_settings *cleaning = &filter->settings.cleaning;
    gboolean good = !cleaning->refused && diffuse_settings_ready(cleaning);
    struct ebb_error refusal = cleaning->refused
                                   ? cleaning->refusal
                                   : (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a recipe"};
    GST_OBJECT_UNLOCK(filter);
    if (!good)
        diffuse_post_error(GST_ELEMENT(filter), &refusal);
    good = good &&
           diffuse_session_open(&filter->session, GST_ELEMENT(filter), model->model, EBB_MODEL_DENOISE);
    return good;
}

static gboolean start(GstBaseTransform *base)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(base);
    GST_OBJECT_LOCK(filter);
    struct model_settings model = model_settings_copy(&filter->settings.model);
    GST_OBJECT_UNLOCK(filter);
    char *device = model_settings_device(&model);
    gboolean good = open_model(filter, &model);
    if (good) {
        diffuse_session_announce(&filter->session, GST_ELEMENT(filter), device, model.threads);
        denoise_stream_start(&filter->stream);
        good = loader_start(&filter->loader, &filter->session, GST_ELEMENT(filter), device, model.threads);
    }
    g_free(device);
    model_settings_clear(&model);
    return good;
}

static gboolean stop(GstBaseTransform *base)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(base);
    loader_stop(&filter->loader);
    denoise_stream_stop(&filter->stream);
    return TRUE;
}

// The base class calls stop() when the streaming thread is back. Its computation has to end before.
static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(element);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
        loader_set_stopping(&filter->loader, TRUE);
    GstStateChangeReturn result = PARENT(GST_ELEMENT_CLASS)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_READY_TO_NULL)
        diffuse_session_close(&filter->session);
    return result;
}

// ---- caps and latency ----

static gboolean setup(GstAudioFilter *base, const GstAudioInfo *info)
{
    return denoise_stream_set_format(&GST_DIFFUSE_DENOISE(base)->stream, info);
}

static gboolean answer_latency(GstDiffuseDenoise *filter, GstQuery *query)
{
    GST_OBJECT_LOCK(filter);
    GstClockTime own = filter->stream.stats.latency;
    GST_OBJECT_UNLOCK(filter);
    if (!own || !gst_pad_peer_query(GST_BASE_TRANSFORM_SINK_PAD(filter), query))
        return FALSE; // not yet known; a message follows when it is

    gboolean live;
    GstClockTime min, max;
    gst_query_parse_latency(query, &live, &min, &max);
    GST_OBJECT_LOCK(filter);
    filter->stream.upstream = min;
    GST_OBJECT_UNLOCK(filter);
    gst_query_set_latency(query, live, min + own,
                          GST_CLOCK_TIME_IS_VALID(max) ? max + own : GST_CLOCK_TIME_NONE);
    return TRUE;
}

static gboolean query(GstBaseTransform *base, GstPadDirection direction, GstQuery *query)
{
    if (direction == GST_PAD_SRC && GST_QUERY_TYPE(query) == GST_QUERY_LATENCY)
        return answer_latency(GST_DIFFUSE_DENOISE(base), query);
    return PARENT(GST_BASE_TRANSFORM_CLASS)->query(base, direction, query);
}

// ---- the stream ----

static GstFlowReturn submit_input_buffer(GstBaseTransform *base, gboolean is_discont, GstBuffer *input)
{
    GstFlowReturn result = PARENT(GST_BASE_TRANSFORM_CLASS)->submit_input_buffer(base, is_discont, input);
    GstBuffer *buffer = base->queued_buf; // NULL: outside the segment
    base->queued_buf = NULL;
    if (result == GST_FLOW_OK && buffer)
        result = denoise_stream_submit(&GST_DIFFUSE_DENOISE(base)->stream, buffer);
    gst_clear_buffer(&buffer);
    return result;
}

// Never called. The base class takes an element without this function for one that passes buffers through,
// and does not ask downstream for memory.
static GstFlowReturn transform(GstBaseTransform *base, GstBuffer *in, GstBuffer *out)
{
    return GST_FLOW_NOT_SUPPORTED;
}

static GstFlowReturn generate_output(GstBaseTransform *base, GstBuffer **out)
{
    return denoise_stream_next(&GST_DIFFUSE_DENOISE(base)->stream, out);
}

// The base class would say no more than that the caps were not negotiated.
static gboolean lacks_places(GstDiffuseDenoise *filter, GstEvent *event)
{
    GstCaps *caps;
    gint channels = 0;
    gst_event_parse_caps(event, &caps);
    const GstStructure *format = gst_caps_get_structure(caps, 0);
    gst_structure_get_int(format, "channels", &channels);
    if (channels <= 2 || gst_structure_has_field(format, "channel-mask"))
        return FALSE;
    GST_ELEMENT_ERROR(
        filter, STREAM, FORMAT,
        ("The caps have %d channels and no channel-mask; channel-mask=(bitmask)0 says that they "
         "have no places.",
         channels),
        (NULL));
    return TRUE;
}

// Samples that are held go out before an event that must not overtake them.
static gboolean sink_event(GstBaseTransform *base, GstEvent *event)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(base);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START: loader_set_flushing(&filter->loader, TRUE); break;
    case GST_EVENT_FLUSH_STOP:
        loader_set_flushing(&filter->loader, FALSE);
        denoise_stream_flush(&filter->stream);
        break;
    case GST_EVENT_GAP:
        if (denoise_stream_fill_gap(&filter->stream, event)) {
            gst_event_unref(event);
            return TRUE;
        }
        denoise_stream_drain(&filter->stream);
        break;
    case GST_EVENT_CAPS:
        if (lacks_places(filter, event)) {
            gst_event_unref(event);
            return FALSE;
        }
        denoise_stream_drain(&filter->stream);
        break;
    case GST_EVENT_EOS:
    case GST_EVENT_STREAM_START:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_SEGMENT_DONE: denoise_stream_drain(&filter->stream); break;
    default: break;
    }
    return PARENT(GST_BASE_TRANSFORM_CLASS)->sink_event(base, event);
}

// ---- properties ----

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(object);
    struct ebb_error refusal = {0};
    GST_OBJECT_LOCK(filter);
    gboolean taken = denoise_settings_set(&filter->settings, id, pspec, value);
    if (!taken && filter->stream.denoiser)
        refusal = diffuse_settings_forgive(&filter->settings.cleaning);
    GST_OBJECT_UNLOCK(filter);
    if (refusal.code != EBB_OK)
        diffuse_post_warning(GST_ELEMENT(filter), &refusal);
}

static GstStructure *make_stats(const struct denoise_stats *stats, gboolean loaded)
{
    double rtf = stats->sound ? (double)stats->compute / (double)stats->sound : 0;
    return gst_structure_new("diffuse-denoise-stats", "windows", G_TYPE_UINT64, stats->windows, "t",
                             G_TYPE_DOUBLE, stats->t, "snr", G_TYPE_DOUBLE, stats->snr, "compute-time",
                             G_TYPE_UINT64, stats->compute, "rtf", G_TYPE_DOUBLE, rtf, "latency",
                             G_TYPE_UINT64, stats->latency, "overloads", G_TYPE_UINT64, stats->overloads,
                             "live", G_TYPE_BOOLEAN, stats->live, "loaded", G_TYPE_BOOLEAN, loaded, NULL);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(object);
    gboolean loaded = loader_is_done(&filter->loader);
    GST_OBJECT_LOCK(filter);
    if (id == DENOISE_STATS)
        g_value_take_boxed(value, make_stats(&filter->stream.stats, loaded));
    else
        denoise_settings_get(&filter->settings, id, pspec, value);
    GST_OBJECT_UNLOCK(filter);
}

// ---- the class ----

static void gst_diffuse_denoise_finalize(GObject *object)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(object);
    denoise_settings_clear(&filter->settings);
    diffuse_session_close(&filter->session);
    loader_clear(&filter->loader);
    G_OBJECT_CLASS(gst_diffuse_denoise_parent_class)->finalize(object);
}

static void gst_diffuse_denoise_class_init(GstDiffuseDenoiseClass *klass)
{
    GstElementClass *element = GST_ELEMENT_CLASS(klass);
    GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS(klass);
    GST_DEBUG_CATEGORY_INIT(diffusedenoise_debug, "diffusedenoise", 0, "diffusion denoiser");
    diffuse_session_init_types();

    G_OBJECT_CLASS(klass)->finalize = gst_diffuse_denoise_finalize;
    G_OBJECT_CLASS(klass)->set_property = set_property;
    G_OBJECT_CLASS(klass)->get_property = get_property;
    denoise_settings_install(G_OBJECT_CLASS(klass));
    GstCaps *caps = gst_caps_from_string(CAPS);
    gst_audio_filter_class_add_pad_templates(GST_AUDIO_FILTER_CLASS(klass), caps);
    gst_caps_unref(caps);
    gst_element_class_set_static_metadata(element, "Diffusion denoiser", "Filter/Effect/Audio",
                                          "Takes noise out of a recording with a diffusion model",
                                          "The Ebb authors");
    element->change_state = GST_DEBUG_FUNCPTR(change_state);
    base->start = GST_DEBUG_FUNCPTR(start);
    base->stop = GST_DEBUG_FUNCPTR(stop);
    base->query = GST_DEBUG_FUNCPTR(query);
    base->sink_event = GST_DEBUG_FUNCPTR(sink_event);
    base->submit_input_buffer = GST_DEBUG_FUNCPTR(submit_input_buffer);
    base->transform = GST_DEBUG_FUNCPTR(transform);
    base->generate_output = GST_DEBUG_FUNCPTR(generate_output);
    GST_AUDIO_FILTER_CLASS(klass)->setup = GST_DEBUG_FUNCPTR(setup);
}

static void gst_diffuse_denoise_init(GstDiffuseDenoise *filter)
{
    GstBaseTransform *base = GST_BASE_TRANSFORM(filter);
    loader_init(&filter->loader);
    denoise_settings_init(&filter->settings);
    filter->stream.element = base;
    filter->stream.session = &filter->session;
    filter->stream.loader = &filter->loader;
    filter->stream.settings = &filter->settings;
    filter->stream.stats.snr = NAN;
    // Never passthrough, not even for t = 0: the sound would jump by the latency.
    gst_base_transform_set_in_place(base, FALSE);
    gst_base_transform_set_passthrough(base, FALSE);
    gst_base_transform_set_gap_aware(base, TRUE);
    gst_base_transform_set_qos_enabled(base, FALSE); // dropping input would move the sound
}
