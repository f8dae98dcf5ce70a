// SPDX-License-Identifier: LGPL-2.1-or-later
// Writing a sound file, piece by piece or whole: under a temporary name, or down a pipe behind a header of
// unknown length. FLAC and Ogg go through file_encode.c. Of a WAV the header and the chunks are our own:
// libsndfile writes no mask of 0, EXTENSIBLE for every file that might become an RF64, and chunks in fours of
// bytes and 100 KB in all.
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ebb/audio.h>
#include <ebb/output.h>

#include "audio/file_encode.h"
#include "audio/file_metadata.h"
#include "audio/vorbis_order.h"
#include "audio/wav_chunk.h"
#include "audio/wav_header.h"
#include "base/base.h"
#include "base/byte_order.h"
#include "base/file.h"

enum { BLOCK = 4096 }; // samples converted at a time

// A block on its way into the file; not on the stack, for a caller's thread may have little of it.
struct conversion {
    double values[BLOCK];
    union {
        unsigned char bytes[BLOCK * 8];
        int integers[BLOCK]; // of a FLAC
        float floats[BLOCK]; // of an Ogg
    } out;
};

struct ebb_sound_writer {
    char *name;    // for messages
    char *comment; // NULL: none
    struct ebb_output *output;
    struct ebb_encoder *encoder; // NULL: a WAV, or not begun
    struct ebb_wav_shape shape;
    struct ebb_wav_chunks chunks; // beside the samples
    off_t start;          // of the file, in what is written to; -1: a pipe, which cannot be gone back in
    bool begun, finished; // the header is written; the file is complete
    struct ebb_metadata_texts texts; // of a FLAC or an Ogg
    bool has_texts;           // they stay when the metadata was refused and begin() comes again without
    bool places;              // the metadata had places of the channels that a FLAC has to be told
    size_t expected;          // frames that will come; SIZE_MAX: unknown
    uint64_t frames, clipped; // frames, and samples outside [-1, 1] that were cut
    uint64_t dither;          // state of the generator
    struct conversion work;
};

// ---- samples ----

