// SPDX-License-Identifier: LGPL-2.1-or-later
// The stream's life, its time, and its task.
#include "cuestream_private.h"

#define LONGEST 60 // seconds in a buffer: samplesperbuffer at a low rate may ask for days

void cue_stream_init(struct cue_stream *stream)
{
    g_mutex_init(&stream->playing_mutex);
    g_mutex_init(&stream->mutex);
    g_cond_init(&stream->cond);
    g_queue_init(&stream->items);
    stream->next = GST_CLOCK_TIME_NONE;
}

void cue_stream_clear(struct cue_stream *stream)
{
    cue_stream_stop(stream);
    cue_report_clear(&stream->report);
    g_mutex_clear(&stream->playing_mutex);
    g_mutex_clear(&stream->mutex);
    g_cond_clear(&stream->cond);
}

// No segment is known; what comes is the first of a segment.
static void forget_segment(struct cue_stream *stream)
{
    stream->has_segment = FALSE;
    stream->next = GST_CLOCK_TIME_NONE;
    stream->mixed = 0;
    gst_segment_init(&stream->input, GST_FORMAT_UNDEFINED);
}

void cue_stream_start(struct cue_stream *stream, struct voice_worker *worker, gboolean live)
{
    GST_OBJECT_LOCK(stream->element);
    cue_report_clear(&stream->report);
    stream->native_rate = ebb_model_info(stream->session->model)->sample_rate;
    GST_OBJECT_UNLOCK(stream->element);
    stream->lexicon = cue_stream_lexicon(stream->session->model);
    g_mutex_lock(&stream->mutex);
    stream->worker = worker;
    stream->result = GST_FLOW_OK;
    stream->flushing = stream->playing = stream->ending = FALSE;
    stream->live = live;
    stream->upstream = 0;
    forget_segment(stream);
    g_mutex_unlock(&stream->mutex);
    stream->opened = stream->told = stream->segment_due = stream->begun = FALSE;
    stream->group = GST_GROUP_ID_INVALID;
    stream->moment = GST_CLOCK_TIME_NONE;
    stream->pushed = stream->held_up = 0;
    stream->volume = -1;
}

void cue_stream_stop(struct cue_stream *stream)
{
    g_mutex_lock(&stream->playing_mutex);
    g_mutex_lock(&stream->mutex);
    stream->worker = NULL;
    cue_queue_clear(&stream->items);
    g_mutex_unlock(&stream->mutex);
    cue_lexicon_destroy(&stream->lexicon);
    g_mutex_unlock(&stream->playing_mutex);
    format_destroy(&stream->format);
    g_clear_pointer(&stream->scratch, g_free);
    stream->scratch_size = 0;
}

// ---- flags ----

void cue_stream_wake(struct cue_stream *stream)
{
    if (stream->alarm)
        gst_clock_id_unschedule(stream->alarm);
    g_cond_broadcast(&stream->cond);
}

void cue_stream_set_flushing(struct cue_stream *stream, gboolean flushing)
{
    g_mutex_lock(&stream->mutex);
    stream->flushing = flushing;
    stream->result = flushing ? GST_FLOW_FLUSHING : GST_FLOW_OK;
    if (stream->worker)
        voice_worker_set_flushing(stream->worker, flushing);
    cue_stream_wake(stream);
    g_mutex_unlock(&stream->mutex);
}

void cue_stream_flush(struct cue_stream *stream)
{
    g_mutex_lock(&stream->mutex);
    stream->flushes++;
    cue_queue_clear(&stream->items);
    if (stream->worker)
        voice_worker_clear(stream->worker);
    if (!stream->live)
        forget_segment(stream);
    cue_stream_wake(stream); // a cue may be waiting for room in the queue
    g_mutex_unlock(&stream->mutex);
}

void cue_stream_set_playing(struct cue_stream *stream, gboolean playing)
{
    g_mutex_lock(&stream->mutex);
    stream->playing = playing;
    cue_stream_wake(stream);
    g_mutex_unlock(&stream->mutex);
}

void cue_stream_end(struct cue_stream *stream)
{
    g_mutex_lock(&stream->mutex);
    stream->ending = TRUE;
    cue_stream_wake(stream);
    g_mutex_unlock(&stream->mutex);
}

// ---- time ----

guint64 cue_stream_to_native(const struct cue_stream *stream, GstClockTime time)
{
    return gst_util_uint64_scale_round(time, (guint64)stream->native_rate, GST_SECOND);
}

GstClockTime cue_stream_from_native(const struct cue_stream *stream, guint64 samples)
{
    return gst_util_uint64_scale_round(samples, GST_SECOND, (guint64)stream->native_rate);
}

guint64 cue_stream_seconds_to_native(const struct cue_stream *stream, double seconds)
{
    return cue_stream_to_native(stream, (GstClockTime)(seconds * GST_SECOND));
}

