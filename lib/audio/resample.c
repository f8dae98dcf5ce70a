// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/resample.h>

#include <ebb/audio.h>

#include "base/base.h"

#include <speex/speex_resampler.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Of speexdsp's qualities, 0..10: it passes 0.9 of the lower Nyquist frequency unchanged, and aliases stay
// below -100 dB at all common rates. So it is with 7, whose filter is shorter; 9 has aliases of -83 dB
// (tests/bench/bench_resample.c).
enum { QUALITY = 8 };
enum { PIECE = 1 << 14 }; // frames converted at a time
enum { MOST_DOWN = 1000 };

struct ebb_resampler {
    int in_rate, out_rate;
    size_t channels;
    SpeexResamplerState *filter; // NULL: equal rates
    size_t taken, given;         // frames in, frames out, since the start

    float *out; // frames not read yet
    size_t out_from, out_to, out_capacity;
};

size_t ebb_resample_length(size_t frames, int in_rate, int out_rate)
{
    uint64_t in = (uint64_t)in_rate, out = (uint64_t)out_rate;
    // In this order nothing overflows before the result does: two rates have a product that needs 64 bits.
    return (size_t)(frames / in * out + (frames % in * out + in / 2) / in);
}

static enum ebb_result create_filter(struct ebb_resampler *r, struct ebb_error *error)
{
    int why = RESAMPLER_ERR_SUCCESS;
    r->filter = speex_resampler_init((spx_uint32_t)r->channels, (spx_uint32_t)r->in_rate,
                                     (spx_uint32_t)r->out_rate, QUALITY, &why);
    if (!r->filter)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "resampling %d Hz to %d Hz: %s", r->in_rate, r->out_rate,
                        speex_resampler_strerror(why));
    speex_resampler_skip_zeros(r->filter); // the output begins at t = 0, not half a filter before it
    return EBB_OK;
}

static enum ebb_result check(int in_rate, int out_rate, int channels, struct ebb_error *error)
{
    if (in_rate < 1 || out_rate < 1 || in_rate > 1000000 || out_rate > 1000000 || channels < 1 ||
        channels > 1024)
        return ebb_fail(
            error, EBB_INVALID,
            "resampling %d Hz to %d Hz with %d channels, expected 1 to 1000000 Hz and 1 to 1024 channels",
            in_rate, out_rate, channels);
    if (in_rate / MOST_DOWN > out_rate) // the filter would grow with the ratio to any size
        return ebb_fail(error, EBB_INVALID, "resampling %d Hz to %d Hz, expected a factor of at most %d down",
                        in_rate, out_rate, MOST_DOWN);
    return EBB_OK;
}

struct ebb_resampler *ebb_resampler_create(int in_rate, int out_rate, int channels, struct ebb_error *error)
{
    if (check(in_rate, out_rate, channels, error) != EBB_OK)
        return NULL;
    struct ebb_resampler *resampler = ebb_alloc(1, sizeof(*resampler));
    if (!resampler) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "resampling: no memory");
        return NULL;
    }
    resampler->in_rate = in_rate;
    resampler->out_rate = out_rate;
    resampler->channels = (size_t)channels;
    if (in_rate == out_rate)
        return resampler;

    if (create_filter(resampler, error) == EBB_OK)
        return resampler;
    ebb_resampler_destroy(&resampler);
    return NULL;
}

void ebb_resampler_destroy(struct ebb_resampler **resampler)
{
    if (!resampler || !*resampler)
        return;

    if ((*resampler)->filter)
        speex_resampler_destroy((*resampler)->filter);
    free((*resampler)->out);
    free(*resampler);
    *resampler = NULL;
}

void ebb_resampler_reset(struct ebb_resampler *resampler)
{
    if (resampler->filter) {
        speex_resampler_reset_mem(resampler->filter);
        speex_resampler_skip_zeros(resampler->filter);
    }
    resampler->taken = resampler->given = 0;
    resampler->out_from = resampler->out_to = 0;
}

// Room for `more` frames behind those that wait.
static enum ebb_result reserve(struct ebb_resampler *r, size_t more, struct ebb_error *error)
{
    size_t waiting = r->out_to - r->out_from, frame = r->channels * sizeof(float);
    if (r->out_from)
        memmove(r->out, r->out + r->out_from * r->channels, waiting * frame);
    r->out_from = 0;
    r->out_to = waiting;
    if (more <= r->out_capacity - waiting)
        return EBB_OK;

