// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cueproperties.h"

#define READY (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define PLAYING (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define DRIVEN (GParamFlags)(PLAYING | GST_PARAM_CONTROLLABLE)
#define READ_ONLY (GParamFlags)(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)

static const GEnumValue plain_choices[] = {
    {PLAIN_NEVER, "Never: only what stands in brackets counts", "never"},
    {PLAIN_NAMES, "Those that are the name of a sound and nothing else", "names"},
    {PLAIN_ALL, "All in which the words of a label stand", "all"},
    {0, NULL, NULL},
};

static GType plain_type(void)
{
    static GType type = 0;
    if (g_once_init_enter(&type))
        g_once_init_leave(&type, g_enum_register_static("GstDiffusePlainLines", plain_choices));
    return type;
}

void cue_settings_init(struct cue_settings *settings)
{
    *settings = (struct cue_settings){.plain = PLAIN_NAMES,
                                      .duration = 3,
                                      .tail = 10,
                                      .lookahead = 8,
                                      .samples_per_buffer = 1024,
                                      .volume = 1,
                                      .post_messages = TRUE};
    model_settings_init(&settings->model);
    diffuse_settings_init(&settings->sound, EBB_VERB_GENERATE);
}

void cue_settings_clear(struct cue_settings *settings)
{
    model_settings_clear(&settings->model);
    diffuse_settings_clear(&settings->sound);
    g_clear_pointer(&settings->prepare, g_free);
}

static void install_cue_properties(GObjectClass *klass)
{
    g_object_class_install_property(klass, CUE_PLAIN_LINES,
                                    g_param_spec_enum("plain-lines", "Plain lines",
                                                      "Which lines outside of brackets become sounds",
                                                      plain_type(), PLAIN_NAMES, PLAYING));
    g_object_class_install_property(
        klass, CUE_DURATION,
        g_param_spec_double("cue-duration", "Cue duration",
                            "Seconds that a texture lasts whose cue tells no duration", 0.1, 86400, 3,
                            PLAYING));
    g_object_class_install_property(
        klass, CUE_TAIL,
        g_param_spec_double("tail", "Tail",
                            "Seconds that sounds go on behind the end of the last cue, at most", 0, 3600, 10,
                            PLAYING));
    g_object_class_install_property(
        klass, CUE_PREPARE,
        g_param_spec_string("prepare", "Prepare",
                            "Labels of which sounds are kept ready for diffuse-play: footstep:4,door:2", NULL,
                            READY));
    gst_type_mark_as_plugin_api(plain_type(), (GstPluginAPIFlags)0);
}

static void install_stream_properties(GObjectClass *klass)
{
    g_object_class_install_property(klass, CUE_LOOKAHEAD,
                                    g_param_spec_uint("lookahead", "Lookahead",
                                                      "Sounds kept ready ahead of their cues", 1, 64, 8,
                                                      PLAYING));
    g_object_class_install_property(klass, CUE_SAMPLES_PER_BUFFER,
                                    g_param_spec_uint("samplesperbuffer", "Samples per buffer",
                                                      "Samples in each outgoing buffer", 1, G_MAXINT / 4096,
                                                      1024, PLAYING));
    g_object_class_install_property(
        klass, CUE_IS_LIVE,
        g_param_spec_boolean("is-live", "Is live",
                             "Keep pace with the clock, with cues or without; for diffuse-play", FALSE,
                             READY));
    g_object_class_install_property(
        klass, CUE_LATENCY,
        g_param_spec_uint("latency", "Latency",
                          "Live: milliseconds that a cue's sound may take to compute and still be in time", 0,
                          60000, 0, READY));
    g_object_class_install_property(klass, CUE_VOLUME,
                                    g_param_spec_double("volume", "Volume", "Volume, linear", 0, 10, 1,
                                                        DRIVEN));
    g_object_class_install_property(
        klass, CUE_WIDTH,
        g_param_spec_double("width", "Width",
                            "Of two channels: how far they are apart, 0 (the same) to 1 (nothing in common)",
                            0, 1, 0, PLAYING));
    g_object_class_install_property(
        klass, CUE_POST_MESSAGES,
        g_param_spec_boolean("post-messages", "Post messages",
                             "Post a diffuse-cue element message as each sound begins", TRUE, PLAYING));
}

