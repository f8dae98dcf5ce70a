// SPDX-License-Identifier: LGPL-2.1-or-later
// The cues that wait become voices in their places.
#include "cuestream_private.h"

#define LATEST 1 // seconds that an event may begin behind its cue

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

// ---- the queue ----

gboolean cue_stream_peek(struct cue_stream *stream, struct cue_item *item)
{
    g_mutex_lock(&stream->mutex);
    gboolean found = cue_queue_peek(&stream->items, item);
    g_mutex_unlock(&stream->mutex);
    return found;
}

gboolean cue_stream_pop(struct cue_stream *stream, struct cue_item *item)
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
           (!stream->live && cue_stream_known_frames(stream) == 0);
}

static gboolean is_over(const struct cue_stream *stream, GstClockTime start)
{
    GstClockTime stop = stream->segment.stop;
    return GST_CLOCK_TIME_IS_VALID(start) && GST_CLOCK_TIME_IS_VALID(stop) && start >= stop;
}

void cue_stream_place_cues(struct cue_stream *stream)
{
    struct cue_item item;
    while (stream->has_segment && cue_stream_peek(stream, &item) && item.kind != CUE_ITEM_EVENT) {
        guint64 earliest = stream->live ? stream->native : stream->limit;
        raise_limit(stream, item.start);
        if (item.kind == CUE_ITEM_CUE && !has_room(stream, &item))
            return;
        if (!cue_stream_pop(stream, &item))
            return;
        if (item.kind == CUE_ITEM_CUE && !is_over(stream, item.start))
            place(stream, &item, earliest);
        cue_item_clear(&item);
    }
}
