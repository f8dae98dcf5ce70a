// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-diffusesrc
 * @title: diffusesrc
 *
 * diffusesrc generates sound with a diffusion model. The stream is a series of clips of one label. The clips
 * of a texture (rain) overlap without a seam. The clips of an event (a bell) stand alone, with silence
 * between them. Clip i depends on the seed and on i alone. So an application can seek, and the same seed
 * makes the same sound again.
 *
 * A thread computes clips ahead. If computing is slower than the clock, BUFFERING messages pause the
 * application and no sound is lost. With is-live=true the stream has silence there instead.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 diffusesrc ! autoaudiosink
 * ]| Plays the label that the model recommends, without end.
 * |[
 * gst-launch-1.0 diffusesrc label=bell num-clips=3 ! audioconvert ! wavenc ! filesink location=bells.wav
 * ]| Writes three clips of a label into a file.
 */
#include "gstdiffusesrc.h"

#include "address.h"
#include "audiocaps.h"
#include "messages.h"
#include "sourcestream.h"

GST_DEBUG_CATEGORY_STATIC(diffusesrc_debug);
#define GST_CAT_DEFAULT diffusesrc_debug

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                                   GST_STATIC_CAPS(DIFFUSE_AUDIO_CAPS));

struct _GstDiffuseSrc {
    GstPushSrc parent;

    // Under the object lock.
    struct source_settings settings;
    GstStructure *model_info;
    GstClockTime latency; // one buffer of the negotiated rate; 0: not negotiated
    gboolean not_two;     // the output has another number of channels than two: the width does not count

    struct diffuse_session session; // of the state changes, and of the worker while there is one
    struct clip_worker *worker;     // from start to stop; the pointer is under the object lock
    struct source_stream stream;
};

static void uri_handler_init(gpointer iface, gpointer data);

G_DEFINE_TYPE_WITH_CODE(GstDiffuseSrc, gst_diffuse_src, GST_TYPE_PUSH_SRC,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_PRESET, NULL)
                            G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, (GInterfaceInitFunc)uri_handler_init))
GST_ELEMENT_REGISTER_DEFINE(diffusesrc, "diffusesrc", GST_RANK_NONE, GST_TYPE_DIFFUSE_SRC)

#define PARENT(cast) cast(gst_diffuse_src_parent_class)

// ---- starting and stopping ----

// How full the queue of clips is, and how fast it fills and empties, in bytes a second.
struct buffering {
    gboolean busy;
    gint percent, in, out;
};

static struct buffering buffering_of(GstDiffuseSrc *src)
{
    struct clip_stats stats = {0};
    GST_OBJECT_LOCK(src);
    if (src->worker)
        clip_worker_stats(src->worker, &stats);
    gint rate = src->stream.native_rate;
    GST_OBJECT_UNLOCK(src);
    double seconds = (double)stats.compute / GST_SECOND;
    double in = seconds > 0 ? (double)stats.samples * sizeof(float) / seconds : 0;
    return (struct buffering){stats.buffering, stats.percent, (gint)MIN(in, G_MAXINT),
                              rate * (gint)sizeof(float)};
}

static void on_buffering(void *user, int percent)
{
    GstElement *element = user;
    GST_DEBUG_OBJECT(element, "buffering %d %%", percent);
    struct buffering state = buffering_of(GST_DIFFUSE_SRC(element));
    GstMessage *message = gst_message_new_buffering(GST_OBJECT(element), percent);
    gst_message_set_buffering_stats(message, GST_BUFFERING_STREAM, state.in, state.out, -1);
    gst_element_post_message(element, message);
}

