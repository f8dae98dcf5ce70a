// Magnitudes -> sound. The spectrum that a mel gives is smeared over bins and frames, and no signal has it: what the iterations
// settle on has another mel than the one asked for, most of all around attacks. So on the way the wanted magnitudes are moved
// by what their bands lack in the sound as it is, and the next iterations go for those. Noise is left out: its bands scatter
// about their mean as they should, a band that did not would have lost its grain.
#include "audio/mel.h"

#include <math.h>
#include <string.h>

enum { corrections = 3 };
static const float most = 10; // of a band's power in one correction: phases that cancel say nothing about magnitudes

static void measure_lack(struct ebb_mel *mel, const struct ebb_mel_image *image, size_t frame, float *gain)
{
    for (size_t band = 0; band < (size_t)mel->params.n_mels; band++) {
        float value = image->values[band * image->frames + frame], have = mel->band_power[band];
        float want = ebb_mel_heard(mel, ebb_mel_decode(mel, value));
        float lack = have > 1e-12f ? want / have : 1; // 120 dB below full scale nothing is heard
        gain[band] = sqrtf(fminf(fmaxf(lack, 1 / most), most));
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

void ebb_mel_voice(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                   const struct ebb_mel_image *image, bool grain, int iterations)
{
    memset(phase->noise, 0, span->frames * phase->stft->real_stride * sizeof(float));
    ebb_phase_integrate(phase, span, image->seed, image->first);
    if (grain)
        ebb_mel_grain(mel, phase, span, image);
    for (int part = 0; part <= corrections && iterations > 0; part++) {
        ebb_phase_iterate(phase, span, iterations * (part + 1) / (corrections + 1) - iterations * part / (corrections + 1));
        if (part < corrections)
            ebb_mel_correct(mel, phase, span, image);
    }
    ebb_phase_synthesise(phase, span);
}
