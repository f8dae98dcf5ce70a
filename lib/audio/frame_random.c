// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/frame_random.h"

// A generator per frame (splitmix64), so that a frame's numbers do not depend on where work began.
void ebb_frame_random(float *numbers, size_t count, uint64_t seed, uint64_t frame)
{
    uint64_t state = (seed + 1) * 0xd1342543de82ef95u ^ frame * 0xaef17502108ef2d9u;
    for (size_t i = 0; i < count; i++) {
        uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        numbers[i] = (float)((z ^ (z >> 31)) >> 40) * 0x1p-24f;
    }
}
