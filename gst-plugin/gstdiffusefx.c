// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-diffusefx
 * @title: diffusefx
 *
 * diffusefx makes the sounds that subtitles describe: [thunder], (door slams), or a line that is the name of
 * a sound and nothing else. An event begins at its cue. A texture lasts as long as its cue. Everything else
 * is silence. Sounds that overlap are mixed.
 *
 * The words of a cue are compared with the labels of the model. A caption for which there is no label is a
 * WARNING message and a line in the property stats.
 *
 * With is-live=true the element keeps pace with the clock, and needs no cues: an event diffuse-play of the
 * application, or of an element downstream, plays a sound at once that was prepared ahead.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=film.srt ! subparse ! diffusefx ! audioconvert ! wavenc ! \
 *     filesink location=film.wav
 * ]| Writes the sounds of a subtitle file into a sound file.
 * |[
 * gst-launch-1.0 filesrc location=film.srt ! subparse ! diffusefx ! autoaudiosink
 * ]| Plays them.
 */
#include "gstdiffusefx.h"

#include "audiocaps.h"
#include "cuestream.h"
#include "messages.h"

GST_DEBUG_CATEGORY_STATIC(diffusefx_debug);
#define GST_CAT_DEFAULT diffusefx_debug
#define PLAY "diffuse-play"

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("text/x-raw, format = (string) { utf8, pango-markup }"));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                                   GST_STATIC_CAPS(DIFFUSE_AUDIO_CAPS));

struct _GstDiffuseFx {
    GstElement parent;
    GstPad *sink, *src; // of the element

    // Under the object lock.
    struct cue_settings settings;
    GstStructure *model_info;

    struct diffuse_session session; // of the state changes, and of the worker while there is one
    struct voice_worker *worker;    // from READY to PAUSED, and back
    struct cue_stream stream;
};

G_DEFINE_TYPE_WITH_CODE(GstDiffuseFx, gst_diffuse_fx, GST_TYPE_ELEMENT,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_PRESET, NULL))
GST_ELEMENT_REGISTER_DEFINE(diffusefx, "diffusefx", GST_RANK_NONE, GST_TYPE_DIFFUSE_FX)

#define PARENT(cast) cast(gst_diffuse_fx_parent_class)

// ---- starting and stopping ----

// A copy of the settings that a start needs.
struct fx_start {
    struct model_settings model;
    struct ebb_recipe *recipe;
    char *prepare;
    guint lookahead;
    gboolean is_live;
};

