// SPDX-License-Identifier: LGPL-2.1-or-later
// Grain: the roughness of noise, which a network's mel does not hold. A network's mel of rain is smooth.
// The transform of real rain is rough: its cells vary about their mean as those of any noise do (Rayleigh,
// 5.6 dB). Smooth magnitudes would not sound like rain, whatever their phases. So where the mel is smooth,
// white noise takes its magnitudes, cell by cell. Where a tone or an attack stands out, the magnitudes
// stay.
#include "audio/grain.h"

#include "audio/frame_random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// A cell that stands out by fewer dB than the first number is noise, by more than the second is not; in
// between it has a share of noise. The numbers are from recordings after the autoencoder of models/sfx,
// which leaves ripples of a few dB in noise. A rise counts as an attack at fewer dB per frame, such as the
// cracks of a fire.
static const float plain = 5, clear = 12, attack = 5;
// Cells around a cell that stands out belong to it: a Hann window is 4 frames long, a partial 2 bands wide.
enum { REACH = EBB_GRAIN_REACH, ROWS = 2 * REACH + 1 };

// A maximum over fmaxf() is a reduction on which gcc 12 for arm64 fails.
static float larger(float a, float b)
{
    return b > a ? b : a;
}

// Height of values[at] above the values 2 and 4 places before and after it. Outside 0..count-1 there are no
// values.
static float ridge(const float *values, size_t at, size_t count, size_t stride)
{
    float most = 0, value = values[at * stride];
    for (size_t d = 2; d <= 4; d += 2) {
        float before = at >= d ? values[(at - d) * stride] : -INFINITY;
        float after = at + d < count ? values[(at + d) * stride] : -INFINITY;
        most = larger(most, value - larger(before, after));
    }
    return most;
}

// How much a cell stands out: as a peak among the bands, as a peak in time, or as a rise per frame,
// relative to an attack's.
static float stands_out(const float *values, size_t bands, size_t frames, size_t band, size_t frame)
{
    const float *row = values + band * frames;
    float rise = frame >= 2 ? (row[frame] - row[frame - 2]) / 2 : 0;
    float across = ridge(values + frame, band, bands, frames), along = ridge(row, frame, frames, 1);
    return larger(rise * clear / attack, larger(across, along));
}

// A row of the mel's scratch with the values of one frame; ROWS frames are kept, because so many read it.
static void measure_frame(struct ebb_mel *mel, const struct ebb_mel_image *image, size_t frame)
{
    size_t bands = (size_t)mel->params.n_mels;
    float *row = mel->standing + frame % ROWS * bands;
    for (size_t band = 0; band < bands && frame < image->frames; band++)
        row[band] = stands_out(image->values, bands, image->frames, band, frame);
}

// Share of noise per bin: 1 for noise, 0 where a tone or an attack stands out.
static void share_noise(struct ebb_mel *mel, size_t frames, size_t frame, float *share)
{
    const struct ebb_mel_params *p = &mel->params;
    size_t bands = (size_t)p->n_mels;
    float *most = mel->ratio, *band_share = mel->band_power;
    size_t from = frame > REACH ? frame - REACH : 0, to = frame + REACH < frames ? frame + REACH + 1 : frames;

    memset(most, 0, bands * sizeof(float));
    for (size_t k = from; k < to; k++)
        for (size_t band = 0; band < bands; band++)
            most[band] = larger(most[band], mel->standing[k % ROWS * bands + band]);

    float db = (float)(p->coding == EBB_MEL_CODING_ABSOLUTE ? p->db_range : p->top_db / 2);
    for (size_t band = 0; band < bands; band++) {
        size_t low = band > REACH ? band - REACH : 0, high = band + REACH < bands ? band + REACH : bands - 1;
        float worst = 0;
        for (size_t i = low; i <= high; i++)
            worst = larger(worst, most[i] * db);
        float x = fminf(larger((clear - worst) / (clear - plain), 0), 1);
        band_share[band] = x * x * (3 - 2 * x);
    }
    ebb_mel_spread(mel, band_share, share);
}

// White noise of variance 1 over the span, which depends on (seed, sample) alone, so frames and pieces that
// overlap have the same noise. The numbers are uniform: sums of 2048 of them are as good as normal.
static void fill_noise(struct ebb_phase *phase, size_t frames, uint64_t seed, uint64_t first)
{
    size_t hop = (size_t)phase->stft->hop, length = (frames - 1) * hop + (size_t)phase->stft->n_fft;
    for (size_t at = 0; at < length; at += hop) {
        size_t count = length - at < hop ? length - at : hop;
        ebb_frame_random(phase->signal + at, count, seed ^ 0x6772616965u, first + at / hop);
        for (size_t i = at; i < at + count; i++)
            phase->signal[i] = (phase->signal[i] - 0.5f) * sqrtf(12);
    }
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
        float *magnitude = phase->magnitude + k * stft->real_stride,
              *bins = phase->bins + k * stft->bin_stride;
        float *share = phase->noise + k * stft->real_stride;
        measure_frame(mel, image, image->from + k + REACH);
        share_noise(mel, image->frames, image->from + k, share);
        ebb_stft_frame(phase->stft, phase->signal + k * (size_t)stft->hop, noise);
        for (int i = 0; i < stft->bins; i++) {
            float keep = sqrtf(1 - share[i]), put = sqrtf(share[i]) * mel->noise_gain[i] * magnitude[i];
            bins[2 * i] = keep * bins[2 * i] + put * noise[2 * i];
            bins[2 * i + 1] = keep * bins[2 * i + 1] + put * noise[2 * i + 1];
            magnitude[i] = sqrtf(bins[2 * i] * bins[2 * i] + bins[2 * i + 1] * bins[2 * i + 1]);
        }
    }
}
