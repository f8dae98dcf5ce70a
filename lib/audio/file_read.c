// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading a sound file, piece by piece or whole, through libsndfile.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sndfile.h>

#include <ebb/audio.h>
#include <ebb/memory.h>

#include "audio/file_metadata.h"
#include "audio/input.h"
#include "audio/vorbis_order.h"
#include "base/base.h"
#include "base/file.h"
#include "base/file_kind.h"

struct ebb_sound_reader {
    struct ebb_sound_input *input; // NULL: libsndfile knows the file by its name
    SNDFILE *file;
    char warning[300]; // "": nothing is missing
    char *name;        // for messages
    bool vorbis_order; // of the channels
    size_t position;
    struct ebb_sound_info info;
    struct ebb_sound_metadata *metadata;
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
    case SF_FORMAT_ALAC_16: return EBB_WAV_16;
    case SF_FORMAT_PCM_24:
    case SF_FORMAT_ALAC_20:
    case SF_FORMAT_ALAC_24: return EBB_WAV_24;
    case SF_FORMAT_PCM_32:
    case SF_FORMAT_ALAC_32: return EBB_WAV_32I;
    case SF_FORMAT_DOUBLE: return EBB_WAV_64F;
    default: return EBB_WAV_32F;
    }
}

// libsndfile's own word for "nobody knows" is its largest number.
static size_t claimed_frames(const struct ebb_sound_reader *reader, const SF_INFO *sf)
{
    bool unknown = (reader->input && ebb_sound_input_endless(reader->input)) ||
                   sf->frames >= SF_COUNT_MAX / 2;
    uint64_t about = unknown && reader->input ? ebb_sound_input_about(reader->input) : 0;
    return sf->frames <= 0 ? 0 : about > 0 ? (size_t)about : unknown ? SIZE_MAX : (size_t)sf->frames;
}

// A few formats are known by the ending of the file's name alone.
static SNDFILE *open_by_name(struct ebb_sound_reader *reader, const char *path, SF_INFO *sf)
{
    struct stat info;
    *sf = (SF_INFO){0};
    if (strcmp(path, "-") == 0 || stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return NULL;
    ebb_sound_input_close(&reader->input);
    return sf_open(path, SFM_READ, sf);
}

// What stands where a sound should be: a Git LFS pointer, a web page and such.
static enum ebb_file_kind kind_of(const struct ebb_sound_reader *reader)
{
    unsigned char head[EBB_FILE_KIND_BYTES];
    size_t size = sizeof(head);
    while (size > 1 && !ebb_sound_input_look(reader->input, 0, head, size))
        size /= 2; // of a shorter file
    return size > 1 ? ebb_file_kind_of(head, size) : EBB_FILE_UNKNOWN;
}

// libsndfile's words. What it calls an internal error is a header whose numbers it cannot work with.
static const char *why_not(void)
{
    const char *words = sf_strerror(NULL);
    return strncmp(words, "Internal error", strlen("Internal error")) != 0
               ? words
               : "Its header has a rate or a length that no sound has.";
}

static enum ebb_result open_file(struct ebb_sound_reader *reader, const char *path, SF_INFO *sf,
                                 struct ebb_error *error)
{
    reader->input = ebb_sound_input_open(path, error);
    if (!reader->input)
        return error->code;
    reader->file = ebb_sound_input_start(reader->input, sf);
    bool alien = !reader->file && sf_error(NULL) == SF_ERR_UNRECOGNISED_FORMAT;
    if (!reader->file && ebb_sound_input_failure(reader->input, error) != EBB_OK)
        return error->code;
    int foreign = reader->file ? 0 : ebb_sound_input_foreign_coding(reader->input);
    if (foreign)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s: its coding is 0x%04x, expected PCM, float, A-law, mu-law, ADPCM, GSM or MP3",
                        reader->name, (unsigned)foreign);
    enum ebb_file_kind kind = alien ? kind_of(reader) : EBB_FILE_UNKNOWN;
    if (alien && !ebb_sound_input_gave_up(reader->input))
        reader->file = open_by_name(reader, path, sf);
    if (!reader->file && kind != EBB_FILE_UNKNOWN)
        return ebb_fail(error, EBB_WRONG_TYPE, "%s: %s, expected a sound file", reader->name,
                        ebb_file_kind_words(kind));
    bool coded = !reader->file && sf_error(NULL) == SF_ERR_UNSUPPORTED_ENCODING;
    if (!reader->file)
        return ebb_fail(error,
                        alien   ? EBB_WRONG_TYPE
                        : coded ? EBB_UNSUPPORTED
                                : EBB_CORRUPT,
                        "%s: not a sound file that can be read (%s)", reader->name, why_not());
    if (sf->frames > 0)
        return EBB_OK;
    bool more = reader->input && ebb_sound_input_has_more(reader->input);
    return ebb_fail(error, EBB_CORRUPT, "%s: holds no samples%s", reader->name,
                    more ? " in the first of several chunks of samples" : "");
}

