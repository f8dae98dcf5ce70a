#include <ebb/denoise.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/resample.h"
#include "base/base.h"
#include "engine/cleaner.h"
#include "engine/fifo.h"

enum { BLOCK = 2048 }; // frames taken at a time: bounds what lies between the stages

struct channel {
    struct ebb_resampler *in, *out; // to the model's rate and back
    struct ebb_cleaner *cleaner;
    struct ebb_fifo removed;        // what goes, at the caller's rate
};

// Output is input minus what is removed: where nothing is removed it is the input, bit for bit, whatever its rate.
struct ebb_denoise {
    struct ebb_model *model; // borrowed
    struct ebb_cleaner_settings settings;
    int rate, channels;
    size_t latency;
    struct channel *channel;
    struct ebb_fifo input;   // interleaved, until what is removed of it is known
    size_t written;          // frames
    bool finished, failed;
    float *block, *turned;   // BLOCK frames: of one channel, and of all
    float *piece;            // BLOCK samples at the model's rate, or back from it
};

void ebb_denoise_params_default(struct ebb_denoise_params *params)
{
    *params = (struct ebb_denoise_params){.t = NAN, .wet = 1};
}

// ---- settings ----

static enum ebb_result check_t(double t, struct ebb_error *error)
{
    if (t == EBB_T_AUTO || (t >= 0 && t <= 1))
        return EBB_OK;
    return ebb_fail(error, EBB_INVALID, "t is %g, allowed are 0 to 1 and EBB_T_AUTO", t);
}

static enum ebb_result check_wet(double wet, struct ebb_error *error)
{
    return wet >= 0 && wet <= 1 ? EBB_OK : ebb_fail(error, EBB_INVALID, "wet is %g, allowed are 0 to 1", wet);
}

static enum ebb_result check_steps(int steps, struct ebb_error *error)
{
    if (steps >= 0 && steps <= 1000)
        return EBB_OK;
    return ebb_fail(error, EBB_INVALID, "steps is %d, allowed are 0 (as recommended) to 1000", steps);
}

static enum ebb_result check_sound(int rate, int channels, struct ebb_error *error)
{
    if (rate < 1000 || rate > 768000)
        return ebb_fail(error, EBB_INVALID, "the rate is %d Hz, allowed are 1000 to 768000", rate);
    if (channels < 1 || channels > 64)
        return ebb_fail(error, EBB_INVALID, "%d channels, allowed are 1 to 64", channels);
    return EBB_OK;
}

static enum ebb_result check_model(const struct ebb_model *m, struct ebb_error *error)
{
    if (m->info.kind != EBB_MODEL_DENOISE)
        return ebb_fail(error, EBB_WRONG_TYPE, "%s generates sounds, it does not clean recordings", m->info.path);
    if (m->info.latent || m->mel.level != EBB_MEL_LEVEL_TRUE)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: cleaning needs a mel with true levels and no autoencoder",
                        m->info.path);
    return EBB_OK;
}

static enum ebb_result take_settings(struct ebb_denoise *d, const struct ebb_denoise_params *p, struct ebb_error *error)
{
    const struct ebb_model_info *info = &d->model->info;
    double t = isnan(p->t) ? info->t_default : p->t;
    const char *name = p->sampler ? p->sampler : info->sampler;
    const struct ebb_sampler_info *sampler = ebb_sampler_find(name);
    enum ebb_result result = check_t(t, error);
    if (result == EBB_OK)
        result = check_wet(p->wet, error);
    if (result == EBB_OK)
        result = check_steps(p->steps, error);
    if (result == EBB_OK && !sampler)
        result = ebb_fail(error, EBB_NOT_FOUND, "there is no sampler \"%s\"", name);
    if (result != EBB_OK)
        return result;

    d->settings = (struct ebb_cleaner_settings){
        .t = t, .wet = p->wet, .steps = p->steps > 0 ? p->steps : info->steps, .sampler = sampler->name, .seed = p->seed,
        .pulse = {p->progress, p->user, 0, 1}, .used_t = t == EBB_T_AUTO ? info->t_default : t, .snr = NAN,
    };
    return EBB_OK;
}

// Live: little to wait for. Otherwise: much to see on both sides.
static struct ebb_cleaner_size choose_size(const struct ebb_model *model, bool live)
{
    int frames = model->info.window_frames;
    if (live)
        return (struct ebb_cleaner_size){.frames = frames, .hop = 8, .ahead = 4};
    return (struct ebb_cleaner_size){.frames = 4 * frames, .hop = 3 * frames, .ahead = frames / 2};
}

// ---- life ----

