// SPDX-License-Identifier: LGPL-2.1-or-later
// What the files of the cue stream share: cueinput.c takes what comes in at the text pad, cueplay.c carries
// out diffuse-play, cueplace.c places the sounds of cues, cueoutput.c makes buffers, cuestream.c runs the
// task, cuemodel.c asks the model.
#ifndef GST_DIFFUSE_CUESTREAM_PRIVATE_H
#define GST_DIFFUSE_CUESTREAM_PRIVATE_H

#include "cuestream.h"

// ---- cuestream.c ----

// To samples at the model's rate, and back.
guint64 cue_stream_to_native(const struct cue_stream *stream, GstClockTime time);
guint64 cue_stream_seconds_to_native(const struct cue_stream *stream, double seconds);
GstClockTime cue_stream_from_native(const struct cue_stream *stream, guint64 samples);

// The timestamp of a frame of the output.
GstClockTime cue_stream_time_of(const struct cue_stream *stream, guint64 frame);

// Frames up to the time in front of which everything is known.
gsize cue_stream_known_frames(struct cue_stream *stream);

GstClockTime cue_stream_latency_setting(struct cue_stream *stream);

// Wakes whoever waits for the queue or for the clock. With the mutex held.
void cue_stream_wake(struct cue_stream *stream);

// ---- cueplace.c ----

// The settings with which a cue becomes sounds.
struct cue_place_settings {
    double duration; // seconds that a cue lasts which does not say it
    guint64 seed;
};
struct cue_place_settings cue_stream_place_settings(struct cue_stream *stream);

// The first item of the queue; FALSE: it is empty.
gboolean cue_stream_peek(struct cue_stream *stream, struct cue_item *item);
// Takes it. FALSE: a flush has emptied the queue.
gboolean cue_stream_pop(struct cue_stream *stream, struct cue_item *item);
// Takes the cues that there is room for, up to the first event, and places their sounds.
void cue_stream_place_cues(struct cue_stream *stream);

// ---- cueoutput.c ----

// Sends what has to stand in front of the first buffer.
GstFlowReturn cue_stream_open_output(struct cue_stream *stream);
// Waits until a buffer of so many frames is made, and in a live stream due, and sends it.
GstFlowReturn cue_stream_output(struct cue_stream *stream, gsize frames);

// ---- cuemodel.c ----

struct cue_lexicon *cue_stream_lexicon(const struct ebb_model *model);

// Whether the model can be asked in words.
gboolean cue_stream_takes_prompts(const struct cue_stream *stream);

// The words of a text as a prompt, cut between two letters.
GRefString *cue_stream_make_prompt(const char *text);

// A prompt does not tell its kind: it lasts as long as its cue, so that nothing is cut.
gboolean cue_stream_is_texture(const struct cue_stream *stream, const struct voice_order *order);

// Why a text is no label of the model, for cue_report_unplaced(); for g_free().
char *cue_stream_why_unplaced(const struct cue_stream *stream, const char *text);

// Reports a sound that was asked for and is not made.
void cue_stream_report_order(struct cue_stream *stream, const struct voice_order *order, GstClockTime moment,
                             const char *why);

#endif
