// SPDX-License-Identifier: LGPL-2.1-or-later
#include "denoise/voice.h"

#include <math.h>

#include "base/base.h"

#define LOW_HZ 1000.0
#define FROM_HZ 200.0
#define TO_HZ 4000.0
#define SYLLABLE 0.128 // s, from the middle of a syllable to its edge
#define PACE 0.22      // what the pace counts beside the harmonics, fitted to voices and other sounds
#define DEPTH 40.0     // dB below a frame's loudest band: what is softer counts as that soft
#define LOUDNESS 0.3   // exponent that makes loudness of power

enum {
    MOST_LOW = 64,
    REACH = 3, // bands on either side over which the levels of a frame are smoothed
    NEAREST = 3,
    WIDEST = 12 // bands between two harmonics: 95 to 380 Hz in bands of 31 Hz
};

static double middle_of(const struct ebb_mel *mel, int band)
{
    const struct ebb_mel_band *b = &mel->bands[band];
    double sum = 0, weight = 0;
    for (int i = 0; i < b->count; i++) {
        sum += (double)b->weights[i] * (b->start + i);
        weight += b->weights[i];
    }
    return weight > 0 ? sum / weight * mel->params.sample_rate / mel->params.n_fft : 0;
}

static int bands_below(const struct ebb_mel *mel, double hz)
{
    int count = 0;
    while (count < mel->params.n_mels && middle_of(mel, count) < hz)
        count++;
    return count;
}

void ebb_voice_init(struct ebb_voice *voice, const struct ebb_mel *mel)
{
    int low = bands_below(mel, LOW_HZ), most = EBB_SNR_FRAMES / 4;
    double lag = round(SYLLABLE * mel->params.sample_rate / mel->params.hop);
    *voice = (struct ebb_voice){
        .bands = mel->params.n_mels,
        .low = low < MOST_LOW ? low : MOST_LOW,
        .from = bands_below(mel, FROM_HZ),
        .to = bands_below(mel, TO_HZ),
        .lag = (int)fmin(fmax(lag, 1), most),
    };
}

void ebb_voice_reset(struct ebb_voice *voice)
{
    voice->count = 0;
}

// The levels of a frame in dB, less their mean over the bands around: harmonics are what stands out.
static void find_ripple(const float *kept, int bands, double *ripple)
{
    double level[MOST_LOW], most = -300;
    for (int band = 0; band < bands; band++) {
        level[band] = 10 * log10(fmax(kept[band], 1e-30));
        most = fmax(most, level[band]);
    }
    for (int band = 0; band < bands; band++)
        level[band] = fmax(level[band], most - DEPTH);
    for (int band = 0; band < bands; band++) {
        double around = 0;
        for (int i = band - REACH; i <= band + REACH; i++)
            around += level[i < 0 ? 0 : i >= bands ? bands - 1 : i] / (2 * REACH + 1);
        ripple[band] = level[band] - around;
    }
}

// The greatest correlation of a frame's ripple with itself some bands higher. The 1 (in dB^2) keeps a flat
// frame at 0.
static double harmonic_of(const float *kept, int bands)
{
    if (bands <= WIDEST)
        return 0;
    double ripple[MOST_LOW], power = 1, most = -1;
    find_ripple(kept, bands, ripple);
    for (int band = 0; band < bands; band++)
        power += ripple[band] * ripple[band] / bands;
    for (int lag = NEAREST; lag <= WIDEST; lag++) {
        double sum = 0;
        for (int band = lag; band < bands; band++)
            sum += ripple[band] * ripple[band - lag];
        most = fmax(most, sum / (bands - lag) / power);
    }
    return most;
}

static double sum_of(const float *power, int from, int to)
{
    double sum = 0;
    for (int band = from; band < to; band++)
        sum += power[band];
    return sum;
}

void ebb_voice_add(struct ebb_voice *voice, const float *kept, const float *taken)
{
    size_t at = voice->count++ % EBB_SNR_FRAMES;
    voice->kept[at] = sum_of(kept, 0, voice->bands);
    voice->harmonic[at] = harmonic_of(kept, voice->low);
    voice->loud[at] = pow(sum_of(kept, voice->from, voice->to), LOUDNESS);
    voice->taken[at] = sum_of(taken, 0, voice->bands);
    voice->beside[at] = sum_of(taken, voice->from, voice->to);
    voice->kept_loud[at] = pow(voice->kept[at], LOUDNESS);
    voice->taken_loud[at] = pow(voice->taken[at], LOUDNESS);
}

static size_t frames_of(const struct ebb_voice *voice)
{
    return voice->count < EBB_SNR_FRAMES ? voice->count : EBB_SNR_FRAMES;
}

static double harmonic_over(const struct ebb_voice *voice, size_t frames)
{
    double sum = 0, kept = 0;
    for (size_t i = 0; i < frames; i++) {
        sum += voice->harmonic[i] * voice->kept[i];
        kept += voice->kept[i];
    }
    return kept > 0 ? sum / kept : 0;
}

// How far the loudness moves within SYLLABLE, over how far it moves at all: near 0 for what changes slowly
// or lies beside long pauses, 1 for syllables. What turns at an even pace, as steps do, moves further: it is
// no more like a voice for that.
static double pace_over(const struct ebb_voice *voice, size_t frames)
{
    size_t first = voice->count - frames, lag = (size_t)voice->lag;
    double mean = 0, moved = 0, spread = 0;
    for (size_t i = 0; i < frames; i++)
        mean += voice->loud[i] / frames;
    for (size_t i = 0; i < frames; i++) {
        spread += (voice->loud[i] - mean) * (voice->loud[i] - mean) / frames;
        if (i >= lag) {
            double step = voice->loud[(first + i) % EBB_SNR_FRAMES] -
                          voice->loud[(first + i - lag) % EBB_SNR_FRAMES];
            moved += step * step / (frames - lag);
        }
    }
    return spread > 1e-12 * mean * mean ? fmin(moved / (2 * spread), 1) : 0;
}

double ebb_voice_likeness(const struct ebb_voice *voice)
{
    size_t frames = frames_of(voice);
    if (frames <= (size_t)voice->lag + 2)
        return 0;
    return harmonic_over(voice, frames) + PACE * pace_over(voice, frames);
}

double ebb_voice_beside_db(const struct ebb_voice *voice)
{
    double taken = 0, beside = 0;
    for (size_t i = 0; i < frames_of(voice); i++) {
        taken += voice->taken[i];
        beside += voice->beside[i];
    }
    return taken > 0 ? 10 * log10(fmax(beside / taken, 1e-10)) : -100;
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return count > 0 ? sum / count : 0;
}

double ebb_voice_together(const struct ebb_voice *voice)
{
    size_t frames = frames_of(voice);
    double kept = mean_of(voice->kept_loud, frames), taken = mean_of(voice->taken_loud, frames);
    double product = 0, kept_spread = 0, taken_spread = 0;
    for (size_t i = 0; i < frames; i++) {
        double a = voice->kept_loud[i] - kept, b = voice->taken_loud[i] - taken;
        product += a * b;
        kept_spread += a * a;
        taken_spread += b * b;
    }
    double still = 1e-12 * frames;
    bool moves = kept_spread > still * kept * kept && taken_spread > still * taken * taken;
    return moves ? product / sqrt(kept_spread * taken_spread) : 0;
}
