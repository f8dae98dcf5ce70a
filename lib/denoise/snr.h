// SPDX-License-Identifier: LGPL-2.1-or-later
// How noisy the last seconds of a recording are, measured in two ways. The first takes the quietest power of
// every band for noise. The second takes for noise what the network would remove.
#ifndef EBB_DENOISE_SNR_H
#define EBB_DENOISE_SNR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// EBB_SNR_FRAMES: the longest span, 4 s at hop 512 and 48 kHz. Levels are in steps of 1 dB from
// EBB_SNR_LOWEST, so that recordings 100 dB below and 240 dB above full scale can be measured.
enum { EBB_SNR_FRAMES = 375, EBB_SNR_LEVELS = 450, EBB_SNR_LOWEST = -200 };

struct ebb_snr {
    int bands;
    size_t span;                      // frames that count
    double *bias;                     // per band: mean power of noise over its floor (the 10th percentile)
    uint16_t (*seen)[EBB_SNR_LEVELS]; // per band: how often each level occurred
    uint16_t *levels;                 // (EBB_SNR_FRAMES, bands), a ring
    double total[EBB_SNR_FRAMES];     // power of all bands, a ring
    size_t count;                     // frames so far
};

// `width`: per band, the sum of its weights over the bins; `span`: at most EBB_SNR_FRAMES. false: no memory.
bool ebb_snr_init(struct ebb_snr *snr, int bands, const double *width, size_t span);
void ebb_snr_free(struct ebb_snr *snr);
void ebb_snr_reset(struct ebb_snr *snr);

// Adds the band powers of the next frame.
void ebb_snr_add(struct ebb_snr *snr, const float *power);
// The ratio in dB; NAN before the first frame.
double ebb_snr_db(const struct ebb_snr *snr);

// Power of all bands that the network keeps of each frame, power that it removes, and power that is neither:
// a gain g keeps g^2 of a cell's power and removes (1 - g)^2, and 2 g (1 - g) is between. All zeros: no frame
// yet.
struct ebb_power_split {
    double kept[EBB_SNR_FRAMES], taken[EBB_SNR_FRAMES], between[EBB_SNR_FRAMES]; // rings
    size_t span;  // frames that count, at most EBB_SNR_FRAMES
    size_t count; // frames so far
};

// Adds the powers of the next frame.
void ebb_power_split_add(struct ebb_power_split *split, double kept, double taken, double between);
// Kept over taken, -100..100 dB; NAN before the first frame.
double ebb_power_split_db(const struct ebb_power_split *split);
// Mean powers; 0 before the first frame.
double ebb_power_split_kept(const struct ebb_power_split *split);
double ebb_power_split_taken(const struct ebb_power_split *split);
// How unsure the network is, 0..1: 4 g (1 - g) of its gains, weighed by power. 0 before the first frame.
double ebb_power_split_unsure(const struct ebb_power_split *split);

// By how many dB the network would remove more than the noise of the quietest frames. `frames`: frames heard
// so far. In the first 0.25 s the difference of both ratios counts alone: the beginning of a sound has no
// quieter frames, and is not noise for that reason.
double ebb_doubt_db(double snr_db, double split_db, size_t frames);

#endif
