// SPDX-License-Identifier: LGPL-2.1-or-later
// Clips that are computed but not yet read, and where every clip of the endless stream lies. Positions are
// samples at the model's rate. No threads, no locks: the worker keeps a queue under its mutex.
#ifndef GST_DIFFUSE_CLIPQUEUE_H
#define GST_DIFFUSE_CLIPQUEUE_H

#include <gst/gst.h>

// What all clips of one recipe share. Reference counted.
struct clip_origin {
    GstTagList *tags; // with the recipe
    char *label;      // NULL: the model has none
    guint64 seed;
};

struct clip_origin *clip_origin_create(GstTagList *tags, const char *label, guint64 seed); // takes the tags
struct clip_origin *clip_origin_ref(struct clip_origin *origin);
void clip_origin_unref(struct clip_origin **origin); // NULL is allowed

struct clip_info {
    guint64 index;
    struct clip_origin *origin;
    gsize length;         // samples
    GstClockTime compute; // time that computing it took
};

struct clip {
    struct clip_info info;
    float *samples;    // `channels` of them each time, interleaved
    guint channels;    // 1 or 2
    gsize sound;       // so many samples are stored; zeros follow, up to the length
    guint64 start;     // position of its first sample
    gboolean fade_in;  // what is read before it is not what the model put before it
    gboolean fade_out; // what is read after it is not what the model puts after it
};

// Takes a reference of the origin. `samples` is NULL if there is no memory.
struct clip *clip_create(guint64 index, struct clip_origin *origin, gsize length, gsize sound,
                         guint channels);
void clip_destroy(struct clip **clip);

struct clip_queue {
    // The layout: clip i >= index starts at start + (i - index) * length. Changed settings may change the
    // length.
    guint64 index, start;
    gsize length;
    guint64 clips; // in the stream; 0: without end

    // Clips are cut, and `length` is the most that one can have. Where clip `index` and those behind it end
    // is known of those that were computed, one after the other.
    gboolean cut;
    GArray *ends; // of guint64

    GQueue ready;     // of struct clip: the one that is being read, then those ahead of it
    guint64 position; // of the reader
    guint64 next;     // index of the clip to be computed next
    gboolean fresh;   // clip `next` does not continue what is read before it
    guint lookahead;  // clips to keep ready
    guint channels;   // of what is read, 1 or 2: a clip of one is in both, of two their mean is read as one
    gsize wanted;     // samples that the reader waits for, however many clips that takes
};

// Clips of `length` samples, from position 0.
void clip_queue_init(struct clip_queue *queue, gsize length, gboolean cut, guint64 clips, guint lookahead);
void clip_queue_clear(struct clip_queue *queue);

// Whether clip `next` is to be computed now: less than `lookahead` clips of sound, or less than
// is wanted, lie ahead of the reader.
gboolean clip_queue_has_work(const struct clip_queue *queue);

// How full the queue is, counted in whole clips from the one that is read on: 100 once `lookahead` clips, and
// what the reader waits for, are there. What is read of a clip meanwhile changes nothing.
int clip_queue_percent(const struct clip_queue *queue);

guint64 clip_queue_total(const struct clip_queue *queue); // samples; G_MAXUINT64: without end

// Appends clip `next`, and owns it then. A clip that the reader has passed is freed. Where clips are cut, one
// may be shorter than the layout has it: those after it begin earlier then.
void clip_queue_append(struct clip_queue *queue, struct clip *clip);

// Frees all clips, where none has been read yet: the next one is clip 0.
void clip_queue_begin_again(struct clip_queue *queue);

// Another sound, in clips of `length` samples, from the clip after the one that is being read. What is ready
// is freed.
void clip_queue_change_sound(struct clip_queue *queue, gsize length, gboolean cut);

// Moves the reader; clips that lie ahead of the new position are kept. Where clips are cut, all in front of
// the position have to be computed once, for their lengths. TRUE: `next` is another clip now.
gboolean clip_queue_seek(struct clip_queue *queue, guint64 sample);

// Whether `count` samples, or all that are left in the stream, can be read.
gboolean clip_queue_is_ready(const struct clip_queue *queue, gsize count);

// Reads up to `count` samples of every channel, and stops where a clip begins; returns how many. TRUE in
// `begins`: a clip begins at the first of them, and `info` describes it; its origin is to be unreferenced.
gsize clip_queue_read(struct clip_queue *queue, float *samples, gsize count, gboolean *begins,
                      struct clip_info *info);

#endif
