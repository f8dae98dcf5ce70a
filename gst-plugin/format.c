// SPDX-License-Identifier: LGPL-2.1-or-later
#include "format.h"

#include <string.h>

// Two channels of samples go through GStreamer's converter as they are. Of one channel, the converter makes
// one channel of the output's rate and format. The other channels are copies of it, made here: its own mixer
// has a limit on channels, and silences those that have no position.
struct format {
    GstAudioInfo info;
    guint channels; // of the samples: 1, or 2 where the output has two
    GstAudioConverter *converter;
    guint8 *mono; // one channel of the buffer in work; only if there are more
    gsize room;   // bytes
};

struct format *format_create(int rate, const GstAudioInfo *info, guint channels)
{
    GstAudioInfo from, to;
    const GstAudioChannelPosition *places = channels == 2 ? info->position : NULL;
    gst_audio_info_set_format(&from, GST_AUDIO_FORMAT_F32, rate, (gint)channels, places);
    gst_audio_info_set_format(&to, GST_AUDIO_INFO_FORMAT(info), info->rate, (gint)channels, places);
    if (channels == 2)
        to.layout = info->layout;
    // No dither: GStreamer draws it from one state for the whole process, and a seed has to give the same
    // samples.
    GstStructure *config = gst_structure_new("converter", GST_AUDIO_CONVERTER_OPT_DITHER_METHOD,
                                             GST_TYPE_AUDIO_DITHER_METHOD, GST_AUDIO_DITHER_NONE, NULL);
    struct format *format = g_new0(struct format, 1);
    format->info = *info;
    format->channels = channels;
    format->converter = gst_audio_converter_new(GST_AUDIO_CONVERTER_FLAG_NONE, &from, &to, config);
    if (!format->converter)
        format_destroy(&format);
    return format;
}

void format_destroy(struct format **format)
{
    if (*format && (*format)->converter)
        gst_audio_converter_free((*format)->converter);
    if (*format)
        g_free((*format)->mono);
    g_clear_pointer(format, g_free);
}

void format_reset(struct format *format)
{
    gst_audio_converter_reset(format->converter);
}

gsize format_needs(struct format *format, gsize frames)
{
    gsize count = gst_audio_converter_get_in_frames(format->converter, frames);
    while (gst_audio_converter_get_out_frames(format->converter, count) < frames)
        count++;
    return count;
}

gsize format_gives(struct format *format, gsize count)
{
    gsize frames = gst_audio_converter_get_out_frames(format->converter, count);
    while (frames && format_needs(format, frames) > count)
        frames--;
    return frames;
}

// In a straight line, so that a change of volume does not crackle.
static void scale(float *samples, gsize count, guint channels, double from, double to)
{
    if (from == 1 && to == 1)
        return;
    for (gsize i = 0; i < count * channels; i++)
        samples[i] *= (float)(from + (to - from) * (double)(i / channels + 1) / (double)count);
}

// Room for `bytes` of one channel. FALSE: no memory.
static gboolean reserve(struct format *format, gsize bytes)
{
    if (bytes <= format->room)
        return TRUE;
    guint8 *mono = g_try_realloc(format->mono, bytes);
    if (!mono)
        return FALSE;
    format->mono = mono;
    format->room = bytes;
    return TRUE;
}

// Copies the channel in `mono` to every channel.
static void spread(const struct format *format, const GstAudioBuffer *audio, gsize frames)
{
    gsize channels = (gsize)format->info.channels, width = (gsize)format->info.finfo->width / 8;
    if (format->info.layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED) {
        for (gsize i = 0; i < channels; i++)
            memcpy(audio->planes[i], format->mono, frames * width);
        return;
    }
    guint8 *to = audio->planes[0];
    for (gsize k = 0; k < frames; k++)
        for (gsize i = 0; i < channels; i++, to += width)
            memcpy(to, format->mono + k * width, width);
}

gboolean format_convert(struct format *format, float *samples, gsize count, GstBuffer *buffer, gsize frames,
                        double from, double to)
{
    gboolean many = format->info.channels > 1 && format->channels == 1;
    if (many && !reserve(format, frames * (gsize)format->info.finfo->width / 8))
        return FALSE;
    if (format->info.layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED)
        gst_buffer_add_audio_meta(buffer, &format->info, frames, NULL);

    scale(samples, count, format->channels, from, to);
    GstAudioBuffer audio;
    if (!gst_audio_buffer_map(&audio, &format->info, buffer, GST_MAP_WRITE))
        return FALSE;
    gpointer in[1] = {samples}, mono[1] = {format->mono}, *out = many ? mono : audio.planes;
    gst_audio_converter_samples(format->converter, GST_AUDIO_CONVERTER_FLAG_NONE, in, count, out, frames);
    if (many)
        spread(format, &audio, frames);
    gst_audio_buffer_unmap(&audio);
    return TRUE;
}