static GstClockTime duration_of(GstDiffuseSrc *src)
{
    guint64 total = clip_worker_total(src->worker);
    if (total == G_MAXUINT64)
        return GST_CLOCK_TIME_NONE;
    return gst_util_uint64_scale_round(total, GST_SECOND, (guint64)src->stream.native_rate);
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

// The recipe that the worker is given: a width is for two channels. Under the object lock. NULL: no memory.
static struct ebb_recipe *recipe_for_worker(const GstDiffuseSrc *src)
{
    const struct ebb_recipe *now = src->settings.sound.recipe;
    struct ebb_recipe *recipe = now ? ebb_recipe_copy(now) : NULL;
    if (recipe && src->not_two)
        ebb_recipe_open(recipe, "width");
    return recipe;
}

static gboolean is_refused(const GstDiffuseSrc *src, const struct ebb_recipe *refused)
{
    struct ebb_recipe *now = recipe_for_worker(src);
    gboolean same = now && ebb_recipe_same(now, refused);
    ebb_recipe_destroy(&now);
    return same;
}

// The properties go back to what is heard, unless they were changed again meanwhile.
static void on_refused(void *user, const struct ebb_recipe *refused, const struct ebb_recipe *kept)
{
    GstDiffuseSrc *src = user;
    struct ebb_recipe *copy = ebb_recipe_copy(kept);
    GST_OBJECT_LOCK(src);
    struct diffuse_settings *sound = &src->settings.sound;
    if (copy && is_refused(src, refused)) {
        double width = ebb_recipe_number(sound->recipe, "width");
        if (src->not_two && width > 0)
            ebb_recipe_set_number(copy, "width", width, NULL);
        struct ebb_recipe *old = sound->recipe;
        sound->recipe = copy;
        copy = old;
    }
    GST_OBJECT_UNLOCK(src);
    ebb_recipe_destroy(&copy);
}

// A copy of the settings that a start needs.
struct src_start {
    struct model_settings model;
    guint lookahead;
    gboolean trim;
    struct ebb_recipe *recipe;
};

// FALSE: a property has a value that was not taken; `error` says why.
static gboolean copy_settings(GstDiffuseSrc *src, struct src_start *copy, struct ebb_error *error)
{
    GST_OBJECT_LOCK(src);
    src->not_two = FALSE; // until it is negotiated
    struct diffuse_settings *sound = &src->settings.sound;
    diffuse_settings_draw_seed(sound);
    *copy = (struct src_start){model_settings_copy(&src->settings.model), src->settings.lookahead,
                               src->settings.trim, recipe_for_worker(src)};
    gboolean good = copy->recipe && !sound->refused;
    *error = sound->refused ? sound->refusal
                            : (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a recipe"};
    GST_OBJECT_UNLOCK(src);
    return good;
}

static void clear_settings(struct src_start *settings)
{
    model_settings_clear(&settings->model);
    ebb_recipe_destroy(&settings->recipe);
}

// Under the object lock.
static void configure_worker(GstDiffuseSrc *src)
{
    struct ebb_recipe *recipe = recipe_for_worker(src);
    if (recipe)
        clip_worker_configure(src->worker, recipe);
    ebb_recipe_destroy(&recipe);
}

// The clips have as many channels as the output and the width want.
static void take_channels(GstDiffuseSrc *src, gint channels)
{
    GST_OBJECT_LOCK(src);
    gboolean changed = src->not_two != (channels != 2);
    src->not_two = channels != 2;
    if (changed && src->worker && ebb_recipe_number(src->settings.sound.recipe, "width") > 0)
        configure_worker(src);
    GST_OBJECT_UNLOCK(src);
}

static gboolean start_worker(GstDiffuseSrc *src, const struct src_start *settings)
{
    struct clip_worker_hooks hooks = {on_buffering, on_length, on_refused, src};
    struct ebb_error error = {0};
    struct clip_worker *worker = clip_worker_create(&src->session, GST_ELEMENT(src), settings->recipe,
                                                    settings->lookahead, &hooks, &error);
    if (!worker) {
        diffuse_post_error(GST_ELEMENT(src), &error);
        return FALSE;
    }
    clip_worker_set_trim(worker, settings->trim);
    source_stream_start(&src->stream, worker);
    GST_OBJECT_LOCK(src);
    src->worker = worker;
    GST_OBJECT_UNLOCK(src);
    char *device = model_settings_device(&settings->model);
    gboolean started = clip_worker_start(worker, device, settings->model.threads);
    g_free(device);
    if (started)
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
    source_stream_stop(&src->stream);
    return TRUE;
}

static gboolean open_stream(GstDiffuseSrc *src)
{
    struct src_start settings;
    struct ebb_error error = {0};
    gboolean good = copy_settings(src, &settings, &error);
    if (!good)
        diffuse_post_error(GST_ELEMENT(src), &error);
    good = good &&
           diffuse_session_open(&src->session, GST_ELEMENT(src), settings.model.model, EBB_MODEL_GENERATE);
    GstStructure *info = diffuse_session_info(&src->session);
    GST_OBJECT_LOCK(src);
    GstStructure *old = src->model_info;
    src->model_info = info;
    src->stream.underruns = 0;
    src->latency = 0;
    GST_OBJECT_UNLOCK(src);
    g_clear_pointer(&old, gst_structure_free);
    good = good && start_worker(src, &settings);
    clear_settings(&settings);
    if (!good)
        stop(GST_BASE_SRC(src)); // the base class does not call it then
    return good;
}

// After the base class has set up its segment.
static gboolean start(GstBaseSrc *base)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(base);
    if (!src->worker && !open_stream(src)) // the pad alone was activated again
        return FALSE;
    update_duration(src);
    return TRUE;
}

// The model is opened before the base class starts: the base class adds an error of its own if start() fails.
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

// An application may send events in any state. In NULL and READY there is no worker.
static void set_flushing(GstDiffuseSrc *src, gboolean flushing)
{
    GST_OBJECT_LOCK(src);
    if (src->worker)
        clip_worker_set_flushing(src->worker, flushing);
    GST_OBJECT_UNLOCK(src);
}

// The wait ends, and the worker goes on: unlock() comes for every seek, and the clip under way may still be
// wanted.
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
    GST_OBJECT_LOCK(src);
    gboolean wide = ebb_recipe_number(src->settings.sound.recipe, "width") > 0;
    GST_OBJECT_UNLOCK(src);
    caps = diffuse_audio_prefer(caps, src->stream.native_rate, wide ? 2 : 1);
    return PARENT(GST_BASE_SRC_CLASS)->fixate(base, caps);
}