// Uniform in [0, 1), SplitMix64: the same bits everywhere, so that the same samples give the same file.
static double uniform(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static int64_t to_integer(double steps, double scale)
{
    return (int64_t)fmin(fmax(rint(steps), -scale), scale - 1);
}

// Triangular dither, except for what 16 bits hold exactly: an untouched recording stays untouched, silence
// silent.
static int64_t to_16(double x, uint64_t *state)
{
    double v = x * 0x1p15;
    if (v != rint(v))
        v += uniform(state) - uniform(state);
    return to_integer(v, 0x1p15);
}

static void put_float(unsigned char *at, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    ebb_put_little(at, bits, 4);
}

static void put_double(unsigned char *at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    ebb_put_little(at, bits, 8);
}

static void put_sample(struct ebb_sound_writer *w, unsigned char *at, double x)
{
    switch (w->shape.format) {
    case EBB_WAV_16: ebb_put_little(at, (uint64_t)to_16(x, &w->dither), 2); break;
    case EBB_WAV_24: ebb_put_little(at, (uint64_t)to_integer(x * 0x1p23, 0x1p23), 3); break;
    case EBB_WAV_32I: ebb_put_little(at, (uint64_t)to_integer(x * 0x1p31, 0x1p31), 4); break;
    case EBB_WAV_32F: put_float(at, (float)x); break;
    case EBB_WAV_64F: put_double(at, x); break;
    case EBB_FLAC_16:
    case EBB_FLAC_24:
    case EBB_OGG: break; // write_encoded() has those
    }
}

static bool is_clipped(enum ebb_wav_format format)
{
    return format != EBB_WAV_32F && format != EBB_WAV_64F;
}

// ---- the head and the chunks ----

static enum ebb_result write_chunk(struct ebb_sound_writer *w, const struct ebb_wav_chunk *chunk,
                                   struct ebb_error *error)
{
    unsigned char head[8];
    memcpy(head, chunk->id, 4);
    ebb_put_little(head + 4, chunk->size, 4);
    enum ebb_result result = ebb_output_write(w->output, head, sizeof(head), error);
    return result == EBB_OK
               ? ebb_output_write(w->output, chunk->body, (size_t)chunk->size + (chunk->size & 1), error)
               : result;
}

static enum ebb_result write_chunks(struct ebb_sound_writer *w, bool behind, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (size_t i = 0; i < w->chunks.count && result == EBB_OK; i++)
        if (w->chunks.items[i].behind == behind)
            result = write_chunk(w, w->chunks.items + i, error);
    return result;
}

static size_t frame_bytes(const struct ebb_sound_writer *w)
{
    return (size_t)w->shape.channels * ebb_wav_sample_bytes(w->shape.format);
}

static struct ebb_wav_sizes sizes_for(const struct ebb_sound_writer *w, uint64_t frames)
{
    return (struct ebb_wav_sizes){
        .data = frames * frame_bytes(w),
        .chunks = ebb_wav_chunks_bytes(&w->chunks, false) + ebb_wav_chunks_bytes(&w->chunks, true),
        .unknown = w->start < 0,
    };
}

// Whether the file may pass what a RIFF's sizes hold.
static bool may_be_long(const struct ebb_sound_writer *w)
{
    if (w->expected > UINT32_MAX)
        return true;
    struct ebb_wav_sizes sizes = sizes_for(w, w->expected);
    return ebb_wav_is_long(&w->shape, &sizes);
}

static enum ebb_result write_head(struct ebb_sound_writer *w, struct ebb_error *error)
{
    unsigned char head[WAV_HEAD_MOST], data[8] = "data";
    struct ebb_wav_sizes sizes = sizes_for(w, 0);
    ebb_put_little(data + 4, ebb_wav_data_size(&w->shape, &sizes), 4);
    enum ebb_result result = ebb_output_write(w->output, head, ebb_wav_head(&w->shape, &sizes, head), error);
    if (result == EBB_OK)
        result = write_chunks(w, false, error);
    return result == EBB_OK ? ebb_output_write(w->output, data, sizeof(data), error) : result;
}

// Of five and six channels FLAC says "back or side"; programs take either, unless a comment tells.
static bool are_places_open(int channels, uint32_t mask)
{
    return channels == 5 || channels == 6 || mask != ebb_metadata_flac_mask(channels);
}

static enum ebb_result begin_encoder(struct ebb_sound_writer *w, const struct ebb_sound_metadata *metadata,
                                     struct ebb_error *error)
{
    if (metadata) {
        w->shape.mask = metadata->mask;
        w->places = are_places_open(w->shape.channels, metadata->mask);
    }
    bool is_ogg = w->shape.format == EBB_OGG, rest = false;
    if (metadata || !w->has_texts) {
        ebb_metadata_texts_clear(&w->texts);
        w->has_texts = true;
        if (!ebb_metadata_to_texts(metadata, w->comment, &w->texts, &rest))
            return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", w->name);
        if (w->places && !is_ogg && ebb_metadata_texts_are_full(&w->texts)) // no comment is left for the
                                                                            // places
            rest = ebb_metadata_texts_replace_comment(&w->texts) || rest;
    }
    if (metadata && is_ogg && metadata->mask != ebb_metadata_flac_mask(w->shape.channels) &&
        w->shape.channels > 2)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: the format has other places for its %d channels",
                        w->name, w->shape.channels);
    if (rest)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s: of the recording's metadata, texts such as title and artist alone are kept; a "
                        "WAV keeps all",
                        w->name);
    w->encoder = ebb_encoder_create(w->output, w->name, &w->shape, w->places, &w->texts, error);
    w->begun = w->encoder != NULL;
    return w->begun ? EBB_OK : error->code;
}

// A pipe has all chunks in front, for nothing can follow samples of unknown length; a recipe does not go down
// a pipe.
static enum ebb_result begin(struct ebb_sound_writer *w, const struct ebb_sound_metadata *metadata,
                             struct ebb_error *error)
{
    bool stream = w->start < 0;
    error = EBB_ERROR(error);
    if (ebb_format_is_encoded(w->shape.format))
        return begin_encoder(w, metadata, error);
    if (!ebb_metadata_to_chunks(metadata, stream ? NULL : w->comment, &w->chunks))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", w->name);
    for (size_t i = 0; i < w->chunks.count && stream; i++)
        w->chunks.items[i].behind = false;
    if (metadata)
        w->shape.mask = metadata->mask;
    w->shape.room = !stream && may_be_long(w);
    w->begun = true;
    return write_head(w, error);
}

static enum ebb_result check_unfinished(const struct ebb_sound_writer *w, struct ebb_error *error)
{
    return w->finished ? ebb_fail(error, EBB_INVALID, "%s: was finished already", w->name) : EBB_OK;
}

static enum ebb_result rewrite(const struct ebb_sound_writer *w, const void *bytes, size_t count, off_t at,
                               struct ebb_error *error)
{
    return ebb_file_write_at(ebb_output_descriptor(w->output), bytes, count, at)
               ? EBB_OK
               : ebb_fail(error, EBB_UNWRITABLE, "%s: cannot be completed (%s)", w->name, strerror(errno));
}

