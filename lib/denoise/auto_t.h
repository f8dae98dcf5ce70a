// SPDX-License-Identifier: LGPL-2.1-or-later
// Automatic t: at which diffusion time a channel's next hop is cleaned, by the noise that was measured so
// far. Two measures make it: how noisy the recording is, and what the network would keep and take of it at t
// = 1.
#ifndef EBB_DENOISE_AUTO_T_H
#define EBB_DENOISE_AUTO_T_H

#include "denoise/snr.h"
#include "denoise/voice.h"
#include "model/model.h"

// Automatic t looks back over two spans: all frames that it keeps, and the most recent ones. The recent span
// fits into a pause of speech, where it holds noise alone.
enum ebb_auto_t_span { EBB_SPAN_LONG, EBB_SPAN_RECENT, EBB_SPANS };

struct ebb_auto_t {
    const struct ebb_model *model; // borrowed: its curves
    double hop_seconds;
    struct ebb_snr snr[EBB_SPANS];
    struct ebb_power_split split[EBB_SPANS]; // kept and taken by the network at t = 1
    struct ebb_voice voice;                  // whether what it keeps at t = 1 is a voice
    double heard;                            // mean power that the network has kept; fades slowly
};

// `hop` and `ahead` are in frames of `mel`. false: no memory; ebb_auto_t_free() is due all the same.
bool ebb_auto_t_init(struct ebb_auto_t *auto_t, const struct ebb_model *model, const struct ebb_mel *mel,
                     int hop, int ahead);
void ebb_auto_t_free(struct ebb_auto_t *auto_t);
void ebb_auto_t_reset(struct ebb_auto_t *auto_t);

// Adds the band powers of the recording's next frame.
void ebb_auto_t_add(struct ebb_auto_t *auto_t, const float *power);

// What the network makes of one frame at t = 1: power that it keeps and takes, per band and of all bands, and
// power that is neither (snr.h).
struct ebb_split_frame {
    double kept, taken, between;
    const float *kept_band, *taken_band;
};
// Adds the next frame of a hop.
void ebb_auto_t_add_split(struct ebb_auto_t *auto_t, const struct ebb_split_frame *frame);

// The recording's signal-to-noise ratio in dB; NAN before the first frame.
double ebb_auto_t_snr(const struct ebb_auto_t *auto_t);

// t by that ratio alone, of a model whose network is not asked for its opinion.
double ebb_auto_t_of_snr(const struct ebb_model *model, double snr_db);

// t of the hop whose frames were added last, 0..1. Called once a hop. The model has the curve auto_doubt.
double ebb_auto_t_choose(struct ebb_auto_t *auto_t);

#endif
