// SPDX-License-Identifier: LGPL-2.1-or-later
// A sound file -> mel values, piece by piece: what is kept grows with the mel alone.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/audio.h>
#include <ebb/memory.h>
#include <ebb/resample.h>

#include "audio/mel.h"
#include "audio/mel_coding.h"
#include "audio/recording.h"
#include "base/base.h"

enum { BLOCK = 1 << 14 };

struct mel_reading {
    struct ebb_mel *mel;
    struct ebb_sound_reader *reader;
    struct ebb_resampler *resampler;
    float *block, *mono; // of the file's frames: interleaved, and their mean
    float *window;       // samples at the mel's rate from `begin` on; `held` of them
    size_t capacity, begin, held;
    float *power; // (frames, n_mels), grows
    size_t frames, room;
};

static enum ebb_result no_room(size_t frames, struct ebb_error *error)
{
    return ebb_fail(error, EBB_UNSUPPORTED,
                    "a mel spectrogram of %zu frames takes more than %zu MiB of memory; EBB_MEMORY in the "
                    "environment allows more",
                    frames, ebb_memory_bound() >> 20);
}

// Twice: as it grows, and in the order of the result.
static size_t most_frames(const struct ebb_mel *mel)
{
    return ebb_memory_bound() / 2 / sizeof(float) / (size_t)mel->params.n_mels;
}

static enum ebb_result grow(struct mel_reading *r, struct ebb_error *error)
{
    if (r->frames < r->room)
        return EBB_OK;
    if (r->frames >= most_frames(r->mel))
        return no_room(r->frames + 1, error);
    size_t room = r->room ? r->room + r->room / 2 : 256;
    float *power = reallocarray(r->power, room * (size_t)r->mel->params.n_mels, sizeof(float));
    if (!power)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "mel: no memory for %zu frames", room);
    r->power = power;
    r->room = room;
    return EBB_OK;
}

// The frames that the window covers; `count`: all samples there will be, SIZE_MAX while more may come.
static enum ebb_result take_frames(struct mel_reading *r, size_t count, struct ebb_error *error)
{
    size_t hop = (size_t)r->mel->params.hop, half = (size_t)r->mel->params.n_fft / 2;
    size_t end = r->begin + r->held;
    while (count == SIZE_MAX ? r->frames * hop + half <= end : r->frames * hop <= count) {
        enum ebb_result result = grow(r, error);
        if (result != EBB_OK)
            return result;
        ebb_stft_frame_of(r->mel->stft, r->window, r->held, r->frames - r->begin / hop, r->mel->bins);
        ebb_mel_power(r->mel, r->mel->bins, r->power + r->frames * (size_t)r->mel->params.n_mels);
        r->frames++;
    }
    return EBB_OK;
}

// Forgets what no frame to come sees, in whole hops.
static void move_on(struct mel_reading *r)
{
    size_t hop = (size_t)r->mel->params.hop, half = (size_t)r->mel->params.n_fft / 2;
    size_t first = r->frames * hop > half ? (r->frames * hop - half) / hop * hop : 0;
    size_t gone = first > r->begin ? first - r->begin : 0;
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): allocated by the caller
    memmove(r->window, r->window + gone, (r->held - gone) * sizeof(float));
    r->begin += gone;
    r->held -= gone;
}

static enum ebb_result take_samples(struct mel_reading *r, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    while (result == EBB_OK && ebb_resampler_available(r->resampler) > 0) {
        r->held += ebb_resampler_read(r->resampler, r->window + r->held, r->capacity - r->held);
        result = take_frames(r, SIZE_MAX, error);
        move_on(r);
    }
    return result;
}

static void mix(struct mel_reading *r, size_t frames)
{
    size_t channels = (size_t)ebb_sound_reader_info(r->reader)->channels;
    for (size_t i = 0; i < frames; i++) {
        double sum = 0;
        for (size_t c = 0; c < channels; c++)
            // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): allocated by the caller
            sum += (double)r->block[i * channels + c];
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): allocated by the caller
        r->mono[i] = (float)(sum / (double)channels);
    }
}

