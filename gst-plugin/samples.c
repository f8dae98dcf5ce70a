// SPDX-License-Identifier: LGPL-2.1-or-later
#include "samples.h"

#include <math.h>
#include <string.h>

gboolean samples_reserve(float **samples, gsize *size, gsize count)
{
    if (count <= *size)
        return TRUE;
    float *more = g_try_realloc_n(*samples, count, sizeof(*more));
    if (!more)
        return FALSE;
    *samples = more;
    *size = count;
    return TRUE;
}

gboolean samples_are_silent(const float *samples, gsize count)
{
    for (gsize i = 0; i < count; i++)
        if (samples[i] != 0)
            return FALSE;
    return TRUE;
}

static gboolean is_planar(const GstAudioInfo *info)
{
    return info->layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED;
}

// Sample `frame` of `channel` in what GstAudioBuffer maps.
static gpointer sample_at(const GstAudioBuffer *audio, gsize frame, gsize channel)
{
    gsize width = (gsize)audio->info.finfo->width / 8;
    if (is_planar(&audio->info))
        return (guint8 *)audio->planes[channel] + frame * width;
    return (guint8 *)audio->planes[0] + (frame * (gsize)audio->info.channels + channel) * width;
}

void samples_unpack(const GstAudioBuffer *audio, gsize from, gsize frames, float *to)
{
    gsize channels = (gsize)audio->info.channels;
    gboolean real = audio->info.finfo->format == GST_AUDIO_FORMAT_F32;
    for (gsize frame = from; frame < from + frames; frame++)
        for (gsize channel = 0; channel < channels; channel++) {
            gconstpointer at = sample_at(audio, frame, channel);
            if (real)
                memcpy(to++, at, sizeof(float));
            else
                *to++ = (float)*(const gint16 *)at / 32768;
        }
}

// Exact for what came from 16 bits.
static gint16 to_s16(float x)
{
    return (gint16)lrintf(CLAMP(x * 32768, -32768, 32767));
}

void samples_pack(const GstAudioBuffer *audio, gsize from, gsize frames, const float *samples)
{
    gsize channels = (gsize)audio->info.channels;
    gboolean real = audio->info.finfo->format == GST_AUDIO_FORMAT_F32;
    for (gsize frame = from; frame < from + frames; frame++)
        for (gsize channel = 0; channel < channels; channel++, samples++) {
            gpointer at = sample_at(audio, frame, channel);
            if (real)
                memcpy(at, samples, sizeof(float));
            else
                *(gint16 *)at = to_s16(*samples);
        }
}
