// SPDX-License-Identifier: LGPL-2.1-or-later
// The streaming thread of diffusedenoise: runs of sound between two discontinuities go in by slices, and come
// out as they get ready.
#ifndef GST_DIFFUSE_DENOISESTREAM_H
#define GST_DIFFUSE_DENOISESTREAM_H

#include <gst/base/gstbasetransform.h>

#include "denoiseproperties.h"
#include "denoiser.h"
#include "loader.h"
#include "overload.h"
#include "session.h"

GST_DEBUG_CATEGORY_EXTERN(diffusedenoise_debug); // the element initialises it

struct denoise_stats {
    guint64 windows, overloads;
    double t, snr;        // snr NAN: not measured
    GstClockTime compute; // time spent
    GstClockTime sound;   // on this much
    GstClockTime latency; // reported
    gboolean live;
};

// Between two discontinuities: output frame k belongs to input frame k.
struct denoise_run {
    GstClockTime start; // of the first frame; NONE: there is none yet
    guint64 in, out;    // frames
    gboolean discont;   // the next output is the first
    GstBuffer *rest;    // the first bytes of a frame whose others are still to come; NULL: none
};

// Part of the element. Where nothing else is said, the fields belong to the streaming thread.
struct denoise_stream {
    GstBaseTransform *element; // borrowed, as the next three
    struct diffuse_session *session;
    struct loader *loader;
    const struct denoise_settings *settings; // under the object lock
    struct denoise_stats stats;              // under the object lock
    GstClockTime upstream; // latency of what comes before, as last heard; under the object lock

    struct ebb_denoise *denoiser;
    GstAudioInfo info;                 // of the denoiser
    struct denoiser_knobs knobs;       // of the denoiser
    gboolean live, warm;               // warm: what has to be measured is measured
    GstClockTime algorithm, allowance; // the two parts of the latency: the window's delay, and computing
    struct overload overload;
    GstClockTime behind; // the clock, as the last buffer came in; NONE: there is no telling
    GstClockTime unseen; // sound that came in since the overload was last told of that
    struct denoise_run run;
    float *scratch;      // one slice, channels interleaved
    GstClockTime posted; // stream time of the last element message
};

void denoise_stream_start(struct denoise_stream *stream);
void denoise_stream_stop(struct denoise_stream *stream);

// A denoiser for another format. FALSE after an error, which has been posted.
gboolean denoise_stream_set_format(struct denoise_stream *stream, const GstAudioInfo *info);

GstFlowReturn denoise_stream_submit(struct denoise_stream *stream, GstBuffer *buffer); // borrows the buffer

// The next up to 50 ms of what is ready; *out NULL: nothing is.
GstFlowReturn denoise_stream_next(struct denoise_stream *stream, GstBuffer **out);

// Pushes everything that is held; then the run is over.
GstFlowReturn denoise_stream_drain(struct denoise_stream *stream);

// Forgets everything that is held.
void denoise_stream_flush(struct denoise_stream *stream);

// A short gap within a run is silence within it. FALSE: the gap was not taken that way.
gboolean denoise_stream_fill_gap(struct denoise_stream *stream, GstEvent *event);

#endif
