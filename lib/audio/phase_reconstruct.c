// SPDX-License-Identifier: LGPL-2.1-or-later
// From magnitudes to sound. A spectrum from a mel is smeared over bins and frames, and no signal has it
// exactly. So the iterations alone end in a sound with another mel, most of all around attacks. Between
// iterations, the magnitudes are therefore multiplied by the ratio of the mel's band powers to the sound's.
// Noise is left out: its bands vary about their mean as they should, and a correction would remove its
// grain.
#include "audio/phase_reconstruct.h"

#include "audio/second_channel.h"
#include "audio/mel_coding.h"

#include <math.h>
#include <string.h>

enum { corrections = 3 };
static const float most = 10; // largest factor on a band in one correction: cancelling phases mislead it

static void measure_lack(struct ebb_mel *mel, const struct ebb_mel_image *image, size_t frame, float *gain)
{
    for (size_t band = 0; band < (size_t)mel->params.n_mels; band++) {
        float value = image->values[band * image->frames + frame], have = mel->band_power[band];
        float want = ebb_mel_heard(mel, ebb_mel_decode(mel, value));
        float lack = have > 1e-12f ? want / have : 1; // 120 dB below full scale nothing is heard
        lack = fminf(fmaxf(lack, 1 / most), most);
        gain[band] = mel->params.magnitudes ? lack : sqrtf(lack);
    }
}

void ebb_mel_correct(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                     const struct ebb_mel_image *image)
{
    struct ebb_stft *stft = phase->stft;
    ebb_phase_synthesise(phase, span);
    for (size_t k = span->fixed_before; k < span->frames - span->fixed_after; k++) {
        float *magnitude = phase->magnitude + k * stft->real_stride, *gain = mel->power;
        const float *noise = phase->noise + k * stft->real_stride;
        ebb_stft_frame(stft, phase->signal + k * (size_t)stft->hop, mel->bins);
        ebb_mel_power(mel, mel->bins, mel->band_power);
        measure_lack(mel, image, image->from + k, mel->ratio);
        ebb_mel_spread(mel, mel->ratio, gain);
        for (int i = 0; i < stft->bins; i++)
            magnitude[i] *= 1 + (1 - noise[i]) * (gain[i] - 1);
    }
}

void ebb_mel_reconstruct(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                         const struct ebb_mel_image *image, bool grain, int iterations)
{
    memset(phase->noise, 0, span->frames * phase->stft->real_stride * sizeof(float));
    ebb_phase_integrate(phase, span, image->seed, image->first);
    if (grain)
        ebb_mel_grain(mel, phase, span, image);
    if (image->beside)
        ebb_mel_depart(mel, phase, span, image);
    for (int part = 0; part <= corrections && iterations > 0; part++) {
        ebb_phase_iterate(phase, span,
                          iterations * (part + 1) / (corrections + 1) -
                              iterations * part / (corrections + 1));
        if (part < corrections)
            ebb_mel_correct(mel, phase, span, image);
    }
    ebb_phase_synthesise(phase, span);
}
