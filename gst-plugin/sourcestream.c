// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sourcestream.h"

#include <string.h>

#include "allocation.h"
#include "messages.h"
#include "pacing.h"
#include "samples.h"

#define LONGEST 60 // seconds in a buffer: samplesperbuffer at a low rate may ask for days

void source_stream_start(struct source_stream *stream, struct clip_worker *worker)
{
    stream->worker = worker;
    GST_OBJECT_LOCK(stream->element);
    stream->native_rate = ebb_model_info(stream->session->model)->sample_rate;
    GST_OBJECT_UNLOCK(stream->element);
    stream->position = stream->silence = 0;
    stream->wanted = GST_CLOCK_TIME_NONE;
    stream->volume = -1;
    stream->left = stream->held_up = 0;
    stream->underrun = FALSE;
    stream->channels = 1;
}

void source_stream_stop(struct source_stream *stream)
{
    stream->worker = NULL;
    clip_origin_unref(&stream->told);
    format_destroy(&stream->format);
    g_clear_pointer(&stream->scratch, g_free);
    stream->scratch_size = 0;
}

// Two channels that are not the same are asked for, and the output has two.
static gboolean is_wide(const struct source_stream *stream, const GstAudioInfo *info)
{
    GST_OBJECT_LOCK(stream->element);
    gboolean wide = info->channels == 2 && ebb_recipe_number(stream->settings->sound.recipe, "width") > 0;
    GST_OBJECT_UNLOCK(stream->element);
    return wide;
}

gboolean source_stream_set_format(struct source_stream *stream, const GstAudioInfo *info)
{
    guint channels = is_wide(stream, info) ? 2 : 1;
    struct format *format = format_create(stream->native_rate, info, channels);
    if (!format)
        return FALSE;

    // In mid-stream the next buffer begins where the last one ended.
    guint64 rate = (guint64)info->rate;
    if (stream->format && stream->info.rate != info->rate)
        stream->position = gst_util_uint64_scale_round(stream->position, rate, (guint64)stream->info.rate);
    format_destroy(&stream->format);
    stream->format = format;
    stream->info = *info;
    stream->channels = channels;
    clip_worker_set_channels(stream->worker, channels);
    return TRUE;
}

// A width that was set in mid-stream: from now on the output's channels differ.
static void widen(struct source_stream *stream)
{
    struct format *wide = stream->channels == 1 && is_wide(stream, &stream->info)
                              ? format_create(stream->native_rate, &stream->info, 2)
                              : NULL;
    if (!wide)
        return;
    format_destroy(&stream->format);
    stream->format = wide;
    stream->channels = 2;
    clip_worker_set_channels(stream->worker, 2);
}

void source_stream_seek(struct source_stream *stream, GstClockTime target)
{
    stream->wanted = target; // becomes frames when the rate is known
    stream->left = stream->held_up = 0;
}

static GstClockTime time_of(const struct source_stream *stream, guint64 frame)
{
    return gst_util_uint64_scale_round(frame, GST_SECOND, (guint64)stream->info.rate);
}

static void apply_seek(struct source_stream *stream)
{
    guint64 rate = (guint64)stream->info.rate, native = (guint64)stream->native_rate;
    stream->position = gst_util_uint64_scale_round(stream->wanted, rate, GST_SECOND);
    if (time_of(stream, stream->position) < stream->wanted)
        stream->position++; // never before the segment
    stream->wanted = GST_CLOCK_TIME_NONE;
    stream->silence = 0;
    stream->volume = -1;
    stream->underrun = FALSE;
    clip_worker_seek(stream->worker, gst_util_uint64_scale(stream->position, native, rate));
    format_reset(stream->format);
}

// How long the next buffer may be: samplesperbuffer, LONGEST, or what is left to the end of clips or segment.
// 0: the end.
static gsize frames_left(struct source_stream *stream, guint samples_per_buffer)
{
    guint64 rate = (guint64)stream->info.rate, end = G_MAXUINT64, total = clip_worker_total(stream->worker);
    if (total != G_MAXUINT64)
        end = gst_util_uint64_scale_ceil(total + stream->silence, rate, (guint64)stream->native_rate);
    GstClockTime stop = stream->element->segment.stop;
    if (GST_CLOCK_TIME_IS_VALID(stop))
        end = MIN(end, gst_util_uint64_scale_round(stop, rate, GST_SECOND));
    guint64 most = MIN(samples_per_buffer, rate * LONGEST);
    return stream->position < end ? (gsize)MIN(end - stream->position, most) : 0;
}

