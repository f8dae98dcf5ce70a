// SPDX-License-Identifier: LGPL-2.1-or-later
// How long a sound that is wanted takes: from the event diffuse-play to the buffer that leaves diffusefx.
//
//   bench-play MODEL LABEL SAMPLESPERBUFFER COUNT
//
// Sends COUNT events, one as soon as a sound is prepared and a fifth of a second after the last at the
// earliest. Prints a row of a table: samples in a buffer, the latency that the element reports, and what the
// messages diffuse-cue tell: the median, and the most. The sink's own latency comes on top.
#include <stdio.h>
#include <stdlib.h>

#include <gst/gst.h>

#include "../gst/fx_stats.h"

enum { MOST = 1000, PATIENCE = 60 }; // seconds

// The latency of one sound, in ns; G_MAXUINT64: it did not come.
static guint64 play(GstElement *fx, GstBus *bus, const char *label)
{
    for (int i = 0; i < PATIENCE * 100 && !fx_prepared(fx); i++)
        g_usleep(10000);
    GstStructure *wish = gst_structure_new("diffuse-play", "label", G_TYPE_STRING, label, NULL);
    guint64 latency = G_MAXUINT64;
    if (!gst_element_send_event(fx, gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, wish)))
        return latency;
    GstMessage *message;
    while (latency == G_MAXUINT64 &&
           (message = gst_bus_timed_pop_filtered(bus, PATIENCE * GST_SECOND, GST_MESSAGE_ELEMENT))) {
        gst_structure_get_uint64(gst_message_get_structure(message), "play-latency", &latency);
        gst_message_unref(message);
    }
    return latency;
}

static int ascending(const void *a, const void *b)
{
    guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;
    return (x > y) - (x < y);
}

static double reported(GstElement *fx)
{
    GstQuery *query = gst_query_new_latency();
    GstClockTime least = 0;
    if (gst_element_query(fx, query))
        gst_query_parse_latency(query, NULL, &least, NULL);
    gst_query_unref(query);
    return (double)least / GST_MSECOND;
}

static int measure(GstElement *pipeline, const char *label, const char *samples, int count)
{
    guint64 latency[MOST];
    GstElement *fx = gst_bin_get_by_name(GST_BIN(pipeline), "fx");
    GstBus *bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    int played = 0;
    for (; played < count; played++) {
        g_usleep(200000);
        latency[played] = play(fx, bus, label);
        if (latency[played] == G_MAXUINT64)
            break;
    }
    if (played == count) {
        qsort(latency, (size_t)count, sizeof(*latency), ascending);
        printf("| %s | %.1f | %.1f | %.1f |\n", samples, reported(fx),
               (double)latency[count / 2] / GST_MSECOND, (double)latency[count - 1] / GST_MSECOND);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(fx);
    return played == count ? 0 : 1;
}

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    int count = argc == 5 ? atoi(argv[4]) : 0;
    if (count < 1 || count > MOST) {
        fprintf(stderr, "bench-play MODEL LABEL SAMPLESPERBUFFER COUNT, 1 to %d\n", MOST);
        return 2;
    }
    char *line = g_strdup_printf("diffusefx name=fx model=%s is-live=true prepare=%s:8 samplesperbuffer=%s ! "
                                 "fakesink sync=true",
                                 argv[1], argv[2], argv[3]);
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error);
    int code = pipeline && !error ? measure(pipeline, argv[2], argv[3], count) : 1;
    if (code)
        fprintf(stderr, "bench-play: %s\n", error ? error->message : "no sound came");
    g_clear_error(&error);
    g_clear_pointer(&pipeline, gst_object_unref);
    g_free(line);
    return code;
}
