// SPDX-License-Identifier: LGPL-2.1-or-later
// What has come on the text pad and waits for its time: cues, times up to which nothing else will come, and
// events that keep their place between them. No threads, no locks.
#ifndef GST_DIFFUSE_CUEQUEUE_H
#define GST_DIFFUSE_CUEQUEUE_H

#include <gst/gst.h>

#include "cuelabels.h"

enum { CUE_QUEUE_MOST = 256 };

enum cue_item_kind {
    CUE_ITEM_CUE,
    CUE_ITEM_KNOWN, // nothing begins in front of `start`
    CUE_ITEM_EVENT,
};

struct cue_item {
    enum cue_item_kind kind;
    GstClockTime start;    // NONE: now
    GstClockTime duration; // NONE: it was not told
    GstClockTime moment;   // in stream time, which names the cue
    int labels[CUE_SOUNDS_MOST];
    float gains[CUE_SOUNDS_MOST];
    guint count;
    GRefString *prompts[CUE_SOUNDS_MOST]; // owned: sounds asked for in words
    guint prompt_count;
    GstEvent *event; // owned
};

void cue_item_clear(struct cue_item *item); // frees what it owns

void cue_queue_push(GQueue *queue, const struct cue_item *item); // takes what it owns
gboolean cue_queue_is_full(const GQueue *queue);
gboolean cue_queue_peek(const GQueue *queue, struct cue_item *item); // borrowed; FALSE: it is empty
struct cue_item cue_queue_pop(GQueue *queue);                        // gives what it owns
void cue_queue_clear(GQueue *queue);

#endif
