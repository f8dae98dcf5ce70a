// SPDX-License-Identifier: LGPL-2.1-or-later
#include "written.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void written_clipped(const char *path, const struct ebb_sound_writer *writer)
{
    uint64_t count = ebb_sound_writer_clipped(writer);
    if (count > 0)
        tool_warn("%s: %" PRIu64
                  " sample%s clipped at full scale; --format wav32f cuts nothing, and a lower level needs no "
                  "cut",
                  path, count, count == 1 ? " was" : "s were");
}

void written_lost(const char *path, const struct ebb_sound_metadata *metadata)
{
    const char *lost = ebb_sound_metadata_lost(metadata);
    if (lost)
        tool_warn("%s: not kept of what the recording's file holds besides its sound: %s", path, lost);
}

static const struct {
    const char *ending;
    enum ebb_wav_format last, usual;
} files[] = {
    {".wav", EBB_WAV_64F, EBB_WAV_16},
    {".flac", EBB_FLAC_24, EBB_FLAC_16},
    {".ogg", EBB_OGG, EBB_OGG},
};

const char *written_ending(enum ebb_wav_format format)
{
    size_t i = 0;
    while (format > files[i].last)
        i++;
    return files[i].ending;
}

int written_format_of(const char *path)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        if (tool_ends_in(path, files[i].ending))
            return (int)files[i].usual;
    return -1;
}

bool written_name_is_good(const char *path, int given)
{
    if (!tool_is_sound_name(path) || tool_is_stdout(path))
        return true;
    if (written_format_of(path) < 0)
        tool_fail(TOOL_USAGE, "%s: expected a name that ends in .wav, .flac or .ogg", path);
    else if (given >= 0 && !tool_ends_in(path, written_ending((enum ebb_wav_format)given)))
        tool_fail(TOOL_USAGE, "%s: with such a --format, expected a name that ends in %s", path,
                  written_ending((enum ebb_wav_format)given));
    else
        return true;
    return false;
}

int written_format_for(const char *path, int given, enum ebb_wav_format recording)
{
    int named = tool_is_sound_name(path) && !tool_is_stdout(path) ? written_format_of(path) : -1;
    if (!written_name_is_good(path, given))
        return -1;
    if (given >= 0 || named < 0 || named == EBB_WAV_16)
        return given >= 0 ? given : (int)recording;
    return named == EBB_FLAC_16 && recording != EBB_WAV_16 ? EBB_FLAC_24 : named;
}

enum ebb_result written_begin(struct ebb_sound_writer *writer, const struct ebb_sound_metadata *metadata,
                              size_t frames, struct ebb_error *error)
{
    enum ebb_result result = ebb_sound_writer_begin(writer, metadata, frames, error);
    if (result != EBB_UNSUPPORTED || !metadata)
        return result;
    struct ebb_error why = *error;
    *error = (struct ebb_error){0};
    result = ebb_sound_writer_begin(writer, NULL, frames, error);
    if (result == EBB_OK)
        tool_warn("%s", why.message);
    return result;
}

struct ebb_sound_metadata *written_loop(enum ebb_wav_format format, int channels, int rate, size_t loop,
                                        struct ebb_error *error)
{
    if (loop == 0 || strcmp(written_ending(format), ".wav") != 0)
        return NULL;
    struct ebb_sound_metadata *metadata = ebb_sound_metadata_create(channels);
    if (!metadata)
        error->code = EBB_OUT_OF_MEMORY;
    else if (ebb_sound_metadata_set_loop(metadata, rate, 0, loop, error) != EBB_OK)
        ebb_sound_metadata_destroy(&metadata);
    return metadata;
}

struct ebb_sound_writer *written_start(const char *path, const struct written_start *start,
                                       struct ebb_error *error)
{
    char *comment = sound_comment(start->recipe);
    struct ebb_sound_writer *writer = NULL;
    struct ebb_sound_metadata *metadata = written_loop(start->format, start->channels, start->rate,
                                                       start->loop, error);
    if (!comment)
        error->code = EBB_OUT_OF_MEMORY;
    else if (error->code == EBB_OK)
        writer = ebb_sound_writer_create(path, start->channels, start->rate, start->format, comment, error);
    if (writer && ebb_sound_writer_begin(writer, metadata, start->frames, error) != EBB_OK)
        ebb_sound_writer_destroy(&writer);
    ebb_sound_metadata_destroy(&metadata);
    free(comment);
    return writer;
}

bool written_needs_double(enum ebb_wav_format format)
{
    return format == EBB_WAV_32I || format == EBB_WAV_64F;
}

enum ebb_result written_sound(const char *path, const struct ebb_sound *sound, const double *exact,
                              const struct ebb_sound_metadata *metadata, enum ebb_wav_format format,
                              struct ebb_error *error)
{
    struct ebb_sound_writer *writer = ebb_sound_writer_create(path, sound->channels, sound->rate, format,
                                                              sound->comment, error);
    if (!writer)
        return error->code;
    enum ebb_result result = written_begin(writer, metadata, sound->frames, error);
    if (result == EBB_OK)
        result = exact ? ebb_sound_writer_write_double(writer, exact, sound->frames, error)
                       : ebb_sound_writer_write(writer, sound->samples, sound->frames, error);
    if (result == EBB_OK)
        result = ebb_sound_writer_finish(writer, error);
    if (result == EBB_OK)
        written_clipped(path, writer);
    ebb_sound_writer_destroy(&writer);
    return result;
}
