// SPDX-License-Identifier: LGPL-2.1-or-later
// From network values to a waveform.
#include <ebb/audio.h>

#include "audio/mel_coding.h"
#include "audio/mel_invert.h"
#include "audio/phase_reconstruct.h"
#include "base/base.h"

#include <string.h>

static enum ebb_result check(const struct ebb_mel *mel, size_t frames, int iterations, size_t count,
                             struct ebb_error *error)
{
    const struct ebb_stft *stft = mel->stft;
    if (frames < 1 || iterations < 0)
        return ebb_fail(error, EBB_INVALID, "mel: %zu frames, %d iterations: nothing to make a sound of",
                        frames, iterations);
    if (count > (frames - 1) * (size_t)stft->hop + (size_t)stft->n_fft / 2)
        return ebb_fail(error, EBB_INVALID, "mel: %zu frames do not cover %zu samples", frames, count);
    return EBB_OK;
}

static enum ebb_result reserve(struct ebb_mel *mel, size_t frames, struct ebb_error *error)
{
    if (mel->phase && mel->phase->capacity >= frames)
        return EBB_OK;
    ebb_phase_destroy(&mel->phase);
    mel->phase = ebb_phase_create(mel->stft, frames);
    if (mel->phase)
        return EBB_OK;
    return ebb_fail(error, EBB_OUT_OF_MEMORY, "mel: no memory for the phase of %zu frames", frames);
}

static void invert_all(struct ebb_mel *mel, const float *values, size_t frames)
{
    for (size_t k = 0; k < frames; k++) {
        for (size_t band = 0; band < (size_t)mel->params.n_mels; band++)
            mel->band_power[band] = ebb_mel_heard(mel, ebb_mel_decode(mel, values[band * frames + k]));
        ebb_mel_invert(mel, mel->band_power, mel->phase->magnitude + k * mel->stft->real_stride);
    }
}

enum ebb_result ebb_mel_to_sound(struct ebb_mel *mel, const float *values, size_t frames,
                                 const struct ebb_mel_phases *phases, float *samples, size_t count,
                                 struct ebb_error *error)
{
    enum ebb_result result = check(mel, frames, phases->iterations, count, error);
    if (result == EBB_OK)
        result = reserve(mel, frames, error);
    if (result != EBB_OK)
        return result;

    invert_all(mel, values, frames);
    struct ebb_phase_span span = ebb_phase_whole(mel->phase, frames, count);
    struct ebb_mel_image image = {.values = values, .frames = frames, .seed = phases->seed};
    ebb_mel_reconstruct(mel, mel->phase, &span, &image, phases->grain, phases->iterations);
    memcpy(samples, mel->phase->signal + span.support_from, count * sizeof(float));
    return EBB_OK;
}
