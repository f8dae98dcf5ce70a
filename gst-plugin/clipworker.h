// The thread that computes clips ahead of the one that plays them. Positions are samples of the endless stream at the
// model's rate. One reader; settings may be changed from any thread.
#ifndef GST_DIFFUSE_CLIPWORKER_H
#define GST_DIFFUSE_CLIPWORKER_H

#include "session.h"

struct clip_settings {
    char *label;      // NULL or "": the model's default
    char *sampler;    // NULL or "": as recommended
    guint64 seed;
    gint steps;       // 0: as recommended
    double guidance;  // < 0: as recommended
    double classifier_guidance; // 0: off
    double crossfade; // seconds, < 0: the library's default
    double gap;       // seconds
    guint64 clips;    // 0: without end
};
void clip_settings_copy(struct clip_settings *to, const struct clip_settings *from);
void clip_settings_clear(struct clip_settings *settings);

struct clip_worker;

// Told from the worker's thread (0 % from the reader's), never with a lock held.
struct clip_worker_hooks {
    void (*buffering)(void *user, int percent); // only between an announced wait and the queue being full again
    void (*length)(void *user);                 // the total length has changed
    void *user;
};

// Checks the settings against the (open) model: NULL with `error` filled if they do not fit. Session and element are
// borrowed. Computes nothing until clip_worker_start().
struct clip_worker *clip_worker_create(struct diffuse_session *session, GstElement *element,
                                       const struct clip_settings *settings, guint lookahead,
                                       const struct clip_worker_hooks *hooks, struct ebb_error *error);

// Loads the model on `device`, then keeps `lookahead` clips ready. FALSE: no thread to be had.
gboolean clip_worker_start(struct clip_worker *worker, const char *device, int threads);

// Cancels what is under way, which takes one network evaluation, and joins.
void clip_worker_destroy(struct clip_worker **worker);

// New settings from the clip after the one that is playing. If they do not fit, a WARNING is posted and the old ones stay.
void clip_worker_configure(struct clip_worker *worker, const struct clip_settings *settings);
void clip_worker_set_lookahead(struct clip_worker *worker, guint lookahead);

// Moves the reader; clips that the new position needs are kept.
void clip_worker_seek(struct clip_worker *worker, guint64 sample);

guint64 clip_worker_position(struct clip_worker *worker);
guint64 clip_worker_total(struct clip_worker *worker); // samples, G_MAXUINT64: without end

// While flushing, waits return at once.
void clip_worker_set_flushing(struct clip_worker *worker, gboolean flushing);

enum clip_wait { CLIP_READY, CLIP_FLUSHING, CLIP_FAILED, CLIP_LATE };

// Whether `count` samples (or all that are left) can be read now.
gboolean clip_worker_is_ready(struct clip_worker *worker, gsize count);

// Waits for `count` samples, or all that are left, until `deadline` (monotonic µs; 0: for ever). `announce`: report
// buffering, 0 % now and 100 % when the queue is full again.
enum clip_wait clip_worker_wait(struct clip_worker *worker, gsize count, gint64 deadline, gboolean announce);

struct clip_info {
    guint64 index;
    guint64 seed;
    gsize length;
    GstClockTime compute; // time it took
};

// Reads up to `count` samples without waiting; returns how many. `*begun` < the return value: a clip, described in `info`,
// begins at that sample; otherwise `*begun` is G_MAXSIZE.
gsize clip_worker_read(struct clip_worker *worker, float *samples, gsize count, gsize *begun, struct clip_info *info);

struct clip_stats {
    guint64 clips;        // computed
    GstClockTime compute; // time that took
    guint64 samples;      // sound that made
    guint queued;
    gboolean loaded;
};
void clip_worker_stats(struct clip_worker *worker, struct clip_stats *stats);

#endif
