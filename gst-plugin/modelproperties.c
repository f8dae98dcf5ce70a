// SPDX-License-Identifier: LGPL-2.1-or-later
#include "modelproperties.h"

#define FLAGS (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)

// What runs where is asked of no driver here: gst-plugin-scanner comes by. So GPUs are numbers.
enum { DEVICE_AUTO, DEVICE_CPU, DEVICE_REF, DEVICE_VULKAN };
static const GEnumValue devices[] = {
    {DEVICE_AUTO, "The best GPU, or the CPU where there is none", "auto"},
    {DEVICE_CPU, "The CPU", "cpu"},
    {DEVICE_REF, "The CPU by plain loops, to compare with", "ref"},
    {DEVICE_VULKAN, "The best GPU, or the one that gpu names", "vulkan"},
    {4, "GPU 0", "vulkan:0"},
    {5, "GPU 1", "vulkan:1"},
    {6, "GPU 2", "vulkan:2"},
    {7, "GPU 3", "vulkan:3"},
    {8, "GPU 4", "vulkan:4"},
    {9, "GPU 5", "vulkan:5"},
    {10, "GPU 6", "vulkan:6"},
    {11, "GPU 7", "vulkan:7"},
    {0, NULL, NULL},
};

static GType device_type(void)
{
    static GType type = 0;
    if (g_once_init_enter(&type))
        g_once_init_leave(&type, g_enum_register_static("GstDiffuseDevice", devices));
    return type;
}

void model_settings_init(struct model_settings *settings)
{
    *settings = (struct model_settings){.device = DEVICE_AUTO};
}

void model_settings_clear(struct model_settings *settings)
{
    g_clear_pointer(&settings->model, g_free);
    g_clear_pointer(&settings->gpu, g_free);
}

struct model_settings model_settings_copy(const struct model_settings *settings)
{
    struct model_settings copy = *settings;
    copy.model = g_strdup(settings->model);
    copy.gpu = g_strdup(settings->gpu);
    return copy;
}

char *model_settings_device(const struct model_settings *settings)
{
    gboolean named = settings->device == DEVICE_VULKAN && settings->gpu && *settings->gpu;
    return named ? g_strdup_printf("vulkan:%s", settings->gpu)
                 : g_strdup(devices[settings->device].value_nick);
}

void model_settings_install(GObjectClass *klass, guint first, const char *shipped)
{
    char *blurb = g_strdup_printf(
        "Model folder, or the name of one in the model path (empty: the shipped \"%s\")", shipped);
    g_object_class_install_property(klass, first + MODEL_PROPERTY_MODEL,
                                    g_param_spec_string("model", "Model", g_intern_string(blurb), NULL,
                                                        FLAGS));
    g_object_class_install_property(klass, first + MODEL_PROPERTY_DEVICE,
                                    g_param_spec_enum("device", "Device", "Where the network runs",
                                                      device_type(), DEVICE_AUTO, FLAGS));
    g_object_class_install_property(
        klass, first + MODEL_PROPERTY_GPU,
        g_param_spec_string("gpu", "GPU",
                            "Part of the name of a GPU, for device=vulkan (empty: the best one)", NULL,
                            FLAGS));
    g_object_class_install_property(klass, first + MODEL_PROPERTY_THREADS,
                                    g_param_spec_int("threads", "Threads", "CPU threads (0 = physical cores)",
                                                     0, 1024, 0, FLAGS));
    gst_type_mark_as_plugin_api(device_type(), (GstPluginAPIFlags)0);
    g_free(blurb);
}

static void replace(char **text, const GValue *value)
{
    g_free(*text);
    *text = g_value_dup_string(value);
}

void model_settings_set(struct model_settings *settings, enum model_property property, const GValue *value)
{
    switch (property) {
    case MODEL_PROPERTY_MODEL: replace(&settings->model, value); break;
    case MODEL_PROPERTY_DEVICE: settings->device = g_value_get_enum(value); break;
    case MODEL_PROPERTY_GPU: replace(&settings->gpu, value); break;
    case MODEL_PROPERTY_THREADS: settings->threads = g_value_get_int(value); break;
    case MODEL_PROPERTIES: break;
    }
}

void model_settings_get(const struct model_settings *settings, enum model_property property, GValue *value)
{
    switch (property) {
    case MODEL_PROPERTY_MODEL: g_value_set_string(value, settings->model); break;
    case MODEL_PROPERTY_DEVICE: g_value_set_enum(value, settings->device); break;
    case MODEL_PROPERTY_GPU: g_value_set_string(value, settings->gpu); break;
    case MODEL_PROPERTY_THREADS: g_value_set_int(value, settings->threads); break;
    case MODEL_PROPERTIES: break;
    }
}
