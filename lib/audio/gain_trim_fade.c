// SPDX-License-Identifier: LGPL-2.1-or-later
// A sound in memory: its peak, gain, trimming and fades.
#include <ebb/audio.h>

#include "audio/peak.h"

#include <math.h>
#include <string.h>

double ebb_sound_peak(const struct ebb_sound *sound)
{
    return ebb_peak(sound->samples, sound->frames * (size_t)sound->channels);
}

void ebb_sound_gain(struct ebb_sound *sound, double db)
{
    double gain = pow(10, db / 20);
    for (size_t i = 0; i < sound->frames * (size_t)sound->channels; i++)
        sound->samples[i] = (float)(sound->samples[i] * gain);
}

static bool quiet(const struct ebb_sound *sound, size_t frame, double threshold)
{
    const float *samples = sound->samples + frame * (size_t)sound->channels;
    for (int channel = 0; channel < sound->channels; channel++)
        if (fabs((double)samples[channel]) > threshold)
            return false;
    return true;
}

static size_t in_frames(const struct ebb_sound *sound, double seconds)
{
    double frames = rint(seconds * sound->rate);
    return !(frames > 0) ? 0 : frames < (double)sound->frames ? (size_t)frames : sound->frames;
}

void ebb_sound_trim(struct ebb_sound *sound, double threshold_db, double margin)
{
    double threshold = ebb_sound_peak(sound) * pow(10, threshold_db / 20);
    size_t first = 0, last = sound->frames, more = in_frames(sound, margin);
    while (first < last && quiet(sound, first, threshold))
        first++;
    if (first == last)
        return;
    while (quiet(sound, last - 1, threshold))
        last--;

    first = first > more ? first - more : 0;
    last = more < sound->frames - last ? last + more : sound->frames;
    size_t channels = (size_t)sound->channels;
    memmove(sound->samples, sound->samples + first * channels, (last - first) * channels * sizeof(float));
    sound->frames = last - first;
}

static void drop_front(struct ebb_sound *sound, size_t frames)
{
    size_t channels = (size_t)sound->channels;
    sound->frames -= frames;
    memmove(sound->samples, sound->samples + frames * channels, sound->frames * channels * sizeof(float));
}

void ebb_sound_lead(struct ebb_sound *sound, double lead)
{
    double threshold = ebb_sound_peak(sound) * pow(10, EBB_ATTACK_DB / 20);
    size_t attack = 0, keep = (size_t)fmax(round(lead * sound->rate), 0);
    while (attack < sound->frames && quiet(sound, attack, threshold))
        attack++;
    if (attack == sound->frames || attack <= keep)
        return;
    drop_front(sound, attack - keep);
    ebb_sound_fade(sound, lead, 0);
}

static void scale_frame(struct ebb_sound *sound, size_t frame, double gain)
{
    float *samples = sound->samples + frame * (size_t)sound->channels;
    for (int channel = 0; channel < sound->channels; channel++)
        samples[channel] = (float)(samples[channel] * gain);
}

void ebb_sound_fade(struct ebb_sound *sound, double in, double out)
{
    size_t rise = in_frames(sound, in), fall = in_frames(sound, out);
    for (size_t i = 0; i < rise; i++)
        scale_frame(sound, i, 0.5 - 0.5 * cos(M_PI * (double)i / (double)rise));
    for (size_t i = 0; i < fall; i++)
        scale_frame(sound, sound->frames - 1 - i, 0.5 - 0.5 * cos(M_PI * (double)i / (double)fall));
}
