// SPDX-License-Identifier: LGPL-2.1-or-later
// Voices: sounds that have a place in time, and their sum. Positions are samples at the model's rate, of one
// channel or of two that are interleaved. No threads, no locks, no GStreamer elements: the worker keeps the
// voices under its mutex.
#ifndef GST_DIFFUSE_VOICES_H
#define GST_DIFFUSE_VOICES_H

#include <glib.h>

#define VOICE_OPEN G_MAXUINT64 // a stop: where the sound itself ends

// What is to be heard.
struct voice_order {
    int label;          // index of the model's; -1: none
    GRefString *prompt; // what is asked for in words; NULL: nothing. A voice has a reference of its own
    guint64 seed;
    double gain;      // a factor
    gboolean texture; // fades in, and lasts until `stop`; an event begins at once and ends by itself
    gboolean clips;   // too long for one window: it is made clip by clip
    gboolean played;  // somebody asked for it: no cue did
    guint64 start;    // position of its first sample
    guint64 stop;     // it is faded out in front of this position; VOICE_OPEN
    guint64 skip;     // samples of its beginning that are not heard
    gint64 asked_at;  // monotonic µs; 0: unknown
};

// One sound. Reference counted: the worker and the mix hold it.
struct voice {
    struct voice_order order;
    guint channels;     // 1 or 2, of every part
    GQueue parts;       // of struct voice_part, in order, what is heard of them is freed
    guint64 base;       // number of the first sample of the first part
    guint64 made;       // samples made so far, those that are freed and skipped included
    gboolean complete;  // no part follows
    gboolean cancelled; // nobody will hear it
    gboolean begun;     // a sample of it was heard
    guint64 late;       // samples that its start had to be moved
    gint64 compute;     // µs that making it took so far
    char *recipe;       // owned: the line of JSON that makes it again; NULL: it is not known
};

struct voice *voice_create(const struct voice_order *order);
struct voice *voice_ref(struct voice *voice);
void voice_unref(struct voice **voice); // NULL is allowed

// Appends `count` samples of each channel, which belong to the voice then.
void voice_append(struct voice *voice, float *samples, gsize count);

// The position behind its last sample: known if the voice is complete or has a stop, else VOICE_OPEN.
guint64 voice_end(const struct voice *voice);

// The position up to which it can be heard; VOICE_OPEN: whatever is asked for.
guint64 voice_ready(const struct voice *voice);

// Adds what of the voice lies in `count` samples from `from` on, and frees what is past; `to` has so many
// channels. One channel goes into both of two; two are added to one as their mean. What should have begun
// earlier begins at `from`. Samples that are not made yet move the rest of the voice behind them. Returns
// whether the voice begins here.
gboolean voice_mix(struct voice *voice, guint64 from, float *to, gsize count, guint channels);

// The sum of voices as a sound: nothing changes up to KNEE; what is louder is bent in a smooth curve that
// never passes full scale. So one sound alone, whose peak is -1 dB at most, keeps every sample.
#define VOICES_KNEE 0.9f
void voices_limit(float *samples, gsize count);

#endif