static void warn_cut(struct ebb_sound_reader *reader)
{
    uint64_t promised = 0, there = 0;
    if (reader->input && ebb_sound_input_cut(reader->input, &promised, &there))
        snprintf(reader->warning, sizeof(reader->warning),
                 "%.120s: cut off: %llu bytes of samples were promised, %llu are there", reader->name,
                 (unsigned long long)promised, (unsigned long long)there);
    else if (reader->input && ebb_sound_input_lacks_end(reader->input))
        snprintf(reader->warning, sizeof(reader->warning),
                 "%.120s: cut off: the last page of the Ogg stream is missing", reader->name);
    else if (reader->input && ebb_sound_input_is_chain(reader->input))
        snprintf(
            reader->warning, sizeof(reader->warning),
            "%.120s: several Ogg streams, one behind the other, of which the first is read; ffmpeg makes "
            "one sound of them",
            reader->name);
    else if (reader->input && ebb_sound_input_has_more(reader->input))
        snprintf(reader->warning, sizeof(reader->warning),
                 "%.120s: several chunks of samples, of which the first is read", reader->name);
    else if (reader->input && ebb_sound_input_is_followed(reader->input))
        snprintf(reader->warning, sizeof(reader->warning),
                 "%.120s: several files, one behind the other, of which the first is read", reader->name);
}

struct ebb_sound_reader *ebb_sound_reader_open(const char *path, struct ebb_error *error)
{
    SF_INFO sf = {0};
    error = EBB_ERROR(error);
    if (ebb_file_check_name(path, error) != EBB_OK)
        return NULL;
    struct ebb_sound_reader *reader = calloc(1, sizeof(*reader));
    if (reader)
        reader->name = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
    if (!reader || !reader->name) {
        free(reader);
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
        return NULL;
    }
    enum ebb_result result = open_file(reader, path, &sf, error);
    if (result == EBB_OK && !(reader->metadata = ebb_metadata_read(reader->input, reader->file, &sf)))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    if (result != EBB_OK) {
        ebb_sound_reader_close(&reader);
        return NULL;
    }
    reader->info = (struct ebb_sound_info){
        .frames = claimed_frames(reader, &sf),
        .channels = sf.channels,
        .rate = sf.samplerate,
        .format = format_of(sf.format),
        .comment = sf_get_string(reader->file, SF_STR_COMMENT),
    };
    reader->info.recipe = reader->metadata->recipe ? reader->metadata->recipe : reader->info.comment;
    reader->vorbis_order = ebb_has_vorbis_order(reader->input, &sf);
    warn_cut(reader);
    return reader;
}

void ebb_sound_reader_close(struct ebb_sound_reader **reader)
{
    if (!*reader)
        return;
    if ((*reader)->file)
        sf_close((*reader)->file);
    ebb_sound_input_close(&(*reader)->input);
    ebb_sound_metadata_destroy(&(*reader)->metadata);
    free((*reader)->name);
    free(*reader);
    *reader = NULL;
}

const struct ebb_sound_info *ebb_sound_reader_info(const struct ebb_sound_reader *reader)
{
    return &reader->info;
}

const struct ebb_sound_metadata *ebb_sound_reader_metadata(const struct ebb_sound_reader *reader)
{
    return reader->metadata;
}

const char *ebb_sound_reader_warning(const struct ebb_sound_reader *reader)
{
    return *reader->warning ? reader->warning : NULL;
}

// A recorder that goes on may write more than the header said when it was read.
static void warn_grown(struct ebb_sound_reader *reader)
{
    if (!*reader->warning && reader->input && ebb_sound_input_grew(reader->input))
        snprintf(reader->warning, sizeof(reader->warning),
                 "%.120s: has grown since it was opened: what came after %zu frames is not in it",
                 reader->name, reader->position);
}

// A tag behind the last frame is passed over; another FLAC behind it may have been meant.
static void warn_more(struct ebb_sound_reader *reader)
{
    if (!*reader->warning && reader->input && !ebb_sound_input_at_end(reader->input))
        snprintf(reader->warning, sizeof(reader->warning),
                 "%.120s: more than its %zu frames is in it; what follows is not read", reader->name,
                 reader->position);
}

