// SPDX-License-Identifier: LGPL-2.1-or-later
#include "generate/window_sound.h"

#include <math.h>
#include <string.h>

#include "audio/mel_coding.h"
#include "audio/mel_invert.h"
#include "audio/peak.h"
#include "audio/phase_reconstruct.h"
#include "base/base.h"
#include "model/vocoder_plan.h"

// Fills in the magnitudes of the new frames and the bins of the fixed frames.
static void fill_frames(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_window_sound_job *job,
                        const float *sound, size_t count)
{
    const struct ebb_stft *stft = mel->stft;
    int frames = job->to - job->from;
    for (int k = 0; k < frames; k++) {
        float *magnitude = phase->magnitude + k * stft->real_stride,
              *bins = phase->bins + k * stft->bin_stride;
        if (k < job->fixed_before || k >= frames - job->fixed_after) {
            ebb_stft_frame_of(mel->stft, sound, count, job->from + k, bins);
            continue;
        }
        for (int band = 0; band < mel->params.n_mels; band++) {
            float value = job->mel[(size_t)band * job->frames + job->from + k];
            mel->band_power[band] = ebb_mel_heard(mel, ebb_mel_decode(mel, value));
        }
        ebb_mel_invert(mel, mel->band_power, magnitude);
    }
}

// A vocoder makes the sound of a whole mel.
static enum ebb_result speak(struct ebb_model *model, const struct ebb_window_sound_job *job, float *sound,
                             size_t count, struct ebb_error *error)
{
    if (job->from != 0 || job->to != job->frames || job->fixed_before > 0 || job->fixed_after > 0)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: sounds of a vocoder cannot be joined", model->info.name);
    return ebb_vocoder_plan_run(model, job->mel, job->frames, sound, count, error);
}

enum ebb_result ebb_window_sound_make(struct ebb_model *model, const struct ebb_window_sound_job *job,
                                      float *sound, size_t count, struct ebb_error *error)
{
    if (model->vocoder)
        return speak(model, job, sound, count, error);
    struct ebb_mel *mel = ebb_workspace_mel(model, error);
    struct ebb_phase *phase = mel ? ebb_workspace_phase(model, job->to - job->from, error) : NULL;
    if (!phase)
        return error->code;

    fill_frames(mel, phase, job, sound, count);
    size_t half = mel->stft->n_fft / 2, hop = mel->stft->hop, frames = job->to - job->from;
    struct ebb_phase_span span = ebb_phase_piece(phase, frames);
    span.fixed_before = job->fixed_before;
    span.fixed_after = job->fixed_after;
    if (job->from == 0)
        span.support_from = half; // silence before the first sample
    struct ebb_mel_image image = {.values = job->mel,
                                  .frames = job->frames,
                                  .from = job->from,
                                  .seed = job->seed,
                                  .beside = job->beside,
                                  .first = job->at + job->from};
    ebb_mel_reconstruct(mel, phase, &span, &image, mel->params.coding == EBB_MEL_CODING_ABSOLUTE,
                        job->iterations);

    // A sample is known only where all frames that reach it are fixed: half a Hann window inside the fixed
    // frames.
    size_t keep = (size_t)mel->stft->width / 2 / hop;
    size_t first = job->fixed_before > 0 ? job->from + job->fixed_before - keep : (size_t)job->from;
    size_t last = job->fixed_after > 0 ? job->to - job->fixed_after + keep : (size_t)job->to;
    size_t end = last * hop < count ? last * hop : count;
    memcpy(sound + first * hop, phase->signal + half + (first - job->from) * hop,
           (end - first * hop) * sizeof(float));
    return EBB_OK;
}

