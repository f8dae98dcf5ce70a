// SPDX-License-Identifier: LGPL-2.1-or-later
// What diffusefx tells of its work: warnings of cues that have no sound, and the stats property.
#ifndef GST_DIFFUSE_CUEREPORT_H
#define GST_DIFFUSE_CUEREPORT_H

#include "voiceworker.h"

enum {
    WARNINGS_MOST = 10, // from start to stop
    TEXTS_MOST = 32,    // captions kept for the stats
};

// Zeroed is empty. Under the element's object lock, which the functions take themselves.
struct cue_report {
    guint64 cues;                                 // that came
    guint64 plays;                                // diffuse-play events that were taken
    guint64 unplaced;                             // captions and events without a sound
    guint64 late;                                 // sounds that began behind their cue
    GstClockTime play_latency, play_latency_most; // from the event to the buffer that leaves
    GPtrArray *texts;                             // of the unplaced, each once; NULL: none
    guint warnings;
};

void cue_report_clear(struct cue_report *report);

// Counts it, and posts a WARNING for each text, WARNINGS_MOST at most. `why` is what follows the text in the
// sentence. `moment` in stream time, or NONE.
void cue_report_unplaced(struct cue_report *report, GstElement *element, const char *text,
                         GstClockTime moment, const char *why);

// The stats property. `worker` NULL: not started. With the object lock held.
GstStructure *cue_report_stats(const struct cue_report *report, struct voice_worker *worker, gint rate);

#endif