    if (more > (size_t)-1 / 2 / frame - waiting)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "resampling: %zu frames are too many", more);
    float *grown = realloc(r->out, (waiting + more) * frame);
    if (!grown)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "resampling: no memory for %zu frames", waiting + more);
    r->out = grown;
    r->out_capacity = waiting + more;
    return EBB_OK;
}

// Converts `frames` frames; input NULL: zeros.
static enum ebb_result convert(struct ebb_resampler *r, const float *input, size_t frames,
                               struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    while (frames && result == EBB_OK) {
        spx_uint32_t in = (spx_uint32_t)(frames < PIECE ? frames : PIECE);
        size_t room = ebb_resample_length(in, r->in_rate, r->out_rate) + 2;
        result = reserve(r, room, error);
        if (result != EBB_OK)
            break;
        spx_uint32_t out = (spx_uint32_t)room;
        speex_resampler_process_interleaved_float(r->filter, input, &in, r->out + r->out_to * r->channels,
                                                  &out);
        r->out_to += out;
        r->given += out;
        input = input ? input + in * r->channels : NULL;
        frames -= in;
    }
    return result;
}

// Passes frames on as they are; input NULL: zeros.
static enum ebb_result copy(struct ebb_resampler *r, const float *input, size_t frames,
                            struct ebb_error *error)
{
    enum ebb_result result = reserve(r, frames, error);
    if (result != EBB_OK)
        return result;
    float *to = r->out + r->out_to * r->channels;
    if (input)
        memcpy(to, input, frames * r->channels * sizeof(float));
    else
        memset(to, 0, frames * r->channels * sizeof(float));
    r->out_to += frames;
    r->given += frames;
    return EBB_OK;
}

enum ebb_result ebb_resampler_write(struct ebb_resampler *r, const float *input, size_t frames,
                                    struct ebb_error *error)
{
    if (!frames)
        return EBB_OK;
    r->taken += frames;
    return r->filter ? convert(r, input, frames, error) : copy(r, input, frames, error);
}

enum ebb_result ebb_resampler_finish(struct ebb_resampler *r, size_t total, struct ebb_error *error)
{
    if (total == EBB_RESAMPLE_EXACT)
        total = ebb_resample_length(r->taken, r->in_rate, r->out_rate);
    enum ebb_result result = r->filter ? convert(r, NULL, ebb_resampler_latency(r) + 1, error) : EBB_OK;
    if (result == EBB_OK && r->given < total)
        result = copy(r, NULL, total - r->given, error);
    if (result != EBB_OK)
        return result;
    size_t extra = r->given - total, waiting = r->out_to - r->out_from;
    r->out_to -= extra < waiting ? extra : waiting;
    r->given = total;
    return EBB_OK;
}

size_t ebb_resampler_available(const struct ebb_resampler *resampler)
{
    return resampler->out_to - resampler->out_from;
}

size_t ebb_resampler_read(struct ebb_resampler *r, float *output, size_t frames)
{
    size_t there = ebb_resampler_available(r), taken = frames < there ? frames : there;
    if (taken)
        memcpy(output, r->out + r->out_from * r->channels, taken * r->channels * sizeof(float));
    r->out_from += taken;
    return taken;
}

size_t ebb_resampler_latency(const struct ebb_resampler *r)
{
    return r->filter ? (size_t)speex_resampler_get_input_latency(r->filter) + 1 : 0;
}

// ---- whole sounds ----

static enum ebb_result take_all(struct ebb_resampler *resampler, struct ebb_sound *sound, int rate,
                                struct ebb_error *error)
{
    size_t frames = ebb_resampler_available(resampler);
    float *samples = ebb_alloc(frames, (size_t)sound->channels * sizeof(float));
    if (!samples)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "resampling: no memory for %zu frames", frames);

    ebb_resampler_read(resampler, samples, frames);
    free(sound->samples);
    sound->samples = samples;
    sound->frames = frames;
    sound->rate = rate;
    return EBB_OK;
}

enum ebb_result ebb_sound_resample(struct ebb_sound *sound, int rate, struct ebb_error *error)
{
    error = EBB_ERROR(error);
    struct ebb_resampler *resampler = ebb_resampler_create(sound->rate, rate, sound->channels, error);
    enum ebb_result result = resampler ? EBB_OK : error->code;

    if (result == EBB_OK)
        result = ebb_resampler_write(resampler, sound->samples, sound->frames, error);
    if (result == EBB_OK)
        result = ebb_resampler_finish(resampler, EBB_RESAMPLE_EXACT, error);
    if (result == EBB_OK)
        result = take_all(resampler, sound, rate, error);
    ebb_resampler_destroy(&resampler);
    return result;
}
