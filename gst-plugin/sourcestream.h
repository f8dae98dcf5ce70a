// SPDX-License-Identifier: LGPL-2.1-or-later
// The streaming thread of diffusesrc: from the worker's clips to buffers with their times, seeks, and what is
// done when computing is slower than the clock.
#ifndef GST_DIFFUSE_SOURCESTREAM_H
#define GST_DIFFUSE_SOURCESTREAM_H

#include <gst/base/gstbasesrc.h>

#include "clipworker.h"
#include "format.h"
#include "sourceproperties.h"

// Part of the element. Where nothing else is said, the fields belong to the streaming thread, or to who holds
// its lock.
struct source_stream {
    GstBaseSrc *element; // borrowed, as the next two
    const struct diffuse_session *session;
    const struct source_settings *settings; // under the object lock
    struct clip_worker *worker;             // borrowed, from start to stop
    guint64 underruns;                      // live: times a clip came too late; under the object lock

    struct format *format; // NULL until caps are set
    GstAudioInfo info;     // of the output
    int native_rate;       // the model's; written under the object lock too
    guint channels;        // of the samples that become the output: 1, or 2 of the output's two
    float *scratch;        // samples at the model's rate, `channels` of them each time
    gsize scratch_size;
    guint64 position;    // frames of output since stream time 0
    guint64 silence;     // live: samples at the model's rate put in while a clip was late
    GstClockTime wanted; // target of a seek that is not yet turned into frames; NONE: there is none
    double volume;       // at the end of the last buffer; < 0: there was none
    gint64 deadline;     // live: when the last late buffer was given up, monotonic µs
    gint64 left;         // when the last buffer left, monotonic µs; 0: none has left since start or seek
    gint64 held_up;      // µs that downstream took for all buffers since then
    guint64 began_at;    // position of the first of them
    struct clip_origin *told; // of the tags that were sent last; NULL: none were
    gboolean underrun;
};

// From the beginning, with clips of `worker`.
void source_stream_start(struct source_stream *stream, struct clip_worker *worker);
void source_stream_stop(struct source_stream *stream); // the worker is no longer used

// The output's format. FALSE: GStreamer cannot convert to it.
gboolean source_stream_set_format(struct source_stream *stream, const GstAudioInfo *info);

// The next buffer begins at stream time `target`.
void source_stream_seek(struct source_stream *stream, GstClockTime target);

// The next buffer, as GstPushSrcClass.create has it. Posts the messages that belong to it.
GstFlowReturn source_stream_next(struct source_stream *stream, GstBuffer **buffer);

// The stats property. `worker` NULL: not started. Under the object lock.
GstStructure *source_stream_stats(const struct source_stream *stream, struct clip_worker *worker);

#endif
