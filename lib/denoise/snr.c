// SPDX-License-Identifier: LGPL-2.1-or-later
#include "denoise/snr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

bool ebb_snr_init(struct ebb_snr *snr, int bands, const double *width, size_t span)
{
    *snr = (struct ebb_snr){.bands = bands, .span = span};
    snr->seen = ebb_alloc(bands, sizeof(*snr->seen));
    snr->levels = ebb_alloc(span * bands, sizeof(*snr->levels));
    snr->bias = ebb_alloc(bands, sizeof(*snr->bias));
    for (int band = 0; band < bands && snr->bias; band++)
        snr->bias[band] = 1 + 4 / fmax(width[band], 1e-3); // narrow bands fluctuate more
    return snr->seen && snr->levels && snr->bias;
}

void ebb_snr_free(struct ebb_snr *snr)
{
    free(snr->seen);
    free(snr->levels);
    free(snr->bias);
    *snr = (struct ebb_snr){0};
}

void ebb_snr_reset(struct ebb_snr *snr)
{
    memset(snr->seen, 0, snr->bands * sizeof(*snr->seen));
    snr->count = 0;
}

static int level_of(float power)
{
    double db = 10 * log10(fmax(power, 1e-30)) - EBB_SNR_LOWEST;
    return (int)fmin(fmax(db, 0), EBB_SNR_LEVELS - 1);
}

void ebb_snr_add(struct ebb_snr *snr, const float *power)
{
    size_t at = snr->count % snr->span;
    uint16_t *levels = snr->levels + at * snr->bands;
    snr->total[at] = 0;
    for (int band = 0; band < snr->bands; band++) {
        if (snr->count >= snr->span)
            snr->seen[band][levels[band]]--;
        levels[band] = (uint16_t)level_of(power[band]);
        snr->seen[band][levels[band]]++;
        snr->total[at] += power[band];
    }
    snr->count++;
}

// The 10th percentile, to a dB.
static int floor_of(const uint16_t seen[EBB_SNR_LEVELS], size_t frames)
{
    size_t rank = (frames + 9) / 10, below = 0;
    for (int level = 0; level < EBB_SNR_LEVELS; level++) {
        below += seen[level];
        if (below >= rank)
            return level;
    }
    return EBB_SNR_LEVELS - 1;
}

double ebb_snr_db(const struct ebb_snr *snr)
{
    size_t frames = snr->count < snr->span ? snr->count : snr->span;
    if (frames == 0)
        return NAN;

    double noise = 0, mean = 0;
    for (int band = 0; band < snr->bands; band++)
        noise += snr->bias[band] * pow(10, (floor_of(snr->seen[band], frames) + EBB_SNR_LOWEST + 0.5) / 10);
    for (size_t i = 0; i < frames; i++)
        mean += snr->total[i] / frames;
    return 10 * log10(fmax(mean - noise, 1e-3 * noise) / noise);
}

void ebb_power_split_add(struct ebb_power_split *split, double kept, double taken, double between)
{
    size_t at = split->count++ % split->span;
    split->kept[at] = kept;
    split->taken[at] = taken;
    split->between[at] = between;
}

static double mean_of(const struct ebb_power_split *split, const double *power)
{
    size_t frames = split->count < split->span ? split->count : split->span;
    double sum = 0;
    for (size_t i = 0; i < frames; i++)
        sum += power[i];
    return frames > 0 ? sum / frames : 0;
}

double ebb_power_split_kept(const struct ebb_power_split *split)
{
    return mean_of(split, split->kept);
}

double ebb_power_split_taken(const struct ebb_power_split *split)
{
    return mean_of(split, split->taken);
}

double ebb_power_split_unsure(const struct ebb_power_split *split)
{
    double between = mean_of(split, split->between),
           all = ebb_power_split_kept(split) + ebb_power_split_taken(split) + between;
    return all > 0 ? 2 * between / all : 0;
}

double ebb_power_split_db(const struct ebb_power_split *split)
{
    double kept = ebb_power_split_kept(split), taken = ebb_power_split_taken(split);
    return split->count > 0 ? 10 * log10(fmax(kept, 1e-10 * taken) / fmax(taken, 1e-10 * kept)) : NAN;
}

// A share of the noise's power that is added to both ratios. For noise alone both are small by chance: one is
// the power that fluctuates above the floor, the other the power that the network missed. Without the share,
// the doubt would be the quotient of two such numbers. Noise alone is seldom more than 7 dB above its floor:
// further above, the share vanishes.
static double no_difference(double snr)
{
    const double share = 0.2, noise_alone = 5;
    return share / (1 + snr / noise_alone * (snr / noise_alone));
}

enum { BEGINNING = 24 }; // 0.25 s: longer than a hit

double ebb_doubt_db(double snr_db, double split_db, size_t frames)
{
    if (frames < BEGINNING)
        return snr_db - split_db;
    double snr = pow(10, snr_db / 10), same = no_difference(snr);
    return 10 * log10((snr + same) / (pow(10, split_db / 10) + same));
}
