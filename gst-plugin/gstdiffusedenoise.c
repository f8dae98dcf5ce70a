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

GST_DEBUG_CATEGORY(diffusedenoise_debug);
#define GST_CAT_DEFAULT diffusedenoise_debug

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
    gst_diffuse_denoise_forget_run(filter);
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

struct denoise_knobs gst_diffuse_denoise_knobs(GstDiffuseDenoise *filter)
{
    GST_OBJECT_LOCK(filter);
    const struct denoise_settings *settings = &filter->settings;
    struct denoise_knobs knobs = {.t = settings->auto_t ? EBB_T_AUTO : settings->t >= 0 ? settings->t : filter->model_t,
                                  .wet = settings->wet, .steps = settings->steps};
    GST_OBJECT_UNLOCK(filter);
    return knobs;
}

struct ebb_denoise *gst_diffuse_denoise_make_engine(GstDiffuseDenoise *filter, const GstAudioInfo *info,
                                                    const struct denoise_knobs *knobs, struct ebb_error *error)
{
    struct ebb_denoise_params params;
    ebb_denoise_params_default(&params);
    GST_OBJECT_LOCK(filter);
    char *sampler = g_strdup(filter->settings.sampler);
    GST_OBJECT_UNLOCK(filter);
    params.t = knobs->t;
    params.wet = knobs->wet;
    params.steps = knobs->steps;
    params.sampler = sampler && *sampler ? sampler : NULL;
    params.live = filter->live;
    params.progress = go_on;
    params.user = filter;
    struct ebb_denoise *engine = ebb_denoise_create(filter->session.model, &params, info->rate, info->channels, error);
    g_free(sampler);
    return engine;
}

void gst_diffuse_denoise_publish_latency(GstDiffuseDenoise *filter)
{
    GstClockTime latency = filter->algorithm + (filter->live ? filter->allowance : 0);
    GST_OBJECT_LOCK(filter);
    gboolean changed = filter->stats.latency != latency;
    filter->stats.latency = latency;
    filter->stats.live = filter->live;
    GST_OBJECT_UNLOCK(filter);
    GST_INFO_OBJECT(filter, "%s, latency %" GST_TIME_FORMAT ", of which %" GST_TIME_FORMAT " for computing",
                    filter->live ? "live" : "not live", GST_TIME_ARGS(latency), GST_TIME_ARGS(latency - filter->algorithm));
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
    filter->knobs = gst_diffuse_denoise_knobs(filter);
    filter->engine = gst_diffuse_denoise_make_engine(filter, info, &filter->knobs, &error);
    float *scratch = g_try_realloc_n(filter->scratch, DIFFUSE_DENOISE_SLICE * (gsize)info->channels, sizeof(*scratch));
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
    filter->allowance = latency < 0 ? DIFFUSE_DENOISE_ALLOWANCE : (GstClockTime)latency * GST_MSECOND;
    filter->algorithm = gst_util_uint64_scale_ceil(ebb_denoise_latency(filter->engine), GST_SECOND, (guint64)info->rate);
    gst_diffuse_denoise_forget_run(filter);
    gst_diffuse_denoise_publish_latency(filter);
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

// ---- the stream ----

static GstFlowReturn submit_input_buffer(GstBaseTransform *base, gboolean is_discont, GstBuffer *input)
{
    GstFlowReturn result = PARENT(GST_BASE_TRANSFORM_CLASS)->submit_input_buffer(base, is_discont, input);
    GstBuffer *buffer = base->queued_buf; // NULL: outside the segment
    base->queued_buf = NULL;
    if (result == GST_FLOW_OK && buffer)
        result = gst_diffuse_denoise_submit(GST_DIFFUSE_DENOISE(base), buffer);
    gst_clear_buffer(&buffer);
    return result;
}

static GstFlowReturn generate_output(GstBaseTransform *base, GstBuffer **out)
{
    return gst_diffuse_denoise_next_output(GST_DIFFUSE_DENOISE(base), out);
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
        gst_diffuse_denoise_forget_run(filter);
        filter->debt = 0;
        filter->dry = FALSE;
        break;
    case GST_EVENT_GAP:
        if (gst_diffuse_denoise_fill_gap(filter, event)) {
            gst_event_unref(event);
            return TRUE;
        }
        gst_diffuse_denoise_drain(filter);
        break;
    case GST_EVENT_EOS:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_CAPS:
        gst_diffuse_denoise_drain(filter);
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
