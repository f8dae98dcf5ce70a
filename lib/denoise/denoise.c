// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/denoise.h>

#include <ebb/resample.h>
#include <ebb/sampler.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/recording.h"
#include "base/base.h"
#include "base/fifo.h"
#include "denoise/channel.h"

enum { BLOCK = 2048 }; // frames taken at a time: bounds what lies between the stages

// 240 dB over full scale, far above any sound. A louder sample is broken: it comes out as it went in. It is
// analysed as silence, so that squares and sums stay finite and the samples around it are cleaned.
#define LOUDEST 0x1p40f

struct channel {
    struct ebb_resampler *in, *out; // to the model's rate and back
    struct ebb_denoise_channel *denoiser;
    struct ebb_fifo removed; // the removed part, at the caller's rate
    size_t zeros;            // samples of digital silence before the next one to be read
};

// Digital silence of 10 ms and more is not changed. In a shorter run of zeros, a sound may pass through zero.
enum { SILENCES_A_SECOND = 100 };

// The output is the input minus the removed part: where nothing is removed, it has the input's bits at any
// rate.
struct ebb_denoise {
    struct ebb_model *model; // borrowed
    struct ebb_recipe *recipe;
    struct ebb_hooks hooks;
    struct ebb_denoise_channel_settings settings;
    int rate, channels;
    size_t latency;
    struct channel *channel;
    struct ebb_fifo input; // interleaved, until its removed part is known
    size_t written;        // frames
    bool finished, failed;
    float *block, *turned; // BLOCK frames: of one channel, and of all
    float *piece;          // BLOCK samples at the model's rate, or back from it
};

// ---- settings ----

static enum ebb_result check_model(const struct ebb_model *m, struct ebb_error *error)
{
    if (m->info.kind != EBB_MODEL_DENOISE)
        return ebb_fail(error, EBB_WRONG_TYPE, "%s generates sounds, it does not clean recordings",
                        m->info.path);
    if (m->info.latent || m->mel.coding != EBB_MEL_CODING_ABSOLUTE)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s: cleaning needs a mel with true levels and no autoencoder", m->info.path);
    return EBB_OK;
}

// What a live setting is to be: a row of the table and where its value goes; whole numbers are steps.
static enum ebb_result take_setting(struct ebb_denoise *d, const struct ebb_recipe *recipe, const char *name,
                                    struct ebb_error *error)
{
    const struct ebb_model_info *info = &d->model->info;
    double value = ebb_recipe_number(recipe, name);
    if (strcmp(name, "t") == 0)
        d->settings.t = isnan(value) ? info->t_default : value;
    else if (strcmp(name, "auto-t") == 0)
        d->settings.automatic = value == 1;
    else if (strcmp(name, "wet") == 0)
        d->settings.wet = value;
    else if (strcmp(name, "steps") == 0)
        d->settings.steps = isnan(value) ? info->steps : (int)value;
    else
        return ebb_fail(error, EBB_INVALID, "%s cannot change while sound runs: t, auto-t, wet and steps can",
                        name);
    return EBB_OK;
}

static enum ebb_result take_settings(struct ebb_denoise *d, const struct ebb_recipe *recipe,
                                     struct ebb_error *error)
{
    static const char *const live[] = {"t", "auto-t", "wet", "steps"};
    bool own = !ebb_recipe_has(recipe, "sampler");
    const char *name = own ? d->model->info.sampler : ebb_recipe_text(recipe, "sampler");
    const struct ebb_sampler_info *sampler = ebb_sampler_find(name);
    if (!sampler)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s asks for the sampler \"%s\", which there is not",
                        d->model->info.path, name);
    d->settings = (struct ebb_denoise_channel_settings){
        .sampler = sampler->name,
        .seed = ebb_recipe_seed(recipe, "seed"),
        .precision = ebb_precision_of(ebb_recipe_text(recipe, "precision")),
        .snr = NAN,
        .progress = ebb_progress_whole(&d->hooks),
    };
    enum ebb_result result = EBB_OK;
    for (size_t i = 0; i < sizeof(live) / sizeof(*live) && result == EBB_OK; i++)
        result = take_setting(d, recipe, live[i], error);
    d->settings.used_t = d->settings.t;
    return result;
}

// Of a live window's 64 frames 6 are mirrored, or half of what the hop and the frames ahead leave of it.
static struct ebb_denoise_channel_size live_size(int frames, const struct ebb_recipe *recipe)
{
    int hop = (int)ebb_recipe_number(recipe, "live-hop"),
        ahead = (int)ebb_recipe_number(recipe, "live-ahead"), rest = frames - hop - ahead,
        mirrored = 6 * frames / 64;
    return (struct ebb_denoise_channel_size){.frames = frames,
                                             .hop = hop,
                                             .ahead = ahead,
                                             .mirrored = rest < 2 * mirrored ? rest / 2 : mirrored};
}

