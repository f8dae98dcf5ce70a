// SPDX-License-Identifier: LGPL-2.1-or-later
// The filterbank: Slaney's or HTK's scale, triangles over the FFT bins, as librosa builds them.
#include "audio/mel.h"

#include "audio/phase.h"
#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void ebb_mel_params_default(struct ebb_mel_params *params)
{
    *params = (struct ebb_mel_params){
        .sample_rate = 48000,
        .n_fft = 2048,
        .hop = 512,
        .n_mels = 128,
        .fmin = 0,
        .fmax = 24000,
        .scale = EBB_MEL_SLANEY,
        .norm = EBB_MEL_NORM_NONE,
        .coding = EBB_MEL_CODING_ABSOLUTE,
        .db_center = -40,
        .db_range = 50,
        .top_db = 80,
    };
}

void ebb_mel_params_riffusion(struct ebb_mel_params *params, int n_mels)
{
    *params = (struct ebb_mel_params){
        .sample_rate = 44100,
        .n_fft = 17640,
        .window = 4410,
        .hop = 441,
        .n_mels = n_mels,
        .fmin = 0,
        .fmax = 10000,
        .scale = EBB_MEL_HTK,
        .norm = EBB_MEL_NORM_NONE,
        .coding = EBB_MEL_CODING_RIFFUSION,
        .magnitudes = true,
        .curve = 0.25,
        .loudest = 30e6,
    };
}

void ebb_mel_params_audioldm(struct ebb_mel_params *params, int sample_rate, int hop, int n_mels)
{
    *params = (struct ebb_mel_params){
        .sample_rate = sample_rate,
        .n_fft = 1024,
        .hop = hop,
        .n_mels = n_mels,
        .fmin = 0,
        .fmax = fmin(8000, sample_rate / 2.0),
        .scale = EBB_MEL_SLANEY,
        .norm = EBB_MEL_NORM_SLANEY,
        .coding = EBB_MEL_CODING_LOGARITHM,
        .magnitudes = true,
    };
}

// Slaney: linear to 1 kHz, then 27 steps for a factor of 6.4.
static const double slaney_step = 200.0 / 3, slaney_knee = 1000;

static double to_mel(enum ebb_mel_scale scale, double hz)
{
    if (scale == EBB_MEL_HTK)
        return 2595 * log10(1 + hz / 700);
    return hz < slaney_knee ? hz / slaney_step
                            : slaney_knee / slaney_step + log(hz / slaney_knee) / (log(6.4) / 27);
}

static double to_hz(enum ebb_mel_scale scale, double mel)
{
    if (scale == EBB_MEL_HTK)
        return 700 * (pow(10, mel / 2595) - 1);
    double knee = slaney_knee / slaney_step;
    return mel < knee ? mel * slaney_step : slaney_knee * exp((mel - knee) * (log(6.4) / 27));
}

// Weight of a bin at `hz` in the triangle low-middle-high.
static double triangle(const double *edge, double hz)
{
    double up = (hz - edge[0]) / (edge[1] - edge[0]), down = (edge[2] - hz) / (edge[2] - edge[1]);
    double weight = up < down ? up : down;
    return weight > 0 ? weight : 0;
}

static void fill_band(struct ebb_mel *mel, int band, const double *edge, float *row)
{
    const struct ebb_mel_params *p = &mel->params;
    double norm = p->norm == EBB_MEL_NORM_SLANEY ? 2 / (edge[2] - edge[0]) : 1;
    int first = -1, last = -1;

    for (int k = 0; k < mel->stft->bins; k++) {
        row[k] = (float)(triangle(edge, (double)k * p->sample_rate / p->n_fft) * norm);
        mel->column[k] += row[k];
        if (row[k] > 0) {
            first = first < 0 ? k : first;
            last = k;
        }
    }
    float sum = 0;
    for (int k = first; k >= 0 && k <= last; k++)
        sum += row[k];
    mel->per_bin[band] = sum > 0 ? 1 / sum : 0;
    mel->bands[band].start = first < 0 ? 0 : first;
    mel->bands[band].count = first < 0 ? 0 : last - first + 1;
}

// Bands are filled into one dense row at a time and only their non-zero part is kept.
static bool fill_bands(struct ebb_mel *mel)
{
    const struct ebb_mel_params *p = &mel->params;
    double *edges = ebb_alloc((size_t)p->n_mels + 2, sizeof(*edges));
    float *row = ebb_alloc((size_t)mel->stft->bins, sizeof(*row));
    bool ok = edges && row;

    if (ok) {
        double low = to_mel(p->scale, p->fmin), high = to_mel(p->scale, p->fmax);
        for (int i = 0; i < p->n_mels + 2; i++)
            edges[i] = to_hz(p->scale, low + (high - low) * i / (p->n_mels + 1));
    }
    size_t used = 0;
    for (int band = 0; ok && band < p->n_mels; band++) {
        fill_band(mel, band, edges + band, row);
        size_t count = (size_t)mel->bands[band].count;
        float *grown = realloc(mel->weights, (used + count + 1) * sizeof(float));
        ok = grown != NULL;
        if (ok) {
            mel->weights = grown;
            memcpy(grown + used, row + mel->bands[band].start, count * sizeof(float));
            used += count;
        }
    }
    for (size_t band = 0, at = 0; ok && band < (size_t)p->n_mels; at += (size_t)mel->bands[band++].count)
        mel->bands[band].weights = mel->weights + at; // now that they stay where they are
    free(edges);
    free(row);
    return ok;
}

