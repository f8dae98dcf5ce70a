// Grain: what a mel cannot say about noise. A network's mel of rain is smooth, the transform of rain is not: its cells
// scatter about their mean as those of any noise do (Rayleigh, 5.6 dB). Phases for the smooth magnitudes would sound like
// no rain at all. So where the mel is plain, its magnitudes are put on white noise, cell by cell; where a tone or an attack
// stands out, they stay as they are.
#include "audio/mel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// By how many dB a cell may stand out and be noise, and from where on it is none. Between: a share. Set by recordings that went
// through our autoencoder (models/sfx/README.md): what is noise comes out of it in ripples of some dB, which are no partials.
// A rise is an attack by less, so many dB per frame: the cracks of a fire.
static const float plain = 5, clear = 12, attack = 5;
// Cells around one that stands out belong to it: a window is 4 frames long, a partial 2 bands wide.
enum { REACH = EBB_GRAIN_REACH, ROWS = 2 * REACH + 1 };

// By how much values[at] stands out of what lies 2 and 4 before and after it. There is nothing beyond 0 and count.
static float ridge(const float *values, size_t at, size_t count, size_t stride)
{
    float most = 0, value = values[at * stride];
    for (size_t d = 2; d <= 4; d += 2) {
        float before = at >= d ? values[(at - d) * stride] : -INFINITY;
        float after = at + d < count ? values[(at + d) * stride] : -INFINITY;
        most = fmaxf(most, value - fmaxf(before, after));
    }
    return most;
}

// As a peak among the bands, as a peak in time, or by how much it rises per frame, in parts of what makes an attack.
static float stands_out(const float *values, size_t bands, size_t frames, size_t band, size_t frame)
{
    const float *row = values + band * frames;
    float rise = frame >= 2 ? (row[frame] - row[frame - 2]) / 2 : 0;
    return fmaxf(rise * clear / attack, fmaxf(ridge(values + frame, band, bands, frames), ridge(row, frame, frames, 1)));
}

// Frame by frame, kept until it is out of reach: every frame is asked for by ROWS of them.
static void measure_frame(struct ebb_mel *mel, const struct ebb_mel_image *image, size_t frame)
{
    size_t bands = (size_t)mel->params.n_mels;
    float *row = mel->standing + frame % ROWS * bands;
    for (size_t band = 0; band < bands && frame < image->frames; band++)
        row[band] = stands_out(image->values, bands, image->frames, band, frame);
}

// Per bin: 1 for noise, 0 for what stands out.
static void share_noise(struct ebb_mel *mel, size_t frames, size_t frame, float *share)
{
    const struct ebb_mel_params *p = &mel->params;
    size_t bands = (size_t)p->n_mels;
    float *most = mel->ratio, *band_share = mel->band_power;
    size_t from = frame > REACH ? frame - REACH : 0, to = frame + REACH < frames ? frame + REACH + 1 : frames;

    memset(most, 0, bands * sizeof(float));
    for (size_t k = from; k < to; k++)
        for (size_t band = 0; band < bands; band++)
            most[band] = fmaxf(most[band], mel->standing[k % ROWS * bands + band]);

    float db = (float)(p->level == EBB_MEL_LEVEL_TRUE ? p->db_range : p->top_db / 2);
    for (size_t band = 0; band < bands; band++) {
        size_t low = band > REACH ? band - REACH : 0, high = band + REACH < bands ? band + REACH : bands - 1;
        float worst = 0;
        for (size_t i = low; i <= high; i++)
            worst = fmaxf(worst, most[i] * db);
        float x = fminf(fmaxf((clear - worst) / (clear - plain), 0), 1);
        band_share[band] = x * x * (3 - 2 * x);
    }
    ebb_mel_spread(mel, band_share, share);
}

// White noise of variance 1 over the span, a function of (seed, sample) alone: then its transform agrees with itself from frame
// to frame, and from piece to piece. Sums of 2048 uniform numbers are as normal as the sums of normal ones.
static void fill_noise(struct ebb_phase *phase, size_t frames, uint64_t seed, uint64_t first)
{
    size_t hop = (size_t)phase->stft->hop, length = (frames - 1) * hop + (size_t)phase->stft->n_fft;
    for (size_t at = 0; at < length; at += hop) {
        size_t count = length - at < hop ? length - at : hop;
        ebb_phase_draw(phase->signal + at, count, seed ^ 0x6772616965u, first + at / hop);
        for (size_t i = at; i < at + count; i++)
            phase->signal[i] = (phase->signal[i] - 0.5f) * sqrtf(12);
    }
}

// Cells of one band's power in noise: how many independent bins' worth it holds. Bins apart by one and two are correlated,
// the window is a Hann one: their powers by 4/9 and 1/36.
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

// A network that errs as little as it can in dB gives the median of what is random. The mean power of noise is above that:
// by 1.1 dB in the lowest bands, by little where a band has many bins (Wilson and Hilferty 1931).
void ebb_mel_prepare_grain(struct ebb_mel *mel)
{
    for (int band = 0; band < mel->params.n_mels; band++) {
        float median = 1 - 1 / (9 * freedom(&mel->bands[band]));
        mel->ratio[band] = 1 / (median * sqrtf(median)); // of magnitudes: the root of its third power
    }
    ebb_mel_spread(mel, mel->ratio, mel->grain_gain);
    for (int i = 0; i < mel->stft->bins; i++)
        mel->grain_gain[i] /= sqrtf(0.375f * (float)mel->stft->n_fft); // a Hann window's squares have the mean 3/8
}

void ebb_mel_grain(struct ebb_mel *mel, struct ebb_phase *phase, const struct ebb_phase_span *span,
                   const struct ebb_mel_image *image)
{
    const struct ebb_stft *stft = phase->stft;
    float *noise = mel->bins;

    fill_noise(phase, span->frames, image->seed, image->first);
    size_t start = image->from + span->fixed_before;
    for (size_t frame = start > REACH ? start - REACH : 0; frame < start + REACH; frame++)
        measure_frame(mel, image, frame);
    for (size_t k = span->fixed_before; k < span->frames - span->fixed_after; k++) {
        float *magnitude = phase->magnitude + k * stft->real_stride, *bins = phase->bins + k * stft->bin_stride;
        float *share = phase->noise + k * stft->real_stride;
        measure_frame(mel, image, image->from + k + REACH);
        share_noise(mel, image->frames, image->from + k, share);
        ebb_stft_frame(phase->stft, phase->signal + k * (size_t)stft->hop, noise);
        for (int i = 0; i < stft->bins; i++) {
            float keep = sqrtf(1 - share[i]), put = sqrtf(share[i]) * mel->grain_gain[i] * magnitude[i];
            bins[2 * i] = keep * bins[2 * i] + put * noise[2 * i];
            bins[2 * i + 1] = keep * bins[2 * i + 1] + put * noise[2 * i + 1];
            magnitude[i] = sqrtf(bins[2 * i] * bins[2 * i] + bins[2 * i + 1] * bins[2 * i + 1]);
        }
    }
}
