// SPDX-License-Identifier: LGPL-2.1-or-later
// Lab (see ebb/lab.h): from sounds to the mel spectrograms that networks see, and back. Samples are mono
// float32 in [-1, 1]; spectrograms are row-major (rows, frames) with row 0 the lowest frequency.
#ifndef EBB_MEL_H
#define EBB_MEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>
#include <ebb/model.h>

EBB_BEGIN_DECLS

enum ebb_mel_scale { EBB_MEL_SLANEY, EBB_MEL_HTK };
enum ebb_mel_norm { EBB_MEL_NORM_NONE, EBB_MEL_NORM_SLANEY };
enum ebb_mel_coding {
    // x = clip((dB - db_center) / db_range, -1, 1), dB of power: keeps the loudness
    EBB_MEL_CODING_ABSOLUTE,
    // of diffusers' Mel: an 8-bit image from top_db below the loudest cell up to the loudest cell
    EBB_MEL_CODING_DIFFUSERS,
    // of Riffusion: an 8-bit image, the lighter the quieter, of (magnitude / loudest)^curve
    EBB_MEL_CODING_RIFFUSION,
    // of AudioLDM: natural logarithms of magnitudes, which a vocoder makes sound of
    EBB_MEL_CODING_LOGARITHM
};

struct ebb_mel_params {
    int sample_rate;   // Hz
    int n_fft;         // even, 16..65536
    int hop;           // 1..n_fft
    int n_mels;        // 1..n_fft / 2
    double fmin, fmax; // Hz
    enum ebb_mel_scale scale;
    enum ebb_mel_norm norm;
    enum ebb_mel_coding coding;
    double db_center, db_range; // EBB_MEL_CODING_ABSOLUTE
    double top_db;              // EBB_MEL_CODING_DIFFUSERS
    int window;                 // samples of the Hann window, in the middle of n_fft; 0: n_fft
    bool magnitudes;            // bands are sums of magnitudes of 16-bit samples; otherwise of powers
    double curve, loudest;      // EBB_MEL_CODING_RIFFUSION: exponent, and the magnitude that is black
};

// The mel of Ebb's own models: 48 kHz, a periodic Hann window of 2048 samples, hop 512, 128 Slaney bands
// with peak 1 over 0..24 kHz, -90..+10 dB.
EBB_API void ebb_mel_params_default(struct ebb_mel_params *params);

// The mel of Riffusion's pictures of `n_mels` rows: 44.1 kHz, a Hann window of 0.1 s in a transform of 0.4 s,
// hop 0.01 s, HTK bands over 0..10 kHz, magnitudes.
EBB_API void ebb_mel_params_riffusion(struct ebb_mel_params *params, int n_mels);

// The mel of AudioLDM's vocoder: windows of 1024 samples, Slaney bands of equal area over 0..8 kHz,
// magnitudes.
EBB_API void ebb_mel_params_audioldm(struct ebb_mel_params *params, int sample_rate, int hop, int n_mels);

// The mel parameters of a model.
EBB_API void ebb_model_mel(const struct ebb_model *model, struct ebb_mel_params *params);

// Plans and tables for one set of parameters. One call at a time per object.
struct ebb_mel;
EBB_API struct ebb_mel *ebb_mel_create(const struct ebb_mel_params *params, struct ebb_error *error);
EBB_API void ebb_mel_destroy(struct ebb_mel **mel);

// Number of frames of `count` samples: 1 + count / hop. Frame k is centred on sample k * hop; outside the
// signal there are zeros.
EBB_API size_t ebb_mel_frames(const struct ebb_mel *mel, size_t count);

// Waveform -> network values in [-1, 1], (n_mels, frames).
EBB_API enum ebb_result ebb_mel_analyse(struct ebb_mel *mel, const float *samples, size_t count,
                                        float *values, struct ebb_error *error);

// The mel of a sound file: the mean of its channels, at the mel's rate. In memory from malloc().
struct ebb_mel_values {
    float *values; // (n_mels, frames)
    size_t frames;
    char *warning; // says what is missing in the file, as ebb_sound_reader_warning() does; NULL: nothing
};

// Reads piece by piece: only the mel is kept in memory. A mel larger than EBB_MEMORY allows is refused. Rates
// are 1000 Hz to 768000 Hz.
EBB_API enum ebb_result ebb_mel_read(struct ebb_mel *mel, const char *path, struct ebb_mel_values *values,
                                     struct ebb_error *error);
EBB_API void ebb_mel_values_clear(struct ebb_mel_values *values);

// Network values (n_mels, frames) -> STFT magnitude, unscaled (n_fft / 2 + 1, frames): a smooth spectrum with
// this mel, by multiplicative steps (Richardson 1972, Lucy 1974). Value -1 of EBB_MEL_CODING_ABSOLUTE is
// silence.
EBB_API enum ebb_result ebb_mel_to_magnitude(struct ebb_mel *mel, const float *values, size_t frames,
                                             float *magnitude, struct ebb_error *error);

// What a mel does not tell. Phases come from the gradient of the magnitudes (Prusa 2017); where the gradient
// does not tell them, they are drawn from `seed`. Then `iterations` of fast Griffin-Lim follow (Perraudin
// 2013). Between the iterations, bands whose power differs from the mel are corrected. `grain` is for the mel
// of a network, which is smooth where real noise scatters: such cells become white noise of the mel's power,
// drawn from `seed`; tones and attacks stay. Without `grain` the sound is as smooth as the mel.
struct ebb_mel_phases {
    int iterations; // 0: none; 16 are recommended
    uint64_t seed;
    bool grain;
};

// Network values (n_mels, frames) -> waveform of `count` samples; `frames` must be ebb_mel_frames() of
// `count`.
EBB_API enum ebb_result ebb_mel_to_sound(struct ebb_mel *mel, const float *values, size_t frames,
                                         const struct ebb_mel_phases *phases, float *samples, size_t count,
                                         struct ebb_error *error);

// Magnitudes of the Fourier transform in dB, (n_fft / 2 + 1, frames), for pictures. A full-scale sine on a
// bin centre is 0 dB; the floor is -120 dB.
EBB_API enum ebb_result ebb_mel_spectrogram(struct ebb_mel *mel, const float *samples, size_t count,
                                            float *db, struct ebb_error *error);

EBB_END_DECLS

#endif
