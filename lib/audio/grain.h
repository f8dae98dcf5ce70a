// SPDX-License-Identifier: LGPL-2.1-or-later
// Grain: the roughness of real noise, which a network's mel does not hold.
#ifndef EBB_AUDIO_GRAIN_H
#define EBB_AUDIO_GRAIN_H

#include <stdint.h>

#include "audio/mel.h"
#include "audio/phase.h"

// Another channel, from which a channel departs (audio/second_channel.h).
struct ebb_mel_beside {
    const float *values; // its mel, (n_mels, frames), with the frames of the channel's own mel
    const float *sound;  // its samples, `count`; sample 0 is the middle of frame 0
    size_t count;
    double width; // 0..1
};

// A mel, of which a span of the phase reconstruction is a part.
struct ebb_mel_image {
    const float *values;  // (n_mels, frames)
    size_t frames, from;  // the span's frame 0 is frame `from` of the values
    uint64_t seed, first; // random numbers of the span's frame k depend on (seed, first + k) alone
    const struct ebb_mel_beside *beside; // NULL: the mel is of the only channel, or of the first
};

// Gives noise its grain, between ebb_phase_integrate() and ebb_phase_iterate(). Where the mel is smooth,
// bins and magnitudes become those of white noise whose median power is the mel's. Where a tone or an
// attack stands out, they stay. In between they are a mixture; phase->noise receives the share of noise.
// Fixed frames stay. Uses phase->signal and the mel's scratch.
void ebb_mel_grain(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                   const struct ebb_mel_image *image);

#endif