// A consumer with a clock holds the source up for about as long as the sound lasts, less what lies in queues.
// A consumer without one (a file, a slow filter) takes all there is. It needs no BUFFERING messages: each
// would pause it.
static gboolean consumer_keeps_time(const struct source_stream *stream)
{
    guint64 sound = gst_util_uint64_scale(stream->position - stream->began_at, G_USEC_PER_SEC,
                                          (guint64)stream->info.rate);
    return stream->left && (guint64)stream->held_up >= sound / 4 &&
           diffuse_pipeline_keeps_time(GST_ELEMENT(stream->element));
}

static enum clip_wait wait_for(struct source_stream *stream, gsize count, gsize frames)
{
    if (clip_worker_is_ready(stream->worker, count))
        return clip_worker_wait(stream->worker, count, 0, FALSE);
    if (!gst_base_src_is_live(stream->element))
        return clip_worker_wait(stream->worker, count, 0, consumer_keeps_time(stream));
    // While sound is late, each deadline follows from the one before: the time a buffer takes beside the wait
    // must not add up.
    gint64 patience = (gint64)gst_util_uint64_scale(frames, G_USEC_PER_SEC, (guint64)stream->info.rate);
    stream->deadline = (stream->underrun ? stream->deadline : g_get_monotonic_time()) + patience;
    return clip_worker_wait(stream->worker, count, stream->deadline, FALSE);
}

static struct diffuse_moment moment_at(const struct source_stream *stream, GstClockTime pts)
{
    return diffuse_moment_at(&stream->element->segment, pts);
}

// Once per gap, when it begins.
static void post_underrun(struct source_stream *stream, GstClockTime pts, GstClockTime duration)
{
    GST_OBJECT_LOCK(stream->element);
    guint64 underruns = ++stream->underruns;
    guint samples_per_buffer = MAX(1, stream->settings->samples_per_buffer);
    GST_OBJECT_UNLOCK(stream->element);
    struct diffuse_moment moment = moment_at(stream, pts);
    struct diffuse_qos qos = {.duration = duration,
                              .jitter = (gint64)duration,
                              .quality = 1000000,
                              .processed = stream->position / samples_per_buffer,
                              .dropped = underruns};
    diffuse_post_qos(GST_ELEMENT(stream->element), &moment, &qos);
}

static void post_clip(struct source_stream *stream, const struct clip_info *info, GstClockTime pts)
{
    double seconds = (double)info->length / stream->native_rate;
    struct diffuse_moment moment = moment_at(stream, pts);
    GstClockTime duration = gst_util_uint64_scale_round(info->length, GST_SECOND,
                                                        (guint64)stream->native_rate);
    GstStructure *structure = gst_structure_new("diffuse-clip", "index", G_TYPE_UINT64, info->index, "seed",
                                                G_TYPE_UINT64, info->origin->seed, "compute-time",
                                                G_TYPE_UINT64, info->compute, "rtf", G_TYPE_DOUBLE,
                                                (double)info->compute / GST_SECOND / seconds, NULL);
    if (info->origin->label)
        gst_structure_set(structure, "label", G_TYPE_STRING, info->origin->label, NULL);
    diffuse_post_structure(GST_ELEMENT(stream->element), &moment, duration, structure);
}

// The recipe in the tags makes the clips that follow. Takes the origin.
static void send_tags(struct source_stream *stream, struct clip_origin *origin)
{
    clip_origin_unref(&stream->told);
    stream->told = origin;
    // The base class puts the event after the segment. Straight to the class's function:
    // gst_element_send_event() takes the state lock, which a thread that is stopping this one holds.
    GstEvent *event = gst_event_new_tag(gst_tag_list_ref(origin->tags));
    GST_ELEMENT_GET_CLASS(stream->element)->send_event(GST_ELEMENT(stream->element), event);
}

static void begin_clip(struct source_stream *stream, const struct clip_info *info, gboolean post,
                       GstClockTime pts)
{
    if (info->origin != stream->told)
        send_tags(stream, clip_origin_ref(info->origin));
    if (post)
        post_clip(stream, info, pts);
}

// Fills scratch with `count` samples. Zeros stand for a late clip, and for the resampler's tail past the end.
static gsize gather(struct source_stream *stream, gsize count, gboolean late, gboolean post, GstClockTime pts)
{
    gboolean begins;
    struct clip_info info;
    gsize got = 0, part;
    while ((part = clip_worker_read(stream->worker, stream->scratch + got * stream->channels, count - got,
                                    &begins, &info)) > 0) {
        GstClockTime ahead = gst_util_uint64_scale_round(got, GST_SECOND, (guint64)stream->native_rate);
        got += part;
        if (!begins)
            continue;
        begin_clip(stream, &info, post, pts + ahead);
        clip_origin_unref(&info.origin);
    }
    memset(stream->scratch + got * stream->channels, 0,
           (count - got) * stream->channels * sizeof(*stream->scratch));
    if (late)
        stream->silence += count - got;
    return got;
}

