// SPDX-License-Identifier: LGPL-2.1-or-later
// Lets one element work once, for faults.py: element src|denoise|fx [DEVICE]. Prints a checksum of the sound
// and exits with 0; or says what the element's ERROR message said, and exits with 1. Exit 3: the element
// failed without a message, or lasted too long.
#include <gst/audio/audio.h>
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLEAN = 0, SAID = 1, SILENT = 3, SECONDS = 60 };

static guint64 sum = 14695981039346656037u, frames; // FNV-1a

static void add(GstBuffer *buffer)
{
    GstMapInfo map;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
        return;
    for (gsize i = 0; i < map.size; i++)
        sum = (sum ^ map.data[i]) * 1099511628211u;
    frames += map.size / sizeof(float);
    gst_buffer_unmap(buffer, &map);
}

static void take(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user)
{
    add(buffer);
}

static int end(int code)
{
    if (code == CLEAN)
        printf("%016" G_GINT64_MODIFIER "x %" G_GUINT64_FORMAT "\n", sum, frames);
    return code;
}

// What the message says; SILENT without one.
static int say(GstMessage *message)
{
    if (!message || GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR)
        return message ? CLEAN : SILENT;
    GError *error = NULL;
    gst_message_parse_error(message, &error, NULL);
    fprintf(stderr, "ebb %s: %s\n", GST_MESSAGE_SRC_NAME(message), error->message);
    g_error_free(error);
    return SAID;
}

static int end_of(GstBus *bus, GstMessageType types, GstClockTime patience)
{
    // Popped with a filter, the others would be dropped under the bus's lock. There GStreamer 1.26 waits for
    // ever if one of them holds the last reference to a linked pad, which posts a message when it goes.
    GstMessage *message = gst_bus_timed_pop(bus, patience);
    for (; message && !(GST_MESSAGE_TYPE(message) & types); message = gst_bus_timed_pop(bus, patience))
        gst_message_unref(message);
    int code = say(message);
    if (message)
        gst_message_unref(message);
    return code;
}

static int run_source(const char *line)
{
    GstElement *pipeline = gst_parse_launch(line, NULL);
    if (!pipeline)
        return SILENT;
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_signal_connect(sink, "handoff", G_CALLBACK(take), NULL);
    gst_object_unref(sink);
    GstBus *bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    int code = end_of(bus, GST_MESSAGE_EOS | GST_MESSAGE_ERROR, SECONDS * GST_SECOND);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
    return end(code);
}

static GstBuffer *timed(GstBuffer *buffer, GstClockTime start, GstClockTime duration)
{
    GST_BUFFER_PTS(buffer) = start;
    GST_BUFFER_DURATION(buffer) = duration;
    return buffer;
}

static GstBuffer *noise(int part, int count, int rate)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, (gsize)count * sizeof(float), NULL);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    guint32 state = (guint32)part + 1;
    for (int i = 0; i < count; i++)
        ((float *)(void *)map.data)[i] = (float)(gint32)(state = state * 1664525u + 1013904223u) / 0x1p33F;
    gst_buffer_unmap(buffer, &map);
    GstClockTime length = gst_util_uint64_scale((guint64)count, GST_SECOND, (guint64)rate);
    return timed(buffer, (GstClockTime)part * length, length);
}

static GstFlowReturn push_noise(GstHarness *h)
{
    enum { PARTS = 4, COUNT = 8000, RATE = 16000 };
    GstFlowReturn flow = GST_FLOW_OK;
    for (int i = 0; i < PARTS && flow == GST_FLOW_OK; i++)
        flow = gst_harness_push(h, noise(i, COUNT, RATE));
    return flow;
}

static GstFlowReturn push_cues(GstHarness *h)
{
    static const char *const cues[] = {"bell", "rain volume=0.5"};
    GstFlowReturn flow = GST_FLOW_OK;
    for (gsize i = 0; i < G_N_ELEMENTS(cues) && flow == GST_FLOW_OK; i++)
        flow = gst_harness_push(h, timed(gst_buffer_new_memdup(cues[i], strlen(cues[i])), i * GST_SECOND / 2,
                                         GST_SECOND / 2));
    return flow;
}

// The element plays already: a harness ends the process where one does not.
static int push_through(GstElement *element, const char *caps, GstFlowReturn (*push)(GstHarness *h))
{
    GstHarness *h = gst_harness_new_with_element(element, "sink", "src");
    gst_harness_set_live(h, FALSE);
    gst_harness_set_src_caps_str(h, caps);
    bool good = push(h) == GST_FLOW_OK && gst_harness_push_event(h, gst_event_new_eos());
    GstBuffer *buffer = NULL;
    while (good && gst_harness_pull_until_eos(h, &buffer) && buffer) {
        add(buffer);
        gst_buffer_unref(buffer);
    }
    gst_element_set_state(element, GST_STATE_NULL);
    gst_harness_teardown(h);
    return good ? CLEAN : SILENT;
}

static int run_filter(const char *line, const char *caps, GstFlowReturn (*push)(GstHarness *h))
{
    GstElement *element = gst_parse_launch(line, NULL);
    if (!element)
        return SILENT;
    GstBus *bus = gst_bus_new();
    gst_object_ref_sink(element);
    gst_element_set_bus(element, bus);
    int code = SILENT;
    if (gst_element_set_state(element, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE)
        code = push_through(element, caps, push);
    int said = end_of(bus, GST_MESSAGE_ERROR, 0);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(element);
    gst_object_unref(bus);
    return end(said == SAID ? SAID : code);
}

static bool load(const char *path)
{
    GError *error = NULL;
    GstPlugin *plugin = gst_plugin_load_file(path, &error);
    if (!plugin) {
        fprintf(stderr, "ebb %s\n", error->message);
        g_error_free(error);
        return false;
    }
    gst_object_unref(plugin);
    return true;
}

#define SOURCE                                                                                               \
    "diffusesrc model=tiny-sfx label=bell seed=3 steps=1 phase-iterations=1 num-clips=2 device=%s "          \
    "threads=2 ! fakesink name=sink signal-handoffs=true sync=false"
#define FILTER "diffusedenoise model=tiny-denoise steps=1 device=%s threads=2"
#define CUED "diffusefx model=tiny-sfx seed=3 steps=1 phase-iterations=1 device=%s threads=2"
#define F32 "audio/x-raw,format=" GST_AUDIO_NE(F32) ",rate=16000,channels=1,layout=interleaved"

static int run(const char *what, const char *device)
{
    char line[400];
    if (strcmp(what, "src") == 0) {
        snprintf(line, sizeof(line), SOURCE, device);
        return run_source(line);
    }
    bool cued = strcmp(what, "fx") == 0;
    snprintf(line, sizeof(line), cued ? CUED : FILTER, device);
    return run_filter(line, cued ? "text/x-raw,format=utf8" : F32, cued ? push_cues : push_noise);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return SILENT;
    gst_init(NULL, NULL);
    int code = SAID;
    if (load(g_getenv("EBB_GST_CORE")) && load(g_getenv("EBB_GST_PLUGIN")))
        code = run(argv[1], argc > 2 ? argv[2] : "cpu");
    gst_deinit();
    return code;
}
