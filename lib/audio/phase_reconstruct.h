// SPDX-License-Identifier: LGPL-2.1-or-later
// From magnitudes and a mel to a signal that has both.
#ifndef EBB_AUDIO_PHASE_RECONSTRUCT_H
#define EBB_AUDIO_PHASE_RECONSTRUCT_H

#include <stdbool.h>

#include "audio/grain.h"

// Makes phase->signal. ebb_mel_invert() has filled phase->magnitude. The steps: phases by gradient, with
// `grain` the grain of noise, `iterations` of Griffin-Lim with corrections between them.
void ebb_mel_reconstruct(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                         const struct ebb_mel_image *image, bool grain, int iterations);

// One correction: multiplies magnitudes by the ratio of each band's power in the mel to its power in the
// sound of the current bins. The share of noise is not corrected.
void ebb_mel_correct(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                     const struct ebb_mel_image *image);

#endif