// Frames of output that hold so many samples at the model's rate.
static guint64 to_frames(const struct cue_stream *stream, guint64 samples)
{
    return gst_util_uint64_scale_ceil(samples, (guint64)stream->info.rate, (guint64)stream->native_rate);
}

GstClockTime cue_stream_time_of(const struct cue_stream *stream, guint64 frame)
{
    return stream->origin + gst_util_uint64_scale_round(frame, GST_SECOND, (guint64)stream->info.rate);
}

static void begin_segment(struct cue_stream *stream, const GstSegment *segment)
{
    stream->pushed = stream->held_up = 0;
    stream->has_segment = stream->segment_due = stream->discont = stream->silent = TRUE;
    stream->origin = segment->start;
    stream->position = stream->native = stream->limit = stream->end = 0;
    if (stream->format)
        format_reset(stream->format);
    g_mutex_lock(&stream->mutex);
    stream->segment = *segment;
    stream->mixed = 0;
    stream->next = stream->origin;
    g_mutex_unlock(&stream->mutex);
}

static void begin_live_segment(struct cue_stream *stream)
{
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    begin_segment(stream, &segment);
}

// ---- what can be output now ----

// The most frames that a buffer may have here.
static guint64 frames_left(struct cue_stream *stream)
{
    guint64 rate = (guint64)stream->info.rate, end = G_MAXUINT64;
    GST_OBJECT_LOCK(stream->element);
    guint64 most = stream->settings->samples_per_buffer;
    GST_OBJECT_UNLOCK(stream->element);
    GstClockTime stop = stream->segment.stop;
    if (GST_CLOCK_TIME_IS_VALID(stop))
        end = stop > stream->origin ? gst_util_uint64_scale_round(stop - stream->origin, rate, GST_SECOND)
                                    : 0;
    return stream->position < end ? MIN(MIN(end - stream->position, most), rate * LONGEST) : 0;
}

gsize cue_stream_known_frames(struct cue_stream *stream)
{
    if (!stream->format || !stream->has_segment)
        return 0;
    guint64 left = frames_left(stream), samples = stream->limit - MIN(stream->native, stream->limit);
    if (stream->live)
        return left;
    samples = MIN(samples, (guint64)stream->native_rate * LONGEST);
    return (gsize)MIN(left, format_gives(stream->format, samples));
}

// Frames to the end of the last cue, and of the sounds that go on behind it.
static GstFlowReturn drain_frames(struct cue_stream *stream, gsize *frames)
{
    *frames = 0;
    if (!stream->format || !stream->has_segment)
        return GST_FLOW_OK;
    GST_OBJECT_LOCK(stream->element);
    double tail = stream->settings->tail;
    GST_OBJECT_UNLOCK(stream->element);
    guint64 bound = stream->end + cue_stream_seconds_to_native(stream, tail),
            end = MAX(stream->end, stream->limit);
    if (stream->position >= to_frames(stream, end)) {
        enum voice_wait wait = stream->live ? VOICE_READY : voice_worker_wait_end(stream->worker);
        if (wait != VOICE_READY)
            return wait == VOICE_FAILED ? GST_FLOW_ERROR : GST_FLOW_FLUSHING;
        voice_worker_cut(stream->worker, bound);
        end = MAX(end, MIN(bound, voice_worker_end(stream->worker)));
    }
    guint64 target = to_frames(stream, end);
    *frames = (gsize)(stream->position < target ? MIN(target - stream->position, frames_left(stream)) : 0);
    return GST_FLOW_OK;
}

// ---- events in their place ----

static GstFlowReturn forward_segment(struct cue_stream *stream, GstEvent *event)
{
    const GstSegment *segment;
    gst_event_parse_segment(event, &segment);
    if (!stream->has_segment || !gst_segment_is_equal(segment, &stream->segment)) {
        voice_worker_clear(stream->worker);
        begin_segment(stream, segment);
    }
    gst_event_unref(event);
    return GST_FLOW_OK;
}

// Takes the event.
static GstFlowReturn forward(struct cue_stream *stream, GstEvent *event)
{
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT)
        return forward_segment(stream, event);
    if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START) {
        gst_event_parse_group_id(event, &stream->group);
        stream->opened = FALSE;
        stream->segment_due = stream->has_segment;
        gst_event_unref(event);
        return GST_FLOW_OK;
    }
    gboolean end = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
    GstFlowReturn result = end ? cue_stream_open_output(stream) : GST_FLOW_OK; // a file without cues is a
                                                                               // file still
    if (result != GST_FLOW_OK) {
        gst_event_unref(event);
        return result;
    }
    gst_pad_push_event(stream->src, event);
    return end ? GST_FLOW_EOS : GST_FLOW_OK;
}