static enum ebb_result make_channels(struct ebb_denoise *d, bool live, struct ebb_error *error)
{
    struct ebb_cleaner_size size = choose_size(d->model, live);
    int rate = d->model->info.sample_rate;
    if (size.frames < size.hop + size.ahead)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: a window has %d frames, live cleaning needs %d", d->model->info.path,
                        size.frames, size.hop + size.ahead);
    for (int i = 0; i < d->channels; i++) {
        struct channel *c = &d->channel[i];
        c->in = ebb_resampler_create(d->rate, rate, 1, error);
        c->out = c->in ? ebb_resampler_create(rate, d->rate, 1, error) : NULL;
        c->cleaner = c->out ? ebb_cleaner_create(d->model, &d->settings, &size, error) : NULL;
        if (!c->cleaner)
            return error->code;
    }

    double inside = ebb_cleaner_latency(d->model, &size) + (double)ebb_resampler_latency(d->channel[0].out);
    d->latency = ebb_resampler_latency(d->channel[0].in) + (size_t)ceil(inside * d->rate / rate);
    return EBB_OK;
}

static enum ebb_result prepare(struct ebb_denoise *d, const struct ebb_denoise_params *params, struct ebb_error *error)
{
    enum ebb_result result = check_sound(d->rate, d->channels, error);
    if (result == EBB_OK)
        result = check_model(d->model, error);
    if (result == EBB_OK)
        result = take_settings(d, params, error);
    if (result != EBB_OK)
        return result;

    d->channel = ebb_alloc(d->channels, sizeof(*d->channel));
    d->block = ebb_alloc(BLOCK, sizeof(float));
    d->turned = ebb_alloc((size_t)BLOCK * d->channels, sizeof(float));
    d->piece = ebb_alloc(BLOCK, sizeof(float));
    if (!d->channel || !d->block || !d->turned || !d->piece)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for %d channels", d->channels);
    return make_channels(d, params->live, error);
}

struct ebb_denoise *ebb_denoise_create(struct ebb_model *model, const struct ebb_denoise_params *params, int rate,
                                       int channels, struct ebb_error *error)
{
    struct ebb_denoise_params defaults;
    struct ebb_error ignored;
    error = error ? error : &ignored;
    ebb_denoise_params_default(&defaults);

    struct ebb_denoise *d = ebb_alloc(1, sizeof(*d));
    if (!d) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a denoiser");
        return NULL;
    }
    d->model = model;
    d->rate = rate;
    d->channels = channels;
    if (prepare(d, params ? params : &defaults, error) != EBB_OK)
        ebb_denoise_destroy(&d);
    return d;
}

void ebb_denoise_destroy(struct ebb_denoise **denoise)
{
    struct ebb_denoise *d = denoise ? *denoise : NULL;
    if (!d)
        return;
    for (int i = 0; i < d->channels && d->channel; i++) {
        ebb_resampler_destroy(&d->channel[i].in);
        ebb_resampler_destroy(&d->channel[i].out);
        ebb_cleaner_destroy(&d->channel[i].cleaner);
        ebb_fifo_free(&d->channel[i].removed);
    }
    ebb_fifo_free(&d->input);
    free(d->channel);
    free(d->block);
    free(d->turned);
    free(d->piece);
    free(d);
    *denoise = NULL;
}

void ebb_denoise_reset(struct ebb_denoise *d)
{
    for (int i = 0; i < d->channels; i++) {
        ebb_resampler_reset(d->channel[i].in);
        ebb_resampler_reset(d->channel[i].out);
        ebb_cleaner_reset(d->channel[i].cleaner);
        ebb_fifo_empty(&d->channel[i].removed);
    }
    ebb_fifo_empty(&d->input);
    d->written = 0;
    d->finished = d->failed = false;
    d->settings.snr = NAN;
    d->settings.windows = 0;
}

size_t ebb_denoise_latency(const struct ebb_denoise *denoise)
{
    return denoise->latency;
}

// ---- sound ----

static enum ebb_result collect(struct ebb_denoise *d, struct channel *c, struct ebb_error *error)
{
    size_t got;
    while ((got = ebb_resampler_read(c->out, d->piece, BLOCK)) > 0)
        if (!ebb_fifo_push(&c->removed, d->piece, got))
            return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for samples");
    return EBB_OK;
}

// Moves on what has come out of the resampler: through the cleaner, back to the caller's rate.
static enum ebb_result pass_on(struct ebb_denoise *d, struct channel *c, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    size_t got;
    while (result == EBB_OK && (got = ebb_resampler_read(c->in, d->piece, BLOCK)) > 0)
        result = ebb_cleaner_write(c->cleaner, d->piece, got, error);
    while (result == EBB_OK && (got = ebb_cleaner_read(c->cleaner, d->piece, BLOCK)) > 0) {
        result = ebb_resampler_write(c->out, d->piece, got, error);
        if (result == EBB_OK)
            result = collect(d, c, error);
    }
    return result;
}

static enum ebb_result write_block(struct ebb_denoise *d, const float *input, size_t frames, struct ebb_error *error)
{
    size_t count = frames * d->channels;
    for (size_t i = 0; i < count; i++)
        d->turned[i] = isfinite(input[i]) ? input[i] : 0;
    if (!ebb_fifo_push(&d->input, d->turned, count))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for samples");

