// SPDX-License-Identifier: LGPL-2.1-or-later
#include "denoiseproperties.h"

#define READY (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define PLAYING (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define DRIVEN (GParamFlags)(PLAYING | GST_PARAM_CONTROLLABLE)
#define READ_ONLY (GParamFlags)(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)

static GType overload_type(void)
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

// Latency against quality; docs/gstreamer.md has what was measured. In the order of the values.
static const struct denoiser_window windows[] = {{8, 4}, {8, 0}, {4, 0}, {2, 0}};

static GType latency_mode_type(void)
{
    static GType type = 0;
    static const GEnumValue values[] = {
        {0, "Clean best: windows of 160 ms", "normal"},
        {1, "Do not look ahead: 117 ms", "medium"},
        {2, "Half as much at a time: 75 ms, twice the windows", "low"},
        {3, "A quarter at a time: 53 ms, four times the windows", "lowest"},
        {0, NULL, NULL},
    };
    if (g_once_init_enter(&type))
        g_once_init_leave(&type, g_enum_register_static("GstDiffuseDenoiseLatencyMode", values));
    return type;
}

struct denoiser_window denoise_settings_window(const struct denoise_settings *settings)
{
    return windows[settings->latency_mode];
}

gboolean denoise_settings_is_quick(const struct denoise_settings *settings)
{
    return settings->latency_mode != 0;
}

void denoise_settings_init(struct denoise_settings *settings)
{
    *settings = (struct denoise_settings){.latency = -1, .overload = OVERLOAD_DRY};
    model_settings_init(&settings->model);
    diffuse_settings_init(&settings->cleaning, EBB_VERB_DENOISE);
}

void denoise_settings_clear(struct denoise_settings *settings)
{
    model_settings_clear(&settings->model);
    diffuse_settings_clear(&settings->cleaning);
}

static void install_live_properties(GObjectClass *klass)
{
    g_object_class_install_property(
        klass, DENOISE_LATENCY_MODE,
        g_param_spec_enum("latency-mode", "Latency mode",
                          "How long a window makes the sound wait, live; other than normal: of a file too",
                          latency_mode_type(), 0, READY));
    gst_type_mark_as_plugin_api(latency_mode_type(), (GstPluginAPIFlags)0);
    g_object_class_install_property(
        klass, DENOISE_LATENCY,
        g_param_spec_int(
            "latency", "Latency",
            "Milliseconds allowed for computing when live, on top of the window's own delay (-1 = measured)",
            -1, 10000, -1, READY));
    g_object_class_install_property(
        klass, DENOISE_OVERLOAD,
        g_param_spec_enum("overload", "Overload",
                          "What to do when live and computing is slower than the clock", overload_type(),
                          OVERLOAD_DRY, PLAYING));
    gst_type_mark_as_plugin_api(overload_type(), (GstPluginAPIFlags)0);
}

static void install_other_properties(GObjectClass *klass)
{
    g_object_class_install_property(
        klass, DENOISE_BYPASS,
        g_param_spec_boolean("bypass", "Bypass", "Let the sound through untouched, with the same latency",
                             FALSE, DRIVEN));
    g_object_class_install_property(
        klass, DENOISE_POST_MESSAGES,
        g_param_spec_boolean("post-messages", "Post messages",
                             "Post a diffuse-denoise element message each second of sound", FALSE, PLAYING));
    g_object_class_install_property(
        klass, DENOISE_STATS,
        g_param_spec_boxed(
            "stats", "Statistics",
            "windows, t (used last), snr (estimated, dB), compute-time (ns), rtf, latency (ns), overloads, "
            "live, loaded",
            GST_TYPE_STRUCTURE, READ_ONLY));
}

void denoise_settings_install(GObjectClass *klass)
{
    static const char *const ready[] = {"sampler", "seed", NULL}, *const driven[] = {"t", "auto-t", "wet",
                                                                                     NULL};
    // The pipeline decides, and latency-mode.
    static const char *const without[] = {"live", "live-hop", "live-ahead", NULL};
    static const struct diffuse_settings_traits traits = {ready, driven, without, NULL};
    model_settings_install(klass, DENOISE_MODEL, "denoise");
    diffuse_settings_install(klass, DENOISE_SETTING, EBB_VERB_DENOISE, &traits);
    install_live_properties(klass);
    install_other_properties(klass);
}

gboolean denoise_settings_set(struct denoise_settings *settings, guint id, const GParamSpec *pspec,
                              const GValue *value)
{
    switch ((enum denoise_property)id) {
    case DENOISE_SETTING: return diffuse_settings_set(&settings->cleaning, pspec, value);
    case DENOISE_BYPASS: settings->bypass = g_value_get_boolean(value); break;
    case DENOISE_LATENCY_MODE: settings->latency_mode = g_value_get_enum(value); break;
    case DENOISE_LATENCY: settings->latency = g_value_get_int(value); break;
    case DENOISE_OVERLOAD: settings->overload = (enum overload_policy)g_value_get_enum(value); break;
    case DENOISE_POST_MESSAGES: settings->post_messages = g_value_get_boolean(value); break;
    default: model_settings_set(&settings->model, (enum model_property)(id - DENOISE_MODEL), value);
    }
    return TRUE;
}

void denoise_settings_get(const struct denoise_settings *settings, guint id, const GParamSpec *pspec,
                          GValue *value)
{
    switch ((enum denoise_property)id) {
    case DENOISE_SETTING: diffuse_settings_get(&settings->cleaning, pspec, value); break;
    case DENOISE_BYPASS: g_value_set_boolean(value, settings->bypass); break;
    case DENOISE_LATENCY_MODE: g_value_set_enum(value, settings->latency_mode); break;
    case DENOISE_LATENCY: g_value_set_int(value, settings->latency); break;
    case DENOISE_OVERLOAD: g_value_set_enum(value, (gint)settings->overload); break;
    case DENOISE_POST_MESSAGES: g_value_set_boolean(value, settings->post_messages); break;
    default: model_settings_get(&settings->model, (enum model_property)(id - DENOISE_MODEL), value);
    }
}