// The sizes are known now.
static enum ebb_result write_sizes(const struct ebb_sound_writer *w, struct ebb_error *error)
{
    unsigned char head[WAV_HEAD_MOST], data[4];
    struct ebb_wav_sizes sizes = sizes_for(w, w->frames);
    if (ebb_wav_is_long(&w->shape, &sizes) && !w->shape.room)
        return ebb_fail(error, EBB_INVALID, "%s: %llu frames came where %zu were announced", w->name,
                        (unsigned long long)w->frames, w->expected);
    size_t bytes = ebb_wav_head(&w->shape, &sizes, head);
    off_t at = w->start + (off_t)bytes + (off_t)ebb_wav_chunks_bytes(&w->chunks, false) + 4;
    ebb_put_little(data, ebb_wav_data_size(&w->shape, &sizes), 4);
    enum ebb_result result = rewrite(w, head, bytes, w->start, error);
    return result == EBB_OK ? rewrite(w, data, sizeof(data), at, error) : result;
}

static enum ebb_result complete(struct ebb_sound_writer *w, struct ebb_error *error)
{
    if (w->encoder)
        return ebb_encoder_finish(w->encoder, error);
    if (w->start < 0)
        return EBB_OK;
    enum ebb_result result = ebb_output_write(w->output, "", w->frames * frame_bytes(w) & 1, error);
    if (result == EBB_OK)
        result = write_chunks(w, true, error);
    return result == EBB_OK ? write_sizes(w, error) : result;
}

// ---- the writer ----

static struct ebb_sound_writer *alloc_writer(const char *path, const char *comment)
{
    struct ebb_sound_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->name = strdup(strcmp(path, "-") == 0 ? "standard output" : path);
    w->comment = comment ? strdup(comment) : NULL;
    if (!w->name || (comment && !w->comment))
        ebb_sound_writer_destroy(&w);
    return w;
}

struct ebb_sound_writer *ebb_sound_writer_create(const char *path, int channels, int rate,
                                                 enum ebb_wav_format format, const char *comment,
                                                 struct ebb_error *error)
{
    if ((unsigned)format > EBB_OGG) {
        ebb_fail(error, EBB_INVALID, "%s: there is no format %d, expected 0 to %d", path, (int)format,
                 EBB_OGG);
        return NULL;
    }
    if (channels < 1 || channels > 64 || rate < 1 || rate > 768000) {
        ebb_fail(error, EBB_INVALID, "%s: %d channels at %d Hz, expected 1 to 64 channels at 1 to 768000 Hz",
                 path, channels, rate);
        return NULL;
    }
    struct ebb_sound_writer *w = alloc_writer(path, comment);
    if (!w) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
        return NULL;
    }
    w->shape = (struct ebb_wav_shape){channels, rate, format, ebb_wav_default_mask(channels), false};
    w->expected = SIZE_MAX;
    w->output = ebb_output_create(path, error);
    if (!w->output)
        ebb_sound_writer_destroy(&w);
    else
        w->start = ebb_output_is_stream(w->output) ? -1
                                                   : lseek(ebb_output_descriptor(w->output), 0, SEEK_CUR);
    return w;
}

enum ebb_result ebb_sound_writer_begin(struct ebb_sound_writer *writer,
                                       const struct ebb_sound_metadata *metadata, size_t frames,
                                       struct ebb_error *error)
{
    enum ebb_result result = check_unfinished(writer, error);
    if (result != EBB_OK)
        return result;
    if (writer->begun)
        return ebb_fail(error, EBB_INVALID,
                        "%s: samples have been written, expected metadata before the first of them",
                        writer->name);
    writer->expected = frames;
    return begin(writer, metadata, error);
}

uint64_t ebb_sound_writer_clipped(const struct ebb_sound_writer *writer)
{
    return writer->clipped;
}

static enum ebb_result write_integers(struct ebb_sound_writer *w, size_t count, struct ebb_error *error)
{
    int *integers = w->work.out.integers;
    for (size_t i = 0; i < count; i++) {
        double x = w->work.values[i];
        integers[i] = w->shape.format == EBB_FLAC_16 ? (int)to_16(x, &w->dither) * (1 << 16)
                                                     : (int)to_integer(x * 0x1p23, 0x1p23) * (1 << 8);
    }
    return ebb_encoder_write_integers(w->encoder, integers, count, error);
}

static enum ebb_result write_floats(struct ebb_sound_writer *w, size_t count, struct ebb_error *error)
{
    float *floats = w->work.out.floats;
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)fmin(fmax(w->work.values[i], -1), 1);
    ebb_vorbis_from_wav(floats, count / (size_t)w->shape.channels, w->shape.channels, sizeof(*floats));
    return ebb_encoder_write_floats(w->encoder, floats, count, error);
}

