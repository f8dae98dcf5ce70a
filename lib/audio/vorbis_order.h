// SPDX-License-Identifier: LGPL-2.1-or-later
// Where Vorbis and Opus keep the channels of 3 to 8 speakers (Vorbis I, 4.3.9; RFC 7845, 5.1.1.2): the centre
// is second and the low frequencies are last. A WAV has them in the order of its mask's bits.
#ifndef EBB_AUDIO_VORBIS_ORDER_H
#define EBB_AUDIO_VORBIS_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#include <sndfile.h>

#include "audio/input.h"

// Whether the channels of this open file are in that order, and have places.
bool ebb_has_vorbis_order(const struct ebb_sound_input *input, const SF_INFO *sf);

// Frames of samples of `size` bytes from one order to the other, in place. Other counts of channels stay as
// they are.
void ebb_vorbis_to_wav(void *samples, size_t frames, int channels, size_t size);
void ebb_vorbis_from_wav(void *samples, size_t frames, int channels, size_t size);

#endif