static gboolean set_caps(GstBaseSrc *base, GstCaps *caps)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(base);
    GstAudioInfo info;
    if (!gst_audio_info_from_caps(&info, caps))
        return FALSE;
    if (!source_stream_set_format(&src->stream, &info)) {
        GST_WARNING_OBJECT(src, "cannot convert to %" GST_PTR_FORMAT, (gpointer)caps);
        return FALSE;
    }
    take_channels(src, info.channels);
    GST_OBJECT_LOCK(src);
    src->latency = gst_util_uint64_scale_round(src->settings.samples_per_buffer, GST_SECOND,
                                               (guint64)info.rate);
    GST_OBJECT_UNLOCK(src);
    gst_element_post_message(GST_ELEMENT(src), gst_message_new_latency(GST_OBJECT(src)));
    return TRUE;
}

// ---- seeking and queries ----

static gboolean is_seekable(GstBaseSrc *base)
{
    return !gst_base_src_is_live(base);
}

// A seek backwards, or from an end that is not known, is refused here, before the base class flushes and
// forgets its segment.
static gboolean leads_nowhere(GstDiffuseSrc *src, GstEvent *event)
{
    if (GST_EVENT_TYPE(event) != GST_EVENT_SEEK)
        return FALSE;
    double rate;
    GstSeekType from, to;
    gst_event_parse_seek(event, &rate, NULL, NULL, &from, NULL, &to, NULL);
    if (rate < 0)
        return TRUE;
    GST_OBJECT_LOCK(src);
    gboolean endless = !src->worker || !GST_CLOCK_TIME_IS_VALID(duration_of(src));
    GST_OBJECT_UNLOCK(src);
    return endless && (from == GST_SEEK_TYPE_END || to == GST_SEEK_TYPE_END);
}

static gboolean event(GstBaseSrc *base, GstEvent *event)
{
    return !leads_nowhere(GST_DIFFUSE_SRC(base), event) && PARENT(GST_BASE_SRC_CLASS)->event(base, event);
}

static gboolean send_event(GstElement *element, GstEvent *event)
{
    if (!leads_nowhere(GST_DIFFUSE_SRC(element), event))
        return PARENT(GST_ELEMENT_CLASS)->send_event(element, event);
    gst_event_unref(event);
    return FALSE;
}

static gboolean do_seek(GstBaseSrc *base, GstSegment *segment)
{
    segment->time = segment->start;
    source_stream_seek(&GST_DIFFUSE_SRC(base)->stream, segment->position);
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
    gboolean good = caps && gst_audio_info_from_caps(&info, caps) &&
                    gst_audio_info_convert(&info, from, value, to, &converted);
    if (good)
        gst_query_set_convert(query, from, value, to, converted);
    gst_clear_caps(&caps);
    return good;
}

static gboolean answer_buffering(GstDiffuseSrc *src, GstQuery *query)
{
    if (!PARENT(GST_BASE_SRC_CLASS)->query(GST_BASE_SRC(src), query))
        return FALSE;
    struct buffering state = buffering_of(src);
    gst_query_set_buffering_percent(query, state.busy, state.percent);
    gst_query_set_buffering_stats(query, GST_BUFFERING_STREAM, state.in, state.out, -1);
    return TRUE;
}

