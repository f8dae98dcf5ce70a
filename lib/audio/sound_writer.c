// Writing a WAV piece by piece: under a temporary name, or down a pipe behind a header of unknown length.
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sndfile.h>

#include <ebb/audio.h>

#include "base/base.h"

enum { BLOCK = 4096 }; // samples converted at a time

struct ebb_sound_writer {
    SNDFILE *file;
    char *path;      // NULL: standard output
    char *temporary; // NULL: nothing to remove
    int channels;
    enum ebb_wav_format format;
    uint64_t dither; // state of the generator
};

static const struct {
    int subtype;
    int bytes; // per sample
} formats[] = {
    [EBB_WAV_16] = {SF_FORMAT_PCM_16, 2},
    [EBB_WAV_24] = {SF_FORMAT_PCM_24, 3},
    [EBB_WAV_32F] = {SF_FORMAT_FLOAT, 4},
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

// Triangular dither, except for what 16 bits hold exactly: an untouched recording stays untouched, silence silent.
static int to_16(float x, uint64_t *state)
{
    double v = (double)x * 32768;
    if (v != rint(v))
        v += uniform(state) - uniform(state);
    return (int)fmin(fmax(rint(v), -32768), 32767) * 65536;
}

static int to_24(float x)
{
    return (int)fmin(fmax(rint((double)x * 8388608), -8388608), 8388607) * 256;
}

// libsndfile takes integers by their top bits, which leaves the rounding to us.
static bool write_integers(struct ebb_sound_writer *w, const float *samples, size_t count)
{
    int block[BLOCK];
    size_t whole = (size_t)(BLOCK / w->channels * w->channels); // libsndfile takes whole frames only
    while (count > 0) {
        size_t n = count < whole ? count : whole;
        for (size_t i = 0; i < n; i++)
            block[i] = w->format == EBB_WAV_16 ? to_16(samples[i], &w->dither) : to_24(samples[i]);
        if (sf_write_int(w->file, block, (sf_count_t)n) != (sf_count_t)n)
            return false;
        samples += n;
        count -= n;
    }
    return true;
}

// ---- headers and names ----

static void put(unsigned char *at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

// A pipe cannot be gone back to: a plain header with the largest sizes, as other programs do, then raw samples.
static bool write_pipe_header(const struct ebb_sound_writer *w, int rate)
{
    unsigned char h[44];
    uint32_t frame = (uint32_t)(w->channels * formats[w->format].bytes);
    memcpy(h, "RIFF\xff\xff\xff\xffWAVEfmt ", 16);
    put(h + 16, 16, 4);
    put(h + 20, w->format == EBB_WAV_32F ? 3 : 1, 2);
    put(h + 22, (uint32_t)w->channels, 2);
    put(h + 24, (uint32_t)rate, 4);
    put(h + 28, (uint32_t)rate * frame, 4);
    put(h + 32, frame, 2);
    put(h + 34, (uint32_t)formats[w->format].bytes * 8, 2);
    memcpy(h + 36, "data\xff\xff\xff\xff", 8);
    size_t done = 0;
    while (done < sizeof(h)) {
        ssize_t n = write(STDOUT_FILENO, h + done, sizeof(h) - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static SNDFILE *open_standard_output(const struct ebb_sound_writer *w, int rate)
{
    SF_INFO sf = {.samplerate = rate, .channels = w->channels};
    bool pipe = lseek(STDOUT_FILENO, 0, SEEK_CUR) < 0;
    if (pipe && !write_pipe_header(w, rate))
        return NULL;
    sf.format = (pipe ? SF_FORMAT_RAW | SF_ENDIAN_LITTLE : SF_FORMAT_RF64) | formats[w->format].subtype;
    return sf_open_fd(STDOUT_FILENO, SFM_WRITE, &sf, SF_FALSE);
}

// A hidden name in the same folder, so that the rename cannot cross file systems. Devices are written to as they are.
static SNDFILE *open_temporary(struct ebb_sound_writer *w, int rate)
{
    SF_INFO sf = {.samplerate = rate, .channels = w->channels, .format = SF_FORMAT_RF64 | formats[w->format].subtype};
    struct stat st;
    if (stat(w->path, &st) == 0 && !S_ISREG(st.st_mode))
        return sf_open(w->path, SFM_WRITE, &sf);
    const char *slash = strrchr(w->path, '/');
    int folder = slash ? (int)(slash - w->path) + 1 : 0;
    if (asprintf(&w->temporary, "%.*s.%s.%ld.tmp", folder, w->path, w->path + folder, (long)getpid()) < 0) {
        w->temporary = NULL;
        errno = ENOMEM;
        return NULL;
    }
    return sf_open(w->temporary, SFM_WRITE, &sf);
}

static const char *name_of(const struct ebb_sound_writer *w)
{
    return w->path ? w->path : "standard output";
}

static bool open_output(struct ebb_sound_writer *w, int rate, const char *comment, struct ebb_error *error)
{
    errno = 0;
    w->file = w->path ? open_temporary(w, rate) : open_standard_output(w, rate);
    if (!w->file) {
        ebb_fail(error, EBB_UNWRITABLE, "%s: cannot be written (%s)", name_of(w),
                 errno ? strerror(errno) : sf_strerror(NULL));
        return false;
    }
    sf_command(w->file, SFC_RF64_AUTO_DOWNGRADE, NULL, SF_TRUE);
    if (comment)
        sf_set_string(w->file, SF_STR_COMMENT, comment);
    return true;
}

struct ebb_sound_writer *ebb_sound_writer_create(const char *path, int channels, int rate, enum ebb_wav_format format,
                                                 const char *comment, struct ebb_error *error)
{
    if (channels < 1 || channels > 64 || rate < 1 || rate > 768000 || (unsigned)format > EBB_WAV_32F) {
        ebb_fail(error, EBB_INVALID, "%s: %d channels at %d Hz cannot be written (1..64 at 1..768000 Hz can)", path,
                 channels, rate);
        return NULL;
    }
    struct ebb_sound_writer *w = calloc(1, sizeof(*w));
    bool standard = strcmp(path, "-") == 0;
    if (w && !standard)
        w->path = strdup(path);
    if (!w || (!standard && !w->path)) {
        free(w);
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    w->channels = channels;
    w->format = format;
    if (!open_output(w, rate, comment, error))
        ebb_sound_writer_destroy(&w);
    return w;
}

enum ebb_result ebb_sound_writer_write(struct ebb_sound_writer *writer, const float *samples, size_t frames,
                                       struct ebb_error *error)
{
    size_t count = frames * (size_t)writer->channels;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(samples[i]))
            return ebb_fail(error, EBB_INVALID, "%s: sample %zu of what is to be written is not a number",
                            name_of(writer), i);
    errno = 0;
    bool ok = writer->format == EBB_WAV_32F
                  ? sf_write_float(writer->file, samples, (sf_count_t)count) == (sf_count_t)count
                  : write_integers(writer, samples, count);
    if (ok)
        return EBB_OK;
    return ebb_fail(error, EBB_UNWRITABLE, "%s: writing failed (%s)", name_of(writer),
                    errno ? strerror(errno) : sf_strerror(writer->file));
}

enum ebb_result ebb_sound_writer_finish(struct ebb_sound_writer *writer, struct ebb_error *error)
{
    errno = 0;
    sf_write_sync(writer->file);
    int failed = sf_error(writer->file);
    failed |= sf_close(writer->file);
    writer->file = NULL;
    if (!failed && writer->temporary && rename(writer->temporary, writer->path) != 0)
        failed = 1;
    if (failed)
        return ebb_fail(error, EBB_UNWRITABLE, "%s: cannot be completed (%s)", name_of(writer),
                        errno ? strerror(errno) : "writing failed");
    free(writer->temporary);
    writer->temporary = NULL;
    return EBB_OK;
}

void ebb_sound_writer_destroy(struct ebb_sound_writer **writer)
{
    struct ebb_sound_writer *w = *writer;
    if (!w)
        return;
    if (w->file)
        sf_close(w->file);
    if (w->temporary)
        unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    free(w);
    *writer = NULL;
}