// FALSE: a property has a value that was not taken; `error` says why.
static gboolean copy_settings(GstDiffuseFx *fx, struct fx_start *copy, struct ebb_error *error)
{
    GST_OBJECT_LOCK(fx);
    struct diffuse_settings *sound = &fx->settings.sound;
    diffuse_settings_draw_seed(sound);
    *copy = (struct fx_start){model_settings_copy(&fx->settings.model),
                              sound->recipe ? ebb_recipe_copy(sound->recipe) : NULL,
                              g_strdup(fx->settings.prepare), fx->settings.lookahead, fx->settings.is_live};
    gboolean good = copy->recipe && !sound->refused;
    *error = sound->refused ? sound->refusal
                            : (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a recipe"};
    GST_OBJECT_UNLOCK(fx);
    return good;
}

static void clear_settings(struct fx_start *settings)
{
    model_settings_clear(&settings->model);
    ebb_recipe_destroy(&settings->recipe);
    g_free(settings->prepare);
}

// The properties go back to what is heard, unless they were changed again meanwhile.
static void on_refused(void *user, const struct ebb_recipe *refused, const struct ebb_recipe *kept)
{
    GstDiffuseFx *fx = user;
    struct ebb_recipe *copy = ebb_recipe_copy(kept);
    GST_OBJECT_LOCK(fx);
    struct diffuse_settings *sound = &fx->settings.sound;
    if (copy && ebb_recipe_same(sound->recipe, refused)) {
        struct ebb_recipe *old = sound->recipe;
        sound->recipe = copy;
        copy = old;
    }
    GST_OBJECT_UNLOCK(fx);
    ebb_recipe_destroy(&copy);
}

static void stop(GstDiffuseFx *fx)
{
    cue_stream_stop(&fx->stream);
    GST_OBJECT_LOCK(fx);
    struct voice_worker *worker = fx->worker;
    fx->worker = NULL;
    GST_OBJECT_UNLOCK(fx);
    voice_worker_destroy(&worker);
}

static gboolean start_worker(GstDiffuseFx *fx, const struct fx_start *settings)
{
    struct ebb_error error = {0};
    struct voice_worker *worker = voice_worker_create(&fx->session, GST_ELEMENT(fx), settings->recipe,
                                                      settings->prepare, &error);
    if (!worker) {
        diffuse_post_error(GST_ELEMENT(fx), &error);
        return FALSE;
    }
    voice_worker_on_refused(worker, on_refused, fx);
    voice_worker_set_lookahead(worker, settings->lookahead);
    GST_OBJECT_LOCK(fx);
    fx->worker = worker;
    GST_OBJECT_UNLOCK(fx);
    cue_stream_start(&fx->stream, worker, settings->is_live);
    char *device = model_settings_device(&settings->model);
    gboolean started = voice_worker_start(worker, device, settings->model.threads);
    g_free(device);
    if (started)
        return TRUE;
    GST_ELEMENT_ERROR(fx, RESOURCE, NO_SPACE_LEFT, ("No thread could be started."), (NULL));
    return FALSE;
}

static gboolean start(GstDiffuseFx *fx)
{
    struct fx_start settings;
    struct ebb_error error = {0};
    gboolean good = copy_settings(fx, &settings, &error);
    if (!good)
        diffuse_post_error(GST_ELEMENT(fx), &error);
    good = good &&
           diffuse_session_open(&fx->session, GST_ELEMENT(fx), settings.model.model, EBB_MODEL_GENERATE);
    GstStructure *info = diffuse_session_info(&fx->session);
    GST_OBJECT_LOCK(fx);
    GstStructure *old = fx->model_info;
    fx->model_info = info;
    GST_OBJECT_UNLOCK(fx);
    g_clear_pointer(&old, gst_structure_free);
    good = good && start_worker(fx, &settings);
    clear_settings(&settings);
    if (!good)
        stop(fx);
    return good;
}

static gboolean is_live(GstDiffuseFx *fx)
{
    GST_OBJECT_LOCK(fx);
    gboolean live = fx->settings.is_live;
    GST_OBJECT_UNLOCK(fx);
    return live;
}

// In front of the base class, whose part is to switch the pads on and off.
static gboolean prepare_change(GstDiffuseFx *fx, GstStateChange transition)
{
    switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED: return start(fx);
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED: cue_stream_set_playing(&fx->stream, FALSE); break;
    case GST_STATE_CHANGE_PAUSED_TO_READY: cue_stream_set_flushing(&fx->stream, TRUE); break;
    default: break;
    }
    return TRUE;
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition)
{
    GstDiffuseFx *fx = GST_DIFFUSE_FX(element);
    if (!prepare_change(fx, transition))
        return GST_STATE_CHANGE_FAILURE;
    GstStateChangeReturn result = PARENT(GST_ELEMENT_CLASS)->change_state(element, transition);
    gboolean failed = result == GST_STATE_CHANGE_FAILURE;
    if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING && !failed)
        cue_stream_set_playing(&fx->stream, TRUE);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
        (transition == GST_STATE_CHANGE_READY_TO_PAUSED && failed))
        stop(fx);
    if (transition == GST_STATE_CHANGE_READY_TO_NULL)
        diffuse_session_close(&fx->session);
    gboolean pauses = transition == GST_STATE_CHANGE_READY_TO_PAUSED ||
                      transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED;
    return pauses && !failed && is_live(fx) ? GST_STATE_CHANGE_NO_PREROLL : result;
}

static gboolean activate_src(GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
    struct cue_stream *stream = &GST_DIFFUSE_FX(parent)->stream;
    if (mode != GST_PAD_MODE_PUSH)
        return FALSE;
    cue_stream_set_flushing(stream, !active);
    return active ? gst_pad_start_task(pad, cue_stream_loop, stream, NULL) : gst_pad_stop_task(pad);
}

// ---- the text pad ----

static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    GstFlowReturn result = cue_stream_take_cue(&GST_DIFFUSE_FX(parent)->stream, buffer);
    gst_buffer_unref(buffer);
    return result;
}

static gboolean is_play(const GstEvent *event)
{
    return gst_event_has_name((GstEvent *)event, PLAY);
}

// Takes the event.
static gboolean play(GstDiffuseFx *fx, GstEvent *event)
{
    gboolean played = cue_stream_play(&fx->stream, gst_event_get_structure(event));
    gst_event_unref(event);
    return played;
}

static gboolean is_stream_live(GstDiffuseFx *fx)
{
    GstClockTime latency;
    return cue_stream_latency(&fx->stream, 0, &latency);
}

