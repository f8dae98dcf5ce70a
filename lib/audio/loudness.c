// SPDX-License-Identifier: LGPL-2.1-or-later
// Integrated loudness after ITU-R BS.1770-4, through libebur128.
#include <ebb/audio.h>

#include "base/base.h"

#include <ebur128.h>
#include <math.h>
#include <stdlib.h>

// 5.0 and 5.1 lie as in a WAV: left, right, centre, (low frequencies,) two surround channels. Any other
// number of channels weighs all of them alike.
static enum channel role_of(int channel, int channels)
{
    if (channels == 6 && channel == 3)
        return EBUR128_UNUSED;
    bool surround = (channels == 5 && channel >= 3) || (channels == 6 && channel >= 4);
    return surround ? EBUR128_LEFT_SURROUND : EBUR128_CENTER;
}

// Silence up to the 400 ms that one measurement needs.
static bool fill_up(ebur128_state *state, const struct ebb_sound *sound)
{
    size_t block = 4 * (((size_t)sound->rate + 5) / 10); // as libebur128 counts it
    if (sound->frames >= block)
        return true;

    size_t missing = block - sound->frames;
    float *silence = ebb_alloc(missing, (size_t)sound->channels * sizeof(float));
    bool ok = silence && ebur128_add_frames_float(state, silence, missing) == EBUR128_SUCCESS;
    free(silence);
    return ok;
}

static double measure(ebur128_state *state, const struct ebb_sound *sound)
{
    for (int channel = 0; channel < sound->channels; channel++)
        ebur128_set_channel(state, (unsigned)channel, role_of(channel, sound->channels));

    double lufs = -INFINITY;
    bool ok = ebur128_add_frames_float(state, sound->samples, sound->frames) == EBUR128_SUCCESS;
    if (ok && fill_up(state, sound) && ebur128_loudness_global(state, &lufs) == EBUR128_SUCCESS)
        return lufs;
    return -INFINITY;
}

double ebb_sound_loudness(const struct ebb_sound *sound)
{
    ebur128_state *state = ebur128_init((unsigned)sound->channels, (unsigned long)sound->rate,
                                        EBUR128_MODE_I);
    if (!state)
        return -INFINITY;

    double lufs = measure(state, sound);
    ebur128_destroy(&state);
    return lufs;
}
