// Reading a sound file piece by piece, through libsndfile.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sndfile.h>

#include <ebb/audio.h>

#include "base/base.h"

struct ebb_sound_reader {
    SNDFILE *file;
    char *name; // for messages
    size_t position;
    struct ebb_sound_info info;
};

// The least of our formats that holds this subtype's samples.
static enum ebb_wav_format format_of(int sndfile_format)
{
    switch (sndfile_format & SF_FORMAT_SUBMASK) {
    case SF_FORMAT_PCM_S8:
    case SF_FORMAT_PCM_U8:
    case SF_FORMAT_PCM_16:
    case SF_FORMAT_ULAW:
    case SF_FORMAT_ALAW:
        return EBB_WAV_16;
    case SF_FORMAT_PCM_24:
        return EBB_WAV_24;
    default:
        return EBB_WAV_32F;
    }
}

// A header written to a pipe cannot know the length; such writers leave an impossible one.
static size_t claimed_frames(const SF_INFO *sf)
{
    uint64_t bytes = (uint64_t)sf->frames * (uint64_t)sf->channels;
    return sf->frames <= 0 ? 0 : bytes >= UINT32_MAX / 4 && !sf->seekable ? SIZE_MAX : (size_t)sf->frames;
}

static SNDFILE *open_file(const char *path, SF_INFO *sf, struct ebb_error *error)
{
    bool standard = strcmp(path, "-") == 0;
    struct stat st;
    if (!standard && stat(path, &st) != 0) {
        ebb_fail(error, EBB_NOT_FOUND, "%s: no such file", path);
        return NULL;
    }
    if (!standard && S_ISDIR(st.st_mode)) {
        ebb_fail(error, EBB_WRONG_TYPE, "%s: a folder, expected a sound file", path);
        return NULL;
    }
    if (!standard && access(path, R_OK) != 0) {
        ebb_fail(error, EBB_UNREADABLE, "%s: no permission to read it", path);
        return NULL;
    }
    SNDFILE *file = standard ? sf_open_fd(STDIN_FILENO, SFM_READ, sf, SF_FALSE) : sf_open(path, SFM_READ, sf);
    if (!file)
        ebb_fail(error, EBB_CORRUPT, "%s: not a sound file (%s)", standard ? "standard input" : path, sf_strerror(NULL));
    return file;
}

struct ebb_sound_reader *ebb_sound_reader_open(const char *path, struct ebb_error *error)
{
    SF_INFO sf = {0};
    SNDFILE *file = open_file(path, &sf, error);
    if (!file)
        return NULL;
    struct ebb_sound_reader *reader = calloc(1, sizeof(*reader));
    if (reader)
        reader->name = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
    if (!reader || !reader->name) {
        sf_close(file);
        free(reader);
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    reader->file = file;
    reader->info = (struct ebb_sound_info){
        .frames = claimed_frames(&sf),
        .channels = sf.channels,
        .rate = sf.samplerate,
        .format = format_of(sf.format),
        .comment = sf_get_string(file, SF_STR_COMMENT),
    };
    return reader;
}

void ebb_sound_reader_close(struct ebb_sound_reader **reader)
{
    if (!*reader)
        return;
    sf_close((*reader)->file);
    free((*reader)->name);
    free(*reader);
    *reader = NULL;
}

const struct ebb_sound_info *ebb_sound_reader_info(const struct ebb_sound_reader *reader)
{
    return &reader->info;
}

enum ebb_result ebb_sound_reader_read(struct ebb_sound_reader *reader, float *samples, size_t frames, size_t *got,
                                      struct ebb_error *error)
{
    sf_count_t count = sf_readf_float(reader->file, samples, (sf_count_t)frames);
    *got = count > 0 ? (size_t)count : 0;
    size_t channels = (size_t)reader->info.channels;
    for (size_t i = 0; i < *got * channels; i++)
        if (!isfinite(samples[i]))
            return ebb_fail(error, EBB_CORRUPT, "%s: sample %zu of channel %zu is not a number", reader->name,
                            reader->position + i / channels, i % channels);
    reader->position += *got;
    return EBB_OK;
}
