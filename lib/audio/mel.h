// SPDX-License-Identifier: LGPL-2.1-or-later
// The mel filterbank, frame by frame. ebb/mel.h has the calls for whole sounds.
//
// Band powers are filterbank * |STFT|^2. With EBB_MEL_CODING_ABSOLUTE the STFT is scaled by 2 /
// sum(window): a full-scale sine on a bin centre has power 1. With EBB_MEL_CODING_DIFFUSERS it is unscaled.
// With params.magnitudes, what is called power here is a magnitude, of samples of 16 bits.
// Magnitudes are always those of the unscaled STFT (audio/stft.h), ready for the inverse transform.
#ifndef EBB_AUDIO_MEL_H
#define EBB_AUDIO_MEL_H

#include <ebb/mel.h>

#include "audio/stft.h"

struct ebb_phase;

enum { EBB_GRAIN_REACH = 2 }; // frames and bands on either side of a cell that grain.c reads

// One band: `count` weights for the bins from `start` on.
struct ebb_mel_band {
    int start, count;
    float *weights; // into ebb_mel.weights
};

struct ebb_mel {
    struct ebb_mel_params params;
    struct ebb_stft *stft; // the owner of the mel may use it between calls
    struct ebb_mel_band *bands;
    float *weights;
    float *column;     // per bin: sum of its weights over all bands
    float *per_bin;    // per band: 1 / sum of its weights
    float *noise_gain; // per bin: factor on the STFT of unit white noise that makes its median band power 1
    float floor;       // power of value -1
    float scale;       // factor on |STFT|^2, or with params.magnitudes on |STFT|, for band powers
    float *power, *bin_power;  // scratch, per bin
    float *band_power, *ratio; // scratch, per band
    float *bins;               // scratch, one frame of bins
    float *standing;           // scratch of grain.c, 2 * EBB_GRAIN_REACH + 1 rows of n_mels
    struct ebb_phase *phase;   // workspace of ebb_mel_to_sound(), made on first use
};

// One frame of bins (ebb_stft_frame()) -> n_mels band powers.
void ebb_mel_power(struct ebb_mel *mel, const float *bins, float *power);

// From gains per band to gains per bin, by the transposed, normalised filterbank: a bin gets a weighted
// mean of the gains of its bands; a bin outside all bands gets the nearest band's gain. Gain 1 in all bands
// gives exactly 1.0f in all bins.
void ebb_mel_spread(const struct ebb_mel *mel, const float *band_gain, float *bin_gain);

#endif