// Live: little to wait for. Otherwise: much to see on both sides.
static struct ebb_denoise_channel_size choose_size(const struct ebb_model *model,
                                                   const struct ebb_recipe *recipe)
{
    int frames = model->info.window_frames;
    if (ebb_recipe_number(recipe, "live") == 1)
        return live_size(frames, recipe);
    return (struct ebb_denoise_channel_size){.frames = 4 * frames, .hop = 3 * frames, .ahead = frames / 2};
}

// ---- life ----

static enum ebb_result make_channels(struct ebb_denoise *d, struct ebb_error *error)
{
    struct ebb_denoise_channel_size size = choose_size(d->model, d->recipe);
    int rate = d->model->info.sample_rate;
    if (size.frames < size.hop + size.ahead)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: a window has %d frames, live cleaning needs %d",
                        d->model->info.path, size.frames, size.hop + size.ahead);
    for (int i = 0; i < d->channels; i++) {
        struct channel *c = &d->channel[i];
        c->in = ebb_resampler_create(d->rate, rate, 1, error);
        c->out = c->in ? ebb_resampler_create(rate, d->rate, 1, error) : NULL;
        c->denoiser = c->out ? ebb_denoise_channel_create(d->model, &d->settings, &size, error) : NULL;
        if (!c->denoiser)
            return error->code;
    }

    double inside = ebb_denoise_channel_latency(d->model, &size) +
                    (double)ebb_resampler_latency(d->channel[0].out);
    d->latency = ebb_resampler_latency(d->channel[0].in) + (size_t)ceil(inside * d->rate / rate);
    return EBB_OK;
}

static enum ebb_result prepare(struct ebb_denoise *d, struct ebb_error *error)
{
    if (ebb_recipe_verb(d->recipe) != EBB_VERB_DENOISE)
        return ebb_fail(error, EBB_WRONG_TYPE, "the recipe is one to %s, not to denoise",
                        ebb_verb_name(ebb_recipe_verb(d->recipe)));
    enum ebb_result result = ebb_recording_check(d->rate, d->channels, error);
    if (result == EBB_OK)
        result = check_model(d->model, error);
    if (result == EBB_OK)
        result = take_settings(d, d->recipe, error);
    if (result != EBB_OK)
        return result;

    d->channel = ebb_alloc(d->channels, sizeof(*d->channel));
    d->block = ebb_alloc(BLOCK, sizeof(float));
    d->turned = ebb_alloc((size_t)BLOCK * d->channels, sizeof(float));
    d->piece = ebb_alloc(BLOCK, sizeof(float));
    if (!d->channel || !d->block || !d->turned || !d->piece)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for %d channels", d->channels);
    return make_channels(d, error);
}

struct ebb_denoise *ebb_denoise_create(struct ebb_model *model, const struct ebb_recipe *recipe, int rate,
                                       int channels, const struct ebb_hooks *hooks, struct ebb_error *error)
{
    error = EBB_ERROR(error);
    struct ebb_denoise *d = ebb_alloc(1, sizeof(*d));
    if (d)
        d->recipe = recipe ? ebb_recipe_copy(recipe) : ebb_recipe_create(EBB_VERB_DENOISE);
    if (!d || !d->recipe) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a denoiser");
        free(d);
        return NULL;
    }
    d->model = model;
    d->hooks = ebb_hooks_copy(hooks);
    d->rate = rate;
    d->channels = channels;
    if (prepare(d, error) != EBB_OK)
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
        ebb_denoise_channel_destroy(&d->channel[i].denoiser);
        ebb_fifo_free(&d->channel[i].removed);
    }
    ebb_fifo_free(&d->input);
    ebb_recipe_destroy(&d->recipe);
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
        ebb_denoise_channel_reset(d->channel[i].denoiser);
        ebb_fifo_empty(&d->channel[i].removed);
        d->channel[i].zeros = 0;
    }
    ebb_fifo_empty(&d->input);
    d->written = 0;
    d->finished = d->failed = false;
    d->settings.snr = NAN;
    d->settings.windows = 0;
    d->settings.range = (struct ebb_denoise_range){0};
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

// Moves samples on from the resampler: through the denoiser of the channel, and back to the caller's rate.
static enum ebb_result pass_on(struct ebb_denoise *d, struct channel *c, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    size_t got;
    while (result == EBB_OK && (got = ebb_resampler_read(c->in, d->piece, BLOCK)) > 0)
        result = ebb_denoise_channel_write(c->denoiser, d->piece, got, error);
    while (result == EBB_OK && (got = ebb_denoise_channel_read(c->denoiser, d->piece, BLOCK)) > 0) {
        result = ebb_resampler_write(c->out, d->piece, got, error);
        if (result == EBB_OK)
            result = collect(d, c, error);
    }
    return result;
}

static enum ebb_result write_block(struct ebb_denoise *d, const float *input, size_t frames,
                                   struct ebb_error *error)
{
    size_t count = frames * d->channels;
    for (size_t i = 0; i < count; i++)
        d->turned[i] = isfinite(input[i]) ? input[i] : 0;
    if (!ebb_fifo_push(&d->input, d->turned, count))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for samples");