// Nothing is there where samples were expected: if that is the end of the file, its rest was cut off.
static enum ebb_result end_early(struct ebb_sound_reader *reader, struct ebb_error *error)
{
    bool told = reader->info.frames != SIZE_MAX && !(reader->input && ebb_sound_input_about(reader->input));
    if (reader->position == 0 && !told)
        return ebb_fail(error, EBB_CORRUPT, "%s: holds no samples", reader->name);
    bool promised = told && reader->position < reader->info.frames;
    const char *why = sf_error(reader->file) != SF_ERR_NO_ERROR ? sf_strerror(reader->file) : "";
    if (!promised && !*why) {
        warn_cut(reader);
        warn_grown(reader);
        return EBB_OK;
    }
    bool all = told && !promised;
    if (all) { // what follows is no sound of this file
        warn_more(reader);
        return EBB_OK;
    }
    bool cut = reader->position > 0 && (!reader->input || ebb_sound_input_at_end(reader->input));
    if (!cut)
        return ebb_fail(error, EBB_CORRUPT, "%s: cannot be read after %zu frames%s%s", reader->name,
                        reader->position, *why ? ": " : "", why);
    warn_cut(reader);
    if (!*reader->warning && promised)
        snprintf(reader->warning, sizeof(reader->warning),
                 "%.120s: cut off: %zu frames were promised, %zu are there", reader->name,
                 reader->info.frames, reader->position);
    else if (!*reader->warning)
        snprintf(reader->warning, sizeof(reader->warning),
                 "%.120s: cut off: it has no end after %zu frames (%s)", reader->name, reader->position, why);
    return EBB_OK;
}

// Either of the two types of samples; the other is NULL.
static enum ebb_result read_block(struct ebb_sound_reader *reader, float *samples, double *doubles,
                                  size_t frames, size_t *got, struct ebb_error *error)
{
    sf_count_t count = samples ? sf_readf_float(reader->file, samples, (sf_count_t)frames)
                               : sf_readf_double(reader->file, doubles, (sf_count_t)frames);
    *got = count > 0 ? (size_t)count : 0;
    if (reader->input && ebb_sound_input_failure(reader->input, error) != EBB_OK)
        return error ? error->code : EBB_UNREADABLE;
    size_t channels = (size_t)reader->info.channels;
    for (size_t i = 0; i < *got * channels; i++)
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): one of the two is given
        if (!isfinite(samples ? (double)samples[i] : doubles[i]))
            return ebb_fail(error, EBB_CORRUPT, "%s: sample %zu of channel %zu is not a number", reader->name,
                            reader->position + i / channels, i % channels);
    if (reader->vorbis_order)
        ebb_vorbis_to_wav(samples ? (void *)samples : doubles, *got, reader->info.channels,
                          samples ? sizeof(*samples) : sizeof(*doubles));
    reader->position += *got;
    return *got < frames ? end_early(reader, error) : EBB_OK;
}

enum ebb_result ebb_sound_reader_read(struct ebb_sound_reader *reader, float *samples, size_t frames,
                                      size_t *got, struct ebb_error *error)
{
    return read_block(reader, samples, NULL, frames, got, error);
}

enum ebb_result ebb_sound_reader_read_double(struct ebb_sound_reader *reader, double *samples, size_t frames,
                                             size_t *got, struct ebb_error *error)
{
    return read_block(reader, NULL, samples, frames, got, error);
}

// ---- whole files ----

enum ebb_result ebb_sound_alloc(struct ebb_sound *sound, size_t frames, int channels, int rate,
                                struct ebb_error *error)
{
    *sound = (struct ebb_sound){0};
    if (channels < 1 || rate < 1)
        return ebb_fail(error, EBB_INVALID, "a sound of %d channels at %d Hz, expected 1 or more of both",
                        channels, rate);
    if (frames <= (size_t)-1 / sizeof(float) / (size_t)channels)
        sound->samples = ebb_alloc(frames * (size_t)channels, sizeof(float));
    if (!sound->samples)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for %zu frames", frames);

    sound->frames = frames;
    sound->channels = channels;
    sound->rate = rate;
    return EBB_OK;
}

void ebb_sound_clear(struct ebb_sound *sound)
{
    if (!sound)
        return;

    free(sound->samples);
    free(sound->comment);
    free(sound->warning);
    *sound = (struct ebb_sound){0};
}

// Uncompressed samples take twice to four times the bytes of their file.
static enum ebb_result check_room(const struct ebb_sound_reader *reader, size_t frames,
                                  struct ebb_error *error)
{
    enum { EXPANSION = 4 };
    uint64_t frame = (uint64_t)reader->info.channels * sizeof(float);
    uint64_t bytes = reader->input ? ebb_sound_input_bytes(reader->input) : 0;
    uint64_t bound = ebb_memory_bound() > EXPANSION * bytes ? ebb_memory_bound() : EXPANSION * bytes;
    // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a file that opens has channels
    if (frames <= bound / frame)
        return EBB_OK;
    return ebb_fail(
        error, EBB_UNSUPPORTED,
        "%s: its samples take more than %llu MiB of memory; EBB_MEMORY=%lluM in the environment allows it",
        reader->name, (unsigned long long)(bound >> 20),
        (unsigned long long)(frames > UINT64_MAX / frame / 2 ? 2 * (bound >> 20)
                                                             : (frames * frame >> 20) + 1));
}

