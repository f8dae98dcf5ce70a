// How noisy a recording is, over the last four seconds, in two opinions. One knows its band powers alone: what is there in
// every band even when it is quietest is noise. The other is a network's: what it would take away is noise.
#ifndef EBB_ENGINE_SNR_H
#define EBB_ENGINE_SNR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EBB_SNR_FRAMES = 375, EBB_SNR_LEVELS = 100 }; // 4 s at hop 512 and 48 kHz; dB, from -90 on

struct ebb_snr {
    int bands;
    double *bias;                   // per band: its floor (10th percentile) is so much below the noise's mean power
    uint16_t (*seen)[EBB_SNR_LEVELS]; // per band: how often each level
    uint8_t *levels;                // (EBB_SNR_FRAMES, bands), a ring
    double total[EBB_SNR_FRAMES];   // power of all bands, a ring
    size_t count;                   // frames so far
};

// `width`: per band, the sum of its weights over the bins. false: no memory.
bool ebb_snr_init(struct ebb_snr *snr, int bands, const double *width);
void ebb_snr_free(struct ebb_snr *snr);
void ebb_snr_reset(struct ebb_snr *snr);

void ebb_snr_add(struct ebb_snr *snr, const float *power); // the band powers of the next frame
double ebb_snr_db(const struct ebb_snr *snr);              // NAN before the first frame

// Power of all bands that a network would keep of each frame, and take away. All zero: no frame yet.
struct ebb_split {
    double kept[EBB_SNR_FRAMES], taken[EBB_SNR_FRAMES]; // rings
    size_t count;                                       // frames so far
};

void ebb_split_add(struct ebb_split *split, double kept, double taken); // of the next frame
double ebb_split_db(const struct ebb_split *split); // kept over taken, -100..100 dB; NAN before the first frame

#endif
