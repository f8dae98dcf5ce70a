// What can be set on diffusedenoise.
#include "gstdiffusedenoise.h"

#include <math.h>

enum {
    PROP_0,
    PROP_MODEL,
    PROP_DEVICE,
    PROP_THREADS,
    PROP_T,
    PROP_AUTO_T,
    PROP_WET,
    PROP_STEPS,
    PROP_SAMPLER,
    PROP_BYPASS,
    PROP_LATENCY,
    PROP_OVERLOAD,
    PROP_POST_MESSAGES,
    PROP_STATS,
};

#define READY (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define PLAYING (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define DRIVEN (PLAYING | GST_PARAM_CONTROLLABLE)

#define T_DEFAULT 0.7 // the shipped model's: shown until a model is open

#define GST_TYPE_DIFFUSE_DENOISE_OVERLOAD (overload_get_type())
static GType overload_get_type(void)
{
    static GType type = 0;
    static const GEnumValue values[] = {
        {OVERLOAD_WAIT, "Fall behind: every window is cleaned", "wait"},
        {OVERLOAD_DRY, "Let sound through uncleaned until computing has caught up", "dry"},
        {OVERLOAD_FEWER_STEPS, "Halve the steps, then let sound through uncleaned", "fewer-steps"},
        {0, NULL, NULL},
    };
    if (g_once_init_enter(&type))
        g_once_init_leave(&type, g_enum_register_static("GstDiffuseDenoiseOverload", values));
    return type;
}