// Up to BLOCK samples of either type.
static enum ebb_result write_block(struct ebb_sound_writer *w, const float *samples, const double *doubles,
                                   size_t count, struct ebb_error *error)
{
    double *values = w->work.values;
    unsigned char *bytes = w->work.out.bytes;
    bool clipped = is_clipped(w->shape.format);
    for (size_t i = 0; i < count; i++) {
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): one of the two is given
        values[i] = samples ? (double)samples[i] : doubles[i];
        w->clipped += clipped && fabs(values[i]) > 1;
    }
    if (w->encoder)
        return w->shape.format == EBB_OGG ? write_floats(w, count, error) : write_integers(w, count, error);
    size_t size = ebb_wav_sample_bytes(w->shape.format);
    for (size_t i = 0; i < count; i++)
        put_sample(w, bytes + i * size, values[i]);
    return ebb_output_write(w->output, bytes, count * size, error);
}

static enum ebb_result check_finite(const struct ebb_sound_writer *w, const float *samples,
                                    const double *doubles, size_t count, struct ebb_error *error)
{
    for (size_t i = 0; i < count; i++)
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): one of the two is given
        if (!isfinite(samples ? (double)samples[i] : doubles[i]))
            return ebb_fail(error, EBB_INVALID, "%s: sample %zu of what is to be written is not a number",
                            w->name, i);
    return EBB_OK;
}

static enum ebb_result write_samples(struct ebb_sound_writer *w, const float *samples, const double *doubles,
                                     size_t frames, struct ebb_error *error)
{
    size_t channels = (size_t)w->shape.channels, count = frames * channels;
    size_t most = w->encoder ? BLOCK / channels * channels : BLOCK; // an encoder takes whole frames alone
    enum ebb_result result = check_unfinished(w, error);
    if (result == EBB_OK)
        result = check_finite(w, samples, doubles, count, error);
    if (result == EBB_OK && !w->begun)
        result = begin(w, NULL, error);
    for (size_t done = 0; done < count && result == EBB_OK;) {
        size_t n = count - done < most ? count - done : most;
        result = write_block(w, samples ? samples + done : NULL, doubles ? doubles + done : NULL, n, error);
        done += n;
    }
    w->frames += result == EBB_OK ? frames : 0;
    return result;
}

enum ebb_result ebb_sound_writer_write(struct ebb_sound_writer *writer, const float *samples, size_t frames,
                                       struct ebb_error *error)
{
    return write_samples(writer, samples, NULL, frames, error);
}

enum ebb_result ebb_sound_writer_write_double(struct ebb_sound_writer *writer, const double *samples,
                                              size_t frames, struct ebb_error *error)
{
    return write_samples(writer, NULL, samples, frames, error);
}

enum ebb_result ebb_sound_writer_finish(struct ebb_sound_writer *writer, struct ebb_error *error)
{
    enum ebb_result result = check_unfinished(writer, error);
    if (result != EBB_OK)
        return result;
    writer->finished = true;
    if (!writer->begun)
        result = begin(writer, NULL, error);
    if (result == EBB_OK)
        result = complete(writer, error);
    return result == EBB_OK ? ebb_output_finish(writer->output, error) : result;
}

void ebb_sound_writer_destroy(struct ebb_sound_writer **writer)
{
    struct ebb_sound_writer *w = *writer;
    if (!w)
        return;
    ebb_encoder_destroy(&w->encoder);
    ebb_output_destroy(&w->output);
    ebb_wav_chunks_clear(&w->chunks);
    ebb_metadata_texts_clear(&w->texts);
    free(w->comment);
    free(w->name);
    free(w);
    *writer = NULL;
}

enum ebb_result ebb_sound_write(const char *path, const struct ebb_sound *sound, enum ebb_wav_format format,
                                struct ebb_error *error)
{
    error = EBB_ERROR(error);
    struct ebb_sound_writer *writer = ebb_sound_writer_create(path, sound->channels, sound->rate, format,
                                                              sound->comment, error);
    enum ebb_result result = writer ? EBB_OK : error->code;

    if (result == EBB_OK)
        result = ebb_sound_writer_begin(writer, NULL, sound->frames, error);
    if (result == EBB_OK)
        result = ebb_sound_writer_write(writer, sound->samples, sound->frames, error);
    if (result == EBB_OK)
        result = ebb_sound_writer_finish(writer, error);
    ebb_sound_writer_destroy(&writer);
    return result;
}
