// Guidance as weights over the network's answers: what to add up, not how. Works on any prediction, since all are linear in
// eps at one level.
#ifndef EBB_DIFFUSION_GUIDANCE_H
#define EBB_DIFFUSION_GUIDANCE_H

#include <ebb/schedule.h>

enum { EBB_GUIDANCE_LABELS = 7 };

struct ebb_guidance {
    double scale;    // g of u + g (c - u), 0..1000; 1: none (Ho 2022 writes 1 + w)
    double from, to; // diffusion times within which it acts, 0 <= from <= to <= 1; outside g is 1 (Kynkaanniemi 2024)
    double rescale;  // 0..1: how far the deviation is brought back to that of c (Lin 2023); 0: not
    double classifier; // scale of classifier guidance, 0..1000; 0: none
    int labels;      // conditional answers, 1..EBB_GUIDANCE_LABELS
    double share[EBB_GUIDANCE_LABELS]; // of each label in the mixture, 0 or more, not all 0
};

// One label, no guidance, at all times.
void ebb_guidance_default(struct ebb_guidance *guidance);
enum ebb_result ebb_guidance_check(const struct ebb_guidance *guidance, struct ebb_error *error);

// g of the other convention, (1 + w) c - w u.
double ebb_guidance_of_w(double w);

// What the answers are multiplied by at diffusion time t: weight[0] for the base (no label, or the negative one), then one
// per label. They add up to 1. Returns how many of them are not 0; a base of weight 0 need not be evaluated.
int ebb_guidance_weights(const struct ebb_guidance *guidance, double t, double weight[EBB_GUIDANCE_LABELS + 1]);

// What the guided answer is multiplied by, from the standard deviations (over one item) of the conditional and the guided.
double ebb_guidance_rescaled(const struct ebb_guidance *guidance, double conditional, double guided);

// Classifier guidance (Dhariwal 2021): weight of grad log p(label | x) on top of the answer, so that
// eps' = eps - scale * sigma * grad, whatever is predicted.
double ebb_guidance_of_classifier(double scale, enum ebb_prediction prediction, double alpha, double sigma, double sigma_data);

// What that gradient (its root mean square over a state is `rms`) is multiplied by beforehand, at most 1. It moves the clean
// estimate by sigma^2 / alpha * grad, which for a perfect classifier is E[x_0 | x, label] - E[x_0 | x]: no more than what
// clean states differ by, taken as 1. A trained one knows nothing near pure noise and says it loudly, divided by alpha.
double ebb_guidance_bound(double rms, double alpha, double sigma);

#endif
