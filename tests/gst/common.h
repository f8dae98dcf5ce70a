// SPDX-License-Identifier: LGPL-2.1-or-later
// What both test programs need: the plugin loaded into a registry of its own, collected sound, messages.
#ifndef EBB_TEST_GST_H
#define EBB_TEST_GST_H

#include <gst/audio/audio.h>
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <stdlib.h>

#include "test.h"

// The plugin under test and the core's own elements, nothing else of what is installed.
static inline void setup_gst(int *argc, char ***argv)
{
    gst_init(argc, argv);
    const char *plugins[] = {g_getenv("EBB_GST_PLUGIN"), g_getenv("EBB_GST_CORE")};
    for (size_t i = 0; i < G_N_ELEMENTS(plugins); i++) {
        GError *error = NULL;
        GstPlugin *plugin = gst_plugin_load_file(plugins[i], &error);
        if (!plugin) {
            printf("Bail out! %s: %s\n", plugins[i], error->message);
            exit(1);
        }
        gst_object_unref(plugin);
    }
}

#define GST_TEST_MAIN                                                                                        \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        setup_gst(&argc, &argv);                                                                             \
        int result = test_main(argc, argv);                                                                  \
        if (!result) /* a failed test leaves its pipeline running */                                         \
            gst_deinit();                                                                                    \
        return result;                                                                                       \
    }

// Seconds, under sanitizers and on a busy machine: what comes at all has come by then.
enum { PATIENCE = 120 };
// Seconds within which one evaluation ends even by plain loops, there too; the whole computation is hundreds
// of them.
enum { LONG = 20 };

static inline double seconds_since(gint64 begin)
{
    return (double)(g_get_monotonic_time() - begin) / 1e6;
}

// An element in a harness, with a bus to read its messages from. `line` as for gst-launch, one filter. The
// bus comes first: a harness starts its element at once.
static inline GstHarness *harness_new(const char *line)
{
    GstElement *element = gst_object_ref_sink(gst_parse_launch(line, NULL));
    GstBus *bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    gst_object_unref(bus);
    GstHarness *h = gst_harness_new_with_element(element, "sink", "src");
    gst_object_unref(element);
    return h;
}

static inline void harness_end(GstHarness *h)
{
    gst_element_set_bus(h->element, NULL);
    gst_harness_teardown(h);
}

// The next message of `types` or NULL after `seconds`. Others are thrown away.
static inline GstMessage *wait_message(GstElement *element, GstMessageType types, double seconds)
{
    GstBus *bus = gst_element_get_bus(element);
    GstMessage *message = gst_bus_timed_pop_filtered(bus, (GstClockTime)(seconds * GST_SECOND), types);
    gst_object_unref(bus);
    return message;
}

static inline void drop_messages(GstElement *element)
{
    GstBus *bus = gst_element_get_bus(element);
    gst_bus_set_flushing(bus, TRUE);
    gst_bus_set_flushing(bus, FALSE);
    gst_object_unref(bus);
}

// The first ERROR (or WARNING, or INFO) says this domain and code, and its text holds `text`.
static inline int message_is(GstElement *element, GstMessageType type, GQuark domain, gint code,
                             const char *text)
{
    GstMessage *message = wait_message(element, type, PATIENCE);
    if (!message) {
        printf("# no message came\n");
        return 0;
    }
    GError *error = NULL;
    if (type == GST_MESSAGE_ERROR)
        gst_message_parse_error(message, &error, NULL);
    else if (type == GST_MESSAGE_WARNING)
        gst_message_parse_warning(message, &error, NULL);
    else
        gst_message_parse_info(message, &error, NULL);
    int good = error->domain == domain && error->code == code && strstr(error->message, text);
    if (!good)
        printf("# got %s %d: %s\n", g_quark_to_string(error->domain), error->code, error->message);
    g_error_free(error);
    gst_message_unref(message);
    return good;
}

// Whether a property that is an enumeration has the value of this name.
static inline int choice_is(GstElement *element, const char *property, const char *name)
{
    gint value = -1;
    g_object_get(element, property, &value, NULL);
    GParamSpec *pspec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), property);
    if (!G_IS_PARAM_SPEC_ENUM(pspec))
        return 0;
    const GEnumValue *found = g_enum_get_value(G_PARAM_SPEC_ENUM(pspec)->enum_class, value);
    return found && strcmp(found->value_nick, name) == 0;
}

// Bytes of all buffers, and what their timestamps said.
struct sound {
    GByteArray *bytes;
    guint buffers, gaps, disconts;
    GstClockTime first;      // PTS
    GstClockTime end;        // of the last buffer
    gboolean exact;          // each buffer began where the one before ended
    gsize smallest, largest; // bytes
};

static inline void sound_init(struct sound *sound)
{
    *sound = (struct sound){.bytes = g_byte_array_new(),
                            .first = GST_CLOCK_TIME_NONE,
                            .exact = TRUE,
                            .smallest = G_MAXSIZE};
}

static inline void sound_clear(struct sound *sound)
{
    g_byte_array_unref(sound->bytes);
}

// Takes the buffer.
static inline void sound_add(struct sound *sound, GstBuffer *buffer)
{
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_READ);
    g_byte_array_append(sound->bytes, map.data, (guint)map.size);
    sound->smallest = MIN(sound->smallest, map.size);
    sound->largest = MAX(sound->largest, map.size);
    gst_buffer_unmap(buffer, &map);
    if (!sound->buffers)
        sound->first = GST_BUFFER_PTS(buffer);
    else if (GST_BUFFER_PTS(buffer) != sound->end)
        sound->exact = FALSE;
    sound->end = GST_BUFFER_PTS(buffer) + GST_BUFFER_DURATION(buffer);
    sound->gaps += GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP);
    sound->disconts += GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    sound->buffers++;
    gst_buffer_unref(buffer);
}

static inline const float *floats(const struct sound *sound)
{
    return (const float *)(const void *)sound->bytes->data;
}

static inline gsize float_count(const struct sound *sound)
{
    return sound->bytes->len / sizeof(float);
}

static inline float loudest(const float *samples, gsize count)
{
    float most = 0;
    for (gsize i = 0; i < count; i++)
        most = MAX(most, fabsf(samples[i]));
    return most;
}

// Up and down three times; a state may be refused but nothing may hang.
static inline int goes_up_and_down(const char *line)
{
    GstElement *element = gst_parse_launch(line, NULL);
    for (int round = 0; round < 3; round++) {
        gst_element_set_state(element, round == 1 ? GST_STATE_PLAYING : GST_STATE_PAUSED);
        gst_element_get_state(element, NULL, NULL, 20 * GST_MSECOND);
        gst_element_set_state(element, GST_STATE_READY);
        gst_element_set_state(element, GST_STATE_PAUSED);
        if (gst_element_set_state(element, GST_STATE_NULL) != GST_STATE_CHANGE_SUCCESS)
            return 0;
    }
    gst_object_unref(element);
    return 1;
}

#endif
