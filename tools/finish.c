// SPDX-License-Identifier: LGPL-2.1-or-later
// After the model: trimming and level.
#include <math.h>
#include <string.h>

#include <ebb/meter.h>

#include "sound.h"

static const double CEILING_DB = -0.3; // highest peak a loudness target may lead to

static double to_db(double amplitude)
{
    return 20 * log10(fmax(amplitude, 1e-10));
}

static double to_loudness(double wanted, const char *name, const struct sound_level *level)
{
    double gain = wanted - level->lufs, room = CEILING_DB - to_db(level->peak);
    if (gain <= room)
        return gain;
    tool_warn("%s: %.1f LUFS would clip; its peak of %.1f dBFS holds it at %.1f", name, wanted, CEILING_DB,
              level->lufs + room);
    return room;
}

bool sound_has_level(const struct ebb_recipe *recipe)
{
    return !isnan(ebb_recipe_number(recipe, "lufs")) || !isnan(ebb_recipe_number(recipe, "peak"));
}

double sound_gain(const struct ebb_recipe *recipe, const char *name, const struct sound_level *level)
{
    double lufs = ebb_recipe_number(recipe, "lufs"), peak = ebb_recipe_number(recipe, "peak");
    if (!isnan(lufs))
        return isinf(level->lufs) ? 0 : to_loudness(lufs, name, level);
    return !isnan(peak) && level->peak > 0 ? peak - to_db(level->peak) : 0;
}

bool sound_keeps_length(const struct ebb_recipe *recipe)
{
    return ebb_recipe_number(recipe, "seconds") > 0 && ebb_recipe_number(recipe, "trim") != 1;
}

static void cut_lead(const struct ebb_recipe *recipe, double lead, struct ebb_sound *sound)
{
    size_t asked = sound->frames, channels = (size_t)sound->channels;
    ebb_sound_lead(sound, lead);
    if (!sound_keeps_length(recipe))
        return;
    memset(sound->samples + sound->frames * channels, 0, (asked - sound->frames) * channels * sizeof(float));
    sound->frames = asked;
}

bool sound_is_cut(const struct ebb_recipe *recipe)
{
    return ebb_recipe_number(recipe, "trim") == 1 || !isnan(ebb_recipe_number(recipe, "lead"));
}

enum ebb_result sound_measure(const struct ebb_sound *sound, struct sound_level *level,
                              struct ebb_error *error)
{
    struct ebb_meter *meter = ebb_meter_create(sound->channels, sound->rate, error);
    enum ebb_result result = meter ? ebb_meter_add(meter, sound->samples, sound->frames, error) : error->code;
    *level = (struct sound_level){result == EBB_OK ? ebb_meter_loudness(meter) : -INFINITY,
                                  ebb_sound_peak(sound)};
    ebb_meter_destroy(&meter);
    return result == EBB_OUT_OF_MEMORY ? result : EBB_OK;
}

enum ebb_result sound_finish(const struct ebb_recipe *recipe, const char *name, struct ebb_sound *sound,
                             struct ebb_error *error)
{
    double gain = ebb_recipe_number(recipe, "gain"), lead = ebb_recipe_number(recipe, "lead");
    if (ebb_recipe_number(recipe, "trim") == 1) {
        ebb_sound_trim(sound, EBB_TRIM_DB, EBB_TRIM_MARGIN);
        ebb_sound_fade(sound, 0, EBB_TRIM_MARGIN);
    }
    if (!isnan(lead))
        cut_lead(recipe, lead, sound);
    if (gain != 0)
        ebb_sound_gain(sound, gain);
    if (!sound_has_level(recipe))
        return EBB_OK;
    struct sound_level level;
    enum ebb_result result = sound_measure(sound, &level, error);
    if (result == EBB_OK)
        ebb_sound_gain(sound, sound_gain(recipe, name, &level));
    return result;
}
