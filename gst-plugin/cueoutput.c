// SPDX-License-Identifier: LGPL-2.1-or-later
// What stands in front of the sound, the buffers of sound with their times, and how long each of them waits.
#include "cuestream_private.h"

#include "audiocaps.h"
#include "messages.h"
#include "pacing.h"
#include "samples.h"
#include "tags.h"

// ---- in front of the first buffer ----

static double width_setting(struct cue_stream *stream)
{
    GST_OBJECT_LOCK(stream->element);
    double width = stream->settings->width;
    GST_OBJECT_UNLOCK(stream->element);
    return width;
}

static GstFlowReturn push_caps(struct cue_stream *stream, GstCaps *caps)
{
    GstAudioInfo info;
    gboolean known = gst_audio_info_from_caps(&info, caps);
    guint channels = known && info.channels == 2 ? 2 : 1;
    struct format *format = known ? format_create(stream->native_rate, &info, channels) : NULL;
    if (!format)
        return GST_FLOW_NOT_NEGOTIATED;
    // In mid-stream the next buffer begins where the last one ended.
    if (stream->format && stream->info.rate != info.rate)
        stream->position = gst_util_uint64_scale_round(stream->position, (guint64)info.rate,
                                                       (guint64)stream->info.rate);
    format_destroy(&stream->format);
    stream->format = format;
    stream->info = info;
    stream->channels = channels;
    voice_worker_set_stereo(stream->worker, channels, width_setting(stream));
    gboolean taken = gst_pad_push_event(stream->src, gst_event_new_caps(caps));
    gst_element_post_message(stream->element, gst_message_new_latency(GST_OBJECT(stream->element)));
    return taken || GST_PAD_IS_FLUSHING(stream->src) ? GST_FLOW_OK : GST_FLOW_NOT_NEGOTIATED;
}

static GstFlowReturn negotiate(struct cue_stream *stream)
{
    gboolean changed = gst_pad_check_reconfigure(stream->src);
    if (stream->format && !changed)
        return GST_FLOW_OK;
    GstCaps *own = gst_pad_get_pad_template_caps(stream->src);
    GstCaps *caps = gst_pad_peer_query_caps(stream->src, own), *now = gst_pad_get_current_caps(stream->src);
    gst_caps_unref(own);
    GstFlowReturn result = gst_caps_is_empty(caps) ? GST_FLOW_NOT_NEGOTIATED : GST_FLOW_OK;
    if (result == GST_FLOW_OK)
        caps = gst_caps_fixate(
            diffuse_audio_prefer(caps, stream->native_rate, width_setting(stream) > 0 ? 2 : 1));
    if (result == GST_FLOW_OK && (!stream->format || !now || !gst_caps_is_equal(caps, now)))
        result = push_caps(stream, caps);
    gst_caps_unref(caps);
    gst_clear_caps(&now);
    if (result == GST_FLOW_NOT_NEGOTIATED)
        gst_pad_mark_reconfigure(stream->src);
    return result;
}

static void push_stream_start(struct cue_stream *stream)
{
    char *id = gst_pad_create_stream_id(stream->src, stream->element, "fx");
    GstEvent *event = gst_event_new_stream_start(id);
    if (stream->group == GST_GROUP_ID_INVALID)
        stream->group = gst_util_group_id_next();
    gst_event_set_group_id(event, stream->group);
    gst_pad_push_event(stream->src, event);
    g_free(id);
    stream->opened = TRUE;
}

static void push_tags(struct cue_stream *stream)
{
    GstTagList *tags = gst_tag_list_make_writable(diffuse_tags_create(stream->session->model, NULL));
    gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_APPLICATION_NAME, "Ebb diffusefx", NULL);
    gst_pad_push_event(stream->src, gst_event_new_tag(tags));
    stream->told = TRUE;
}

GstFlowReturn cue_stream_open_output(struct cue_stream *stream)
{
    if (!stream->opened)
        push_stream_start(stream);
    GstFlowReturn result = negotiate(stream);
    if (result != GST_FLOW_OK || !stream->has_segment)
        return result;
    if (stream->segment_due)
        gst_pad_push_event(stream->src, gst_event_new_segment(&stream->segment));
    stream->segment_due = FALSE;
    if (!stream->told)
        push_tags(stream);
    return GST_FLOW_OK;
}

// ---- waiting ----

// As diffusesrc has it: a consumer with a clock holds the task up for about as long as the sound lasts.
static gboolean consumer_keeps_time(const struct cue_stream *stream)
{
    return stream->pushed && stream->held_up >= stream->pushed / 4 &&
           diffuse_pipeline_keeps_time(stream->element);
}

