// SPDX-License-Identifier: LGPL-2.1-or-later
// Guidance as weights for the network's answers; lib/process adds the answers up. The weights hold for
// every prediction, because at one noise level each is linear in eps.
#ifndef EBB_DIFFUSION_GUIDANCE_H
#define EBB_DIFFUSION_GUIDANCE_H

#include <ebb/schedule.h>

enum { EBB_GUIDANCE_LABELS = 7 };

struct ebb_guidance {
    double scale;      // g of u + g (c - u), 0..1000; 1: none (Ho 2022 calls it 1 + w)
    double from, to;   // guidance acts from .. to, 0 <= from <= to <= 1; otherwise g is 1 (Kynkaanniemi 2024)
    double rescale;    // 0..1: how far the answer's deviation is brought back to that of c (Lin 2023)
    double classifier; // scale of classifier guidance, 0..1000; 0: none
    int labels;        // conditional answers, 1..EBB_GUIDANCE_LABELS
    double share[EBB_GUIDANCE_LABELS]; // of each label in the mixture, 0 or more, not all 0
};

// One label, no guidance, at all times.
void ebb_guidance_default(struct ebb_guidance *guidance);
enum ebb_result ebb_guidance_check(const struct ebb_guidance *guidance, struct ebb_error *error);

// Weights of the answers at diffusion time t: weight[0] of the base (no label, or the negative label), then
// one per label. They add up to 1. Returns how many are not 0; a base of weight 0 need not be evaluated.
int ebb_guidance_weights(const struct ebb_guidance *guidance, double t,
                         double weight[EBB_GUIDANCE_LABELS + 1]);

// The factor that `rescale` puts on the guided answer, from the standard deviations (over one state) of the
// conditional and the guided answer.
double ebb_guidance_rescaled(const struct ebb_guidance *guidance, double conditional, double guided);

// Classifier guidance (Dhariwal 2021): the weight of grad log p(label | x) in the network's answer, such
// that eps' = eps - scale * sigma * grad for every prediction.
double ebb_guidance_of_classifier(double scale, enum ebb_prediction prediction, double alpha, double sigma,
                                  double sigma_data);

// A factor that bounds the classifier's gradient, at most 1. `rms` is the gradient's root mean square over
// a state. The gradient moves the clean estimate by sigma^2 / alpha * grad. With a perfect classifier that
// is E[x_0 | x, label] - E[x_0 | x], so not more than two clean states differ, taken as 1. A trained
// classifier is wrong near pure noise, and the division by alpha makes its errors large there.
double ebb_guidance_bound(double rms, double alpha, double sigma);

#endif