static void replace(char **text, const GValue *value)
{
    g_free(*text);
    *text = g_value_dup_string(value);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(object);
    struct denoise_settings *settings = &filter->settings;
    GST_OBJECT_LOCK(filter);
    switch (id) {
    case PROP_MODEL:
        replace(&settings->model, value);
        break;
    case PROP_DEVICE:
        replace(&settings->device, value);
        break;
    case PROP_THREADS:
        settings->threads = g_value_get_int(value);
        break;
    case PROP_T:
        settings->t = g_value_get_double(value);
        break;
    case PROP_AUTO_T:
        settings->auto_t = g_value_get_boolean(value);
        break;
    case PROP_WET:
        settings->wet = g_value_get_double(value);
        break;
    case PROP_STEPS:
        settings->steps = g_value_get_int(value);
        break;
    case PROP_SAMPLER:
        replace(&settings->sampler, value);
        break;
    case PROP_BYPASS:
        settings->bypass = g_value_get_boolean(value);
        break;
    case PROP_LATENCY:
        settings->latency = g_value_get_int(value);
        break;
    case PROP_OVERLOAD:
        settings->overload = (enum overload)g_value_get_enum(value);
        break;
    case PROP_POST_MESSAGES:
        settings->post_messages = g_value_get_boolean(value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
    GST_OBJECT_UNLOCK(filter);
}

static GstStructure *stats(const struct denoise_stats *stats)
{
    double rtf = stats->sound ? (double)stats->compute / (double)stats->sound : 0;
    return gst_structure_new("diffuse-denoise-stats", "windows", G_TYPE_UINT64, stats->windows, "t", G_TYPE_DOUBLE, stats->t,
                             "snr", G_TYPE_DOUBLE, stats->snr, "compute-time", G_TYPE_UINT64, stats->compute, "rtf",
                             G_TYPE_DOUBLE, rtf, "latency", G_TYPE_UINT64, stats->latency, "overloads", G_TYPE_UINT64,
                             stats->overloads, "live", G_TYPE_BOOLEAN, stats->live, "loaded", G_TYPE_BOOLEAN, stats->loaded,
                             NULL);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstDiffuseDenoise *filter = GST_DIFFUSE_DENOISE(object);
    const struct denoise_settings *settings = &filter->settings;
    GST_OBJECT_LOCK(filter);
    switch (id) {
    case PROP_MODEL:
        g_value_set_string(value, settings->model);
        break;
    case PROP_DEVICE:
        g_value_set_string(value, settings->device);
        break;
    case PROP_THREADS:
        g_value_set_int(value, settings->threads);
        break;
    case PROP_T:
        g_value_set_double(value, settings->t >= 0 ? settings->t : filter->model_t);
        break;
    case PROP_AUTO_T:
        g_value_set_boolean(value, settings->auto_t);
        break;
    case PROP_WET:
        g_value_set_double(value, settings->wet);
        break;
    case PROP_STEPS:
        g_value_set_int(value, settings->steps);
        break;
    case PROP_SAMPLER:
        g_value_set_string(value, settings->sampler);
        break;
    case PROP_BYPASS:
        g_value_set_boolean(value, settings->bypass);
        break;
    case PROP_LATENCY:
        g_value_set_int(value, settings->latency);
        break;
    case PROP_OVERLOAD:
        g_value_set_enum(value, (gint)settings->overload);
        break;
    case PROP_POST_MESSAGES:
        g_value_set_boolean(value, settings->post_messages);
        break;
    case PROP_STATS:
        g_value_take_boxed(value, stats(&filter->stats));
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
    GST_OBJECT_UNLOCK(filter);
}

static void install_cleaning_properties(GObjectClass *klass)
{
    g_object_class_install_property(klass, PROP_T,
        g_param_spec_double("t", "Diffusion time", "How much to clean: 0 leaves the sound alone, bit for bit; 1 takes out all "
                            "the model can (until set: as the model recommends)", 0, 1, T_DEFAULT,
                            DRIVEN | GST_PARAM_DOC_SHOW_DEFAULT));
    g_object_class_install_property(klass, PROP_AUTO_T,
        g_param_spec_boolean("auto-t", "Automatic t", "Measure the noise and choose t; the t property is not used", FALSE,
                             DRIVEN));
    g_object_class_install_property(klass, PROP_WET,
        g_param_spec_double("wet", "Wet", "Share of the cleaned sound in the output", 0, 1, 1, DRIVEN));
    g_object_class_install_property(klass, PROP_STEPS,
        g_param_spec_int("steps", "Steps", "Network evaluations per window (0 = as the model recommends)", 0, 1000, 0, PLAYING));
    g_object_class_install_property(klass, PROP_BYPASS,
        g_param_spec_boolean("bypass", "Bypass", "Let the sound through untouched, with the same latency", FALSE, DRIVEN));
}

static void install_model_properties(GObjectClass *klass)
{
    static char *samplers = NULL; // one string for ever
    if (!samplers)
        samplers = g_strdup_printf("Sampler, empty for the one the model recommends: %s", diffuse_sampler_names());

    g_object_class_install_property(klass, PROP_MODEL,
        g_param_spec_string("model", "Model", "Model folder, or the name of one in the model path (empty: the shipped "
                            "\"denoise\")", NULL, READY));
    g_object_class_install_property(klass, PROP_DEVICE,
        g_param_spec_string("device", "Device", "Where the network runs: auto, cpu, ref, vulkan, vulkan:N, vulkan:NAME", "auto",
                            READY));
    g_object_class_install_property(klass, PROP_THREADS,
        g_param_spec_int("threads", "Threads", "CPU threads (0 = physical cores)", 0, 1024, 0, READY));
    g_object_class_install_property(klass, PROP_SAMPLER, g_param_spec_string("sampler", "Sampler", samplers, NULL, READY));
}

void gst_diffuse_denoise_install_properties(GObjectClass *klass)
{
    klass->set_property = set_property;
    klass->get_property = get_property;
    install_model_properties(klass);
    install_cleaning_properties(klass);
    g_object_class_install_property(klass, PROP_LATENCY,
        g_param_spec_int("latency", "Latency", "Milliseconds allowed for computing when live, on top of the window's own delay "
                         "(-1 = measured)", -1, 10000, -1, READY));
    g_object_class_install_property(klass, PROP_OVERLOAD,
        g_param_spec_enum("overload", "Overload", "What to do when live and computing is slower than the clock",
                          GST_TYPE_DIFFUSE_DENOISE_OVERLOAD, OVERLOAD_DRY, PLAYING));
    g_object_class_install_property(klass, PROP_POST_MESSAGES,
        g_param_spec_boolean("post-messages", "Post messages", "Post a diffuse-denoise element message each second of sound",
                             FALSE, PLAYING));
    g_object_class_install_property(klass, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics", "windows, t (used last), snr (estimated, dB), compute-time (ns), rtf, latency "
                           "(ns), overloads, live, loaded", GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
    gst_type_mark_as_plugin_api(GST_TYPE_DIFFUSE_DENOISE_OVERLOAD, (GstPluginAPIFlags)0);
}

void gst_diffuse_denoise_init_properties(GstDiffuseDenoise *filter)
{
    filter->settings = (struct denoise_settings){
        .device = g_strdup("auto"),
        .t = -1,
        .wet = 1,
        .latency = -1,
        .overload = OVERLOAD_DRY,
    };
    filter->model_t = T_DEFAULT;
    filter->stats.snr = NAN;
}

void gst_diffuse_denoise_clear_properties(GstDiffuseDenoise *filter)
{
    g_clear_pointer(&filter->settings.model, g_free);
    g_clear_pointer(&filter->settings.device, g_free);
    g_clear_pointer(&filter->settings.sampler, g_free);
}
