// SPDX-License-Identifier: LGPL-2.1-or-later
// What comes in at the text pad of diffusefx, on its way to the queue: cues, gaps and events.
#include "cuestream_private.h"

#include <string.h>

static void fail(struct cue_stream *stream, const char *message)
{
    GST_ELEMENT_ERROR(stream->element, STREAM, FORMAT, ("%s", message), (NULL));
}

static GstFlowReturn push_item(struct cue_stream *stream, const struct cue_item *item)
{
    g_mutex_lock(&stream->mutex);
    guint flushes = stream->flushes;
    while (item->kind == CUE_ITEM_CUE && cue_queue_is_full(&stream->items) && stream->result == GST_FLOW_OK &&
           flushes == stream->flushes)
        g_cond_wait(&stream->cond, &stream->mutex);
    GstFlowReturn result = flushes == stream->flushes ? stream->result : GST_FLOW_FLUSHING;
    if (result == GST_FLOW_OK)
        cue_queue_push(&stream->items, item);
    cue_stream_wake(stream);
    g_mutex_unlock(&stream->mutex);
    return result;
}

static GstClockTime to_stream_time(const GstSegment *segment, GstClockTime time)
{
    guint64 moment = time;
    if (gst_segment_to_stream_time_full(segment, GST_FORMAT_TIME, time, &moment) <= 0)
        moment = time;
    return moment;
}

// Live output has running time: a cue in front of the segment is at its beginning.
static GstClockTime to_running_time(const GstSegment *segment, GstClockTime time)
{
    guint64 running;
    return gst_segment_to_running_time_full(segment, GST_FORMAT_TIME, time, &running) > 0 ? running : 0;
}

// A time below zero is none. subparse makes one of a cue that ends before it begins; as an unsigned number it
// is five hundred years.
static GstClockTime drop_negative(GstClockTime time)
{
    return time > (GstClockTime)G_MAXINT64 ? GST_CLOCK_TIME_NONE : time;
}

// The times of a cue, or of a gap.
static void set_times(struct cue_stream *stream, struct cue_item *item, GstClockTime start,
                      GstClockTime duration)
{
    start = drop_negative(start);
    duration = drop_negative(duration);
    gboolean live = stream->live, timed = GST_CLOCK_TIME_IS_VALID(start);
    item->moment = timed ? to_stream_time(&stream->input, start) : GST_CLOCK_TIME_NONE;
    item->start = timed && live ? to_running_time(&stream->input, start) : start;
    item->duration = duration;
    if (GST_CLOCK_TIME_IS_VALID(duration) && live && stream->input.rate > 0)
        item->duration = (GstClockTime)((double)duration / stream->input.rate);
}

static void report_unplaced(struct cue_stream *stream, const GPtrArray *texts, GstClockTime moment)
{
    for (guint i = 0; texts && i < texts->len; i++) {
        char *why = cue_stream_why_unplaced(stream, texts->pdata[i]);
        cue_report_unplaced(&stream->report, stream->element, texts->pdata[i], moment, why);
        g_free(why);
    }
}

// A model that is asked in words takes the captions that name no label.
static void take_prompts(struct cue_item *item, const GPtrArray *texts)
{
    guint most = CUE_SOUNDS_MOST - item->count;
    for (guint i = 0; texts && i < texts->len && item->prompt_count < most; i++)
        item->prompts[item->prompt_count++] = cue_stream_make_prompt(texts->pdata[i]);
}

// Whether a caption that names no label is a prompt. For a model that knows labels it is none: words would
// lead it to one of them, and a wrong sound is worse than none.
static gboolean takes_captions(const struct cue_stream *stream)
{
    return cue_stream_takes_prompts(stream) && ebb_model_info(stream->session->model)->label_count == 0;
}

