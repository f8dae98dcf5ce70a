// SPDX-License-Identifier: LGPL-2.1-or-later
// From band powers to magnitudes.
#ifndef EBB_AUDIO_MEL_INVERT_H
#define EBB_AUDIO_MEL_INVERT_H

#include "audio/mel.h"

// One frame: n_mels band powers -> n_fft / 2 + 1 magnitudes of the STFT that have these band powers, smooth
// and not negative.
void ebb_mel_invert(struct ebb_mel *mel, const float *power, float *magnitude);

#endif
