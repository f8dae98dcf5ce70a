#include "format.h"

struct format {
    GstAudioInfo info;
    GstAudioConverter *converter;
};

// A row per output channel, a column for our one: the same sound everywhere, whatever the positions. Takes no position to
// be no speaker, as unpositioned channels have none.
static void add_matrix(GstStructure *config, int channels)
{
    GValue matrix = G_VALUE_INIT;
    g_value_init(&matrix, GST_TYPE_ARRAY);
    for (int i = 0; i < channels; i++) {
        GValue row = G_VALUE_INIT, one = G_VALUE_INIT;
        g_value_init(&row, GST_TYPE_ARRAY);
        g_value_init(&one, G_TYPE_FLOAT);
        g_value_set_float(&one, 1);
        gst_value_array_append_and_take_value(&row, &one);
        gst_value_array_append_and_take_value(&matrix, &row);
    }
    gst_structure_take_value(config, GST_AUDIO_CONVERTER_OPT_MIX_MATRIX, &matrix);
}

struct format *format_create(int rate, const GstAudioInfo *info)
{
    GstAudioInfo mono;
    gst_audio_info_set_format(&mono, GST_AUDIO_FORMAT_F32, rate, 1, NULL);
    // No dither: GStreamer's draws from one state for the whole process, and the same seed must give the same samples.
    GstStructure *config = gst_structure_new("converter", GST_AUDIO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_AUDIO_DITHER_METHOD,
                                             GST_AUDIO_DITHER_NONE, NULL);
    if (info->channels > 1)
        add_matrix(config, info->channels);

    GstAudioInfo to = *info;
    struct format *format = g_new0(struct format, 1);
    format->info = *info;
    format->converter = gst_audio_converter_new(GST_AUDIO_CONVERTER_FLAG_NONE, &mono, &to, config);
    if (!format->converter)
        format_destroy(&format);
    return format;
}

void format_destroy(struct format **format)
{
    if (*format && (*format)->converter)
        gst_audio_converter_free((*format)->converter);
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

// In a straight line, so that turning the knob does not crackle.
static void scale(float *samples, gsize count, double from, double to)
{
    if (from == 1 && to == 1)
        return;
    for (gsize i = 0; i < count; i++)
        samples[i] *= (float)(from + (to - from) * (double)(i + 1) / (double)count);
}

GstBuffer *format_convert(struct format *format, float *samples, gsize count, gsize frames, double from, double to)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, frames * (gsize)format->info.bpf, NULL);
    if (!buffer)
        return NULL;
    if (format->info.layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED)
        gst_buffer_add_audio_meta(buffer, &format->info, frames, NULL);

    scale(samples, count, from, to);
    GstAudioBuffer audio;
    if (!gst_audio_buffer_map(&audio, &format->info, buffer, GST_MAP_WRITE)) {
        gst_buffer_unref(buffer);
        return NULL;
    }
    gpointer in[1] = {samples};
    gst_audio_converter_samples(format->converter, GST_AUDIO_CONVERTER_FLAG_NONE, in, count, audio.planes, frames);
    gst_audio_buffer_unmap(&audio);
    return buffer;
}