bool ebb_window_sound_has_hole(const struct ebb_model *model, const float *mel, int frames)
{
    int longest = 0, run = 0, limit = model->info.sample_rate / 2 / model->info.hop;
    for (int i = 0; i < frames && model->mel.coding == EBB_MEL_CODING_ABSOLUTE; i++) {
        float loudest = -1;
        for (int band = 0; band < model->info.n_mels; band++) {
            float value = mel[(size_t)band * frames + i];
            loudest = value > loudest ? value : loudest;
        }
        run = loudest < -0.9f ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest > limit;
}

static uint64_t scramble(uint64_t z) // splitmix64 (Steele 2014)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t ebb_window_sound_seed(uint64_t seed, uint64_t clip)
{
    return scramble(scramble(seed) ^ clip);
}

static double power_from(const struct ebb_model *model, const float *mel, int frames, int from)
{
    double sum = 1e-20;
    for (int band = 0; band < model->info.n_mels; band++)
        for (int k = from; k < frames; k++)
            sum += pow(10, mel[(size_t)band * frames + k] * model->mel.db_range / 10);
    return sum;
}

void ebb_window_sound_balance(const struct ebb_model *model, const float *one, float *two, int frames,
                              int from)
{
    enum { RISE = 8 }; // frames
    const double most = 12;
    if (model->mel.coding != EBB_MEL_CODING_ABSOLUTE)
        return;
    double lack = 10 * log10(power_from(model, one, frames, from) / power_from(model, two, frames, from));
    float more = (float)(fmin(fmax(lack, -most), most) / model->mel.db_range);
    for (int band = 0; band < model->info.n_mels; band++)
        for (int k = from; k < frames; k++) {
            float share = from > 0 && k - from < RISE ? (float)(k - from + 1) / (RISE + 1) : 1;
            two[(size_t)band * frames + k] += share * more;
        }
}

uint64_t ebb_window_sound_other_seed(uint64_t seed)
{
    return scramble(~seed);
}

float ebb_window_sound_gain(const struct ebb_model *model, const float *samples, size_t count)
{
    const float loudest = 0.89f; // -1 dB
    float peak = ebb_peak(samples, count);
    bool keeps = model->mel.coding == EBB_MEL_CODING_ABSOLUTE ||
                 model->mel.coding == EBB_MEL_CODING_LOGARITHM;
    if (peak == 0 || (peak <= loudest && keeps))
        return 1;
    return loudest / peak;
}

void ebb_window_sound_limit(float *samples, size_t count)
{
    const float knee = 0.9f;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(samples[i]);
        if (size > knee)
            samples[i] = copysignf(knee + (1 - knee) * tanhf((size - knee) / (1 - knee)), samples[i]);
    }
}

float ebb_window_sound_rise(size_t i, size_t count)
{
    return 0.5f - 0.5f * cosf((float)M_PI * (i + 0.5f) / count);
}

void ebb_window_sound_interleave(float *const *channels, int count_channels, size_t count, float *samples)
{
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < count_channels; c++)
            *samples++ = channels[c][i];
}

// Fades a part of a sound that begins at its sample `at`: in over its first `in` samples, out over its last
// `out` of `whole`.
static void fade_part(float *samples, size_t count, size_t at, size_t whole, size_t in, size_t out)
{
    for (size_t i = at; i < in && i < at + count; i++)
        samples[i - at] *= ebb_window_sound_rise(i, in);
    for (size_t i = at > whole - out ? at : whole - out; i < at + count; i++)
        samples[i - at] *= ebb_window_sound_rise(whole - 1 - i, out);
}

static void fades(const struct ebb_model *model, float *samples, size_t count, size_t at, size_t whole,
                  bool first, double fade)
{
    size_t millisecond = model->info.sample_rate / 1000, in = first ? millisecond : 0;
    double samples_out = round(fade * 1000 * (double)millisecond);
    size_t out = samples_out < (double)whole ? (size_t)samples_out : whole;
    fade_part(samples, count, at, whole, in < whole ? in : whole, out);
}

void ebb_window_sound_fades(const struct ebb_model *model, float *samples, size_t count, bool first,
                            double fade)
{
    fades(model, samples, count, 0, count, first, fade);
}

void ebb_window_sound_finish(const struct ebb_model *model, float *samples, size_t count, bool first,
                             double fade)
{
    ebb_window_sound_limit(samples, count);
    fades(model, samples, count, 0, count, first, fade);
}

void ebb_window_sound_finish_part(const struct ebb_model *model, float *samples, size_t count, size_t at,
                                  size_t whole, double fade)
{
    ebb_window_sound_limit(samples, count);
    fades(model, samples, count, at, whole, true, fade);
}
