// SPDX-License-Identifier: LGPL-2.1-or-later
// Interleaved floats: room for them, and samples of diffusedenoise's two formats, F32 and S16 in native order
// and both layouts, to them and back.
#ifndef GST_DIFFUSE_SAMPLES_H
#define GST_DIFFUSE_SAMPLES_H

#include <gst/audio/audio.h>

// Room for `count` floats at `*samples`, which has room for `*size`. FALSE: no memory; it stays as it was.
gboolean samples_reserve(float **samples, gsize *size, gsize count);
// Whether all are 0: digital silence.
gboolean samples_are_silent(const float *samples, gsize count);

// Frames `from` to `from` + `frames` of a mapped buffer.
void samples_unpack(const GstAudioBuffer *audio, gsize from, gsize frames, float *to);
void samples_pack(const GstAudioBuffer *audio, gsize from, gsize frames, const float *samples);

#endif
