// What can be set on diffusesrc, and its address: diffuse://label?seed=3&num-clips=2
#include "gstdiffusesrc.h"

#include <string.h>

enum {
    PROP_0,
    PROP_MODEL,
    PROP_DEVICE,
    PROP_THREADS,
    PROP_LABEL,
    PROP_SEED,
    PROP_STEPS,
    PROP_SAMPLER,
    PROP_GUIDANCE,
    PROP_CLASSIFIER_GUIDANCE,
    PROP_NUM_CLIPS,
    PROP_CROSSFADE,
    PROP_GAP,
    PROP_LOOKAHEAD,
    PROP_SAMPLES_PER_BUFFER,
    PROP_IS_LIVE,
    PROP_VOLUME,
    PROP_POST_MESSAGES,
    PROP_STATS,
    PROP_MODEL_INFO,
};

#define READY (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define PLAYING (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define READ_ONLY (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)

static void replace(char **text, const GValue *value)
{
    g_free(*text);
    *text = g_value_dup_string(value);
}

static gboolean set_clip_setting(struct clip_settings *clips, guint id, const GValue *value)
{
    switch (id) {
    case PROP_LABEL:
        replace(&clips->label, value);
        return TRUE;
    case PROP_SEED:
        clips->seed = g_value_get_uint64(value);
        return TRUE;
    case PROP_STEPS:
        clips->steps = g_value_get_int(value);
        return TRUE;
    case PROP_SAMPLER:
        replace(&clips->sampler, value);
        return TRUE;
    case PROP_GUIDANCE:
        clips->guidance = g_value_get_double(value);
        return TRUE;
    case PROP_CLASSIFIER_GUIDANCE:
        clips->classifier_guidance = g_value_get_double(value);
        return TRUE;
    case PROP_NUM_CLIPS:
        clips->clips = g_value_get_uint64(value);
        return TRUE;
    case PROP_CROSSFADE:
        clips->crossfade = g_value_get_double(value);
        return TRUE;
    case PROP_GAP:
        clips->gap = g_value_get_double(value);
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean set_plain_setting(struct src_settings *settings, guint id, const GValue *value)
{
    switch (id) {
    case PROP_MODEL:
        replace(&settings->model, value);
        return TRUE;
    case PROP_DEVICE:
        replace(&settings->device, value);
        return TRUE;
    case PROP_THREADS:
        settings->threads = g_value_get_int(value);
        return TRUE;
    case PROP_LOOKAHEAD:
        settings->lookahead = g_value_get_uint(value);
        return TRUE;
    case PROP_SAMPLES_PER_BUFFER:
        settings->samples_per_buffer = g_value_get_uint(value);
        return TRUE;
    case PROP_VOLUME:
        settings->volume = g_value_get_double(value);
        return TRUE;
    case PROP_POST_MESSAGES:
        settings->post_messages = g_value_get_boolean(value);
        return TRUE;
    default:
        return FALSE;
    }
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(object);
    if (id == PROP_IS_LIVE) {
        gst_base_src_set_live(GST_BASE_SRC(src), g_value_get_boolean(value));
        return;
    }

    GST_OBJECT_LOCK(src);
    gboolean clip = set_clip_setting(&src->settings.clips, id, value);
    gboolean known = clip || set_plain_setting(&src->settings, id, value);
    if (src->worker && clip)
        clip_worker_configure(src->worker, &src->settings.clips);
    if (src->worker && id == PROP_LOOKAHEAD)
        clip_worker_set_lookahead(src->worker, src->settings.lookahead);
    GST_OBJECT_UNLOCK(src);
    if (!known)
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static GstStructure *stats(GstDiffuseSrc *src)
{
    struct clip_stats stats = {0};
    if (src->worker)
        clip_worker_stats(src->worker, &stats);
    double seconds = src->native_rate ? (double)stats.samples / src->native_rate : 0;
    double rtf = seconds > 0 ? (double)stats.compute / GST_SECOND / seconds : 0;
    return gst_structure_new("diffuse-stats", "clips", G_TYPE_UINT64, stats.clips, "compute-time", G_TYPE_UINT64, stats.compute,
                             "rtf", G_TYPE_DOUBLE, rtf, "queued", G_TYPE_UINT, stats.queued, "underruns", G_TYPE_UINT64,
                             src->underruns, "loaded", G_TYPE_BOOLEAN, stats.loaded, NULL);
}

static void get_clip_setting(const struct clip_settings *clips, guint id, GValue *value)
{
    switch (id) {
    case PROP_LABEL:
        g_value_set_string(value, clips->label);
        break;
    case PROP_SEED:
        g_value_set_uint64(value, clips->seed);
        break;
    case PROP_STEPS:
        g_value_set_int(value, clips->steps);
        break;
    case PROP_SAMPLER:
        g_value_set_string(value, clips->sampler);
        break;
    case PROP_GUIDANCE:
        g_value_set_double(value, clips->guidance);
        break;
    case PROP_CLASSIFIER_GUIDANCE:
        g_value_set_double(value, clips->classifier_guidance);
        break;
    case PROP_NUM_CLIPS:
        g_value_set_uint64(value, clips->clips);
        break;
    case PROP_CROSSFADE:
        g_value_set_double(value, clips->crossfade);
        break;
    case PROP_GAP:
        g_value_set_double(value, clips->gap);
        break;
    }
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(object);
    if (id == PROP_IS_LIVE) {
        g_value_set_boolean(value, gst_base_src_is_live(GST_BASE_SRC(src)));
        return;
    }

    GST_OBJECT_LOCK(src);
    switch (id) {
    case PROP_MODEL:
        g_value_set_string(value, src->settings.model);
        break;
    case PROP_DEVICE:
        g_value_set_string(value, src->settings.device);
        break;
    case PROP_THREADS:
        g_value_set_int(value, src->settings.threads);
        break;
    case PROP_LOOKAHEAD:
        g_value_set_uint(value, src->settings.lookahead);
        break;
    case PROP_SAMPLES_PER_BUFFER:
        g_value_set_uint(value, src->settings.samples_per_buffer);
        break;
    case PROP_VOLUME:
        g_value_set_double(value, src->settings.volume);
        break;
    case PROP_POST_MESSAGES:
        g_value_set_boolean(value, src->settings.post_messages);
        break;
    case PROP_STATS:
        g_value_take_boxed(value, stats(src));
        break;
    case PROP_MODEL_INFO:
        g_value_set_boxed(value, src->model_info);
        break;
    default:
        get_clip_setting(&src->settings.clips, id, value);
    }
    GST_OBJECT_UNLOCK(src);
}

static void install_model_properties(GObjectClass *klass)
{
    // One string for ever: the samplers are the library's to know.
    static char *samplers = NULL;
    if (!samplers)
        samplers = g_strdup_printf("Sampler, empty for the one the model recommends: %s", diffuse_sampler_names());

    g_object_class_install_property(klass, PROP_MODEL,
        g_param_spec_string("model", "Model", "Model folder, or the name of one in the model path (empty: the shipped \"sfx\")",
                            NULL, READY));
    g_object_class_install_property(klass, PROP_DEVICE,
        g_param_spec_string("device", "Device", "Where the network runs: auto, cpu, ref, vulkan, vulkan:N, vulkan:NAME", "auto",
                            READY));
    g_object_class_install_property(klass, PROP_THREADS,
        g_param_spec_int("threads", "Threads", "CPU threads (0 = physical cores)", 0, 1024, 0, READY));
    g_object_class_install_property(klass, PROP_LABEL,
        g_param_spec_string("label", "Label", "What to play, one of model-info's labels (empty: the model's default); "
                            "a change is heard from the next clip on", NULL, PLAYING));
    g_object_class_install_property(klass, PROP_SEED,
        g_param_spec_uint64("seed", "Seed", "Same seed, same sound; a change is heard from the next clip on", 0, G_MAXUINT64, 0,
                            PLAYING));
    g_object_class_install_property(klass, PROP_STEPS,
        g_param_spec_int("steps", "Steps", "Sampler steps per clip (0 = as the model recommends)", 0, 1000, 0, PLAYING));
    g_object_class_install_property(klass, PROP_SAMPLER,
        g_param_spec_string("sampler", "Sampler", samplers, NULL, PLAYING));
    g_object_class_install_property(klass, PROP_GUIDANCE,
        g_param_spec_double("guidance", "Guidance", "Classifier-free guidance: 1 = none, 0 = as if without label, "
                            "-1 = as the model recommends", -1, 100, -1, PLAYING));
    g_object_class_install_property(klass, PROP_CLASSIFIER_GUIDANCE,
        g_param_spec_double("classifier-guidance", "Classifier guidance", "Follow the model's classifier, beside the other guidance "
                            "(0 = off)", 0, 1000, 0, PLAYING));
}

static void install_stream_properties(GObjectClass *klass)
{
    g_object_class_install_property(klass, PROP_NUM_CLIPS,
        g_param_spec_uint64("num-clips", "Number of clips", "Clips before the end of the stream (0 = without end)", 0,
                            G_MAXUINT32, 0, PLAYING));
    g_object_class_install_property(klass, PROP_CROSSFADE,
        g_param_spec_double("crossfade", "Crossfade", "Seconds that a texture's windows overlap (-1 = a quarter window)", -1, 60,
                            -1, PLAYING));
    g_object_class_install_property(klass, PROP_GAP,
        g_param_spec_double("gap", "Gap", "Seconds of silence after each clip of an event", 0, 3600, 0.25, PLAYING));
    g_object_class_install_property(klass, PROP_LOOKAHEAD,
        g_param_spec_uint("lookahead", "Lookahead", "Clips kept ready ahead of the one that plays", 1, 64, 2, PLAYING));
    g_object_class_install_property(klass, PROP_SAMPLES_PER_BUFFER,
        g_param_spec_uint("samplesperbuffer", "Samples per buffer", "Samples in each outgoing buffer", 1, G_MAXINT / 4096, 1024,
                          PLAYING));
    g_object_class_install_property(klass, PROP_IS_LIVE,
        g_param_spec_boolean("is-live", "Is live", "Keep pace with the clock; silence when a clip comes too late", FALSE, READY));
    g_object_class_install_property(klass, PROP_VOLUME,
        g_param_spec_double("volume", "Volume", "Volume, linear", 0, 10, 1, PLAYING | GST_PARAM_CONTROLLABLE));
    g_object_class_install_property(klass, PROP_POST_MESSAGES,
        g_param_spec_boolean("post-messages", "Post messages", "Post a diffuse-clip element message as each clip begins", TRUE,
                             PLAYING));
    g_object_class_install_property(klass, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics", "clips, compute-time (ns), rtf (compute time per second of sound), queued, "
                           "underruns, loaded", GST_TYPE_STRUCTURE, READ_ONLY));
    g_object_class_install_property(klass, PROP_MODEL_INFO,
        g_param_spec_boxed("model-info", "Model info", "The model: name, path, hash, rate, labels, recommended settings, licence "
                           "(NULL until started)", GST_TYPE_STRUCTURE, READ_ONLY));
}

void gst_diffuse_src_install_properties(GObjectClass *klass)
{
    klass->set_property = set_property;
    klass->get_property = get_property;
    install_model_properties(klass);
    install_stream_properties(klass);
}

void gst_diffuse_src_init_properties(GstDiffuseSrc *src)
{
    src->settings = (struct src_settings){
        .device = g_strdup("auto"),
        .clips = {.guidance = -1, .crossfade = -1, .gap = 0.25},
        .lookahead = 2,
        .samples_per_buffer = 1024,
        .volume = 1,
        .post_messages = TRUE,
    };
}

void gst_diffuse_src_clear_properties(GstDiffuseSrc *src)
{
    g_clear_pointer(&src->settings.model, g_free);
    g_clear_pointer(&src->settings.device, g_free);
    clip_settings_clear(&src->settings.clips);
}

// ---- diffuse://label?property=value&... ----

static GstURIType uri_type(GType type)
{
    return GST_URI_SRC;
}

static const gchar *const *uri_protocols(GType type)
{
    static const gchar *const protocols[] = {"diffuse", NULL};
    return protocols;
}

static gchar *uri_get(GstURIHandler *handler)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(handler);
    GST_OBJECT_LOCK(src);
    char *label = g_uri_escape_string(src->settings.clips.label ? src->settings.clips.label : "", NULL, FALSE);
    char *uri = g_strdup_printf("diffuse://%s?seed=%" G_GUINT64_FORMAT, label, src->settings.clips.seed);
    GST_OBJECT_UNLOCK(src);
    g_free(label);
    return uri;
}

// One "name=value" of the query. An address comes from outside: it may choose the sound, not files or devices.
static gboolean apply_query(GstDiffuseSrc *src, const char *name, const char *text, GError **error)
{
    static const char *const allowed[] = {"seed", "steps", "sampler", "guidance", "classifier-guidance", "num-clips", "crossfade", "gap", "volume", NULL};
    GValue value = G_VALUE_INIT;
    gboolean good = FALSE;
    if (g_strv_contains(allowed, name)) {
        GParamSpec *pspec = g_object_class_find_property(G_OBJECT_GET_CLASS(src), name);
        g_value_init(&value, pspec->value_type);
        good = text && gst_value_deserialize(&value, text) && !g_param_value_validate(pspec, &value);
        if (good)
            g_object_set_property(G_OBJECT(src), name, &value);
        g_value_unset(&value);
    }
    if (!good)
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, "diffuse:// takes no \"%s=%s\"", name, text ? text : "");
    return good;
}

