// SPDX-License-Identifier: LGPL-2.1-or-later
// diffuse-play: an event with which an application asks diffusefx for a sound now.
#include "cuestream_private.h"

#include <string.h>

static int label_of_name(struct cue_stream *stream, const char *name)
{
    struct ebb_error error = {0};
    int label = ebb_model_find_label(stream->session->model, name, &error);
    if (label < 0)
        cue_report_unplaced(&stream->report, stream->element, name, GST_CLOCK_TIME_NONE, error.message);
    return label;
}

// The label whose words stand in the text.
static int label_of_text(struct cue_stream *stream, const char *text)
{
    struct cue_sounds sounds = cue_sounds_read(stream->lexicon, text, strlen(text), PLAIN_ALL);
    int label = sounds.count ? sounds.labels[0] : -1;
    cue_sounds_clear(&sounds);
    if (label >= 0)
        return label;
    char *why = cue_stream_why_unplaced(stream, text);
    cue_report_unplaced(&stream->report, stream->element, text, GST_CLOCK_TIME_NONE, why);
    g_free(why);
    return -1;
}

// What is to be played: a label by its name, or a prompt. A model that is not asked in words gets the label
// whose words stand in the prompt. FALSE after a warning.
static gboolean read_wish(struct cue_stream *stream, const GstStructure *structure, struct voice_order *order)
{
    const char *name = gst_structure_get_string(structure, "label");
    const char *prompt = gst_structure_get_string(structure, "prompt");
    prompt = prompt && g_utf8_validate(prompt, -1, NULL) ? prompt : "";
    order->label = -1;
    if (name)
        order->label = label_of_name(stream, name);
    else if (cue_stream_takes_prompts(stream) && *prompt)
        order->prompt = cue_stream_make_prompt(prompt);
    else
        order->label = label_of_text(stream, prompt);
    return order->label >= 0 || order->prompt;
}

// What an application wrote into the event, beside the label. Less than 0: nothing.
struct play_fields {
    double gain;
    gint64 seed, duration;
};

// FALSE: it is there, and is no number from 0 to 10. Bindings make an integer of 2.
static gboolean read_gain(const GstStructure *structure, double *gain)
{
    enum { MOST_GAIN = 10 };
    const GValue *field = gst_structure_get_value(structure, "gain");
    GValue number = G_VALUE_INIT;
    *gain = 1;
    if (!field)
        return TRUE;
    g_value_init(&number, G_TYPE_DOUBLE);
    gboolean told = !G_VALUE_HOLDS_BOOLEAN(field) && g_value_transform(field, &number);
    *gain = told ? g_value_get_double(&number) : -1;
    return *gain >= 0 && *gain <= MOST_GAIN;
}

// FALSE: it is there, and is no whole number. -1 and GST_CLOCK_TIME_NONE are nothing.
static gboolean read_whole(const GstStructure *structure, const char *name, gint64 *value)
{
    const GValue *field = gst_structure_get_value(structure, name);
    GValue whole = G_VALUE_INIT;
    *value = -1;
    if (!field)
        return TRUE;
    if (!G_VALUE_HOLDS_INT(field) && !G_VALUE_HOLDS_UINT(field) && !G_VALUE_HOLDS_INT64(field) &&
        !G_VALUE_HOLDS_UINT64(field))
        return FALSE;
    g_value_init(&whole, G_TYPE_INT64);
    g_value_transform(field, &whole);
    *value = g_value_get_int64(&whole);
    return TRUE;
}

static gboolean refuse_field(struct cue_stream *stream, const GstStructure *structure, const char *name,
                             const char *expected)
{
    char *value = gst_value_serialize(gst_structure_get_value(structure, name));
    char *text = g_strdup_printf("%s=%s", name, value ? value : "?");
    char *why = g_strdup_printf("is no field of diffuse-play: expected %s", expected);
    cue_report_unplaced(&stream->report, stream->element, text, GST_CLOCK_TIME_NONE, why);
    g_free(why);
    g_free(text);
    g_free(value);
    return FALSE;
}

// FALSE after a warning.
static gboolean read_fields(struct cue_stream *stream, const GstStructure *structure,
                            struct play_fields *fields)
{
    if (!read_gain(structure, &fields->gain))
        return refuse_field(stream, structure, "gain", "a number from 0 to 10");
    if (!read_whole(structure, "seed", &fields->seed))
        return refuse_field(stream, structure, "seed", "a whole number");
    if (!read_whole(structure, "duration", &fields->duration))
        return refuse_field(stream, structure, "duration", "nanoseconds, a whole number");
    return TRUE;
}

// With the mutex held.
static gboolean add_played(struct cue_stream *stream, struct voice_order *order, guint64 length,
                           gboolean seeded)
{
    order->start = stream->mixed;
    order->stop = order->texture ? order->start + length : VOICE_OPEN;
    return voice_worker_add(stream->worker, order, seeded);
}

static gboolean is_running(struct cue_stream *stream)
{
    g_mutex_lock(&stream->mutex);
    gboolean running = stream->worker && !stream->flushing && stream->result == GST_FLOW_OK;
    g_mutex_unlock(&stream->mutex);
    return running;
}

static guint64 count_play(struct cue_stream *stream)
{
    GST_OBJECT_LOCK(stream->element);
    guint64 number = stream->report.plays++;
    GST_OBJECT_UNLOCK(stream->element);
    return number;
}

static gboolean play(struct cue_stream *stream, const GstStructure *structure)
{
    struct voice_order order = {.gain = 1, .played = TRUE, .asked_at = g_get_monotonic_time()};
    struct cue_place_settings settings = cue_stream_place_settings(stream);
    struct play_fields fields;
    if (!is_running(stream) || !read_fields(stream, structure, &fields) ||
        !read_wish(stream, structure, &order))
        return FALSE;
    order.texture = cue_stream_is_texture(stream, &order);
    order.gain = fields.gain;
    guint64 length = fields.duration >= 0 ? cue_stream_to_native(stream, (GstClockTime)fields.duration)
                                          : cue_stream_seconds_to_native(stream, settings.duration);
    gboolean seeded = fields.seed >= 0;
    guint64 number = count_play(stream);
    order.seed = seeded ? (guint64)fields.seed : voice_worker_seed(settings.seed, G_MAXUINT64, number);
    g_mutex_lock(&stream->mutex);
    gboolean added = add_played(stream, &order, length, seeded);
    g_mutex_unlock(&stream->mutex);
    if (!added)
        cue_stream_report_order(stream, &order, GST_CLOCK_TIME_NONE, "has no sound: too many sounds at once");
    g_clear_pointer(&order.prompt, g_ref_string_release);
    return added;
}

gboolean cue_stream_play(struct cue_stream *stream, const GstStructure *structure)
{
    g_mutex_lock(&stream->playing_mutex);
    gboolean played = play(stream, structure);
    g_mutex_unlock(&stream->playing_mutex);
    return played;
}