// A live stream goes on over a flush of its cues.
static gboolean flush(GstDiffuseFx *fx, GstEvent *event)
{
    gboolean begins = GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START, live = is_stream_live(fx);
    if (live) {
        gst_event_unref(event);
        if (begins)
            cue_stream_flush(&fx->stream);
        return TRUE;
    }
    if (begins) {
        cue_stream_set_flushing(&fx->stream, TRUE);
        gboolean pushed = gst_pad_push_event(fx->src, event);
        gst_pad_pause_task(fx->src);
        return pushed;
    }
    gboolean pushed = gst_pad_push_event(fx->src, event);
    cue_stream_flush(&fx->stream);
    cue_stream_set_flushing(&fx->stream, FALSE);
    gst_pad_start_task(fx->src, cue_stream_loop, &fx->stream, NULL);
    return pushed;
}

static gboolean sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstDiffuseFx *fx = GST_DIFFUSE_FX(parent);
    if (is_play(event))
        return play(fx, event);
    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START || GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP)
        return flush(fx, event);
    if (GST_EVENT_IS_SERIALIZED(event))
        return cue_stream_take_event(&fx->stream, event);
    return gst_pad_push_event(fx->src, event);
}

// ---- the audio pad ----

// Sound is played forwards, and a live stream only as the clock goes.
static gboolean is_refused(GstDiffuseFx *fx, GstEvent *event)
{
    double rate = 1;
    if (GST_EVENT_TYPE(event) != GST_EVENT_SEEK)
        return FALSE;
    gst_event_parse_seek(event, &rate, NULL, NULL, NULL, NULL, NULL, NULL);
    return rate < 0 || is_stream_live(fx);
}

static gboolean src_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstDiffuseFx *fx = GST_DIFFUSE_FX(parent);
    if (is_play(event))
        return play(fx, event);
    if (!is_refused(fx, event))
        return gst_pad_event_default(pad, parent, event);
    gst_event_unref(event);
    return FALSE;
}

static gboolean send_event(GstElement *element, GstEvent *event)
{
    GstDiffuseFx *fx = GST_DIFFUSE_FX(element);
    if (is_play(event))
        return play(fx, event);
    if (GST_EVENT_TYPE(event) != GST_EVENT_EOS || !is_stream_live(fx))
        return PARENT(GST_ELEMENT_CLASS)->send_event(element, event);
    gst_event_unref(event);
    cue_stream_end(&fx->stream);
    return TRUE;
}

static gboolean answer_latency(GstDiffuseFx *fx, GstPad *pad, GstQuery *query)
{
    gboolean live = FALSE;
    GstClockTime least = 0, latency;
    if (gst_pad_peer_query(fx->sink, query))
        gst_query_parse_latency(query, &live, &least, NULL);
    if (!cue_stream_latency(&fx->stream, live ? least : 0, &latency))
        return gst_pad_query_default(pad, GST_OBJECT(fx), query);
    gst_query_set_latency(query, TRUE, latency, GST_CLOCK_TIME_NONE);
    return TRUE;
}

static gboolean answer_position(GstDiffuseFx *fx, GstPad *pad, GstQuery *query)
{
    GstFormat format;
    gst_query_parse_position(query, &format, NULL);
    GstClockTime position = cue_stream_position(&fx->stream);
    if (format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID(position))
        return gst_pad_query_default(pad, GST_OBJECT(fx), query);
    gst_query_set_position(query, format, (gint64)position);
    return TRUE;
}

static gboolean answer_seeking(GstDiffuseFx *fx, GstPad *pad, GstQuery *query)
{
    GstFormat format;
    if (!is_stream_live(fx))
        return gst_pad_query_default(pad, GST_OBJECT(fx), query);
    gst_query_parse_seeking(query, &format, NULL, NULL, NULL);
    gst_query_set_seeking(query, format, FALSE, 0, -1);
    return TRUE;
}

static gboolean src_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstDiffuseFx *fx = GST_DIFFUSE_FX(parent);
    switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_LATENCY: return answer_latency(fx, pad, query);
    case GST_QUERY_POSITION: return answer_position(fx, pad, query);
    case GST_QUERY_SEEKING: return answer_seeking(fx, pad, query);
    default: return gst_pad_query_default(pad, parent, query);
    }
}

