// SPDX-License-Identifier: LGPL-2.1-or-later
// Sound from a window's mel: of the whole window, or of a stretch that goes on from existing sound.
#ifndef EBB_GENERATE_WINDOW_SOUND_H
#define EBB_GENERATE_WINDOW_SOUND_H

#include "audio/grain.h"
#include "model/workspace.h"

struct ebb_window_sound_job {
    const float *mel; // (n_mels, frames)
    int frames;
    int from, to;                  // the stretch: frames from .. to - 1
    int fixed_before, fixed_after; // frames at either end of the stretch whose sound exists and stays
    int iterations;                // of Griffin-Lim, after the gradient's phases; 16 recommended
    uint64_t seed;
    const struct ebb_mel_beside *beside; // of a second channel: the first one, at the same frames; NULL: none
    uint64_t at; // frame of the longer sound at which the mel starts: phases follow from (seed, at + frame)
};

// Fills sound[from * hop .. to * hop) except under the fixed frames, from whose sound the new samples go on
// without a jump. `count` is the number of samples that `sound` has.
enum ebb_result ebb_window_sound_make(struct ebb_model *model, const struct ebb_window_sound_job *job,
                                      float *sound, size_t count, struct ebb_error *error);

// Whether a mel (n_mels, frames) has half a second of silence. Such a sound ended early, as short recordings
// in the training do.
bool ebb_window_sound_has_hole(const struct ebb_model *model, const float *mel, int frames);

// The seed of the random phases of clip `clip`.
uint64_t ebb_window_sound_seed(uint64_t seed, uint64_t clip);

// Brings the mel of a second channel, from frame `from` on, to the loudness that the first channel has there:
// a constant, 12 dB at most, that comes in over a few frames. Mels that do not tell loudness stay as they
// are.
void ebb_window_sound_balance(const struct ebb_model *model, const float *one, float *two, int frames,
                              int from);

// The seed of a second channel's own phases, from that of the first.
uint64_t ebb_window_sound_other_seed(uint64_t seed);

// The factor for a window's sound: 1, or less where its peak is above -1 dB, which guidance often causes.
// With diffusers' Mel, which does not keep the loudness, the factor brings the peak to -1 dB.
float ebb_window_sound_gain(const struct ebb_model *model, const float *samples, size_t count);

// A soft limiter: bends values past +-0.9 so that none leaves [-1, 1].
void ebb_window_sound_limit(float *samples, size_t count);

// Fades against clicks: 1 ms where a sound begins (`first`), and `fade` seconds where it ends (0: none), or
// less for a shorter sound.
void ebb_window_sound_fades(const struct ebb_model *model, float *samples, size_t count, bool first,
                            double fade);

// The limiter, and those fades.
void ebb_window_sound_finish(const struct ebb_model *model, float *samples, size_t count, bool first,
                             double fade);

// The same for a part of a sound: `count` samples from sample `at` on, of the `whole` that it has.
void ebb_window_sound_finish_part(const struct ebb_model *model, float *samples, size_t count, size_t at,
                                  size_t whole, double fade);

// Channels of `count` samples as one array, interleaved.
void ebb_window_sound_interleave(float *const *channels, int count_channels, size_t count, float *samples);

// A raised cosine from 0 to 1 over `count` samples: its value at sample i.
float ebb_window_sound_rise(size_t i, size_t count);

#endif
