// SPDX-License-Identifier: LGPL-2.1-or-later
// A second channel of a sound: its phases and its grain depart from those of the first.
#ifndef EBB_AUDIO_SECOND_CHANNEL_H
#define EBB_AUDIO_SECOND_CHANNEL_H

#include "audio/grain.h"

// Between ebb_mel_grain() and ebb_phase_iterate(): the bins become cos(a) times those of the other channel,
// at this channel's level, and sin(a) times the own ones, where a is the width times 90 degrees. Of noise
// that is noise of the same power, as alike to the other channel's as cos(a). Where a tone or an attack
// stands out, the magnitudes stay, and only phases move. Fixed frames stay. Uses phase->signal, phase->frame
// and the mel's scratch.
void ebb_mel_depart(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                    const struct ebb_mel_image *image);

#endif
