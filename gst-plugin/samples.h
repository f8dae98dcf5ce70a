// The two formats a filter takes as they are, F32 and S16 in native order, in both layouts, from and to interleaved floats.
#ifndef GST_DIFFUSE_SAMPLES_H
#define GST_DIFFUSE_SAMPLES_H

#include <gst/audio/audio.h>

// Frames `from` to `from` + `frames` of a mapped buffer.
void samples_unpack(const GstAudioBuffer *audio, gsize from, gsize frames, float *to);
void samples_pack(const GstAudioBuffer *audio, gsize from, gsize frames, const float *samples);

#endif
