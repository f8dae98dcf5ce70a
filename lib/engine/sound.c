#include "engine/sound.h"

#include <math.h>
#include <string.h>

#include "audio/mel.h"
#include "base/base.h"

// Magnitudes of the frames to make, and the bins of those that are there.
static void fill_frames(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_sound_job *job, const float *sound,
                        size_t count)
{
    const struct ebb_stft *stft = mel->stft;
    int frames = job->to - job->from;
    for (int k = 0; k < frames; k++) {
        float *magnitude = phase->magnitude + k * stft->real_stride, *bins = phase->bins + k * stft->bin_stride;
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

enum ebb_result ebb_sound_make(struct ebb_model *model, const struct ebb_sound_job *job, float *sound, size_t count,
                               struct ebb_error *error)
{
    struct ebb_mel *mel = ebb_engine_mel(model, error);
    struct ebb_phase *phase = mel ? ebb_engine_phase(model, job->to - job->from, error) : NULL;
    if (!phase)
        return error->code;

    fill_frames(mel, phase, job, sound, count);
    size_t half = mel->stft->n_fft / 2, hop = mel->stft->hop, frames = job->to - job->from;
    struct ebb_phase_span span = ebb_phase_piece(phase, frames);
    span.fixed_before = job->fixed_before;
    span.fixed_after = job->fixed_after;
    if (job->from == 0)
        span.support_from = half; // there is nothing before the first sample
    struct ebb_mel_image image = {.values = job->mel, .frames = job->frames, .from = job->from, .seed = job->seed,
                                  .first = job->at + job->from};
    ebb_mel_voice(mel, phase, &span, &image, mel->params.level == EBB_MEL_LEVEL_TRUE, job->iterations);

    // A fixed frame's own sound is only whole where all frames that reach it are fixed: half a window inside.
    size_t keep = half / hop;
    size_t first = job->fixed_before > 0 ? job->from + job->fixed_before - keep : (size_t)job->from;
    size_t last = job->fixed_after > 0 ? job->to - job->fixed_after + keep : (size_t)job->to;
    size_t end = last * hop < count ? last * hop : count;
    memcpy(sound + first * hop, phase->signal + half + (first - job->from) * hop, (end - first * hop) * sizeof(float));
    return EBB_OK;
}

static uint64_t scramble(uint64_t z) // splitmix64 (Steele 2014)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t ebb_sound_seed(uint64_t seed, uint64_t clip)
{
    return scramble(scramble(seed) ^ clip);
}

float ebb_sound_level(const struct ebb_model *model, const float *samples, size_t count)
{
    const float loudest = 0.89f; // -1 dB
    float peak = 0;
    for (size_t i = 0; i < count; i++)
        peak = fmaxf(peak, fabsf(samples[i]));
    if (peak == 0 || (peak <= loudest && model->mel.level != EBB_MEL_LEVEL_DIFFUSERS))
        return 1;
    return loudest / peak;
}

void ebb_sound_limit(float *samples, size_t count)
{
    const float knee = 0.9f;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(samples[i]);
        if (size > knee)
            samples[i] = copysignf(knee + (1 - knee) * tanhf((size - knee) / (1 - knee)), samples[i]);
    }
}

float ebb_sound_rise(size_t i, size_t count)
{
    return 0.5f - 0.5f * cosf((float)M_PI * (i + 0.5f) / count);
}

void ebb_sound_fade_in(float *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        samples[i] *= ebb_sound_rise(i, count);
}

void ebb_sound_fade_out(float *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        samples[i] *= ebb_sound_rise(count - 1 - i, count);
}

void ebb_sound_finish(const struct ebb_model *model, float *samples, size_t count, bool first, bool last)
{
    size_t in = model->info.sample_rate / 1000, out = 10 * in;
    in = in < count ? in : count;
    out = out < count ? out : count;
    ebb_sound_limit(samples, count);
    if (first)
        ebb_sound_fade_in(samples, in);
    if (last)
        ebb_sound_fade_out(samples + count - out, out);
}