static void install_read_only_properties(GObjectClass *klass)
{
    g_object_class_install_property(
        klass, CUE_LABELS,
        g_param_spec_boxed("labels", "Labels",
                           "The labels of the model, in every state (NULL: there is no such model)",
                           G_TYPE_STRV, READ_ONLY));
    g_object_class_install_property(
        klass, CUE_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "cues, sounds, plays, unplaced, unplaced-texts, late, play-latency (ns), "
                           "play-latency-most (ns), compute-time (ns), rtf, prepared, loaded",
                           GST_TYPE_STRUCTURE, READ_ONLY));
    g_object_class_install_property(
        klass, CUE_MODEL_INFO,
        g_param_spec_boxed(
            "model-info", "Model info",
            "The model: name, path, hash, rate, labels, recommended settings, licence (NULL until started)",
            GST_TYPE_STRUCTURE, READ_ONLY));
}

void cue_settings_install(GObjectClass *klass)
{
    static const char *const drawn[] = {"seed", NULL};
    // What the cue says, and what a sound that has its place and length from a cue has no use for.
    static const char *const without[] = {"label",   "prompt", "encoding", "to-prompt", "index",
                                          "to-seed", "share",  "seconds",  "loop",      "channels",
                                          "width",   "noise",  NULL};
    static const struct diffuse_settings_traits traits = {.without = without, .drawn = drawn};
    model_settings_install(klass, CUE_MODEL, "sfx");
    diffuse_settings_install(klass, CUE_SETTING, EBB_VERB_GENERATE, &traits);
    install_cue_properties(klass);
    install_stream_properties(klass);
    install_read_only_properties(klass);
}

gboolean cue_settings_set(struct cue_settings *settings, guint id, const GParamSpec *pspec,
                          const GValue *value)
{
    switch ((enum cue_property)id) {
    case CUE_SETTING: return diffuse_settings_set(&settings->sound, pspec, value);
    case CUE_PLAIN_LINES: settings->plain = (enum plain_lines)g_value_get_enum(value); break;
    case CUE_DURATION: settings->duration = g_value_get_double(value); break;
    case CUE_TAIL: settings->tail = g_value_get_double(value); break;
    case CUE_PREPARE:
        g_free(settings->prepare);
        settings->prepare = g_value_dup_string(value);
        break;
    case CUE_LOOKAHEAD: settings->lookahead = g_value_get_uint(value); break;
    case CUE_SAMPLES_PER_BUFFER: settings->samples_per_buffer = g_value_get_uint(value); break;
    case CUE_IS_LIVE: settings->is_live = g_value_get_boolean(value); break;
    case CUE_LATENCY: settings->latency = g_value_get_uint(value); break;
    case CUE_VOLUME: settings->volume = g_value_get_double(value); break;
    case CUE_WIDTH: settings->width = g_value_get_double(value); break;
    case CUE_POST_MESSAGES: settings->post_messages = g_value_get_boolean(value); break;
    default: model_settings_set(&settings->model, (enum model_property)(id - CUE_MODEL), value);
    }
    return TRUE;
}

void cue_settings_get(const struct cue_settings *settings, guint id, const GParamSpec *pspec, GValue *value)
{
    switch ((enum cue_property)id) {
    case CUE_SETTING: diffuse_settings_get(&settings->sound, pspec, value); break;
    case CUE_PLAIN_LINES: g_value_set_enum(value, settings->plain); break;
    case CUE_DURATION: g_value_set_double(value, settings->duration); break;
    case CUE_TAIL: g_value_set_double(value, settings->tail); break;
    case CUE_PREPARE: g_value_set_string(value, settings->prepare); break;
    case CUE_LOOKAHEAD: g_value_set_uint(value, settings->lookahead); break;
    case CUE_SAMPLES_PER_BUFFER: g_value_set_uint(value, settings->samples_per_buffer); break;
    case CUE_IS_LIVE: g_value_set_boolean(value, settings->is_live); break;
    case CUE_LATENCY: g_value_set_uint(value, settings->latency); break;
    case CUE_VOLUME: g_value_set_double(value, settings->volume); break;
    case CUE_WIDTH: g_value_set_double(value, settings->width); break;
    case CUE_POST_MESSAGES: g_value_set_boolean(value, settings->post_messages); break;
    default: model_settings_get(&settings->model, (enum model_property)(id - CUE_MODEL), value);
    }
}