static enum ebb_result read_all(struct mel_reading *r, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (size_t got = BLOCK; result == EBB_OK && got == BLOCK;) {
        result = ebb_sound_reader_read(r->reader, r->block, BLOCK, &got, error);
        if (result != EBB_OK)
            break;
        mix(r, got);
        result = ebb_resampler_write(r->resampler, r->mono, got, error);
        if (result == EBB_OK)
            result = take_samples(r, error);
    }
    if (result == EBB_OK)
        result = ebb_resampler_finish(r->resampler, EBB_RESAMPLE_EXACT, error);
    if (result == EBB_OK)
        result = take_samples(r, error);
    return result == EBB_OK ? take_frames(r, r->begin + r->held, error) : result;
}

static enum ebb_result begin(struct mel_reading *r, const char *path, struct ebb_error *error)
{
    r->reader = ebb_sound_reader_open(path, error);
    if (!r->reader)
        return error->code;
    const struct ebb_sound_info *info = ebb_sound_reader_info(r->reader);
    int rate = r->mel->params.sample_rate;
    if (info->rate < EBB_RECORDING_LEAST_RATE || info->rate > EBB_RECORDING_MOST_RATE)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: the rate is %d Hz, expected %d to %d", path, info->rate,
                        EBB_RECORDING_LEAST_RATE, EBB_RECORDING_MOST_RATE);
    double frames = (double)info->frames * rate / info->rate / r->mel->params.hop;
    if (info->frames != SIZE_MAX && frames > (double)most_frames(r->mel))
        return no_room((size_t)frames, error);
    r->resampler = ebb_resampler_create(info->rate, rate, 1, error);
    if (!r->resampler)
        return error->code;
    r->capacity = BLOCK + 2 * (size_t)r->mel->params.n_fft;
    r->block = ebb_alloc((size_t)info->channels * BLOCK, sizeof(float));
    r->mono = ebb_alloc(BLOCK, sizeof(float));
    r->window = ebb_alloc(r->capacity, sizeof(float));
    return r->block && r->mono && r->window ? EBB_OK
                                            : ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
}

// (frames, n_mels) of power -> (n_mels, frames) of values.
static float *encode(struct mel_reading *r)
{
    size_t bands = (size_t)r->mel->params.n_mels;
    float *values = ebb_alloc(r->frames * bands, sizeof(float));
    for (size_t k = 0; values && k < r->frames; k++)
        for (size_t band = 0; band < bands; band++)
            values[band * r->frames + k] = r->power[k * bands + band];
    if (values)
        ebb_mel_encode(r->mel, values, r->frames, values);
    return values;
}

enum ebb_result ebb_mel_read(struct ebb_mel *mel, const char *path, struct ebb_mel_values *out,
                             struct ebb_error *error)
{
    struct mel_reading r = {.mel = mel};
    *out = (struct ebb_mel_values){0};
    error = EBB_ERROR(error);
    enum ebb_result result = begin(&r, path, error);
    if (result == EBB_OK)
        result = read_all(&r, error);
    const char *warning = result == EBB_OK ? ebb_sound_reader_warning(r.reader) : NULL;
    if (result == EBB_OK) {
        out->frames = r.frames;
        out->values = encode(&r);
        out->warning = warning ? strdup(warning) : NULL;
        if (!out->values || (warning && !out->warning))
            result = ebb_fail(error, EBB_OUT_OF_MEMORY, "mel: no memory for %zu frames", r.frames);
    }
    if (result != EBB_OK)
        ebb_mel_values_clear(out);
    ebb_sound_reader_close(&r.reader);
    ebb_resampler_destroy(&r.resampler);
    free(r.block);
    free(r.mono);
    free(r.window);
    free(r.power);
    return result;
}

void ebb_mel_values_clear(struct ebb_mel_values *values)
{
    free(values->values);
    free(values->warning);
    *values = (struct ebb_mel_values){0};
}
