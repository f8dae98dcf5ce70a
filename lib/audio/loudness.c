// SPDX-License-Identifier: LGPL-2.1-or-later
// Integrated loudness after ITU-R BS.1770-4, through libebur128.
#include <ebb/audio.h>
#include <ebb/meter.h>

#include "audio/peak.h"
#include "base/base.h"

#include <ebur128.h>
#include <math.h>
#include <stdlib.h>

struct ebb_meter {
    ebur128_state *state;
    int channels, rate;
    size_t frames;
    double peak;
};

// 5.0 and 5.1 lie as in a WAV: left, right, centre, (low frequencies,) two surround channels. Any other
// number of channels weighs all of them alike.
static enum channel role_of(int channel, int channels)
{
    if (channels == 6 && channel == 3)
        return EBUR128_UNUSED;
    bool surround = (channels == 5 && channel >= 3) || (channels == 6 && channel >= 4);
    return surround ? EBUR128_LEFT_SURROUND : EBUR128_CENTER;
}

struct ebb_meter *ebb_meter_create(int channels, int rate, struct ebb_error *error)
{
    struct ebb_meter *meter = ebb_alloc(1, sizeof(*meter));
    if (!meter) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "loudness: no memory");
        return NULL;
    }
    *meter = (struct ebb_meter){.channels = channels, .rate = rate};
    meter->state = ebur128_init((unsigned)channels, (unsigned long)rate, EBUR128_MODE_I);
    if (!meter->state) {
        ebb_fail(error, EBB_INVALID, "loudness: %d channels at %d Hz cannot be measured", channels, rate);
        ebb_meter_destroy(&meter);
        return NULL;
    }
    for (int channel = 0; channel < channels; channel++)
        ebur128_set_channel(meter->state, (unsigned)channel, role_of(channel, channels));
    return meter;
}

void ebb_meter_destroy(struct ebb_meter **meter)
{
    if (!meter || !*meter)
        return;
    if ((*meter)->state)
        ebur128_destroy(&(*meter)->state);
    free(*meter);
    *meter = NULL;
}

enum ebb_result ebb_meter_add(struct ebb_meter *meter, const float *samples, size_t frames,
                              struct ebb_error *error)
{
    if (ebur128_add_frames_float(meter->state, samples, frames) != EBUR128_SUCCESS)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "loudness: no memory");
    meter->frames += frames;
    meter->peak = fmax(meter->peak, ebb_peak(samples, frames * (size_t)meter->channels));
    return EBB_OK;
}

// Silence up to the 400 ms that one measurement needs.
static bool fill_up(struct ebb_meter *meter)
{
    static const float silence[1024];
    const size_t block = 4 * (((size_t)meter->rate + 5) / 10); // as libebur128 counts it
    const size_t most = sizeof(silence) / sizeof(silence[0]) / (size_t)meter->channels;
    bool ok = most > 0;
    while (ok && meter->frames < block) {
        size_t left = block - meter->frames;
        ok = ebb_meter_add(meter, silence, left < most ? left : most, NULL) == EBB_OK;
    }
    return ok;
}

double ebb_meter_loudness(struct ebb_meter *meter)
{
    double lufs = -INFINITY;
    if (fill_up(meter) && ebur128_loudness_global(meter->state, &lufs) == EBUR128_SUCCESS)
        return lufs;
    return -INFINITY;
}

double ebb_meter_peak(const struct ebb_meter *meter)
{
    return meter->peak;
}

double ebb_sound_loudness(const struct ebb_sound *sound)
{
    struct ebb_meter *meter = ebb_meter_create(sound->channels, sound->rate, NULL);
    double lufs = -INFINITY;
    if (meter && ebb_meter_add(meter, sound->samples, sound->frames, NULL) == EBB_OK)
        lufs = ebb_meter_loudness(meter);
    ebb_meter_destroy(&meter);
    return lufs;
}
