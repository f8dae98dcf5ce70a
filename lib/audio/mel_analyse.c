// SPDX-License-Identifier: LGPL-2.1-or-later
// From a waveform to network values, and to dB for pictures.
#include "audio/mel.h"

#include "audio/mel_coding.h"
#include "base/base.h"

#include <math.h>
#include <stdlib.h>

enum ebb_result ebb_mel_analyse(struct ebb_mel *mel, const float *samples, size_t count, float *values,
                                struct ebb_error *error)
{
    size_t frames = ebb_mel_frames(mel, count), bands = (size_t)mel->params.n_mels;
    float *power = ebb_alloc(frames, bands * sizeof(float)); // as the values lie: (n_mels, frames)
    if (!power)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "mel: no memory for %zu frames", frames);

    for (size_t k = 0; k < frames; k++) {
        ebb_stft_frame_of(mel->stft, samples, count, k, mel->bins);
        ebb_mel_power(mel, mel->bins, mel->band_power);
        for (size_t band = 0; band < bands; band++)
            power[band * frames + k] = mel->band_power[band];
    }
    ebb_mel_encode(mel, power, frames, values);
    free(power);
    return EBB_OK;
}

enum ebb_result ebb_mel_spectrogram(struct ebb_mel *mel, const float *samples, size_t count, float *db,
                                    struct ebb_error *error)
{
    (void)error; // nothing can fail: the scratch is there
    size_t frames = ebb_mel_frames(mel, count);
    float scale = 4.0f / (float)mel->params.n_fft;

    for (size_t k = 0; k < frames; k++) {
        ebb_stft_frame_of(mel->stft, samples, count, k, mel->bins);
        for (int i = 0; i < mel->stft->bins; i++) {
            float re = mel->bins[2 * i] * scale, im = mel->bins[2 * i + 1] * scale;
            db[(size_t)i * frames + k] = 10 * log10f(fmaxf(re * re + im * im, 1e-12f));
        }
    }
    return EBB_OK;
}