// Grows as the samples come: a header that lies about the length costs nothing.
static enum ebb_result grow(struct ebb_sound_reader *reader, struct ebb_sound *sound, double **doubles,
                            size_t frames, struct ebb_error *error)
{
    size_t channels = (size_t)sound->channels;
    bool fits = frames <= (size_t)-1 / 4 / sizeof(double) / channels;
    float *samples = fits ? realloc(sound->samples, frames * channels * sizeof(float)) : NULL;
    sound->samples = samples ? samples : sound->samples;
    double *wide = samples && doubles ? realloc(*doubles, frames * channels * sizeof(double)) : NULL;
    if (wide)
        *doubles = wide;
    if (samples && (wide || !doubles))
        return EBB_OK;
    return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory for %zu frames", reader->name, frames);
}

// The next block behind what `sound` has.
static enum ebb_result append_block(struct ebb_sound_reader *reader, struct ebb_sound *sound, double *doubles,
                                    size_t frames, size_t *got, struct ebb_error *error)
{
    size_t channels = (size_t)sound->channels, at = sound->frames * channels;
    if (!doubles)
        return ebb_sound_reader_read(reader, sound->samples + at, frames, got, error);
    enum ebb_result result = ebb_sound_reader_read_double(reader, doubles + at, frames, got, error);
    for (size_t i = at; i < at + *got * channels; i++)
        sound->samples[i] = (float)doubles[i];
    return result;
}

static enum ebb_result read_samples(struct ebb_sound_reader *reader, struct ebb_sound *sound,
                                    double **doubles, struct ebb_error *error)
{
    enum { NEAR = 1 << 14 }; // samples: what is read at a time stays in the processor's cache
    size_t capacity = 0, promised = reader->info.frames;
    const size_t channels = (size_t)sound->channels, most = channels < NEAR ? NEAR / channels : 1;
    const size_t step = promised < most ? promised + 1 : most; // a short sound is read at once
    enum ebb_result result = promised == SIZE_MAX ? EBB_OK : check_room(reader, promised, error);
    for (size_t got = step; got == step && result == EBB_OK;) {
        if (capacity - sound->frames < step) {
            capacity = capacity ? 2 * capacity : step;
            result = grow(reader, sound, doubles, capacity, error);
        }
        got = 0;
        if (result == EBB_OK)
            result = append_block(reader, sound, doubles ? *doubles : NULL, step, &got, error);
        sound->frames += got;
        if (result == EBB_OK && promised == SIZE_MAX)
            result = check_room(reader, sound->frames, error);
    }
    return result;
}

static enum ebb_result copy_text(const char *text, char **copy, struct ebb_error *error)
{
    if (text && !(*copy = strdup(text)))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a sound's texts");
    return EBB_OK;
}

static enum ebb_result read_all(struct ebb_sound_reader *reader, struct ebb_sound *sound, double **doubles,
                                struct ebb_error *error)
{
    *sound = (struct ebb_sound){.channels = reader->info.channels, .rate = reader->info.rate};
    enum ebb_result result = copy_text(reader->info.comment, &sound->comment, error);
    if (result == EBB_OK)
        result = read_samples(reader, sound, doubles, error);
    if (result == EBB_OK)
        result = copy_text(ebb_sound_reader_warning(reader), &sound->warning, error);
    if (result != EBB_OK)
        ebb_sound_clear(sound);
    return result;
}

enum ebb_result ebb_sound_reader_read_all(struct ebb_sound_reader *reader, struct ebb_sound *sound,
                                          struct ebb_error *error)
{
    return read_all(reader, sound, NULL, error);
}

enum ebb_result ebb_sound_reader_read_all_double(struct ebb_sound_reader *reader, struct ebb_sound *sound,
                                                 double **doubles, struct ebb_error *error)
{
    *doubles = NULL;
    enum ebb_result result = read_all(reader, sound, doubles, error);
    if (result != EBB_OK) {
        free(*doubles);
        *doubles = NULL;
    }
    return result;
}

enum ebb_result ebb_sound_read(const char *path, struct ebb_sound *sound, struct ebb_error *error)
{
    *sound = (struct ebb_sound){0};
    error = EBB_ERROR(error);
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, error);
    if (!reader)
        return error->code;
    enum ebb_result result = ebb_sound_reader_read_all(reader, sound, error);
    ebb_sound_reader_close(&reader);
    return result;
}
