// SPDX-License-Identifier: LGPL-2.1-or-later
// Band powers to network values, and back.
#ifndef EBB_AUDIO_MEL_CODING_H
#define EBB_AUDIO_MEL_CODING_H

#include "audio/mel.h"

// One power <-> one value, for EBB_MEL_CODING_ABSOLUTE. Value -1 is the floor's power (-90 dB by default).
float ebb_mel_value(const struct ebb_mel *mel, float power);
float ebb_mel_unvalue(const struct ebb_mel *mel, float value);

// A power less the floor's power: 0 at value -1, almost unchanged well above it.
float ebb_mel_heard(const struct ebb_mel *mel, float power);

// Encodes (n_mels, frames) powers, in either coding. `power` is overwritten. With EBB_MEL_CODING_DIFFUSERS
// values are relative to the loudest cell and rounded to 8 bits.
void ebb_mel_encode(const struct ebb_mel *mel, float *power, size_t frames, float *values);
// One value -> power. With EBB_MEL_CODING_DIFFUSERS the value is rounded to 8 bits first, and the loudest
// cell has power 1.
float ebb_mel_decode(const struct ebb_mel *mel, float value);

#endif