static enum ebb_result check(const struct ebb_mel_params *p, struct ebb_error *error)
{
    if (p->sample_rate < 1 || p->sample_rate > 1000000)
        return ebb_fail(error, EBB_INVALID, "mel: the sample rate is %d, expected 1 to 1000000",
                        p->sample_rate);
    if (p->n_fft < 16 || p->n_fft > 65536 || p->n_fft % 2)
        return ebb_fail(error, EBB_INVALID, "mel: n_fft is %d, expected an even number from 16 to 65536",
                        p->n_fft);
    if (p->hop < 1 || p->hop > p->n_fft)
        return ebb_fail(error, EBB_INVALID, "mel: hop is %d, expected 1 to n_fft, %d", p->hop, p->n_fft);
    if (p->n_mels < 1 || p->n_mels > p->n_fft / 2)
        return ebb_fail(error, EBB_INVALID, "mel: %d bands, expected 1 to n_fft / 2, %d", p->n_mels,
                        p->n_fft / 2);
    if (!(p->fmin >= 0 && p->fmin < p->fmax && p->fmax <= 1e6))
        return ebb_fail(error, EBB_INVALID,
                        "mel: fmin is %g Hz and fmax %g Hz, expected 0 or more, and the larger last", p->fmin,
                        p->fmax);
    if (p->coding == EBB_MEL_CODING_ABSOLUTE &&
        !(isfinite(p->db_center) && p->db_range > 0 && p->db_range < 1000))
        return ebb_fail(error, EBB_INVALID,
                        "mel: the range is %g dB around %g, expected above 0 and below 1000", p->db_range,
                        p->db_center);
    if (p->window != 0 && (p->window < 16 || p->window > p->n_fft))
        return ebb_fail(error, EBB_INVALID, "mel: a window of %d samples, expected 16 to n_fft, %d",
                        p->window, p->n_fft);
    if (p->coding == EBB_MEL_CODING_RIFFUSION &&
        !(p->curve > 0 && p->curve <= 1 && p->loudest > 0 && p->loudest <= 1e12))
        return ebb_fail(error, EBB_INVALID,
                        "mel: the curve is %g up to %g, expected above 0, and at most 1 and 1e12", p->curve,
                        p->loudest);
    if (p->coding == EBB_MEL_CODING_DIFFUSERS && !(p->top_db > 0 && p->top_db < 1000))
        return ebb_fail(error, EBB_INVALID, "mel: top_db is %g, expected above 0 and below 1000", p->top_db);
    return EBB_OK;
}

static bool allocate(struct ebb_mel *mel)
{
    const struct ebb_mel_params *p = &mel->params;
    mel->stft = ebb_stft_create(p->n_fft, p->window ? p->window : p->n_fft, p->hop);
    if (!mel->stft)
        return false;

    mel->bands = ebb_alloc((size_t)p->n_mels, sizeof(*mel->bands));
    mel->column = ebb_stft_alloc_real(mel->stft, 1);
    mel->per_bin = ebb_fft_alloc(1, (size_t)p->n_mels);
    mel->standing = ebb_fft_alloc(2 * EBB_GRAIN_REACH + 1, (size_t)p->n_mels);
    mel->noise_gain = ebb_stft_alloc_real(mel->stft, 1);
    mel->power = ebb_stft_alloc_real(mel->stft, 1);
    mel->bin_power = ebb_stft_alloc_real(mel->stft, 1);
    mel->bins = ebb_stft_alloc_bins(mel->stft, 1);
    mel->band_power = ebb_fft_alloc(1, (size_t)p->n_mels);
    mel->ratio = ebb_fft_alloc(1, (size_t)p->n_mels);
    return mel->bands && mel->column && mel->per_bin && mel->standing && mel->noise_gain && mel->power &&
           mel->bin_power && mel->bins && mel->band_power && mel->ratio && fill_bands(mel);
}

// Number of independent bins in a band, for noise. With a Hann window, the powers of bins one and two apart
// are correlated by 4/9 and 1/36.
static float freedom(const struct ebb_mel_band *band)
{
    const float correlation[] = {1, 4.0f / 9, 1.0f / 36};
    float sum = 0, squares = 0;
    for (int i = 0; i < band->count; i++) {
        sum += band->weights[i];
        for (int j = i > 2 ? i - 2 : 0; j < band->count && j <= i + 2; j++)
            squares += band->weights[i] * band->weights[j] * correlation[abs(i - j)];
    }
    return squares > 0 ? fmaxf(sum * sum / squares, 1) : 1;
}

