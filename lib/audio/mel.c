// The filterbank: Slaney's or HTK's scale, triangles over the FFT bins, as librosa builds them.
#include "audio/mel.h"

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
        .level = EBB_MEL_LEVEL_TRUE,
        .db_center = -40,
        .db_range = 50,
        .top_db = 80,
    };
}

// Slaney: linear to 1 kHz, then 27 steps for a factor of 6.4.
static const double slaney_step = 200.0 / 3, slaney_knee = 1000;

static double to_mel(enum ebb_mel_scale scale, double hz)
{
    if (scale == EBB_MEL_HTK)
        return 2595 * log10(1 + hz / 700);
    return hz < slaney_knee ? hz / slaney_step : slaney_knee / slaney_step + log(hz / slaney_knee) / (log(6.4) / 27);
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
        return ebb_fail(error, EBB_INVALID, "mel: sample rate %d is outside 1..1000000", p->sample_rate);
    if (p->n_fft < 16 || p->n_fft > 65536 || p->n_fft % 2)
        return ebb_fail(error, EBB_INVALID, "mel: n_fft %d is not an even number in 16..65536", p->n_fft);
    if (p->hop < 1 || p->hop > p->n_fft)
        return ebb_fail(error, EBB_INVALID, "mel: hop %d is outside 1..n_fft (%d)", p->hop, p->n_fft);
    if (p->n_mels < 1 || p->n_mels > p->n_fft / 2)
        return ebb_fail(error, EBB_INVALID, "mel: %d bands are outside 1..n_fft / 2 (%d)", p->n_mels, p->n_fft / 2);
    if (!(p->fmin >= 0 && p->fmin < p->fmax && p->fmax <= 1e6))
        return ebb_fail(error, EBB_INVALID, "mel: the range %g..%g Hz is not ascending from 0 or more", p->fmin, p->fmax);
    if (p->level == EBB_MEL_LEVEL_TRUE && !(isfinite(p->db_center) && p->db_range > 0 && p->db_range < 1000))
        return ebb_fail(error, EBB_INVALID, "mel: a dB range of %g around %g is not usable", p->db_range, p->db_center);
    if (p->level == EBB_MEL_LEVEL_DIFFUSERS && !(p->top_db > 0 && p->top_db < 1000))
        return ebb_fail(error, EBB_INVALID, "mel: top_db %g is outside 0..1000", p->top_db);
    return EBB_OK;
}

static bool allocate(struct ebb_mel *mel)
{
    const struct ebb_mel_params *p = &mel->params;
    mel->stft = ebb_stft_create(p->n_fft, p->hop);
    if (!mel->stft)
        return false;

    mel->bands = ebb_alloc((size_t)p->n_mels, sizeof(*mel->bands));
    mel->column = ebb_stft_alloc_real(mel->stft, 1);
    mel->per_bin = ebb_fft_alloc(1, (size_t)p->n_mels);
    mel->standing = ebb_fft_alloc(2 * EBB_GRAIN_REACH + 1, (size_t)p->n_mels);
    mel->grain_gain = ebb_stft_alloc_real(mel->stft, 1);
    mel->power = ebb_stft_alloc_real(mel->stft, 1);
    mel->bin_power = ebb_stft_alloc_real(mel->stft, 1);
    mel->bins = ebb_stft_alloc_bins(mel->stft, 1);
    mel->band_power = ebb_fft_alloc(1, (size_t)p->n_mels);
    mel->ratio = ebb_fft_alloc(1, (size_t)p->n_mels);
    return mel->bands && mel->column && mel->per_bin && mel->standing && mel->grain_gain && mel->power && mel->bin_power &&
           mel->bins && mel->band_power && mel->ratio && fill_bands(mel);
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
    double scale = params->level == EBB_MEL_LEVEL_TRUE ? 4.0 / params->n_fft : 1;
    mel->scale = (float)(scale * scale);
    mel->floor = ebb_mel_unvalue(mel, -1);
    ebb_mel_prepare_grain(mel);
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
    free(m->grain_gain);
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
    for (int k = 0; k < mel->stft->bins; k++)
        mel->power[k] = (bins[2 * k] * bins[2 * k] + bins[2 * k + 1] * bins[2 * k + 1]) * mel->scale;

    for (int band = 0; band < mel->params.n_mels; band++) {
        const struct ebb_mel_band *b = &mel->bands[band];
        float sum = 0;
        for (int i = 0; i < b->count; i++)
            sum += b->weights[i] * mel->power[b->start + i];
        power[band] = sum;
    }
}

enum ebb_result ebb_mel_analyse(struct ebb_mel *mel, const float *samples, size_t count, float *values,
                                struct ebb_error *error)
{
    size_t frames = ebb_mel_frames(mel, count), bands = (size_t)mel->params.n_mels;
    float *power = ebb_alloc(frames, bands * sizeof(float)); // as the values lie: (n_mels, frames)
    if (!power)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "mel: no memory for %zu frames", frames);

    for (size_t k = 0; k < frames; k++) {
        ebb_stft_frame_of(mel->stft, samples, count, k, mel->bins);
        ebb_mel_power(mel, mel->bins, mel->band_power);
        for (size_t band = 0; band < bands; band++)
            power[band * frames + k] = mel->band_power[band];
    }
    ebb_mel_encode(mel, power, frames, values);
    free(power);
    return EBB_OK;
}

enum ebb_result ebb_mel_spectrogram(struct ebb_mel *mel, const float *samples, size_t count, float *db,
                                    struct ebb_error *error)
{
    (void)error; // nothing can fail: the scratch is there
    size_t frames = ebb_mel_frames(mel, count);
    float scale = 4.0f / (float)mel->params.n_fft;

    for (size_t k = 0; k < frames; k++) {
        ebb_stft_frame_of(mel->stft, samples, count, k, mel->bins);
        for (int i = 0; i < mel->stft->bins; i++) {
            float re = mel->bins[2 * i] * scale, im = mel->bins[2 * i + 1] * scale;
            db[(size_t)i * frames + k] = 10 * log10f(fmaxf(re * re + im * im, 1e-12f));
        }
    }
    return EBB_OK;
}
