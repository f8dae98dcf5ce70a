// SPDX-License-Identifier: LGPL-2.1-or-later
// The formats of generated sound: all that GstAudioConverter makes out of the model's float samples.
#ifndef GST_DIFFUSE_AUDIOCAPS_H
#define GST_DIFFUSE_AUDIOCAPS_H

#include <gst/audio/audio.h>

// clang-format off
#if G_BYTE_ORDER == G_LITTLE_ENDIAN
#define DIFFUSE_NATIVE "F32LE, S16LE, F32BE, S16BE" // what the machine prefers stands first
#else
#define DIFFUSE_NATIVE "F32BE, S16BE, F32LE, S16LE"
#endif
#define DIFFUSE_AUDIO_CAPS \
    "audio/x-raw, format = (string) { " DIFFUSE_NATIVE ", F64LE, F64BE, S32LE, S32BE, " \
    "S24LE, S24BE, S24_32LE, S24_32BE, U16LE, U8, S8 }, " \
    "layout = (string) { interleaved, non-interleaved }, " \
    "rate = " GST_AUDIO_RATE_RANGE ", channels = (int) [ 1, 64 ]"
// clang-format on

// Narrows the caps (taken) to what needs the least converting: float at the model's rate with so many
// channels, or what of the caps is nearest. Rate 0: it is not known yet.
GstCaps *diffuse_audio_prefer(GstCaps *caps, int native_rate, int channels);

#endif
