// SPDX-License-Identifier: LGPL-2.1-or-later
// The rest of an address diffuse://, against an object with diffusesrc's settings as properties. What an
// accepted address sets is written as an address, and read again as the same.
#include "../../gst-plugin/address.h"
#include "../../gst-plugin/settings.h"
#include "fuzz.h"

enum { SETTING = 1, VOLUME };

typedef struct {
    GObject parent;
    struct diffuse_settings settings;
    double volume;
} Source;
typedef struct {
    GObjectClass parent;
} SourceClass;
GType source_get_type(void);
G_DEFINE_TYPE(Source, source, G_TYPE_OBJECT)

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    Source *source = (Source *)object;
    if (id == VOLUME)
        source->volume = g_value_get_double(value);
    else
        diffuse_settings_set(&source->settings, pspec, value);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    const Source *source = (const Source *)object;
    if (id == VOLUME)
        g_value_set_double(value, source->volume);
    else
        diffuse_settings_get(&source->settings, pspec, value);
}

static void finalize(GObject *object)
{
    diffuse_settings_clear(&((Source *)object)->settings);
    G_OBJECT_CLASS(source_parent_class)->finalize(object);
}

static void source_class_init(SourceClass *klass)
{
    static const struct diffuse_settings_traits traits = {0};
    GObjectClass *object = G_OBJECT_CLASS(klass);
    object->set_property = set_property;
    object->get_property = get_property;
    object->finalize = finalize;
    diffuse_settings_install(object, SETTING, EBB_VERB_STREAM, &traits);
    g_object_class_install_property(object, VOLUME,
                                    g_param_spec_double("volume", "", "", 0, 10, 1, G_PARAM_READWRITE));
}

static void source_init(Source *source)
{
    diffuse_settings_init(&source->settings, EBB_VERB_STREAM);
    source->volume = 1;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    gst_init(NULL, NULL);
    return 0;
}

static void check_again(const Source *source)
{
    GError *error = NULL;
    Source *again = g_object_new(source_get_type(), NULL);
    char *written = address_write(source->settings.recipe);
    if (!source->settings.refused) { // the recipe has the last value that was taken
        CHECK(address_apply((GObject *)again, written, &error) && !again->settings.refused);
        CHECK(ebb_recipe_same(source->settings.recipe, again->settings.recipe));
    }
    g_free(written);
    g_object_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GError *error = NULL;
    char *text = g_malloc(size + 11);
    memcpy(text, "diffuse://", 10);
    memcpy(text + 10, data, size);
    text[size + 10] = 0;
    Source *source = g_object_new(source_get_type(), NULL);
    gboolean taken = address_apply((GObject *)source, text, &error);
    CHECK(taken == !error);
    CHECK(source->volume >= 0 && source->volume <= 10);
    if (taken)
        check_again(source);
    g_clear_error(&error);
    g_object_unref(source);
    g_free(text);
    return 0;
}
