// SPDX-License-Identifier: LGPL-2.1-or-later
// The thread that computes sounds ahead of the time at which they are heard, the voices it makes, and a shelf
// of sounds that wait for somebody to play them. Positions are samples at the model's rate. One thread mixes;
// voices may be added from any thread.
#ifndef GST_DIFFUSE_VOICEWORKER_H
#define GST_DIFFUSE_VOICEWORKER_H

#include "session.h"
#include "voices.h"

enum {
    VOICES_MOST = 64,  // at once, those that wait included
    SHELVES_MOST = 16, // labels in `prepare`
    SHELF_MOST = 16,   // sounds of each
};

struct voice_worker;

// A new recipe that the model refused, and the one that goes on. A WARNING follows. Called from the worker's
// thread without a lock.
typedef void (*voice_worker_refused)(void *user, const struct ebb_recipe *refused,
                                     const struct ebb_recipe *kept);

// Checks the recipe (EBB_VERB_GENERATE) against the open model, and copies it. `prepare` says what the shelf
// holds: "footstep:4,door", 2 sounds where no number stands; NULL: nothing. NULL with `error` filled if
// something does not fit. Session and element are borrowed. Computes nothing until voice_worker_start().
struct voice_worker *voice_worker_create(struct diffuse_session *session, GstElement *element,
                                         const struct ebb_recipe *recipe, const char *prepare,
                                         struct ebb_error *error);
void voice_worker_on_refused(struct voice_worker *worker, voice_worker_refused refused, void *user);

// Loads the model on `device`, then computes. FALSE: no thread could be started.
gboolean voice_worker_start(struct voice_worker *worker, const char *device, int threads);

// Cancels the sound that is under way, which takes one network evaluation, and joins the thread.
void voice_worker_destroy(struct voice_worker **worker); // NULL is allowed

// Settings for the sounds that are not begun.
void voice_worker_configure(struct voice_worker *worker, const struct ebb_recipe *recipe);
void voice_worker_set_lookahead(struct voice_worker *worker, guint parts); // kept ready; 8 at first

// The output has so many channels, 1 or 2, in which voice_worker_mix() mixes. With two of them new voices
// have this width; 0: they are in the middle. What waits on the shelf is made anew when that changes.
void voice_worker_set_stereo(struct voice_worker *worker, guint channels, double width);

// While flushing, waits return at once.
void voice_worker_set_flushing(struct voice_worker *worker, gboolean flushing);
void voice_worker_clear(struct voice_worker *worker); // no voice is left

// Adds a voice; FALSE: there are VOICES_MOST. What waits on the shelf is taken if the order is `played` and
// has no seed of its own.
gboolean voice_worker_add(struct voice_worker *worker, const struct voice_order *order, gboolean own_seed);
guint voice_worker_count(struct voice_worker *worker);

// The seed of a sound: what the recipe's seed and two numbers make.
guint64 voice_worker_seed(guint64 seed, guint64 a, guint64 b);

enum voice_wait { VOICE_READY, VOICE_FLUSHING, VOICE_FAILED };

// Waits until all that is heard in front of `until` is made.
enum voice_wait voice_worker_wait(struct voice_worker *worker, guint64 until);
gboolean voice_worker_is_ready(struct voice_worker *worker, guint64 until);

// Where the last voice ends; 0: there is none. VOICE_OPEN: it is not known before the sounds are made, for
// which voice_worker_wait_end() waits.
enum voice_wait voice_worker_wait_end(struct voice_worker *worker);
guint64 voice_worker_end(struct voice_worker *worker);

// No voice is heard from `stop` on.
void voice_worker_cut(struct voice_worker *worker, guint64 stop);

// Sets `count` samples of each channel from position `from` on to the sum of what is made. Voices that begin
// there are appended to `begun`, with a reference.
void voice_worker_mix(struct voice_worker *worker, guint64 from, float *to, gsize count, GPtrArray *begun);

struct voice_stats {
    guint64 sounds;       // made
    GstClockTime compute; // time that took
    guint64 samples;      // sound that made
    guint prepared;       // on the shelf
    gboolean loaded;
};
void voice_worker_stats(struct voice_worker *worker, struct voice_stats *stats);

#endif