// ---- properties ----

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstDiffuseFx *fx = GST_DIFFUSE_FX(object);
    struct ebb_error refusal = {0};
    GST_OBJECT_LOCK(fx);
    gboolean taken = cue_settings_set(&fx->settings, id, pspec, value), running = fx->worker != NULL;
    if (running && !ebb_recipe_has(fx->settings.sound.recipe, "seed"))
        diffuse_settings_draw_seed(&fx->settings.sound);
    if (running && id == CUE_SETTING && taken)
        voice_worker_configure(fx->worker, fx->settings.sound.recipe);
    if (running && id == CUE_LOOKAHEAD)
        voice_worker_set_lookahead(fx->worker, fx->settings.lookahead);
    if (id == CUE_WIDTH)
        gst_pad_mark_reconfigure(fx->src); // the task takes it with the caps
    if (running && !taken)
        refusal = diffuse_settings_forgive(&fx->settings.sound);
    GST_OBJECT_UNLOCK(fx);
    if (id == CUE_IS_LIVE && g_value_get_boolean(value))
        GST_OBJECT_FLAG_SET(fx, GST_ELEMENT_FLAG_SOURCE); // EOS of the application comes here
    if (id == CUE_IS_LIVE && !g_value_get_boolean(value))
        GST_OBJECT_FLAG_UNSET(fx, GST_ELEMENT_FLAG_SOURCE);
    if (refusal.code != EBB_OK)
        diffuse_post_warning(GST_ELEMENT(fx), &refusal);
}

static GStrv list_labels(GstDiffuseFx *fx)
{
    GST_OBJECT_LOCK(fx);
    char *name = g_strdup(fx->settings.model.model);
    GST_OBJECT_UNLOCK(fx);
    GStrv labels = diffuse_session_labels(name, EBB_MODEL_GENERATE);
    g_free(name);
    return labels;
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstDiffuseFx *fx = GST_DIFFUSE_FX(object);
    if (id == CUE_LABELS) {
        g_value_take_boxed(value, list_labels(fx));
        return;
    }
    GST_OBJECT_LOCK(fx);
    if (id == CUE_STATS)
        g_value_take_boxed(value, cue_report_stats(&fx->stream.report, fx->worker, fx->stream.native_rate));
    else if (id == CUE_MODEL_INFO)
        g_value_set_boxed(value, fx->model_info);
    else
        cue_settings_get(&fx->settings, id, pspec, value);
    GST_OBJECT_UNLOCK(fx);
}

// ---- the class ----

static void gst_diffuse_fx_finalize(GObject *object)
{
    GstDiffuseFx *fx = GST_DIFFUSE_FX(object);
    cue_stream_clear(&fx->stream);
    cue_settings_clear(&fx->settings);
    g_clear_pointer(&fx->model_info, gst_structure_free);
    diffuse_session_close(&fx->session);
    G_OBJECT_CLASS(gst_diffuse_fx_parent_class)->finalize(object);
}

static void gst_diffuse_fx_class_init(GstDiffuseFxClass *klass)
{
    GstElementClass *element = GST_ELEMENT_CLASS(klass);
    GST_DEBUG_CATEGORY_INIT(diffusefx_debug, "diffusefx", 0, "sounds of subtitles");
    diffuse_session_init_types();

    G_OBJECT_CLASS(klass)->finalize = gst_diffuse_fx_finalize;
    G_OBJECT_CLASS(klass)->set_property = set_property;
    G_OBJECT_CLASS(klass)->get_property = get_property;
    cue_settings_install(G_OBJECT_CLASS(klass));
    gst_element_class_add_static_pad_template(element, &sink_template);
    gst_element_class_add_static_pad_template(element, &src_template);
    gst_element_class_set_static_metadata(element, "Diffusion sound effects", "Generic/Audio",
                                          "Makes the sounds that subtitles describe with a diffusion model",
                                          "The Ebb authors");
    element->change_state = GST_DEBUG_FUNCPTR(change_state);
    element->send_event = GST_DEBUG_FUNCPTR(send_event);
}

static void gst_diffuse_fx_init(GstDiffuseFx *fx)
{
    cue_settings_init(&fx->settings);
    fx->sink = gst_pad_new_from_static_template(&sink_template, "sink");
    gst_pad_set_chain_function(fx->sink, chain);
    gst_pad_set_event_function(fx->sink, sink_event);
    gst_element_add_pad(GST_ELEMENT(fx), fx->sink);
    fx->src = gst_pad_new_from_static_template(&src_template, "src");
    gst_pad_set_activatemode_function(fx->src, activate_src);
    gst_pad_set_event_function(fx->src, src_event);
    gst_pad_set_query_function(fx->src, src_query);
    gst_element_add_pad(GST_ELEMENT(fx), fx->src);
    cue_stream_init(&fx->stream);
    fx->stream.element = GST_ELEMENT(fx);
    fx->stream.src = fx->src;
    fx->stream.session = &fx->session;
    fx->stream.settings = &fx->settings;
}