static gboolean uri_set(GstURIHandler *handler, const gchar *text, GError **error)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(handler);
    // GstUri lowers the case of hosts, so take a label's name as it stands; "a_b" is no host name to it either.
    const char *rest = text + strlen("diffuse://");
    if (!g_str_has_prefix(text, "diffuse://")) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, "\"%s\" does not begin with diffuse://", text);
        return FALSE;
    }
    const char *query = strchr(rest, '?');
    char *label = g_uri_unescape_segment(rest, query, NULL);
    if (!label) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, "\"%s\" has a bad %%-escape", text);
        return FALSE;
    }
    g_strdelimit(label, "/", '\0'); // "diffuse://rain/" is what some applications make of it
    g_object_set(src, "label", *label ? label : NULL, NULL);
    g_free(label);

    gboolean good = TRUE;
    GHashTable *table = NULL;
    if (query && query[1]) {
        GstUri *uri = gst_uri_new(NULL, NULL, NULL, GST_URI_NO_PORT, NULL, query + 1, NULL);
        table = gst_uri_get_query_table(uri);
        gst_uri_unref(uri);
    }
    GHashTableIter iter;
    gpointer name, value;
    if (table) {
        g_hash_table_iter_init(&iter, table);
        while (good && g_hash_table_iter_next(&iter, &name, &value))
            good = apply_query(src, name, value, error);
        g_hash_table_unref(table);
    }
    return good;
}

void gst_diffuse_src_uri_handler_init(gpointer iface, gpointer data)
{
    GstURIHandlerInterface *handler = iface;
    handler->get_type = uri_type;
    handler->get_protocols = uri_protocols;
    handler->get_uri = uri_get;
    handler->set_uri = uri_set;
}
