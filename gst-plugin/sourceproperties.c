// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sourceproperties.h"

#define READY (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define PLAYING (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define DRIVEN (GParamFlags)(PLAYING | GST_PARAM_CONTROLLABLE)
#define READ_ONLY (GParamFlags)(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)

void source_settings_init(struct source_settings *settings)
{
    *settings = (struct source_settings){.lookahead = 2,
                                         .samples_per_buffer = 1024,
                                         .volume = 1,
                                         .post_messages = TRUE};
    model_settings_init(&settings->model);
    diffuse_settings_init(&settings->sound, EBB_VERB_STREAM);
}

void source_settings_clear(struct source_settings *settings)
{
    model_settings_clear(&settings->model);
    diffuse_settings_clear(&settings->sound);
}

static void install_stream_properties(GObjectClass *klass)
{
    g_object_class_install_property(klass, SOURCE_LOOKAHEAD,
                                    g_param_spec_uint("lookahead", "Lookahead",
                                                      "Clips kept ready ahead of the one that plays", 1, 64,
                                                      2, PLAYING));
    g_object_class_install_property(klass, SOURCE_SAMPLES_PER_BUFFER,
                                    g_param_spec_uint("samplesperbuffer", "Samples per buffer",
                                                      "Samples in each outgoing buffer", 1, G_MAXINT / 4096,
                                                      1024, PLAYING));
    g_object_class_install_property(
        klass, SOURCE_TRIM,
        g_param_spec_boolean("trim", "Trim",
                             "Cut the silence around each event, so that the gap alone lies between two",
                             FALSE, READY));
    g_object_class_install_property(
        klass, SOURCE_IS_LIVE,
        g_param_spec_boolean("is-live", "Is live",
                             "Keep pace with the clock; silence when a clip comes too late", FALSE, READY));
    g_object_class_install_property(klass, SOURCE_VOLUME,
                                    g_param_spec_double("volume", "Volume", "Volume, linear", 0, 10, 1,
                                                        DRIVEN));
    g_object_class_install_property(
        klass, SOURCE_POST_MESSAGES,
        g_param_spec_boolean("post-messages", "Post messages",
                             "Post a diffuse-clip element message as each clip begins", TRUE, PLAYING));
}

static void install_read_only_properties(GObjectClass *klass)
{
    g_object_class_install_property(
        klass, SOURCE_LABELS,
        g_param_spec_boxed("labels", "Labels",
                           "The labels of the model, in every state (NULL: there is no such model)",
                           G_TYPE_STRV, READ_ONLY));
    g_object_class_install_property(
        klass, SOURCE_STATS,
        g_param_spec_boxed(
            "stats", "Statistics",
            "clips, compute-time (ns), rtf (compute time per second of sound), queued, underruns, loaded",
            GST_TYPE_STRUCTURE, READ_ONLY));
    g_object_class_install_property(
        klass, SOURCE_MODEL_INFO,
        g_param_spec_boxed(
            "model-info", "Model info",
            "The model: name, path, hash, rate, labels, recommended settings, licence (NULL until started)",
            GST_TYPE_STRUCTURE, READ_ONLY));
}

void source_settings_install(GObjectClass *klass)
{
    static const char *const drawn[] = {"seed", NULL};
    static const struct diffuse_settings_traits traits = {.drawn = drawn};
    model_settings_install(klass, SOURCE_MODEL, "sfx");
    diffuse_settings_install(klass, SOURCE_SETTING, EBB_VERB_STREAM, &traits);
    install_stream_properties(klass);
    install_read_only_properties(klass);
}

gboolean source_settings_set(struct source_settings *settings, guint id, const GParamSpec *pspec,
                             const GValue *value)
{
    switch ((enum source_property)id) {
    case SOURCE_SETTING: return diffuse_settings_set(&settings->sound, pspec, value);
    case SOURCE_LOOKAHEAD: settings->lookahead = g_value_get_uint(value); break;
    case SOURCE_SAMPLES_PER_BUFFER: settings->samples_per_buffer = g_value_get_uint(value); break;
    case SOURCE_TRIM: settings->trim = g_value_get_boolean(value); break;
    case SOURCE_VOLUME: settings->volume = g_value_get_double(value); break;
    case SOURCE_POST_MESSAGES: settings->post_messages = g_value_get_boolean(value); break;
    default: model_settings_set(&settings->model, (enum model_property)(id - SOURCE_MODEL), value);
    }
    return TRUE;
}

void source_settings_get(const struct source_settings *settings, guint id, const GParamSpec *pspec,
                         GValue *value)
{
    switch ((enum source_property)id) {
    case SOURCE_SETTING: diffuse_settings_get(&settings->sound, pspec, value); break;
    case SOURCE_LOOKAHEAD: g_value_set_uint(value, settings->lookahead); break;
    case SOURCE_SAMPLES_PER_BUFFER: g_value_set_uint(value, settings->samples_per_buffer); break;
    case SOURCE_TRIM: g_value_set_boolean(value, settings->trim); break;
    case SOURCE_VOLUME: g_value_set_double(value, settings->volume); break;
    case SOURCE_POST_MESSAGES: g_value_set_boolean(value, settings->post_messages); break;
    default: model_settings_get(&settings->model, (enum model_property)(id - SOURCE_MODEL), value);
    }
}
