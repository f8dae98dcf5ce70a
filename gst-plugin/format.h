// SPDX-License-Identifier: LGPL-2.1-or-later
// From the model's float samples to whatever was negotiated: volume, format, rate, channels, layout.
#ifndef GST_DIFFUSE_FORMAT_H
#define GST_DIFFUSE_FORMAT_H

#include <gst/audio/audio.h>

struct format;

// `rate` is the model's. `channels` is how many the samples have: 1, which every channel of the output gets,
// or 2, where the output has two. NULL if GStreamer cannot convert to `info`.
struct format *format_create(int rate, const GstAudioInfo *info, guint channels);
void format_destroy(struct format **format);

// Forgets the resampler's past: the next sample is the first.
void format_reset(struct format *format);

// Samples at the model's rate that the next `frames` frames of output need.
gsize format_needs(struct format *format, gsize frames);

// Frames of output that the next `count` samples at the model's rate are enough for.
gsize format_gives(struct format *format, gsize count);

// Fills `buffer`, which has room for `frames` frames, out of `samples`: `count`, as format_needs() says, of
// each channel, interleaved, scaled in place from volume `from` to volume `to`. FALSE: no memory.
gboolean format_convert(struct format *format, float *samples, gsize count, GstBuffer *buffer, gsize frames,
                        double from, double to);

#endif
