// SPDX-License-Identifier: LGPL-2.1-or-later
#include "session.h"

#include <string.h>

#include "messages.h"

GST_DEBUG_CATEGORY(diffuse_library_debug);

static void write_log(void *user, enum ebb_log_level level, const char *message)
{
    static const GstDebugLevel levels[] = {
        [EBB_LOG_ERROR] = GST_LEVEL_ERROR,
        [EBB_LOG_WARNING] = GST_LEVEL_WARNING,
        [EBB_LOG_INFO] = GST_LEVEL_INFO,
        [EBB_LOG_DEBUG] = GST_LEVEL_DEBUG,
    };
    GST_CAT_LEVEL_LOG(diffuse_library_debug, levels[level], NULL, "%s", message);
}

static const struct ebb_log library_log = {write_log, NULL};

void diffuse_session_init_types(void)
{
    static gsize once = 0;
    if (g_once_init_enter(&once)) {
        GST_DEBUG_CATEGORY_INIT(diffuse_library_debug, "diffuse-engine", 0,
                                "the library behind diffusesrc, diffusedenoise and diffusefx");
        g_once_init_leave(&once, 1);
    }
}

static void refuse_kind(GstElement *element, const char *path, enum ebb_model_kind needed)
{
    gboolean generates = needed == EBB_MODEL_GENERATE;
    struct ebb_error error = {.code = EBB_WRONG_TYPE};
    g_snprintf(error.message, sizeof(error.message), "model %s %s, and %s needs one that %s", path,
               generates ? "cleans" : "generates", GST_OBJECT_NAME(gst_element_get_factory(element)),
               generates ? "generates" : "cleans");
    diffuse_post_error(element, &error);
}

static const char *or_shipped(const char *name, enum ebb_model_kind kind)
{
    if (name && *name)
        return name;
    return kind == EBB_MODEL_GENERATE ? "sfx" : "denoise";
}

gboolean diffuse_session_open(struct diffuse_session *session, GstElement *element, const char *name,
                              enum ebb_model_kind kind)
{
    name = or_shipped(name, kind);
    if (session->model && strcmp(session->model_name, name) == 0)
        return TRUE;

    diffuse_session_close(session);
    struct ebb_error error = {0};
    session->model = ebb_model_open(name, &error);
    if (!session->model) {
        diffuse_post_error(element, &error);
        return FALSE;
    }
    session->model_name = g_strdup(name);
    if (ebb_model_info(session->model)->kind == kind)
        return TRUE;

    refuse_kind(element, ebb_model_info(session->model)->path, kind);
    diffuse_session_close(session);
    return FALSE;
}

static const char *or_auto(const char *device)
{
    return device && *device ? device : "auto";
}

static gboolean same_device(const struct diffuse_session *session, const char *device, int threads)
{
    return session->loaded && session->threads == threads &&
           g_strcmp0(session->device_name, or_auto(device)) == 0;
}

static void post_progress(GstElement *element, GstProgressType type, const char *text)
{
    gst_element_post_message(element,
                             gst_message_new_progress(GST_OBJECT(element), type, "model-load", text));
}

void diffuse_session_announce(struct diffuse_session *session, GstElement *element, const char *device,
                              int threads)
{
    if (same_device(session, device, threads))
        return;
    char *text = g_strdup_printf("Loading model %s", session->model_name);
    post_progress(element, GST_PROGRESS_TYPE_START, text);
    g_free(text);
}

static void post_fallback(GstElement *element, const char *why)
{
    GST_ELEMENT_WARNING(element, RESOURCE, NOT_FOUND, ("The network runs on the CPU: %s", why), (NULL));
}

// "auto" took the CPU. Where there is no GPU, nothing else was to be expected.
static void post_choice(GstElement *element, const char *why)
{
    if (ebb_device_has_gpu())
        post_fallback(element, why);
    else
        GST_ELEMENT_INFO(element, RESOURCE, NOT_FOUND, ("The network runs on the CPU: %s", why), (NULL));
}

static gboolean load(struct diffuse_session *session, const char *device, int threads,
                     struct ebb_error *error)
{
    session->loaded = FALSE;
    ebb_device_destroy(&session->device); // the model keeps its own reference until it is loaded elsewhere
    session->device = ebb_device_create(device, threads, &library_log, error);
    if (!session->device)
        return FALSE;
    if (ebb_model_load(session->model, session->device, error) != EBB_OK)
        return FALSE;