static gboolean query(GstBaseSrc *base, GstQuery *query)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(base);
    switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_DURATION:
        return answer_duration(src, query) || PARENT(GST_BASE_SRC_CLASS)->query(base, query);
    case GST_QUERY_LATENCY: return answer_latency(src, query);
    case GST_QUERY_BUFFERING: return answer_buffering(src, query);
    case GST_QUERY_CONVERT: return answer_convert(src, query);
    default: return PARENT(GST_BASE_SRC_CLASS)->query(base, query);
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

static GstFlowReturn create(GstPushSrc *push, GstBuffer **buffer)
{
    return source_stream_next(&GST_DIFFUSE_SRC(push)->stream, buffer);
}

// ---- properties ----

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(object);
    if (id == SOURCE_IS_LIVE) {
        gst_base_src_set_live(GST_BASE_SRC(src), g_value_get_boolean(value));
        return;
    }

    struct ebb_error refusal = {0};
    GST_OBJECT_LOCK(src);
    gboolean taken = source_settings_set(&src->settings, id, pspec, value), running = src->worker != NULL;
    if (running && !ebb_recipe_has(src->settings.sound.recipe, "seed"))
        diffuse_settings_draw_seed(&src->settings.sound);
    if (running && id == SOURCE_SETTING && taken)
        configure_worker(src);
    if (running && id == SOURCE_LOOKAHEAD)
        clip_worker_set_lookahead(src->worker, src->settings.lookahead);
    if (running && !taken)
        refusal = diffuse_settings_forgive(&src->settings.sound);
    GST_OBJECT_UNLOCK(src);
    if (refusal.code != EBB_OK)
        diffuse_post_warning(GST_ELEMENT(src), &refusal);
}

static GStrv list_labels(GstDiffuseSrc *src)
{
    GST_OBJECT_LOCK(src);
    char *name = g_strdup(src->settings.model.model);
    GST_OBJECT_UNLOCK(src);
    GStrv labels = diffuse_session_labels(name, EBB_MODEL_GENERATE);
    g_free(name);
    return labels;
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(object);
    if (id == SOURCE_IS_LIVE) {
        g_value_set_boolean(value, gst_base_src_is_live(GST_BASE_SRC(src)));
        return;
    }

    if (id == SOURCE_LABELS) {
        g_value_take_boxed(value, list_labels(src));
        return;
    }

    GST_OBJECT_LOCK(src);
    if (id == SOURCE_STATS)
        g_value_take_boxed(value, source_stream_stats(&src->stream, src->worker));
    else if (id == SOURCE_MODEL_INFO)
        g_value_set_boxed(value, src->model_info);
    else
        source_settings_get(&src->settings, id, pspec, value);
    GST_OBJECT_UNLOCK(src);
}

// ---- the diffuse:// address ----

static GstURIType uri_type(GType type)
{
    return GST_URI_SRC;
}

static const gchar *const *uri_protocols(GType type)
{
    static const gchar *const protocols[] = {ADDRESS_SCHEME, NULL};
    return protocols;
}

static gchar *uri_get(GstURIHandler *handler)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(handler);
    GST_OBJECT_LOCK(src);
    gboolean ready = diffuse_settings_ready(&src->settings.sound);
    char *address = ready ? address_write(src->settings.sound.recipe) : NULL;
    GST_OBJECT_UNLOCK(src);
    return address;
}

static gboolean uri_set(GstURIHandler *handler, const gchar *text, GError **error)
{
    return address_apply(G_OBJECT(handler), text, error);
}

static void uri_handler_init(gpointer iface, gpointer data)
{
    GstURIHandlerInterface *handler = iface;
    handler->get_type = uri_type;
    handler->get_protocols = uri_protocols;
    handler->get_uri = uri_get;
    handler->set_uri = uri_set;
}

// ---- the class ----

static void gst_diffuse_src_finalize(GObject *object)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(object);
    source_settings_clear(&src->settings);
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
    G_OBJECT_CLASS(klass)->set_property = set_property;
    G_OBJECT_CLASS(klass)->get_property = get_property;
    source_settings_install(G_OBJECT_CLASS(klass));
    gst_element_class_add_static_pad_template(element, &src_template);
    gst_element_class_set_static_metadata(element, "Diffusion audio source", "Source/Audio",
                                          "Generates sound with a diffusion model", "The Ebb authors");
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
    source_settings_init(&src->settings);
    src->stream.element = GST_BASE_SRC(src);
    src->stream.session = &src->session;
    src->stream.settings = &src->settings;
    gst_base_src_set_format(GST_BASE_SRC(src), GST_FORMAT_TIME);
}
