// After the model: trimming and level.
#include <math.h>

#include "sound.h"

static const double TRIM_DB = -60;     // below the peak is silence
static const double TRIM_FADE = 0.005; // seconds kept around, so that the cut is not heard
static const double CEILING_DB = -0.3; // highest peak a loudness target may lead to

static double to_db(double amplitude)
{
    return 20 * log10(fmax(amplitude, 1e-10));
}

static void to_loudness(const struct sound_settings *s, const char *name, struct ebb_sound *sound)
{
    double lufs = ebb_sound_loudness(sound);
    if (isinf(lufs))
        return; // silence has no loudness to change
    double gain = s->lufs - lufs, room = CEILING_DB - to_db(ebb_sound_peak(sound));
    if (gain > room) {
        tool_say("%s: %.1f LUFS would clip; its peak of %.1f dBFS holds it at %.1f", name, s->lufs, CEILING_DB,
                 lufs + room);
        gain = room;
    }
    ebb_sound_gain(sound, gain);
}

void sound_finish(const struct sound_settings *s, const char *name, struct ebb_sound *sound)
{
    if (s->trim) {
        ebb_sound_trim(sound, TRIM_DB, TRIM_FADE);
        ebb_sound_fade(sound, 0, TRIM_FADE);
    }
    if (s->gain_db != 0)
        ebb_sound_gain(sound, s->gain_db);
    if (!isnan(s->lufs))
        to_loudness(s, name, sound);
    else if (!isnan(s->peak_db) && ebb_sound_peak(sound) > 0)
        ebb_sound_gain(sound, s->peak_db - to_db(ebb_sound_peak(sound)));
}
