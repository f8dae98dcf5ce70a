// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuestream_private.h"

#include "audiocaps.h"
#include "messages.h"
#include "pacing.h"
#include "tags.h"

#define LONGEST 60 // seconds in a buffer: samplesperbuffer at a low rate may ask for days
#define LATEST 1   // seconds that an event may begin behind its cue

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

static GstClockTime from_native(const struct cue_stream *stream, guint64 samples)
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

static GstClockTime time_of(const struct cue_stream *stream, guint64 frame)
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

// ---- from cues to voices ----

struct cue_place_settings cue_stream_place_settings(struct cue_stream *stream)
{
    GST_OBJECT_LOCK(stream->element);
    struct cue_place_settings settings = {stream->settings->duration,
                                          ebb_recipe_seed(stream->settings->sound.recipe, "seed")};
    GST_OBJECT_UNLOCK(stream->element);
    return settings;
}

// The seed follows from the cue's time, in milliseconds as subtitles have it: after a seek, and after other
// cues have changed, a cue keeps its sound. Sounds of the same moment are counted.
static guint64 seed_of(struct cue_stream *stream, guint64 seed, GstClockTime moment)
{
    moment = GST_CLOCK_TIME_IS_VALID(moment) ? moment / GST_MSECOND : moment;
    stream->same = moment == stream->moment ? stream->same + 1 : 0;
    stream->moment = moment;
    return voice_worker_seed(seed, moment, stream->same);
}

// Where a cue lies. What is in front of the segment is skipped; what comes too late begins at `earliest`.
static struct voice_order lay_out(const struct cue_stream *stream, const struct cue_item *item,
                                  guint64 earliest, guint64 length)
{
    GstClockTime start = item->start;
    struct voice_order order = {.gain = 1, .start = earliest};
    if (GST_CLOCK_TIME_IS_VALID(start) && start >= stream->origin)
        order.start = cue_stream_to_native(stream, start - stream->origin);
    else if (GST_CLOCK_TIME_IS_VALID(start)) {
        order.start = 0;
        order.skip = cue_stream_to_native(stream, stream->origin - start);
    }
    guint64 left = length > order.skip ? length - order.skip : 0;
    order.stop = order.start + left;
    return order;
}

static void place_sound(struct cue_stream *stream, const struct cue_item *item, struct voice_order order,
                        guint64 earliest)
{
    guint64 latest = (guint64)stream->native_rate * LATEST;
    gboolean late = order.start < earliest;
    order.texture = cue_stream_is_texture(stream, &order);
    if (order.texture && order.stop <= order.start)
        return; // it was over before the segment began
    if (order.texture)
        stream->end = MAX(stream->end, order.stop);
    gboolean lost = late && (order.texture ? order.stop <= earliest : order.start + latest < earliest);
    order.start = MAX(order.start, earliest);
    if (!order.texture)
        order.stop = VOICE_OPEN;
    if (lost)
        cue_stream_report_order(stream, &order, item->moment,
                                "comes too late: cues must be in order of time");
    else if (!voice_worker_add(stream->worker, &order, FALSE))
        cue_stream_report_order(stream, &order, item->moment, "has no sound: too many sounds at once");
    if (late && !lost) {
        GST_OBJECT_LOCK(stream->element);
        stream->report.late++;
        GST_OBJECT_UNLOCK(stream->element);
    }
}

