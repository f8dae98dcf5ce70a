// SPDX-License-Identifier: LGPL-2.1-or-later
// After the model: trimming and level.
#include <math.h>
#include <string.h>

#include "sound.h"

static const double TRIM_DB = -60;     // below the peak is silence
static const double TRIM_FADE = 0.005; // seconds kept around, so that the cut is not heard
static const double CEILING_DB = -0.3; // highest peak a loudness target may lead to

static double to_db(double amplitude)
{
    return 20 * log10(fmax(amplitude, 1e-10));
}

static void to_loudness(double wanted, const char *name, struct ebb_sound *sound)
{
    double lufs = ebb_sound_loudness(sound);
    if (isinf(lufs))
        return; // silence has no loudness to change
    double gain = wanted - lufs, room = CEILING_DB - to_db(ebb_sound_peak(sound));
    if (gain > room) {
        tool_warn("%s: %.1f LUFS would clip; its peak of %.1f dBFS holds it at %.1f", name, wanted,
                  CEILING_DB, lufs + room);
        gain = room;
    }
    ebb_sound_gain(sound, gain);
}

// A sound whose length was asked for keeps it: silence follows.
static void cut_lead(const struct ebb_recipe *recipe, double lead, struct ebb_sound *sound)
{
    bool keeps = ebb_recipe_number(recipe, "seconds") > 0 && ebb_recipe_number(recipe, "trim") != 1;
    size_t asked = sound->frames, channels = (size_t)sound->channels;
    ebb_sound_lead(sound, lead);
    if (!keeps)
        return;
    memset(sound->samples + sound->frames * channels, 0,
           (asked - sound->frames) * channels * sizeof(float));
    sound->frames = asked;
}

bool sound_needs_all(const struct ebb_recipe *recipe)
{
    static const char *const numbers[] = {"lead", "lufs", "peak", "rate"}; // NaN: open
    bool needs = ebb_recipe_number(recipe, "trim") == 1;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        needs = needs || !isnan(ebb_recipe_number(recipe, numbers[i]));
    return needs;
}

void sound_finish(const struct ebb_recipe *recipe, const char *name, struct ebb_sound *sound)
{
    double gain = ebb_recipe_number(recipe, "gain"), lufs = ebb_recipe_number(recipe, "lufs");
    double peak = ebb_recipe_number(recipe, "peak");
    double lead = ebb_recipe_number(recipe, "lead");
    if (ebb_recipe_number(recipe, "trim") == 1) {
        ebb_sound_trim(sound, TRIM_DB, TRIM_FADE);
        ebb_sound_fade(sound, 0, TRIM_FADE);
    }
    if (!isnan(lead))
        cut_lead(recipe, lead, sound);
    if (gain != 0)
        ebb_sound_gain(sound, gain);
    if (!isnan(lufs))
        to_loudness(lufs, name, sound);
    else if (!isnan(peak) && ebb_sound_peak(sound) > 0)
        ebb_sound_gain(sound, peak - to_db(ebb_sound_peak(sound)));
}
