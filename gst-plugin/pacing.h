// SPDX-License-Identifier: LGPL-2.1-or-later
// What the rest of the pipeline is like. Whether anybody listens by the clock: only then does a source that
// is too slow have to say so.
#ifndef GST_DIFFUSE_PACING_H
#define GST_DIFFUSE_PACING_H

#include <gst/gst.h>

// Whether a sink of the pipeline follows the clock. An element alone may stand in anything: TRUE.
gboolean diffuse_pipeline_keeps_time(GstElement *element);

// Whether queues of the pipeline hold a part of a second of each of several streams, as playbin3's do. What
// waits for more of one stream than that stops them all.
gboolean diffuse_pipeline_holds_little(GstElement *element);

#endif