// A network with the smallest error in dB gives the median of random values. The mean power of noise is
// above its median:
// by 1.1 dB in the lowest bands, by little where a band has many bins (Wilson and Hilferty 1931).
static void fill_noise_gain(struct ebb_mel *mel)
{
    for (int band = 0; band < mel->params.n_mels; band++) {
        float median = 1 - 1 / (9 * freedom(&mel->bands[band]));
        mel->ratio[band] = 1 / (median * sqrtf(median)); // of magnitudes: the root of its third power
    }
    ebb_mel_spread(mel, mel->ratio, mel->noise_gain);
    for (int i = 0; i < mel->stft->bins; i++)
        mel->noise_gain[i] /= sqrtf(0.375f * (float)mel->stft->n_fft); // a Hann window's squares have the
                                                                       // mean 3/8
}

struct ebb_mel *ebb_mel_create(const struct ebb_mel_params *params, struct ebb_error *error)
{
    struct ebb_mel_params defaults;
    ebb_mel_params_default(&defaults);
    if (!params)
        params = &defaults;
    if (check(params, error) != EBB_OK)
        return NULL;

    struct ebb_mel *mel = ebb_alloc(1, sizeof(*mel));
    if (mel)
        mel->params = *params;
    if (!mel || !allocate(mel)) {
        ebb_mel_destroy(&mel);
        ebb_fail(error, EBB_OUT_OF_MEMORY, "mel: no memory for its tables");
        return NULL;
    }
    // The window's sum is n_fft / 2: a periodic Hann's mean is one half.
    double scale = params->coding == EBB_MEL_CODING_ABSOLUTE ? 4.0 / params->n_fft : 1;
    mel->scale = !params->magnitudes                          ? (float)(scale * scale)
                 : params->coding == EBB_MEL_CODING_LOGARITHM ? 1
                                                              : 32768;
    mel->floor = (float)pow(10, (params->db_center - params->db_range) / 10);
    fill_noise_gain(mel);
    return mel;
}

void ebb_mel_destroy(struct ebb_mel **mel)
{
    if (!mel || !*mel)
        return;

    struct ebb_mel *m = *mel;
    ebb_phase_destroy(&m->phase);
    ebb_stft_destroy(&m->stft);
    free(m->bands);
    free(m->weights);
    free(m->column);
    free(m->per_bin);
    free(m->standing);
    free(m->noise_gain);
    free(m->power);
    free(m->bin_power);
    free(m->bins);
    free(m->band_power);
    free(m->ratio);
    free(m);
    *mel = NULL;
}

size_t ebb_mel_frames(const struct ebb_mel *mel, size_t count)
{
    return ebb_stft_frames(mel->stft, count);
}

void ebb_mel_power(struct ebb_mel *mel, const float *bins, float *power)
{
    for (int k = 0; k < mel->stft->bins; k++) {
        float square = bins[2 * k] * bins[2 * k] + bins[2 * k + 1] * bins[2 * k + 1];
        mel->power[k] = (mel->params.magnitudes ? sqrtf(square) : square) * mel->scale;
    }

    for (int band = 0; band < mel->params.n_mels; band++) {
        const struct ebb_mel_band *b = &mel->bands[band];
        float sum = 0;
        for (int i = 0; i < b->count; i++)
            sum += b->weights[i] * mel->power[b->start + i];
        power[band] = sum;
    }
}

void ebb_mel_spread(const struct ebb_mel *mel, const float *band_gain, float *bin_gain)
{
    int bins = mel->stft->bins, first = 0, last = bins - 1;
    for (int k = 0; k < bins; k++)
        bin_gain[k] = 0;
    // Differences from the nearest bin's band would lose the exact 1: blend towards 1 instead.
    for (int band = 0; band < mel->params.n_mels; band++) {
        const struct ebb_mel_band *b = &mel->bands[band];
        for (int i = 0; i < b->count; i++)
            bin_gain[b->start + i] += b->weights[i] * (band_gain[band] - 1);
    }
    for (int k = 0; k < bins; k++)
        bin_gain[k] = mel->column[k] > 0 ? 1 + bin_gain[k] / mel->column[k] : 0;

    while (first < bins - 1 && !(mel->column[first] > 0))
        first++;
    while (last > 0 && !(mel->column[last] > 0))
        last--;
    for (int k = 0; k < first; k++)
        bin_gain[k] = bin_gain[first];
    for (int k = last + 1; k < bins; k++)
        bin_gain[k] = bin_gain[last];
    for (int k = first + 1; k < last; k++) // a gap between bands
        bin_gain[k] = mel->column[k] > 0 ? bin_gain[k] : bin_gain[k - 1];
}
