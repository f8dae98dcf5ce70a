// SPDX-License-Identifier: LGPL-2.1-or-later
#include "clipqueue.h"

#include <string.h>

#define FADE 960 // samples faded out and in where a change of settings cuts one sound and starts another

struct clip_origin *clip_origin_create(GstTagList *tags, const char *label, guint64 seed)
{
    struct clip_origin *origin = g_atomic_rc_box_new0(struct clip_origin);
    *origin = (struct clip_origin){tags, g_strdup(label), seed};
    return origin;
}

struct clip_origin *clip_origin_ref(struct clip_origin *origin)
{
    return g_atomic_rc_box_acquire(origin);
}

static void clear_origin(gpointer data)
{
    struct clip_origin *origin = data;
    gst_clear_tag_list(&origin->tags);
    g_free(origin->label);
}

void clip_origin_unref(struct clip_origin **origin)
{
    if (*origin)
        g_atomic_rc_box_release_full(*origin, clear_origin);
    *origin = NULL;
}

struct clip *clip_create(guint64 index, struct clip_origin *origin, gsize length, gsize sound, guint channels)
{
    struct clip *clip = g_new0(struct clip, 1);
    clip->info = (struct clip_info){.index = index, .origin = clip_origin_ref(origin), .length = length};
    clip->sound = sound;
    clip->channels = channels;
    clip->samples = g_try_new(float, sound *channels);
    return clip;
}

void clip_destroy(struct clip **clip)
{
    if (*clip) {
        clip_origin_unref(&(*clip)->info.origin);
        g_free((*clip)->samples);
    }
    g_clear_pointer(clip, g_free);
}

// ---- where clips lie ----

// The first clip whose end is not known.
static guint64 first_unknown(const struct clip_queue *queue)
{
    return queue->index + queue->ends->len;
}

static guint64 start_of(const struct clip_queue *queue, guint64 index)
{
    guint64 from = MIN(index, first_unknown(queue));
    guint64 start = from > queue->index ? g_array_index(queue->ends, guint64, from - queue->index - 1)
                                        : queue->start;
    return start + (index - from) * queue->length;
}

// The clip in which the sample lies; where clips are cut and that is not known, the first one to be computed
// on the way there.
static guint64 index_at(const struct clip_queue *queue, guint64 sample)
{
    if (!queue->cut)
        return queue->index + (sample - queue->start) / queue->length;
    guint low = 0, high = queue->ends->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (g_array_index(queue->ends, guint64, middle) <= sample)
            low = middle + 1;
        else
            high = middle;
    }
    return queue->index + low;
}

static void lay_out_from(struct clip_queue *queue, guint64 index, guint64 start)
{
    queue->index = index;
    queue->start = start;
    g_array_set_size(queue->ends, 0);
}

guint64 clip_queue_total(const struct clip_queue *queue)
{
    if (!queue->clips)
        return G_MAXUINT64;
    return queue->clips > queue->index ? start_of(queue, queue->clips) : queue->start;
}

gboolean clip_queue_has_work(const struct clip_queue *queue)
{
    if (queue->clips && queue->next >= queue->clips)
        return FALSE;
    guint64 kept = MAX(queue->length * (guint64)queue->lookahead, queue->wanted);
    return start_of(queue, queue->next) < queue->position + kept;
}

// Where the clip that is read begins.
static guint64 read_from(const struct clip_queue *queue)
{
    const struct clip *clip = g_queue_peek_head((GQueue *)&queue->ready);
    return clip ? clip->start : queue->position;
}

int clip_queue_percent(const struct clip_queue *queue)
{
    guint64 next = start_of(queue, queue->next), from = read_from(queue);
    guint64 kept = queue->length * (guint64)queue->lookahead;
    guint64 ahead = next > from ? next - from : 0; // after a seek, the position may lie in clip `next`
    gboolean all = queue->clips && queue->next >= queue->clips;
    if (all || (ahead >= kept && clip_queue_is_ready(queue, queue->wanted)))
        return 100;
    return MIN(99, (int)(100 * ahead / MAX(kept, 1)));
}

// ---- clips come and go ----

void clip_queue_init(struct clip_queue *queue, gsize length, gboolean cut, guint64 clips, guint lookahead)
{
    *queue = (struct clip_queue){
        .length = length, .cut = cut, .clips = clips, .lookahead = lookahead, .channels = 1};
    queue->ends = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_queue_init(&queue->ready);
}

static void keep_first(struct clip_queue *queue, guint count)
{
    while (g_queue_get_length(&queue->ready) > count) {
        struct clip *clip = g_queue_pop_tail(&queue->ready);
        clip_destroy(&clip);
    }
}

void clip_queue_clear(struct clip_queue *queue)
{
    keep_first(queue, 0);
    g_clear_pointer(&queue->ends, g_array_unref);
}

static gboolean holds(const struct clip *clip, guint64 sample)
{
    return sample >= clip->start && sample - clip->start < clip->info.length;
}

