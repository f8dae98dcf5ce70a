// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether what the network keeps of a recording is a voice: it sounds in harmonics, and it moves at the pace
// of syllables. Where it is one, the network can be trusted: what it takes is noise, even noise that pauses.
#ifndef EBB_DENOISE_VOICE_H
#define EBB_DENOISE_VOICE_H

#include <stddef.h>

#include "audio/mel.h"
#include "denoise/snr.h"

struct ebb_voice {
    int bands;
    int low;      // bands below 1 kHz, where harmonics of a voice lie in bands of their own
    int from, to; // bands from 200 Hz to 4 kHz
    int lag;      // frames in the time in which a syllable turns
    // Per frame, rings of EBB_SNR_FRAMES: the power that was kept, how much of it is in harmonics (about 0
    // to 1), and its loudness from 200 Hz to 4 kHz.
    double kept[EBB_SNR_FRAMES], harmonic[EBB_SNR_FRAMES], loud[EBB_SNR_FRAMES];
    double taken[EBB_SNR_FRAMES], beside[EBB_SNR_FRAMES]; // power taken in all, and from 200 Hz to 4 kHz
    double kept_loud[EBB_SNR_FRAMES], taken_loud[EBB_SNR_FRAMES]; // the loudness of both
    size_t count;                                                 // frames so far
};

// `mel` gives the bands and the rate of frames. It is not kept.
void ebb_voice_init(struct ebb_voice *voice, const struct ebb_mel *mel);
void ebb_voice_reset(struct ebb_voice *voice);

// Adds the next frame: the powers that the network keeps and takes of each band.
void ebb_voice_add(struct ebb_voice *voice, const float *kept, const float *taken);

// How much what was kept over the last EBB_SNR_FRAMES frames is like a voice: noise and most effects have
// less than 0.7, most voices 0.75 to 1.1. 0 before there are frames enough to tell the pace.
double ebb_voice_likeness(const struct ebb_voice *voice);

// How much of the power that was taken over the same frames lies from 200 Hz to 4 kHz, -100..0 dB. Where it
// is little, what is taken may be the hum of the voice's own recording. -100 dB where nothing was taken.
double ebb_voice_beside_db(const struct ebb_voice *voice);

// How the loudness of what was taken goes with that of what was kept over the same frames: their correlation,
// -1..1. Where it is high, what is taken may be a part of the voice. 0 where either stands still.
double ebb_voice_together(const struct ebb_voice *voice);

#endif
