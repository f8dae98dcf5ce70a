// SPDX-License-Identifier: LGPL-2.1-or-later
// Samples of diffusedenoise's two formats, F32 and S16 in native order, to interleaved floats and back. Both
// layouts.
#ifndef GST_DIFFUSE_SAMPLES_H
#define GST_DIFFUSE_SAMPLES_H

#include <gst/audio/audio.h>

// Frames `from` to `from` + `frames` of a mapped buffer.
void samples_unpack(const GstAudioBuffer *audio, gsize from, gsize frames, float *to);
void samples_pack(const GstAudioBuffer *audio, gsize from, gsize frames, const float *samples);

#endif