static void place(struct cue_stream *stream, const struct cue_item *item, guint64 earliest)
{
    struct cue_place_settings settings = cue_stream_place_settings(stream);
    gboolean told = GST_CLOCK_TIME_IS_VALID(item->duration) && item->duration > 0;
    guint64 length = told ? cue_stream_to_native(stream, item->duration)
                          : cue_stream_seconds_to_native(stream, settings.duration);
    struct voice_order order = lay_out(stream, item, earliest, length);
    if (told)
        stream->end = MAX(stream->end, order.stop);
    stream->end = MAX(stream->end, order.start);
    for (guint i = 0; i < item->count + item->prompt_count; i++) {
        order.seed = seed_of(stream, settings.seed, item->moment);
        order.label = i < item->count ? item->labels[i] : -1;
        order.gain = i < item->count ? (double)item->gains[i] : 1;
        order.prompt = i < item->count ? NULL : item->prompts[i - item->count];
        place_sound(stream, item, order, earliest);
    }
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

// Frames up to the time in front of which everything is known.
static gsize known_frames(struct cue_stream *stream)
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

// ---- the queue ----

static gboolean peek(struct cue_stream *stream, struct cue_item *item)
{
    g_mutex_lock(&stream->mutex);
    gboolean found = cue_queue_peek(&stream->items, item);
    g_mutex_unlock(&stream->mutex);
    return found;
}

// FALSE: a flush has emptied the queue.
static gboolean pop(struct cue_stream *stream, struct cue_item *item)
{
    g_mutex_lock(&stream->mutex);
    gboolean found = !g_queue_is_empty(&stream->items);
    if (found)
        *item = cue_queue_pop(&stream->items);
    g_cond_broadcast(&stream->cond);
    g_mutex_unlock(&stream->mutex);
    return found;
}

// Nothing begins in front of `time` any more.
static void raise_limit(struct cue_stream *stream, GstClockTime time)
{
    if (GST_CLOCK_TIME_IS_VALID(time) && time > stream->origin)
        stream->limit = MAX(stream->limit, cue_stream_to_native(stream, time - stream->origin));
}

// Whether a cue can become voices now. It waits for room, unless nothing can be output before it is taken.
static gboolean has_room(struct cue_stream *stream, const struct cue_item *item)
{
    return voice_worker_count(stream->worker) + item->count + item->prompt_count <= VOICES_MOST ||
           (!stream->live && known_frames(stream) == 0);
}

static gboolean is_over(const struct cue_stream *stream, GstClockTime start)
{
    GstClockTime stop = stream->segment.stop;
    return GST_CLOCK_TIME_IS_VALID(start) && GST_CLOCK_TIME_IS_VALID(stop) && start >= stop;
}

// Takes the cues that there is room for, up to the first event.
static void take_cues(struct cue_stream *stream)
{
    struct cue_item item;
    while (stream->has_segment && peek(stream, &item) && item.kind != CUE_ITEM_EVENT) {
        guint64 earliest = stream->live ? stream->native : stream->limit;
        raise_limit(stream, item.start);
        if (item.kind == CUE_ITEM_CUE && !has_room(stream, &item))
            return;
        if (!pop(stream, &item))
            return;
        if (item.kind == CUE_ITEM_CUE && !is_over(stream, item.start))
            place(stream, &item, earliest);
        cue_item_clear(&item);
    }
}

// ---- caps and events ----

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

// Sends what has to stand in front of the first buffer.
static GstFlowReturn open_output(struct cue_stream *stream)
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

// ---- output ----

// Room for so many samples of each channel.
static gboolean reserve(struct cue_stream *stream, gsize frames)
{
    gsize count = frames * stream->channels;
    if (count <= stream->scratch_size)
        return TRUE;
    float *scratch = g_try_realloc_n(stream->scratch, count, sizeof(*scratch));
    if (!scratch)
        return FALSE;
    stream->scratch = scratch;
    stream->scratch_size = count;
    return TRUE;
}

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

static GstClockTime latency_setting(struct cue_stream *stream)
{
    GST_OBJECT_LOCK(stream->element);
    GstClockTime latency = stream->settings->latency * GST_MSECOND;
    GST_OBJECT_UNLOCK(stream->element);
    return latency;
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
    GstClockTime base = gst_element_get_base_time(stream->element), latency = latency_setting(stream);
    GstClockTime time = gst_clock_get_time(clock);
    g_mutex_lock(&stream->mutex);
    gboolean run = stream->playing && !stream->flushing;
    GstClockTime delay = stream->upstream + latency;
    if (run) {
        begin_live(stream, time > base ? time - base : 0, delay);
        stream->alarm = gst_clock_new_single_shot_id(clock, base + time_of(stream, stream->position) + delay);
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

static gboolean all_zero(const float *samples, gsize count)
{
    for (gsize i = 0; i < count; i++)
        if (samples[i] != 0)
            return FALSE;
    return TRUE;
}

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

static void post_cue(struct cue_stream *stream, const struct voice *voice, GstClockTime pts)
{
    const struct voice_order *order = &voice->order;
    const struct ebb_label *label = ebb_model_label(stream->session->model, order->label);
    struct diffuse_moment moment = diffuse_moment_at(&stream->segment, pts);
    GstStructure *structure = gst_structure_new("diffuse-cue", "seed", G_TYPE_UINT64, order->seed, "gain",
                                                G_TYPE_DOUBLE, order->gain, "compute-time", G_TYPE_UINT64,
                                                (guint64)voice->compute * GST_USECOND, "late", G_TYPE_UINT64,
                                                from_native(stream, voice->late), NULL);
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
            post_cue(stream, voice, stream->origin + from_native(stream, at));
    }
}

static void unref_voice(gpointer data)
{
    struct voice *voice = data;
    voice_unref(&voice);
}

static void stamp(struct cue_stream *stream, GstBuffer *buffer, gsize frames, gboolean gap)
{
    GST_BUFFER_PTS(buffer) = time_of(stream, stream->position);
    stream->position += frames;
    GstClockTime next = time_of(stream, stream->position);
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
    struct diffuse_moment moment = diffuse_moment_at(&stream->segment, time_of(stream, stream->position));
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

    gboolean silent = all_zero(stream->scratch, count * stream->channels);
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

static GstFlowReturn output(struct cue_stream *stream, gsize frames)
{
    gsize count = format_needs(stream->format, frames);
    GstBuffer *buffer = NULL;
    if (stream->live && !wait_for_clock(stream))
        return GST_FLOW_OK; // the loop looks again
    GstFlowReturn result = stream->live ? GST_FLOW_OK : wait_for_voices(stream, stream->native + count);
    if (result != GST_FLOW_OK)
        return result;
    if (reserve(stream, count))
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
    GstFlowReturn result = end ? open_output(stream) : GST_FLOW_OK; // a file without cues is a file still
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
    GstFlowReturn result = stream->has_segment ? open_output(stream) : GST_FLOW_OK;
    if (result != GST_FLOW_OK)
        return result;

    take_cues(stream);
    struct cue_item head;
    gboolean event = peek(stream, &head) && head.kind == CUE_ITEM_EVENT;
    gboolean draining = (event && drains(head.event)) || (!event && flags.ending);
    gsize frames = event && !draining ? 0 : known_frames(stream);
    if (draining)
        result = drain_frames(stream, &frames);
    if (result != GST_FLOW_OK)
        return result;
    if (frames)
        return output(stream, frames);
    if (event && pop(stream, &head))
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
    *latency = upstream + latency_setting(stream);
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
