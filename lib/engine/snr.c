#include "engine/snr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

bool ebb_snr_init(struct ebb_snr *snr, int bands, const double *width)
{
    *snr = (struct ebb_snr){.bands = bands};
    snr->seen = ebb_alloc(bands, sizeof(*snr->seen));
    snr->levels = ebb_alloc(EBB_SNR_FRAMES, bands);
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
    double db = 10 * log10(fmax(power, 1e-10));
    return (int)floor(fmin(fmax(db, -90), 9.99) + 90);
}

void ebb_snr_add(struct ebb_snr *snr, const float *power)
{
    size_t at = snr->count % EBB_SNR_FRAMES;
    uint8_t *levels = snr->levels + at * snr->bands;
    snr->total[at] = 0;
    for (int band = 0; band < snr->bands; band++) {
        if (snr->count >= EBB_SNR_FRAMES)
            snr->seen[band][levels[band]]--;
        levels[band] = (uint8_t)level_of(power[band]);
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
    size_t frames = snr->count < EBB_SNR_FRAMES ? snr->count : EBB_SNR_FRAMES;
    if (frames == 0)
        return NAN;

    double noise = 0, mean = 0;
    for (int band = 0; band < snr->bands; band++)
        noise += snr->bias[band] * pow(10, (floor_of(snr->seen[band], frames) - 89.5) / 10);
    for (size_t i = 0; i < frames; i++)
        mean += snr->total[i] / frames;
    return 10 * log10(fmax(mean - noise, 1e-3 * noise) / noise);
}

void ebb_split_add(struct ebb_split *split, double kept, double taken)
{
    size_t at = split->count++ % EBB_SNR_FRAMES;
    split->kept[at] = kept;
    split->taken[at] = taken;
}

double ebb_split_db(const struct ebb_split *split)
{
    size_t frames = split->count < EBB_SNR_FRAMES ? split->count : EBB_SNR_FRAMES;
    double kept = 0, taken = 0;
    for (size_t i = 0; i < frames; i++) {
        kept += split->kept[i];
        taken += split->taken[i];
    }
    return frames > 0 ? 10 * log10(fmax(kept, 1e-10 * taken) / fmax(taken, 1e-10 * kept)) : NAN;
}
