// Mel filterbank and levels, frame by frame: what the engines use below ebb/audio.h.
//
// Band power: filterbank * |STFT|^2, at EBB_MEL_LEVEL_TRUE with the STFT scaled by 2 / sum(window) (a full-scale sine on
// a bin centre is 1.0), at EBB_MEL_LEVEL_DIFFUSERS unscaled. Magnitudes are always the unscaled STFT's, as
// audio/stft.h has it, so that they can be inverted as they are.
#ifndef EBB_AUDIO_MEL_H
#define EBB_AUDIO_MEL_H

#include <ebb/audio.h>

#include "audio/phase.h"
#include "audio/stft.h"

enum { EBB_GRAIN_REACH = 2 }; // frames and bands on either side that grain.c looks at

// One band: `count` weights for the bins from `start` on.
struct ebb_mel_band {
    int start, count;
    float *weights; // into ebb_mel.weights
};

struct ebb_mel {
    struct ebb_mel_params params;
    struct ebb_stft *stft; // may be used by the owner of the mel between calls
    struct ebb_mel_band *bands;
    float *weights;
    float *column;  // per bin: sum of its weights over all bands
    float *per_bin; // per band: 1 / sum of its weights
    float *standing;   // by how much bands stand out in the frames that grain.c has in reach, a row of n_mels each
    float *grain_gain; // per bin: white noise's transform -> a factor of the magnitude, see grain.c
    float floor;   // power of value -1
    float scale;   // |STFT|^2 -> power in which band powers are measured
    float *power, *bin_power;            // scratch, per bin
    float *band_power, *ratio;           // scratch, per band
    float *bins;                         // scratch, one frame of bins
    struct ebb_phase *phase;             // workspace of ebb_mel_to_sound(), made on first use
};

// One frame of bins (ebb_stft_frame()) -> n_mels band powers.
void ebb_mel_power(struct ebb_mel *mel, const float *bins, float *power);

// Network value of a band power and back, EBB_MEL_LEVEL_TRUE. Value -1 gives the floor's power (-90 dB by default),
// ebb_mel_heard() takes the floor off: at -1 there is nothing, well above it there is no difference.
float ebb_mel_value(const struct ebb_mel *mel, float power);
float ebb_mel_unvalue(const struct ebb_mel *mel, float value);
float ebb_mel_heard(const struct ebb_mel *mel, float power);

// n_mels band powers -> one frame of STFT magnitudes (n_fft / 2 + 1) whose band powers they are: smooth, non-negative.
void ebb_mel_invert(struct ebb_mel *mel, const float *power, float *magnitude);

// Network values of which a span is a stretch.
struct ebb_mel_image {
    const float *values;  // (n_mels, frames)
    size_t frames, from;  // the span's frame 0 is frame `from` of the values
    uint64_t seed, first; // what is drawn follows from (seed, first + frame of the span) alone
};

// Gives noise its grain (grain.c), after a start and before the iterations: where the mel is plain, bins and magnitude
// become those of white noise whose median power it is; where something stands out they stay; in between there is a share of
// either, which phase->noise keeps. Fixed frames stay. Uses the signal and the mel's scratch.
void ebb_mel_prepare_grain(struct ebb_mel *mel); // fills grain_gain
void ebb_mel_grain(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                   const struct ebb_mel_image *image);

// The whole way (voice.c), phase->magnitude filled by ebb_mel_invert(): gradient phases, grain if it is asked for, `iterations`
// of Griffin-Lim with corrections between them, the signal.
void ebb_mel_voice(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                   const struct ebb_mel_image *image, bool grain, int iterations);
// One correction: magnitudes times what their bands lack in the sound that the bins now make, but for the share of noise.
void ebb_mel_correct(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                     const struct ebb_mel_image *image);

// A gain per band spread over the bins by the transposed, normalised filterbank (every bin gets a weighted mean of the
// gains of the bands that see it; bins that no band sees take the nearest one's). Gain 1 in all bands is 1.0f in all
// bins, exactly.
void ebb_mel_spread(const struct ebb_mel *mel, const float *band_gain, float *bin_gain);

// Levels of whole images, both kinds; (n_mels, frames). `power` is changed. For EBB_MEL_LEVEL_DIFFUSERS values are
// relative to the loudest cell and land on 8-bit steps.
void ebb_mel_encode(const struct ebb_mel *mel, float *power, size_t frames, float *values);
// values -> power of one cell; DIFFUSERS: rounded to 8 bit first, loudest cell 1.
float ebb_mel_decode(const struct ebb_mel *mel, float value);

#endif
