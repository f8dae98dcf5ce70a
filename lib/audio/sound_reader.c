// Reading a sound file piece by piece, through libsndfile.
#include <errno.h>
#include <fcntl.h>
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

static uint32_t little_endian(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// libsndfile quietly shortens a WAV that was cut off: so ask the file itself. Sizes from 2 GiB up are what programs
// write that did not know the length: those mean "to the end".
static enum ebb_result check_wav_length(const char *path, int fd, off_t size, struct ebb_error *error)
{
    unsigned char head[12], chunk[8];
    if (pread(fd, head, sizeof(head), 0) != sizeof(head) || memcmp(head, "RIFF", 4) != 0 ||
        memcmp(head + 8, "WAVE", 4) != 0)
        return EBB_OK;

    for (off_t at = sizeof(head); pread(fd, chunk, sizeof(chunk), at) == sizeof(chunk);) {
        uint32_t length = little_endian(chunk + 4);
        at += (off_t)sizeof(chunk);
        if (memcmp(chunk, "data", 4) == 0) {
            if (length < 0x7fffff00 && (off_t)length > size - at)
                return ebb_fail(error, EBB_CORRUPT, "%s: cut off, %u bytes of samples were promised, %lld are there",
                                path, length, (long long)(size - at));
            return EBB_OK;
        }
        at += (off_t)length + (length & 1);
    }
    return EBB_OK;
}

static enum ebb_result check_file(const char *path, struct ebb_error *error)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe without a writer shall not hold us up
    if (fd < 0 || fstat(fd, &st) != 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return ebb_fail(error, why == ENOENT || why == ENOTDIR ? EBB_NOT_FOUND : EBB_UNREADABLE, "%s: %s", path,
                        strerror(why));
    }
    enum ebb_result result = EBB_OK;
    if (S_ISDIR(st.st_mode))
        result = ebb_fail(error, EBB_WRONG_TYPE, "%s: a folder, expected a sound file", path);
    else if (S_ISREG(st.st_mode) && st.st_size == 0)
        result = ebb_fail(error, EBB_CORRUPT, "%s: an empty file", path);
    else if (S_ISREG(st.st_mode))
        result = check_wav_length(path, fd, st.st_size, error);
    close(fd);
    return result;
}

static SNDFILE *open_file(const char *path, SF_INFO *sf, struct ebb_error *error)
{
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    if (!standard && check_file(path, error) != EBB_OK)
        return NULL;
    SNDFILE *file = standard ? sf_open_fd(STDIN_FILENO, SFM_READ, sf, SF_FALSE) : sf_open(path, SFM_READ, sf);
    if (!file) {
        bool alien = sf_error(NULL) == SF_ERR_UNRECOGNISED_FORMAT;
        ebb_fail(error, alien ? EBB_WRONG_TYPE : EBB_CORRUPT, "%s: not a sound file that can be read (%s)", name,
                 sf_strerror(NULL));
    } else if (sf->frames < 1 && sf->seekable) {
        sf_close(file);
        file = NULL;
        ebb_fail(error, EBB_CORRUPT, "%s: holds no samples", name);
    }
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
    if (sf_error(reader->file) != SF_ERR_NO_ERROR)
        return ebb_fail(error, EBB_CORRUPT, "%s: cannot be read after %zu frames (%s)", reader->name,
                        reader->position + *got, sf_strerror(reader->file));
    size_t channels = (size_t)reader->info.channels;
    for (size_t i = 0; i < *got * channels; i++)
        if (!isfinite(samples[i]))
            return ebb_fail(error, EBB_CORRUPT, "%s: sample %zu of channel %zu is not a number", reader->name,
                            reader->position + i / channels, i % channels);
    reader->position += *got;
    if (*got < frames && reader->info.frames != SIZE_MAX && reader->position < reader->info.frames)
        return ebb_fail(error, EBB_CORRUPT, "%s: ends after %zu of %zu frames", reader->name, reader->position,
                        reader->info.frames);
    return EBB_OK;
}
