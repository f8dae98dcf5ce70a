// From the model's mono float to whatever was negotiated: volume, format, rate, channels, layout.
#ifndef GST_DIFFUSE_FORMAT_H
#define GST_DIFFUSE_FORMAT_H

#include <gst/audio/audio.h>

struct format;

// `rate` is the model's. Every channel gets the same sound. NULL if GStreamer cannot convert to `info`.
struct format *format_create(int rate, const GstAudioInfo *info);
void format_destroy(struct format **format);

// Forgets the resampler's past: the next sample is the first.
void format_reset(struct format *format);

// Samples at the model's rate that the next `frames` frames of output need.
gsize format_needs(struct format *format, gsize frames);

// Makes `frames` frames out of `samples` (format_needs() of them, scaled in place from volume `from` to volume `to`).
// NULL when out of memory.
GstBuffer *format_convert(struct format *format, float *samples, gsize count, gsize frames, double from, double to);

#endif