// Frees the clips in front of the one that holds the position; all of them if none does.
static void drop_read(struct clip_queue *queue)
{
    struct clip *clip;
    while ((clip = g_queue_peek_head(&queue->ready)) && !holds(clip, queue->position)) {
        g_queue_pop_head(&queue->ready);
        clip_destroy(&clip);
    }
}

void clip_queue_append(struct clip_queue *queue, struct clip *clip)
{
    clip->start = start_of(queue, clip->info.index);
    clip->fade_in = queue->fresh;
    queue->fresh = FALSE;
    g_queue_push_tail(&queue->ready, clip);
    queue->next++;
    guint64 end = clip->start + clip->info.length;
    if (queue->cut && clip->info.index == first_unknown(queue))
        g_array_append_val(queue->ends, end);
    drop_read(queue);
}

void clip_queue_begin_again(struct clip_queue *queue)
{
    if (queue->position > 0)
        return;
    keep_first(queue, 0);
    lay_out_from(queue, 0, 0);
    queue->next = 0;
}

void clip_queue_change_sound(struct clip_queue *queue, gsize length, gboolean cut)
{
    keep_first(queue, 1);
    struct clip *playing = g_queue_peek_head(&queue->ready);
    queue->next = playing ? playing->info.index + 1 : queue->next;
    // A seek may have gone into the middle of a clip that is not there. The new clip, perhaps shorter, begins
    // at the reader.
    guint64 start = playing ? playing->start + playing->info.length
                            : MAX(start_of(queue, queue->next), queue->position);
    lay_out_from(queue, queue->next, start);
    queue->length = length;
    queue->cut = cut;
    queue->fresh = playing || queue->position > 0; // nothing is read before the very first clip
    if (playing)
        playing->fade_out = TRUE;
}

gboolean clip_queue_seek(struct clip_queue *queue, guint64 sample)
{
    // Before the last change of settings, the stream is what the new settings would have made there.
    if (sample < queue->start) {
        lay_out_from(queue, 0, 0);
        keep_first(queue, 0);
        queue->next = G_MAXUINT64; // the clip that is under way is of no use
    }

    queue->position = sample;
    guint64 index = index_at(queue, sample);
    drop_read(queue);
    struct clip *head = g_queue_peek_head(&queue->ready);
    if (head && (head->info.index != index || head->start != start_of(queue, index)))
        keep_first(queue, 0);
    guint64 next = index + g_queue_get_length(&queue->ready);
    if (next == queue->next)
        return FALSE;
    queue->next = next;
    queue->fresh = FALSE;
    return TRUE;
}

// ---- reading ----

gboolean clip_queue_is_ready(const struct clip_queue *queue, gsize count)
{
    const struct clip *last = g_queue_peek_tail((GQueue *)&queue->ready);
    guint64 ready = last ? last->start + last->info.length - queue->position : 0;
    guint64 total = clip_queue_total(queue);
    guint64 left = total > queue->position ? total - queue->position : 0;
    return ready >= MIN(left, count);
}

static float fade(gsize distance)
{
    return distance < FADE ? (float)distance / FADE : 1;
}

// `count` samples of a clip from sample `at` on, as `channels` of them.
static void copy_sound(float *to, guint channels, const struct clip *clip, gsize at, gsize count)
{
    const float *from = clip->samples + at * clip->channels;
    if (channels == clip->channels) {
        memcpy(to, from, count * channels * sizeof(*to));
        return;
    }
    for (gsize i = 0; i < count; i++)
        if (channels == 2)
            to[2 * i] = to[2 * i + 1] = from[i];
        else
            to[i] = (from[2 * i] + from[2 * i + 1]) / 2;
}

static void copy(float *to, guint channels, const struct clip *clip, gsize from, gsize count)
{
    gsize at = MIN(from, clip->sound), sound = MIN(count, clip->sound - at);
    copy_sound(to, channels, clip, at, sound);
    memset(to + sound * channels, 0, (count - sound) * channels * sizeof(*to));
    for (gsize i = 0; clip->fade_in && i < count * channels && from + i / channels < FADE; i++)
        to[i] *= fade(from + i / channels);
    for (gsize i = 0; clip->fade_out && i < count * channels; i++)
        to[i] *= fade(clip->info.length - 1 - (from + i / channels));
}

gsize clip_queue_read(struct clip_queue *queue, float *samples, gsize count, gboolean *begins,
                      struct clip_info *info)
{
    gsize done = 0;
    *begins = FALSE;
    struct clip *clip;
    while (done < count && (clip = g_queue_peek_head(&queue->ready))) {
        gsize from = (gsize)(queue->position - clip->start),
              part = MIN(count - done, clip->info.length - from);
        if (from == 0 && done > 0)
            break;
        if (from == 0) {
            *begins = TRUE;
            *info = clip->info;
            clip_origin_ref(info->origin);
        }
        copy(samples + done * queue->channels, queue->channels, clip, from, part);
        done += part;
        queue->position += part;
        drop_read(queue);
    }
    return done;
}