    g_free(session->device_name);
    session->device_name = g_strdup(device);
    session->threads = threads;
    session->loaded = TRUE;
    session->moved = FALSE;
    return TRUE;
}

gboolean diffuse_session_load(struct diffuse_session *session, GstElement *element, const char *device,
                              int threads, const gint *cancel)
{
    if (same_device(session, device, threads))
        return TRUE;

    struct ebb_error error = {0};
    if (!load(session, or_auto(device), threads, &error)) {
        diffuse_post_error(element, &error);
        post_progress(element, GST_PROGRESS_TYPE_ERROR, error.message);
        return FALSE;
    }
    if (g_atomic_int_get(cancel)) {
        post_progress(element, GST_PROGRESS_TYPE_CANCELED, "Loading stopped");
        return FALSE;
    }

    const char *why = ebb_device_fallback(session->device);
    if (why)
        post_choice(element, why);
    char *text = g_strdup_printf("Model %s is loaded on %s%s%s", session->model_name,
                                 ebb_device_description(session->device), why ? "; " : "", why ? why : "");
    post_progress(element, GST_PROGRESS_TYPE_COMPLETE, text);
    g_free(text);
    return TRUE;
}

void diffuse_session_check_device(struct diffuse_session *session, GstElement *element)
{
    const struct ebb_device *device = ebb_model_device(session->model);
    if (session->moved || device == session->device)
        return;
    session->moved = TRUE;
    const char *why = ebb_device_fallback(device);
    if (why)
        post_fallback(element, why);
}

void diffuse_session_close(struct diffuse_session *session)
{
    ebb_model_close(&session->model);
    ebb_device_destroy(&session->device);
    g_clear_pointer(&session->model_name, g_free);
    g_clear_pointer(&session->device_name, g_free);
    session->loaded = FALSE;
}

GStrv diffuse_session_labels(const char *name, enum ebb_model_kind kind)
{
    struct ebb_model *model = ebb_model_open(or_shipped(name, kind), NULL);
    if (!model)
        return NULL;
    int count = ebb_model_info(model)->label_count;
    GStrv labels = g_new0(char *, (gsize)count + 1);
    for (int i = 0; i < count; i++)
        labels[i] = g_strdup(ebb_model_label(model, i)->name);
    ebb_model_close(&model);
    return labels;
}

static void add_labels(GstStructure *structure, const struct ebb_model *model, int count)
{
    GValue labels = G_VALUE_INIT;
    g_value_init(&labels, GST_TYPE_ARRAY);
    for (int i = 0; i < count; i++) {
        GValue name = G_VALUE_INIT;
        g_value_init(&name, G_TYPE_STRING);
        g_value_set_string(&name, ebb_model_label(model, i)->name);
        gst_value_array_append_and_take_value(&labels, &name);
    }
    gst_structure_take_value(structure, "labels", &labels);
}

static void add_text(GstStructure *structure, const char *field, const char *text)
{
    if (text)
        gst_structure_set(structure, field, G_TYPE_STRING, text, NULL);
}

GstStructure *diffuse_session_info(const struct diffuse_session *session)
{
    if (!session->model)
        return NULL;

    const struct ebb_model_info *info = ebb_model_info(session->model);
    GstStructure *structure = gst_structure_new("diffuse-model", "name", G_TYPE_STRING, info->name, "path",
                                                G_TYPE_STRING, info->path, "hash", G_TYPE_STRING, info->hash,
                                                "rate", G_TYPE_INT, info->sample_rate, "window-samples",
                                                G_TYPE_INT, info->window_samples, "sampler", G_TYPE_STRING,
                                                info->sampler, "steps", G_TYPE_INT, info->steps, "parameters",
                                                G_TYPE_UINT64, info->parameters, NULL);
    add_text(structure, "licence", info->licence);
    add_text(structure, "credit", info->credit);
    add_text(structure, "provenance", info->provenance);
    if (info->kind == EBB_MODEL_DENOISE) {
        gst_structure_set(structure, "t", G_TYPE_DOUBLE, info->t_default, NULL);
        return structure;
    }

    gst_structure_set(structure, "guidance", G_TYPE_DOUBLE, info->guidance, NULL);
    add_labels(structure, session->model, info->label_count);
    if (info->default_label >= 0)
        add_text(structure, "default-label", ebb_model_label(session->model, info->default_label)->name);
    return structure;
}
