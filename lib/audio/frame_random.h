// SPDX-License-Identifier: LGPL-2.1-or-later
// Random numbers of a frame, for phases and for the noise of grain.
#ifndef EBB_AUDIO_FRAME_RANDOM_H
#define EBB_AUDIO_FRAME_RANDOM_H

#include <stddef.h>
#include <stdint.h>

// `count` uniform numbers in [0, 1), which depend on (seed, frame) alone.
void ebb_frame_random(float *numbers, size_t count, uint64_t seed, uint64_t frame);

#endif