static void post_buffering(struct cue_stream *stream, gint percent)
{
    gst_element_post_message(stream->element,
                             gst_message_new_buffering(GST_OBJECT(stream->element), percent));
}

static GstFlowReturn wait_for_voices(struct cue_stream *stream, guint64 until)
{
    if (voice_worker_is_ready(stream->worker, until))
        return GST_FLOW_OK;
    gboolean tell = consumer_keeps_time(stream);
    if (tell)
        post_buffering(stream, 0);
    enum voice_wait wait = voice_worker_wait(stream->worker, until);
    if (tell)
        post_buffering(stream, 100);
    if (wait == VOICE_FLUSHING)
        return GST_FLOW_FLUSHING;
    return wait == VOICE_FAILED ? GST_FLOW_ERROR : GST_FLOW_OK; // the worker has said why
}

static GstClock *clock_of(struct cue_stream *stream)
{
    GstClock *clock = gst_element_get_clock(stream->element);
    return clock ? clock : gst_system_clock_obtain();
}

// The first buffer of a live stream has the time at which the stream came into being; at the start of the
// pipeline that is 0.
static void begin_live(struct cue_stream *stream, GstClockTime now, GstClockTime delay)
{
    if (stream->begun)
        return;
    stream->begun = TRUE;
    GstClockTime late = now > delay ? now - delay : 0;
    if (late < GST_SECOND)
        return;
    stream->position = gst_util_uint64_scale(late, (guint64)stream->info.rate, GST_SECOND);
    stream->native = cue_stream_to_native(stream, late);
}

// Live: waits until the next buffer is due. FALSE: something else has to be done first.
static gboolean wait_for_clock(struct cue_stream *stream)
{
    GstClock *clock = clock_of(stream);
    GstClockTime base = gst_element_get_base_time(stream->element),
                 latency = cue_stream_latency_setting(stream);
    GstClockTime time = gst_clock_get_time(clock);
    g_mutex_lock(&stream->mutex);
    gboolean run = stream->playing && !stream->flushing;
    GstClockTime delay = stream->upstream + latency;
    if (run) {
        begin_live(stream, time > base ? time - base : 0, delay);
        stream->alarm = gst_clock_new_single_shot_id(clock, base +
                                                                cue_stream_time_of(stream, stream->position) +
                                                                delay);
        g_mutex_unlock(&stream->mutex);
        run = gst_clock_id_wait(stream->alarm, NULL) != GST_CLOCK_UNSCHEDULED;
        g_mutex_lock(&stream->mutex);
        g_clear_pointer(&stream->alarm, gst_clock_id_unref);
    } else if (!stream->flushing) {
        g_cond_wait(&stream->cond, &stream->mutex);
    }
    g_mutex_unlock(&stream->mutex);
    gst_object_unref(clock);
    return run;
}

// ---- messages ----

static void post_cue(struct cue_stream *stream, const struct voice *voice, GstClockTime pts)
{
    const struct voice_order *order = &voice->order;
    const struct ebb_label *label = ebb_model_label(stream->session->model, order->label);
    struct diffuse_moment moment = diffuse_moment_at(&stream->segment, pts);
    GstStructure *structure = gst_structure_new("diffuse-cue", "seed", G_TYPE_UINT64, order->seed, "gain",
                                                G_TYPE_DOUBLE, order->gain, "compute-time", G_TYPE_UINT64,
                                                (guint64)voice->compute * GST_USECOND, "late", G_TYPE_UINT64,
                                                cue_stream_from_native(stream, voice->late), NULL);
    if (label)
        gst_structure_set(structure, "label", G_TYPE_STRING, label->name, NULL);
    if (order->prompt)
        gst_structure_set(structure, "prompt", G_TYPE_STRING, order->prompt, NULL);
    if (voice->recipe)
        gst_structure_set(structure, "recipe", G_TYPE_STRING, voice->recipe, NULL);
    if (order->played)
        gst_structure_set(structure, "play-latency", G_TYPE_UINT64,
                          (guint64)(g_get_monotonic_time() - order->asked_at) * GST_USECOND, NULL);
    diffuse_post_structure(stream->element, &moment, GST_CLOCK_TIME_NONE, structure);
}