static gboolean drains(const GstEvent *event)
{
    GstEventType type = GST_EVENT_TYPE(event);
    return type == GST_EVENT_EOS || type == GST_EVENT_SEGMENT || type == GST_EVENT_SEGMENT_DONE ||
           type == GST_EVENT_STREAM_START;
}

// ---- the task ----

static GstFlowReturn wait_for_work(struct cue_stream *stream)
{
    g_mutex_lock(&stream->mutex);
    while (!stream->flushing && g_queue_is_empty(&stream->items) && !stream->live)
        g_cond_wait(&stream->cond, &stream->mutex);
    GstFlowReturn result = stream->flushing ? GST_FLOW_FLUSHING : GST_FLOW_OK;
    g_mutex_unlock(&stream->mutex);
    return result;
}

struct flags {
    gboolean flushing, ending, live;
};

static struct flags read_flags(struct cue_stream *stream)
{
    g_mutex_lock(&stream->mutex);
    struct flags flags = {stream->flushing, stream->ending, stream->live};
    g_mutex_unlock(&stream->mutex);
    return flags;
}

// The next thing: cues are placed, then a buffer goes out, or an event whose turn it is.
static GstFlowReturn step(struct cue_stream *stream)
{
    struct flags flags = read_flags(stream);
    if (flags.flushing)
        return GST_FLOW_FLUSHING;
    if (flags.live && !stream->has_segment)
        begin_live_segment(stream);
    GstFlowReturn result = stream->has_segment ? cue_stream_open_output(stream) : GST_FLOW_OK;
    if (result != GST_FLOW_OK)
        return result;

    cue_stream_place_cues(stream);
    struct cue_item head;
    gboolean event = cue_stream_peek(stream, &head) && head.kind == CUE_ITEM_EVENT;
    gboolean draining = (event && drains(head.event)) || (!event && flags.ending);
    gsize frames = event && !draining ? 0 : cue_stream_known_frames(stream);
    if (draining)
        result = drain_frames(stream, &frames);
    if (result != GST_FLOW_OK)
        return result;
    if (frames)
        return cue_stream_output(stream, frames);
    if (event && cue_stream_pop(stream, &head))
        return forward(stream, head.event);
    if (flags.ending)
        return forward(stream, gst_event_new_eos());
    return wait_for_work(stream);
}

void cue_stream_loop(gpointer data)
{
    struct cue_stream *stream = data;
    GstFlowReturn result = step(stream);
    if (result == GST_FLOW_OK)
        return;
    g_mutex_lock(&stream->mutex);
    stream->result = stream->flushing ? GST_FLOW_FLUSHING : result;
    gboolean fatal = !stream->flushing && (result == GST_FLOW_NOT_LINKED || result < GST_FLOW_EOS);
    g_cond_broadcast(&stream->cond);
    g_mutex_unlock(&stream->mutex);
    gst_pad_pause_task(stream->src);
    if (!fatal)
        return;
    if (result != GST_FLOW_ERROR) // that was said already
        GST_ELEMENT_FLOW_ERROR(stream->element, result);
    gst_pad_push_event(stream->src, gst_event_new_eos());
}

// ---- queries ----

GstClockTime cue_stream_latency_setting(struct cue_stream *stream)
{
    GST_OBJECT_LOCK(stream->element);
    GstClockTime latency = stream->settings->latency * GST_MSECOND;
    GST_OBJECT_UNLOCK(stream->element);
    return latency;
}

gboolean cue_stream_latency(struct cue_stream *stream, GstClockTime upstream, GstClockTime *latency)
{
    GST_OBJECT_LOCK(stream->element);
    guint samples = stream->settings->samples_per_buffer;
    GST_OBJECT_UNLOCK(stream->element);
    GstCaps *caps = gst_pad_get_current_caps(stream->src);
    GstAudioInfo info;
    gint rate = caps && gst_audio_info_from_caps(&info, caps) ? info.rate : stream->native_rate;
    gst_clear_caps(&caps);
    g_mutex_lock(&stream->mutex);
    gboolean live = stream->live && rate > 0;
    if (live)
        stream->upstream = upstream;
    g_mutex_unlock(&stream->mutex);
    *latency = upstream + cue_stream_latency_setting(stream);
    if (live)
        *latency += gst_util_uint64_scale_round(samples, GST_SECOND, (guint64)rate);
    return live;
}

GstClockTime cue_stream_position(struct cue_stream *stream)
{
    g_mutex_lock(&stream->mutex);
    GstClockTime time = stream->next;
    if (GST_CLOCK_TIME_IS_VALID(time))
        time = gst_segment_to_stream_time(&stream->segment, GST_FORMAT_TIME, time);
    g_mutex_unlock(&stream->mutex);
    return time;
}
