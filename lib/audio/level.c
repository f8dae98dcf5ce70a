// Band power <-> network value: ours, where level survives, and that of diffusers' Mel class, an 8-bit image relative
// to its loudest cell.
#include "audio/mel.h"

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
    if (mel->params.level != EBB_MEL_LEVEL_TRUE)
        return power;
    return power > mel->floor ? power - mel->floor : 0;
}

// librosa.power_to_db(ref=max, top_db) and the 8-bit step after it, in float32 as numpy does it.
static void encode_diffusers(const struct ebb_mel *mel, float *power, size_t cells, float *values)
{
    float top = (float)mel->params.top_db, loudest = 1e-10f;
    for (size_t i = 0; i < cells; i++)
        loudest = fmaxf(loudest, power[i]);

    float reference = 10 * log10f(loudest);
    for (size_t i = 0; i < cells; i++) {
        float db = 10 * log10f(fmaxf(power[i], 1e-10f)) - reference;
        float step = floorf(fminf(fmaxf((fmaxf(db, -top) + top) * 255 / top, 0), 255) + 0.5f);
        values[i] = step / 255 * 2 - 1;
    }
}

void ebb_mel_encode(const struct ebb_mel *mel, float *power, size_t frames, float *values)
{
    size_t cells = frames * (size_t)mel->params.n_mels;
    if (mel->params.level == EBB_MEL_LEVEL_DIFFUSERS) {
        encode_diffusers(mel, power, cells, values);
        return;
    }
    for (size_t i = 0; i < cells; i++)
        values[i] = ebb_mel_value(mel, power[i]);
}

float ebb_mel_decode(const struct ebb_mel *mel, float value)
{
    if (mel->params.level == EBB_MEL_LEVEL_TRUE)
        return ebb_mel_unvalue(mel, value);

    double x = fmin(fmax(value, -1), 1), step = nearbyint((x / 2 + 0.5) * 255);
    return (float)pow(10, (step * mel->params.top_db / 255 - mel->params.top_db) / 10);
}