static void stamp(struct source_stream *stream, GstBuffer *buffer, gsize frames)
{
    GST_BUFFER_PTS(buffer) = time_of(stream, stream->position);
    GST_BUFFER_OFFSET(buffer) = stream->position;
    if (!stream->left)
        stream->began_at = stream->position;
    stream->left = g_get_monotonic_time();
    stream->position += frames;
    GST_BUFFER_DURATION(buffer) = time_of(stream, stream->position) - GST_BUFFER_PTS(buffer);
    GST_BUFFER_OFFSET_END(buffer) = stream->position;
}

// The volume at `pts`, and whether to post messages.
static double sync_controls(struct source_stream *stream, GstClockTime pts, gboolean *post)
{
    struct diffuse_moment moment = moment_at(stream, pts);
    diffuse_sync_properties(GST_ELEMENT(stream->element), &moment);
    GST_OBJECT_LOCK(stream->element);
    double volume = stream->settings->volume;
    *post = stream->settings->post_messages;
    GST_OBJECT_UNLOCK(stream->element);
    return volume;
}

static GstBuffer *make_buffer(struct source_stream *stream, gsize count, gsize frames, gboolean late)
{
    GstClockTime pts = time_of(stream, stream->position);
    gboolean post;
    double volume = sync_controls(stream, pts, &post);
    gsize got = gather(stream, count, late, post, pts);
    gboolean silent = samples_are_silent(stream->scratch, count * stream->channels),
             resumed = stream->underrun && got > 0;
    if (late && !stream->underrun)
        post_underrun(stream, pts, time_of(stream, stream->position + frames) - pts);
    stream->underrun = late;

    GstBuffer *buffer = diffuse_allocate_for_source(stream->element, frames * (gsize)stream->info.bpf);
    if (!buffer || !format_convert(stream->format, stream->scratch, count, buffer, frames,
                                   stream->volume < 0 ? volume : stream->volume, volume)) {
        gst_clear_buffer(&buffer);
        return NULL;
    }
    stream->volume = volume;
    stamp(stream, buffer, frames);
    if (silent && stream->info.rate == stream->native_rate)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_GAP);
    if (resumed)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    return buffer;
}

static GstFlowReturn out_of_memory(struct source_stream *stream)
{
    GST_ELEMENT_ERROR(stream->element, RESOURCE, NO_SPACE_LEFT, ("No memory."), (NULL));
    return GST_FLOW_ERROR;
}

GstFlowReturn source_stream_next(struct source_stream *stream, GstBuffer **buffer)
{
    if (!stream->format)
        return GST_FLOW_NOT_NEGOTIATED;
    widen(stream);
    if (GST_CLOCK_TIME_IS_VALID(stream->wanted))
        apply_seek(stream);
    if (stream->left)
        stream->held_up += g_get_monotonic_time() - stream->left;
    if (!stream->told) // before the first clip is there: files have their tags in front
        send_tags(stream, clip_worker_origin(stream->worker));

    GST_OBJECT_LOCK(stream->element);
    guint samples_per_buffer = stream->settings->samples_per_buffer;
    GST_OBJECT_UNLOCK(stream->element);
    gsize frames = frames_left(stream, samples_per_buffer), count = 0;
    enum clip_wait result = CLIP_READY;
    for (gsize before = 0; frames && frames != before; frames = frames_left(stream, samples_per_buffer)) {
        before = frames; // a clip that was waited for may be shorter than was thought
        count = format_needs(stream->format, frames);
        if (!samples_reserve(&stream->scratch, &stream->scratch_size, count * stream->channels))
            return out_of_memory(stream);
        result = wait_for(stream, count, frames);
        if (result != CLIP_READY)
            break;
    }
    if (!frames)
        return GST_FLOW_EOS;
    if (result == CLIP_FLUSHING)
        return GST_FLOW_FLUSHING;
    if (result == CLIP_FAILED)
        return GST_FLOW_ERROR; // the worker has said why
    *buffer = make_buffer(stream, count, frames, result == CLIP_LATE);
    return *buffer ? GST_FLOW_OK : out_of_memory(stream);
}

GstStructure *source_stream_stats(const struct source_stream *stream, struct clip_worker *worker)
{
    struct clip_stats stats = {0};
    if (worker)
        clip_worker_stats(worker, &stats);
    double seconds = stream->native_rate ? (double)stats.samples / stream->native_rate : 0;
    double rtf = seconds > 0 ? (double)stats.compute / GST_SECOND / seconds : 0;
    return gst_structure_new("diffuse-stats", "clips", G_TYPE_UINT64, stats.clips, "compute-time",
                             G_TYPE_UINT64, stats.compute, "rtf", G_TYPE_DOUBLE, rtf, "queued", G_TYPE_UINT,
                             stats.queued, "underruns", G_TYPE_UINT64, stream->underruns, "loaded",
                             G_TYPE_BOOLEAN, stats.loaded, NULL);
}
