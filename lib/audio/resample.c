#include "audio/resample.h"

#include "audio/polyphase.h"
#include "base/base.h"

#include <soxr.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct ebb_resampler {
    int in_rate, out_rate;
    size_t channels;
    struct ebb_polyphase *polyphase; // for most rates: it answers soonest
    soxr_t soxr;                     // for those whose table would be too large; neither: equal rates
    size_t taken, given;             // frames in, frames out, since the start

    float *out; // frames not read yet
    size_t out_from, out_to, out_capacity;
};

size_t ebb_resample_length(size_t frames, int in_rate, int out_rate)
{
    size_t in = (size_t)in_rate, out = (size_t)out_rate;
    return frames / in * out + (frames % in * out + in / 2) / in; // in this order nothing overflows before the result does
}

static enum ebb_result create_filter(struct ebb_resampler *r, struct ebb_error *error)
{
    soxr_error_t why = NULL;
    if (ebb_polyphase_suits(r->in_rate, r->out_rate)) {
        r->polyphase = ebb_polyphase_create(r->in_rate, r->out_rate, r->channels);
    } else {
        soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
        soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
        soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
        r->soxr = soxr_create(r->in_rate, r->out_rate, (unsigned)r->channels, &why, &io, &quality, &runtime);
    }
    if (r->polyphase || r->soxr)
        return EBB_OK;
    return ebb_fail(error, EBB_OUT_OF_MEMORY, "resampling %d Hz to %d Hz: %s", r->in_rate, r->out_rate,
                    why ? why : "no memory");
}

struct ebb_resampler *ebb_resampler_create(int in_rate, int out_rate, int channels, struct ebb_error *error)
{
    if (in_rate < 1 || out_rate < 1 || in_rate > 1000000 || out_rate > 1000000 || channels < 1 || channels > 1024) {
        ebb_fail(error, EBB_INVALID, "resampling %d Hz to %d Hz, %d channels: outside 1..1000000 Hz, 1..1024 channels",
                 in_rate, out_rate, channels);
        return NULL;
    }
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

    ebb_polyphase_destroy(&(*resampler)->polyphase);
    if ((*resampler)->soxr)
        soxr_delete((*resampler)->soxr);
    free((*resampler)->out);
    free(*resampler);
    *resampler = NULL;
}

void ebb_resampler_reset(struct ebb_resampler *resampler)
{
    if (resampler->polyphase)
        ebb_polyphase_reset(resampler->polyphase);
    if (resampler->soxr)
        soxr_clear(resampler->soxr);
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

// Feeds `frames` frames (input NULL: the end) and takes what comes, a room of `room` frames at a time.
static enum ebb_result pump(struct ebb_resampler *r, const float *input, size_t frames, size_t room,
                            struct ebb_error *error)
{
    for (;;) {
        if (reserve(r, room, error) != EBB_OK)
            return EBB_OUT_OF_MEMORY;
        size_t in_done = 0, out_done = 0;
        soxr_error_t why = soxr_process(r->soxr, input, frames, &in_done, r->out + r->out_to * r->channels, room,
                                        &out_done);
        if (why)
            return ebb_fail(error, EBB_OUT_OF_MEMORY, "resampling: %s", why);
        r->out_to += out_done;
        r->given += out_done;
        if (input) {
            input += in_done * r->channels;
            frames -= in_done;
        }
        if (out_done < room && (!input || !frames))
            return EBB_OK;
    }
}

static enum ebb_result filter(struct ebb_resampler *r, const float *input, size_t frames, struct ebb_error *error)
{
    if (ebb_polyphase_put(r->polyphase, input, frames) != 0)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "resampling: no memory for %zu frames", frames);
    size_t ready = ebb_polyphase_ready(r->polyphase);
    if (reserve(r, ready, error) != EBB_OK)
        return EBB_OUT_OF_MEMORY;
    ebb_polyphase_take(r->polyphase, r->out + r->out_to * r->channels, ready);
    r->out_to += ready;
    r->given += ready;
    return EBB_OK;
}

enum ebb_result ebb_resampler_write(struct ebb_resampler *r, const float *input, size_t frames, struct ebb_error *error)
{
    if (!frames)
        return EBB_OK;
    r->taken += frames;
    if (r->polyphase)
        return filter(r, input, frames, error);
    if (r->soxr)
        return pump(r, input, frames, ebb_resample_length(frames, r->in_rate, r->out_rate) + 64, error);

    if (reserve(r, frames, error) != EBB_OK)
        return EBB_OUT_OF_MEMORY;
    memcpy(r->out + r->out_to * r->channels, input, frames * r->channels * sizeof(float));
    r->out_to += frames;
    r->given += frames;
    return EBB_OK;
}

enum ebb_result ebb_resampler_finish(struct ebb_resampler *r, size_t total, struct ebb_error *error)
{
    if (total == EBB_RESAMPLE_EXACT)
        total = ebb_resample_length(r->taken, r->in_rate, r->out_rate);
    enum ebb_result result = EBB_OK;
    if (r->polyphase)
        result = filter(r, NULL, ebb_polyphase_reach(r->polyphase) + 2, error);
    else if (r->soxr && r->taken)
        result = pump(r, NULL, 0, 4096, error);
    if (result != EBB_OK)
        return result;
    if (r->given < total) {
        size_t missing = total - r->given;
        if (reserve(r, missing, error) != EBB_OK)
            return EBB_OUT_OF_MEMORY;
        memset(r->out + r->out_to * r->channels, 0, missing * r->channels * sizeof(float));
        r->out_to += missing;
    } else {
        size_t extra = r->given - total, waiting = r->out_to - r->out_from;
        r->out_to -= extra < waiting ? extra : waiting;
    }
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

size_t ebb_resampler_latency(struct ebb_resampler *r)
{
    enum { piece = 32, pieces = 1024 };
    if (r->polyphase)
        return ebb_polyphase_reach(r->polyphase) + 1;
    float *silence = ebb_alloc(piece, r->channels * sizeof(float));
    size_t worst = 0;

    ebb_resampler_reset(r);
    for (size_t i = 1; silence && r->soxr && i <= pieces; i++) {
        if (ebb_resampler_write(r, silence, piece, NULL) != EBB_OK)
            break;
        // Output frames 0..given-1 are there: input up to this moment has been answered.
        size_t in = i * piece, answered = ebb_resample_length(r->given, r->out_rate, r->in_rate);
        if (in > answered && in - answered > worst)
            worst = in - answered;
        r->out_from = r->out_to;
    }
    free(silence);
    ebb_resampler_reset(r);
    return r->soxr ? worst + 1 : 0;
}
