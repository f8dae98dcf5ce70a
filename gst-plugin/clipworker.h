// SPDX-License-Identifier: LGPL-2.1-or-later
// The thread that computes clips ahead of the one that plays them. Positions are samples of the endless
// stream at the model's rate. One thread reads; settings may be changed from any thread.
#ifndef GST_DIFFUSE_CLIPWORKER_H
#define GST_DIFFUSE_CLIPWORKER_H

#include "clipqueue.h"
#include "session.h"

struct clip_worker;

// Called from the worker's thread (0 % from the reader's), never with a lock held.
struct clip_worker_hooks {
    // Only from an announced wait on, until the queue is full again.
    void (*buffering)(void *user, int percent);
    void (*length)(void *user); // the total length has changed
    // The model refused a new recipe, and the one before goes on. A WARNING follows.
    void (*refused)(void *user, const struct ebb_recipe *refused, const struct ebb_recipe *kept);
    void *user;
};

// Checks the recipe against the (open) model, and copies it: NULL with `error` filled if it does not fit.
// Session and element are borrowed. Computes nothing until clip_worker_start().
struct clip_worker *clip_worker_create(struct diffuse_session *session, GstElement *element,
                                       const struct ebb_recipe *recipe, guint lookahead,
                                       const struct clip_worker_hooks *hooks, struct ebb_error *error);

// Cuts the silence around each event, from the start on.
void clip_worker_set_trim(struct clip_worker *worker, gboolean trim);

// What the clips come from that are made now; to be unreferenced.
struct clip_origin *clip_worker_origin(struct clip_worker *worker);

// Loads the model on `device`, then keeps `lookahead` clips ready. FALSE: no thread could be started.
gboolean clip_worker_start(struct clip_worker *worker, const char *device, int threads);

// Cancels the clip that is under way, which takes one network evaluation, and joins the thread.
void clip_worker_destroy(struct clip_worker **worker);

// A new recipe from the clip after the one that is playing. If it does not fit, a WARNING is posted and the
// old one stays.
void clip_worker_configure(struct clip_worker *worker, const struct ebb_recipe *recipe);
void clip_worker_set_lookahead(struct clip_worker *worker, guint lookahead);

// Moves the reader. Clips that the new position needs are kept.
void clip_worker_seek(struct clip_worker *worker, guint64 sample);

guint64 clip_worker_total(struct clip_worker *worker); // samples, G_MAXUINT64: without end

// While flushing, waits return at once.
void clip_worker_set_flushing(struct clip_worker *worker, gboolean flushing);

enum clip_wait { CLIP_READY, CLIP_FLUSHING, CLIP_FAILED, CLIP_LATE };

// Whether `count` samples (or all that are left) can be read now.
gboolean clip_worker_is_ready(struct clip_worker *worker, gsize count);

// Waits for `count` samples, or all that are left, until `deadline` (monotonic µs; 0: for ever). `announce`:
// report buffering, 0 % now and 100 % when the queue is full again.
enum clip_wait clip_worker_wait(struct clip_worker *worker, gsize count, gint64 deadline, gboolean announce);

// How many channels clip_worker_read() gives, 1 or 2.
void clip_worker_set_channels(struct clip_worker *worker, guint channels);

// Reads without waiting, as clip_queue_read().
gsize clip_worker_read(struct clip_worker *worker, float *samples, gsize count, gboolean *begins,
                       struct clip_info *info);

struct clip_stats {
    guint64 clips;        // computed
    GstClockTime compute; // time that took
    guint64 samples;      // sound that made
    guint queued;
    gboolean loaded;
    gboolean buffering; // an announced wait is not over
    gint percent;       // how full the queue is
};
void clip_worker_stats(struct clip_worker *worker, struct clip_stats *stats);

#endif
