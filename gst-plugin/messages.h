// SPDX-License-Identifier: LGPL-2.1-or-later
// Messages that all elements post on the bus. Never call these functions with the object lock held: a path
// of element names is made under that lock.
#ifndef GST_DIFFUSE_MESSAGES_H
#define GST_DIFFUSE_MESSAGES_H

#include <gst/gst.h>

#include <ebb/ebb.h>

// Posts an ERROR (or WARNING) message. Its domain and code follow from the library's code, one to one.
void diffuse_post_error(GstElement *element, const struct ebb_error *error);
void diffuse_post_warning(GstElement *element, const struct ebb_error *error);

// A moment of a stream, by the three clocks that messages tell. NONE: the segment has no such time there.
struct diffuse_moment {
    GstClockTime timestamp, stream_time, running_time;
};
struct diffuse_moment diffuse_moment_at(const GstSegment *segment, GstClockTime timestamp);

// The controlled properties take their values at the moment, if that has a stream time.
void diffuse_sync_properties(GstElement *element, const struct diffuse_moment *moment);

// Posts an ELEMENT message: `structure` (taken), the times of the moment and the duration that are not NONE.
void diffuse_post_structure(GstElement *element, const struct diffuse_moment *moment, GstClockTime duration,
                            GstStructure *structure);

// Posts a QOS message of a live stream.
struct diffuse_qos {
    GstClockTime duration; // of the sound concerned; NONE: not known
    gint64 jitter;         // ns behind the clock
    gint quality;          // parts in a million
    guint64 processed;     // buffers so far
    guint64 dropped;       // times that computing came too late
};
void diffuse_post_qos(GstElement *element, const struct diffuse_moment *moment,
                      const struct diffuse_qos *qos);

#endif