    enum ebb_result result = EBB_OK;
    for (int i = 0; i < d->channels && result == EBB_OK; i++) {
        for (size_t k = 0; k < frames; k++) {
            float x = d->turned[k * d->channels + i];
            d->block[k] = fabsf(x) <= LOUDEST ? x : 0;
        }
        result = ebb_resampler_write(d->channel[i].in, d->block, frames, error);
        if (result == EBB_OK)
            result = pass_on(d, &d->channel[i], error);
    }
    d->written += frames;
    return result;
}

// After a failure some frames are analysed but not cleaned. No later call can mend that.
static enum ebb_result check_whole(const struct ebb_denoise *d, struct ebb_error *error)
{
    return d->failed ? ebb_fail(error, EBB_INVALID, "the denoiser has failed before, expected a reset first")
                     : EBB_OK;
}

enum ebb_result ebb_denoise_write(struct ebb_denoise *d, const float *input, size_t frames,
                                  struct ebb_error *error)
{
    error = EBB_ERROR(error);
    if (d->finished)
        return ebb_fail(error, EBB_INVALID, "input after the end of the recording, expected a reset first");
    enum ebb_result result = check_whole(d, error);
    if (result == EBB_OK)
        result = ebb_model_ready(d->model, error);
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
        result = ebb_denoise_channel_finish(c->denoiser, error);
    if (result == EBB_OK)
        result = pass_on(d, c, error);
    if (result == EBB_OK)
        result = ebb_resampler_finish(c->out, d->written, error);
    return result == EBB_OK ? collect(d, c, error) : result;
}

enum ebb_result ebb_denoise_finish(struct ebb_denoise *d, struct ebb_error *error)
{
    error = EBB_ERROR(error);
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

// Whether sample k lies in digital silence; `before` zeros lie before it. The input holds more than the
// samples that are read: more than `least` further ones, or all up to its end.
static bool in_silence(const struct ebb_denoise *d, size_t i, size_t k, size_t before)
{
    size_t n = d->channels, count = d->input.count / n, least = d->rate / SILENCES_A_SECOND;
    const float *input = ebb_fifo_data(&d->input);
    size_t zeros = before;
    while (zeros < least && k < count && input[k * n + i] == 0) {
        zeros++;
        k++;
    }
    return zeros >= least;
}

// Reads one channel. `output` is the input minus the removed part.
static void read_channel(struct ebb_denoise *d, size_t i, size_t frames, float *output, float *removed)
{
    size_t n = d->channels;
    struct channel *c = &d->channel[i];
    const float *input = ebb_fifo_data(&d->input), *goes = ebb_fifo_data(&c->removed);
    bool silent = false;
    for (size_t k = 0; k < frames; k++) {
        float in = input[k * n + i];
        silent = in == 0 && (silent || in_silence(d, i, k, c->zeros));
        c->zeros = in == 0 ? c->zeros + 1 : 0;
        if (output)
            output[k * n + i] = silent ? in : in - goes[k];
        if (removed)
            removed[k * n + i] = silent ? 0 : goes[k];
    }
    ebb_fifo_drop(&c->removed, frames);
}

size_t ebb_denoise_read(struct ebb_denoise *d, float *output, float *removed, size_t frames)
{
    size_t available = ebb_denoise_available(d), n = d->channels;
    frames = frames < available ? frames : available;
    for (size_t i = 0; i < n && frames > 0; i++)
        read_channel(d, i, frames, output, removed);
    ebb_fifo_drop(&d->input, frames * n);
    return frames;
}

// ---- while sound runs ----

enum ebb_result ebb_denoise_set(struct ebb_denoise *d, const char *name, double value,
                                struct ebb_error *error)
{
    error = EBB_ERROR(error);
    if (isnan(value))
        ebb_recipe_open(d->recipe, name);
    enum ebb_result result = isnan(value) ? EBB_OK : ebb_recipe_set_number(d->recipe, name, value, error);
    return result == EBB_OK ? take_setting(d, d->recipe, name, error) : result;
}

double ebb_denoise_t(const struct ebb_denoise *d)
{
    return d->settings.used_t;
}

bool ebb_denoise_t_range(const struct ebb_denoise *d, double *least, double *mean, double *most)
{
    const struct ebb_denoise_range *range = &d->settings.range;
    bool any = range->count > 0;
    if (least)
        *least = any ? range->least : NAN;
    if (mean)
        *mean = any ? fmin(fmax(range->sum / (double)range->count, range->least), range->most) : NAN;
    if (most)
        *most = any ? range->most : NAN;
    return any;
}

double ebb_denoise_snr(const struct ebb_denoise *d)
{
    return d->settings.snr;
}

uint64_t ebb_denoise_windows(const struct ebb_denoise *d)
{
    return d->settings.windows;
}