    enum ebb_result result = EBB_OK;
    for (int i = 0; i < d->channels && result == EBB_OK; i++) {
        for (size_t k = 0; k < frames; k++)
            d->block[k] = d->turned[k * d->channels + i];
        result = ebb_resampler_write(d->channel[i].in, d->block, frames, error);
        if (result == EBB_OK)
            result = pass_on(d, &d->channel[i], error);
    }
    d->written += frames;
    return result;
}

// After a failure some frames are analysed and not cleaned, which no later call can put right.
static enum ebb_result check_whole(const struct ebb_denoise *d, struct ebb_error *error)
{
    return d->failed ? ebb_fail(error, EBB_INVALID, "more is asked of a denoiser that has failed: reset it first") : EBB_OK;
}

enum ebb_result ebb_denoise_write(struct ebb_denoise *d, const float *input, size_t frames, struct ebb_error *error)
{
    struct ebb_error ignored;
    error = error ? error : &ignored;
    if (d->finished)
        return ebb_fail(error, EBB_INVALID, "more input after the end: reset the denoiser first");
    enum ebb_result result = check_whole(d, error);
    if (result == EBB_OK)
        result = ebb_engine_ready(d->model, error);
    for (size_t at = 0; at < frames && result == EBB_OK; at += BLOCK) {
        size_t part = frames - at < BLOCK ? frames - at : BLOCK;
        result = write_block(d, input + at * d->channels, part, error);
        d->failed = result != EBB_OK;
    }
    return result;
}

static enum ebb_result finish_channel(struct ebb_denoise *d, struct channel *c, struct ebb_error *error)
{
    enum ebb_result result = ebb_resampler_finish(c->in, EBB_RESAMPLE_EXACT, error);
    if (result == EBB_OK)
        result = pass_on(d, c, error);
    if (result == EBB_OK)
        result = ebb_cleaner_finish(c->cleaner, error);
    if (result == EBB_OK)
        result = pass_on(d, c, error);
    if (result == EBB_OK)
        result = ebb_resampler_finish(c->out, d->written, error);
    return result == EBB_OK ? collect(d, c, error) : result;
}

enum ebb_result ebb_denoise_finish(struct ebb_denoise *d, struct ebb_error *error)
{
    struct ebb_error ignored;
    error = error ? error : &ignored;
    enum ebb_result result = check_whole(d, error);
    if (result != EBB_OK || d->finished)
        return result;
    d->finished = true;
    for (int i = 0; i < d->channels && d->written > 0 && result == EBB_OK; i++)
        result = finish_channel(d, &d->channel[i], error);
    d->failed = result != EBB_OK;
    return result;
}

size_t ebb_denoise_available(const struct ebb_denoise *d)
{
    size_t frames = d->input.count / d->channels;
    for (int i = 0; i < d->channels; i++)
        frames = d->channel[i].removed.count < frames ? d->channel[i].removed.count : frames;
    return frames;
}

size_t ebb_denoise_read(struct ebb_denoise *d, float *output, size_t frames)
{
    size_t available = ebb_denoise_available(d), n = d->channels;
    frames = frames < available ? frames : available;
    if (frames == 0)
        return 0;
    const float *input = ebb_fifo_data(&d->input);
    for (size_t i = 0; i < n; i++) {
        const float *removed = ebb_fifo_data(&d->channel[i].removed);
        for (size_t k = 0; k < frames; k++)
            output[k * n + i] = input[k * n + i] - removed[k];
        ebb_fifo_drop(&d->channel[i].removed, frames);
    }
    ebb_fifo_drop(&d->input, frames * n);
    return frames;
}

// ---- knobs ----

enum ebb_result ebb_denoise_set_t(struct ebb_denoise *d, double t, struct ebb_error *error)
{
    enum ebb_result result = check_t(t, error);
    if (result == EBB_OK)
        d->settings.t = t;
    return result;
}

enum ebb_result ebb_denoise_set_wet(struct ebb_denoise *d, double wet, struct ebb_error *error)
{
    enum ebb_result result = check_wet(wet, error);
    if (result == EBB_OK)
        d->settings.wet = wet;
    return result;
}

enum ebb_result ebb_denoise_set_steps(struct ebb_denoise *d, int steps, struct ebb_error *error)
{
    enum ebb_result result = check_steps(steps, error);
    if (result == EBB_OK)
        d->settings.steps = steps > 0 ? steps : d->model->info.steps;
    return result;
}

double ebb_denoise_t(const struct ebb_denoise *d)
{
    return d->settings.used_t;
}

double ebb_denoise_snr(const struct ebb_denoise *d)
{
    return d->settings.snr;
}

uint64_t ebb_denoise_windows(const struct ebb_denoise *d)
{
    return d->settings.windows;
}