static void read_text(struct cue_stream *stream, GstBuffer *buffer, struct cue_item *item)
{
    GST_OBJECT_LOCK(stream->element);
    enum plain_lines plain = stream->settings->plain;
    stream->report.cues++;
    GST_OBJECT_UNLOCK(stream->element);
    GstMapInfo map;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
        return;
    struct cue_sounds sounds = cue_sounds_read(stream->lexicon, (const char *)map.data, map.size, plain);
    gst_buffer_unmap(buffer, &map);
    memcpy(item->labels, sounds.labels, sizeof(item->labels));
    memcpy(item->gains, sounds.gains, sizeof(item->gains));
    item->count = sounds.count;
    if (takes_captions(stream))
        take_prompts(item, sounds.unplaced);
    else
        report_unplaced(stream, sounds.unplaced, item->moment);
    cue_sounds_clear(&sounds);
}

GstFlowReturn cue_stream_take_cue(struct cue_stream *stream, GstBuffer *buffer)
{
    if (stream->input.format != GST_FORMAT_TIME) {
        fail(stream, "Cues need times: put a parser such as subparse in front of diffusefx.");
        return GST_FLOW_ERROR;
    }
    struct cue_item item = {.kind = CUE_ITEM_CUE};
    set_times(stream, &item, GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer));
    read_text(stream, buffer, &item);
    GstFlowReturn result = push_item(stream, &item);
    if (result != GST_FLOW_OK)
        cue_item_clear(&item);
    return result;
}

static gboolean is_upstream_live(struct cue_stream *stream)
{
    GstQuery *query = gst_query_new_latency();
    GstPad *sink = gst_element_get_static_pad(stream->element, "sink");
    gboolean live = FALSE;
    GstClockTime least = 0;
    if (gst_pad_peer_query(sink, query))
        gst_query_parse_latency(query, &live, &least, NULL);
    gst_object_unref(sink);
    gst_query_unref(query);
    g_mutex_lock(&stream->mutex);
    stream->upstream = live ? least : 0;
    g_mutex_unlock(&stream->mutex);
    return live;
}

// The clock drives the stream from here on.
static void turn_live(struct cue_stream *stream)
{
    g_mutex_lock(&stream->mutex);
    gboolean turns = !stream->live;
    stream->live = TRUE;
    g_cond_broadcast(&stream->cond);
    g_mutex_unlock(&stream->mutex);
    if (turns)
        gst_element_post_message(stream->element, gst_message_new_latency(GST_OBJECT(stream->element)));
}

static gboolean queue_event(struct cue_stream *stream, GstEvent *event)
{
    struct cue_item item = {.kind = CUE_ITEM_EVENT, .event = event};
    if (push_item(stream, &item) == GST_FLOW_OK)
        return TRUE;
    gst_event_unref(event);
    return FALSE;
}

static gboolean take_segment(struct cue_stream *stream, GstEvent *event)
{
    gst_event_copy_segment(event, &stream->input);
    if (stream->input.rate < 0) {
        fail(stream, "Sound is played forwards only.");
        gst_event_unref(event);
        return FALSE;
    }
    if (is_upstream_live(stream))
        turn_live(stream);
    if (!stream->live && stream->input.format == GST_FORMAT_TIME)
        return queue_event(stream, event);
    gst_event_unref(event);
    return TRUE;
}

static gboolean take_gap(struct cue_stream *stream, GstEvent *event)
{
    GstClockTime start, duration;
    gst_event_parse_gap(event, &start, &duration);
    gst_event_unref(event);
    if (stream->live || stream->input.format != GST_FORMAT_TIME)
        return TRUE;
    struct cue_item item = {.kind = CUE_ITEM_KNOWN,
                            .start = start + (GST_CLOCK_TIME_IS_VALID(duration) ? duration : 0)};
    return push_item(stream, &item) == GST_FLOW_OK;
}

gboolean cue_stream_take_event(struct cue_stream *stream, GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_SEGMENT: return take_segment(stream, event);
    case GST_EVENT_GAP: return take_gap(stream, event);
    case GST_EVENT_STREAM_START:
    case GST_EVENT_SEGMENT_DONE:
        if (!stream->live)
            return queue_event(stream, event);
        break;
    case GST_EVENT_EOS:
    case GST_EVENT_STREAM_GROUP_DONE:
    case GST_EVENT_CUSTOM_DOWNSTREAM: return queue_event(stream, event);
    default: break; // of the text alone, as caps and tags are
    }
    gst_event_unref(event);
    return TRUE;
}
