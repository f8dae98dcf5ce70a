// SPDX-License-Identifier: LGPL-2.1-or-later
// What the files of the cue stream share: cueinput.c takes what comes in at the text pad, cueplay.c carries
// out diffuse-play, cuestream.c places the sounds and outputs them, cuemodel.c asks the model.
#ifndef GST_DIFFUSE_CUESTREAM_PRIVATE_H
#define GST_DIFFUSE_CUESTREAM_PRIVATE_H

#include "cuestream.h"

// ---- cuestream.c ----

// To samples at the model's rate.
guint64 cue_stream_to_native(const struct cue_stream *stream, GstClockTime time);
guint64 cue_stream_seconds_to_native(const struct cue_stream *stream, double seconds);

// Wakes whoever waits for the queue or for the clock. With the mutex held.
void cue_stream_wake(struct cue_stream *stream);

// The settings with which a cue becomes sounds.
struct cue_place_settings {
    double duration; // seconds that a cue lasts which does not say it
    guint64 seed;
};
struct cue_place_settings cue_stream_place_settings(struct cue_stream *stream);

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
