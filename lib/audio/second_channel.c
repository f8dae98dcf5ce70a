// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/second_channel.h"

#include "audio/mel_coding.h"
#include "audio/mel_invert.h"

#include <math.h>

static const float most = 10;     // largest factor from the other channel's level to this one's
static const float tiny = 1e-18f; // its square is still a float

// A frame of a mel as magnitudes, without grain.
static void invert(struct ebb_mel *mel, const float *values, size_t frames, size_t frame, float *magnitude)
{
    for (size_t band = 0; band < (size_t)mel->params.n_mels; band++) {
        float value = values[band * frames + frame];
        mel->band_power[band] = ebb_mel_heard(mel, ebb_mel_decode(mel, value));
    }
    ebb_mel_invert(mel, mel->band_power, magnitude);
}

void ebb_mel_depart(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                    const struct ebb_mel_image *image)
{
    const struct ebb_mel_beside *other = image->beside;
    const struct ebb_stft *stft = phase->stft;
    float keep = (float)cos(other->width * M_PI / 2), put = (float)sin(other->width * M_PI / 2);
    float *theirs = mel->bins, *their_level = phase->frame, *level = phase->signal;
    for (size_t k = span->fixed_before; k < span->frames - span->fixed_after; k++) {
        float *magnitude = phase->magnitude + k * stft->real_stride,
              *bins = phase->bins + k * stft->bin_stride;
        const float *noise = phase->noise + k * stft->real_stride;
        invert(mel, other->values, image->frames, image->from + k, their_level);
        invert(mel, image->values, image->frames, image->from + k, level);
        ebb_stft_frame_of(phase->stft, other->sound, other->count, image->from + k, theirs);
        for (int i = 0; i < stft->bins; i++) {
            float gain = keep * fminf(level[i] / (their_level[i] + tiny), most);
            float re = gain * theirs[2 * i] + put * bins[2 * i],
                  im = gain * theirs[2 * i + 1] + put * bins[2 * i + 1];
            float size = sqrtf(re * re + im * im);
            magnitude[i] = sqrtf(noise[i] * size * size + (1 - noise[i]) * magnitude[i] * magnitude[i]);
            bins[2 * i] = re * magnitude[i] / (size + tiny);
            bins[2 * i + 1] = im * magnitude[i] / (size + tiny);
        }
    }
}
