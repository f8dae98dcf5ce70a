// Whole sounds in memory.
#include <ebb/audio.h>

#include "audio/resample.h"
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

void ebb_sound_clear(struct ebb_sound *sound)
{
    if (!sound)
        return;

    free(sound->samples);
    free(sound->comment);
    *sound = (struct ebb_sound){0};
}

// Grows as the samples come: a header that lies about the length costs nothing.
static enum ebb_result read_all(struct ebb_sound_reader *reader, const char *path, struct ebb_sound *sound,
                                struct ebb_error *error)
{
    size_t channels = (size_t)sound->channels, capacity = 0;
    size_t promised = ebb_sound_reader_info(reader)->frames;
    for (size_t step = 1 << 16, got = step; got == step;) {
        if (capacity - sound->frames < step) {
            capacity = capacity ? 2 * capacity : promised < 1 << 20 ? promised + 2 * step : 1 << 20;
            float *grown = capacity > (size_t)-1 / 4 / sizeof(float) / channels
                               ? NULL
                               : realloc(sound->samples, capacity * channels * sizeof(float));
            if (!grown)
                return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory for %zu frames", path, capacity);
            sound->samples = grown;
        }
        enum ebb_result result =
            ebb_sound_reader_read(reader, sound->samples + sound->frames * channels, step, &got, error);
        if (result != EBB_OK)
            return result;
        sound->frames += got;
    }
    return EBB_OK;
}

enum ebb_result ebb_sound_read(const char *path, struct ebb_sound *sound, struct ebb_error *error)
{
    *sound = (struct ebb_sound){0};
    struct ebb_error why = {EBB_UNREADABLE, ""};
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, &why);
    if (!reader) {
        if (error)
            *error = why;
        return why.code;
    }
    sound->channels = ebb_sound_reader_info(reader)->channels;
    sound->rate = ebb_sound_reader_info(reader)->rate;
    const char *comment = ebb_sound_reader_info(reader)->comment;
    enum ebb_result result = EBB_OK;
    if (comment && !(sound->comment = strdup(comment)))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    if (result == EBB_OK)
        result = read_all(reader, path, sound, error);
    ebb_sound_reader_close(&reader);
    if (result != EBB_OK)
        ebb_sound_clear(sound);
    return result;
}

enum ebb_result ebb_sound_write(const char *path, const struct ebb_sound *sound, enum ebb_wav_format format,
                                struct ebb_error *error)
{
    struct ebb_error why = {EBB_UNWRITABLE, ""};
    struct ebb_sound_writer *writer =
        ebb_sound_writer_create(path, sound->channels, sound->rate, format, sound->comment, &why);
    enum ebb_result result = writer ? EBB_OK : why.code;

    if (result == EBB_OK)
        result = ebb_sound_writer_write(writer, sound->samples, sound->frames, &why);
    if (result == EBB_OK)
        result = ebb_sound_writer_finish(writer, &why);
    ebb_sound_writer_destroy(&writer);
    if (result != EBB_OK && error)
        *error = why;
    return result;
}

enum ebb_result ebb_sound_resample(struct ebb_sound *sound, int rate, struct ebb_error *error)
{
    struct ebb_error why = {EBB_OUT_OF_MEMORY, ""};
    struct ebb_resampler *resampler = ebb_resampler_create(sound->rate, rate, sound->channels, &why);
    enum ebb_result result = resampler ? EBB_OK : why.code;

    if (result == EBB_OK)
        result = ebb_resampler_write(resampler, sound->samples, sound->frames, &why);
    if (result == EBB_OK)
        result = ebb_resampler_finish(resampler, EBB_RESAMPLE_EXACT, &why);
    if (result == EBB_OK) {
        size_t frames = ebb_resampler_available(resampler);
        float *samples = ebb_alloc(frames, (size_t)sound->channels * sizeof(float));
        if (samples) {
            ebb_resampler_read(resampler, samples, frames);
            free(sound->samples);
            sound->samples = samples;
            sound->frames = frames;
            sound->rate = rate;
        } else {
            result = ebb_fail(&why, EBB_OUT_OF_MEMORY, "resampling: no memory for %zu frames", frames);
        }
    }
    ebb_resampler_destroy(&resampler);
    if (result != EBB_OK && error)
        *error = why;
    return result;
}
