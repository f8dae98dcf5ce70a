// SPDX-License-Identifier: LGPL-2.1-or-later
// The stream of diffusefx: from cues to sounds in their places, and on to buffers with their times.
//
// The thread of the text pad queues what comes. A task of the audio pad makes sound up to the time that is
// known: up to the cue that came last, or the end of a gap. The text pad may be silent for long, and no
// thread waits for another that waits for it.
//
// In a live stream, the clock drives the task. The time of the output is the running time then.
#ifndef GST_DIFFUSE_CUESTREAM_H
#define GST_DIFFUSE_CUESTREAM_H

#include "cueproperties.h"
#include "cuequeue.h"
#include "cuereport.h"
#include "format.h"

// Part of the element.
struct cue_stream {
    GstElement *element; // borrowed, as the next three
    GstPad *src;         //
    const struct diffuse_session *session;
    const struct cue_settings *settings; // under the object lock
    struct cue_report report;            // under the object lock
    int native_rate;                     // the model's; from start on
    struct cue_lexicon *lexicon;         // from start to stop

    GMutex playing_mutex; // held while diffuse-play is carried out: nobody stops the stream meanwhile

    GMutex mutex;
    GCond cond;
    // Under the mutex.
    struct voice_worker *worker; // borrowed, from start to stop
    GQueue items;                // of struct cue_item
    GstFlowReturn result;        // why the task has ended
    gboolean flushing, playing;
    gboolean live;         // the clock drives the task
    gboolean ending;       // live: EOS is wanted by the application
    guint flushes;         // how often cue_stream_flush() has emptied the queue
    GstClockID alarm;      // that the task waits for; NULL: it waits for none
    GstClockTime upstream; // live: latency of what is upstream
    guint64 mixed;         // samples at the model's rate, since the segment began, that are mixed
    GstClockTime next;     // timestamp of the next buffer; NONE: there is no segment

    GstSegment input; // of the thread of the text pad

    // Of the task.
    GstSegment segment;
    gboolean has_segment, opened, told; // what has been sent: opened is STREAM_START, told the tags
    gboolean segment_due;               // the segment has to be sent
    guint group;                        // GST_GROUP_ID_INVALID: none
    struct format *format;              // NULL: no caps yet
    GstAudioInfo info;
    guint channels; // that are mixed: 2 where the output has two, otherwise 1
    float *scratch; // samples at the model's rate, interleaved
    gsize scratch_size;
    GstClockTime origin; // timestamp of position 0
    guint64 position;    // frames of output since then
    guint64 native;      // samples at the model's rate since then
    guint64 limit;       // native: nothing begins in front of it any more
    guint64 end;         // native: end of the last cue
    gboolean discont, silent;
    double volume;        // at the end of the last buffer; < 0: there was none
    GstClockTime moment;  // of the last sound that was placed
    guint same;           // sounds placed at that moment
    GstClockTime pushed;  // sound since the segment began
    GstClockTime held_up; // time that downstream took for it
    gboolean begun;       // live: the first buffer has its time
};

void cue_stream_init(struct cue_stream *stream);
void cue_stream_clear(struct cue_stream *stream);

// From the beginning. `live` at once, or as soon as something live is upstream.
void cue_stream_start(struct cue_stream *stream, struct voice_worker *worker, gboolean live);
void cue_stream_stop(struct cue_stream *stream); // the task has ended; the worker is no longer used

// The function of the pad's task. `data` is the stream.
void cue_stream_loop(gpointer data);

// While flushing, nothing waits. After cue_stream_flush() nothing is queued, and no segment is known.
void cue_stream_set_flushing(struct cue_stream *stream, gboolean flushing);
void cue_stream_flush(struct cue_stream *stream);
void cue_stream_set_playing(struct cue_stream *stream, gboolean playing);
void cue_stream_end(struct cue_stream *stream); // live: EOS when all has been heard

// From the thread of the text pad. The event is taken.
GstFlowReturn cue_stream_take_cue(struct cue_stream *stream, GstBuffer *buffer);
gboolean cue_stream_take_event(struct cue_stream *stream, GstEvent *event);

// A diffuse-play event, from any thread. FALSE: it was not taken.
gboolean cue_stream_play(struct cue_stream *stream, const GstStructure *structure);

// FALSE: the stream is not live, and adds nothing to the latency.
gboolean cue_stream_latency(struct cue_stream *stream, GstClockTime upstream, GstClockTime *latency);

// The position as stream time; NONE: it is not known.
GstClockTime cue_stream_position(struct cue_stream *stream);

#endif