// Counts the voices that begin in the buffer, and tells of them.
static void report_begun(struct cue_stream *stream, GPtrArray *begun, gboolean post, guint64 from)
{
    for (guint i = 0; i < begun->len; i++) {
        struct voice *voice = begun->pdata[i];
        GST_OBJECT_LOCK(stream->element);
        stream->report.late += !voice->order.played && voice->late > 0;
        if (voice->order.played) {
            GstClockTime took = (GstClockTime)(g_get_monotonic_time() - voice->order.asked_at) * GST_USECOND;
            stream->report.play_latency = took;
            stream->report.play_latency_most = MAX(stream->report.play_latency_most, took);
        }
        GST_OBJECT_UNLOCK(stream->element);
        guint64 at = MAX(voice->order.start, from);
        if (post)
            post_cue(stream, voice, stream->origin + cue_stream_from_native(stream, at));
    }
}

static void unref_voice(gpointer data)
{
    struct voice *voice = data;
    voice_unref(&voice);
}

// ---- buffers ----

// In a straight line from the last volume, then bent below full scale.
static void apply_volume(struct cue_stream *stream, gsize count, double volume)
{
    double from = stream->volume < 0 ? volume : stream->volume;
    for (gsize i = 0; i < count && (from != 1 || volume != 1); i++)
        for (guint c = 0; c < stream->channels; c++)
            stream->scratch[i * stream->channels + c] *= (float)(from + (volume - from) * (double)(i + 1) /
                                                                            (double)count);
    stream->volume = volume;
    voices_limit(stream->scratch, count * stream->channels);
}

static void stamp(struct cue_stream *stream, GstBuffer *buffer, gsize frames, gboolean gap)
{
    GST_BUFFER_PTS(buffer) = cue_stream_time_of(stream, stream->position);
    stream->position += frames;
    GstClockTime next = cue_stream_time_of(stream, stream->position);
    GST_BUFFER_DURATION(buffer) = next - GST_BUFFER_PTS(buffer);
    if (gap)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_GAP);
    if (stream->discont)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    stream->discont = FALSE;
    g_mutex_lock(&stream->mutex);
    stream->next = next;
    g_mutex_unlock(&stream->mutex);
}

// The samples of the next buffer, which are made, as a buffer; NULL: no memory.
static GstBuffer *make_buffer(struct cue_stream *stream, gsize count, gsize frames)
{
    struct diffuse_moment moment = diffuse_moment_at(&stream->segment,
                                                     cue_stream_time_of(stream, stream->position));
    diffuse_sync_properties(stream->element, &moment);
    GST_OBJECT_LOCK(stream->element);
    double volume = stream->settings->volume;
    gboolean post = stream->settings->post_messages;
    GST_OBJECT_UNLOCK(stream->element);

    g_mutex_lock(&stream->mutex);
    stream->mixed = stream->native + count;
    g_mutex_unlock(&stream->mutex);
    GPtrArray *begun = g_ptr_array_new_with_free_func(unref_voice);
    voice_worker_mix(stream->worker, stream->native, stream->scratch, count, begun);
    report_begun(stream, begun, post, stream->native);
    g_ptr_array_unref(begun);
    stream->native += count;

    gboolean silent = samples_are_silent(stream->scratch, count * stream->channels);
    gboolean gap = silent && (stream->silent || stream->info.rate == stream->native_rate);
    apply_volume(stream, count, volume);
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, frames * (gsize)stream->info.bpf, NULL);
    if (!buffer || !format_convert(stream->format, stream->scratch, count, buffer, frames, 1, 1))
        gst_clear_buffer(&buffer);
    if (buffer)
        stamp(stream, buffer, frames, gap);
    stream->silent = silent;
    return buffer;
}

GstFlowReturn cue_stream_output(struct cue_stream *stream, gsize frames)
{
    gsize count = format_needs(stream->format, frames);
    GstBuffer *buffer = NULL;
    if (stream->live && !wait_for_clock(stream))
        return GST_FLOW_OK; // the loop looks again
    GstFlowReturn result = stream->live ? GST_FLOW_OK : wait_for_voices(stream, stream->native + count);
    if (result != GST_FLOW_OK)
        return result;
    if (samples_reserve(&stream->scratch, &stream->scratch_size, count * stream->channels))
        buffer = make_buffer(stream, count, frames);
    if (!buffer) {
        GST_ELEMENT_ERROR(stream->element, RESOURCE, NO_SPACE_LEFT, ("No memory."), (NULL));
        return GST_FLOW_ERROR;
    }
    stream->pushed += GST_BUFFER_DURATION(buffer);
    gint64 left = g_get_monotonic_time();
    result = gst_pad_push(stream->src, buffer);
    stream->held_up += (GstClockTime)(g_get_monotonic_time() - left) * GST_USECOND;
    return result;
}
