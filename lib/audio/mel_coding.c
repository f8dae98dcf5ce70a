// SPDX-License-Identifier: LGPL-2.1-or-later
// From band powers to network values and back, in four codings: Ebb's own, which keeps the loudness, that of
// diffusers' Mel class, an 8-bit image relative to its loudest cell, Riffusion's, an 8-bit image of
// magnitudes, and AudioLDM's, logarithms of magnitudes.
#include "audio/mel_coding.h"

#include <math.h>

float ebb_mel_value(const struct ebb_mel *mel, float power)
{
    double db = 10 * log10(fmax(power, 1e-10));
    double x = (db - mel->params.db_center) / mel->params.db_range;
    return (float)fmin(fmax(x, -1), 1);
}

float ebb_mel_unvalue(const struct ebb_mel *mel, float value)
{
    double x = fmin(fmax(value, -1), 1);
    return (float)pow(10, (x * mel->params.db_range + mel->params.db_center) / 10);
}

float ebb_mel_heard(const struct ebb_mel *mel, float power)
{
    if (mel->params.coding != EBB_MEL_CODING_ABSOLUTE)
        return power;
    return power > mel->floor ? power - mel->floor : 0;
}

// librosa.power_to_db(ref=max, top_db) and the 8-bit step after it, in float32 as numpy does it.
static void encode_diffusers(const struct ebb_mel *mel, float *power, size_t cells, float *values)
{
    float top = (float)mel->params.top_db, loudest = 1e-10f;
    for (size_t i = 0; i < cells; i++)
        loudest = power[i] > loudest ? power[i] : loudest;

    float reference = 10 * log10f(loudest);
    for (size_t i = 0; i < cells; i++) {
        float db = 10 * log10f(fmaxf(power[i], 1e-10f)) - reference;
        float step = floorf(fminf(fmaxf((fmaxf(db, -top) + top) * 255 / top, 0), 255) + 0.5f);
        values[i] = step / 255 * 2 - 1;
    }
}

static const float least_magnitude = 1e-5f; // whose logarithm is taken, as AudioLDM has it

static void encode_logarithm(const float *magnitude, size_t cells, float *values)
{
    for (size_t i = 0; i < cells; i++)
        values[i] = logf(magnitude[i] > least_magnitude ? magnitude[i] : least_magnitude);
}

// riffusion's image_from_spectrogram(): 8 bits are cut off, not rounded.
static void encode_riffusion(const struct ebb_mel *mel, const float *magnitude, size_t cells, float *values)
{
    float loudest = 0;
    for (size_t i = 0; i < cells; i++)
        loudest = magnitude[i] > loudest ? magnitude[i] : loudest;
    for (size_t i = 0; i < cells; i++) {
        double share = loudest > 0 ? pow(magnitude[i] / loudest, mel->params.curve) : 0;
        values[i] = (float)(trunc(255 - 255 * share) / 255 * 2 - 1);
    }
}

void ebb_mel_encode(const struct ebb_mel *mel, float *power, size_t frames, float *values)
{
    size_t cells = frames * (size_t)mel->params.n_mels;
    if (mel->params.coding == EBB_MEL_CODING_DIFFUSERS) {
        encode_diffusers(mel, power, cells, values);
        return;
    }
    if (mel->params.coding == EBB_MEL_CODING_RIFFUSION) {
        encode_riffusion(mel, power, cells, values);
        return;
    }
    if (mel->params.coding == EBB_MEL_CODING_LOGARITHM) {
        encode_logarithm(power, cells, values);
        return;
    }
    for (size_t i = 0; i < cells; i++)
        values[i] = ebb_mel_value(mel, power[i]);
}

float ebb_mel_decode(const struct ebb_mel *mel, float value)
{
    if (mel->params.coding == EBB_MEL_CODING_ABSOLUTE)
        return ebb_mel_unvalue(mel, value);

    if (mel->params.coding == EBB_MEL_CODING_LOGARITHM)
        return expf(fminf(value, 80));

    double x = fmin(fmax(value, -1), 1), step = nearbyint((x / 2 + 0.5) * 255);
    if (mel->params.coding == EBB_MEL_CODING_RIFFUSION)
        return (float)(pow((255 - step) / 255, 1 / mel->params.curve) * mel->params.loudest);
    return (float)pow(10, (step * mel->params.top_db / 255 - mel->params.top_db) / 10);
}
