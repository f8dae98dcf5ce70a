// SPDX-License-Identifier: LGPL-2.1-or-later
// Classifier guidance on a device: the gradient of log p(label | x, t) is added to the network's answer
// (Dhariwal and Nichol 2021). The classifier has a plan of its own, made for the first run that uses it. A
// run allocates nothing between its steps.
#ifndef EBB_PROCESS_CLASSIFIER_GUIDANCE_H
#define EBB_PROCESS_CLASSIFIER_GUIDANCE_H

#include "diffusion/guidance.h"
#include "graph/plan.h"
#include "nets/nets.h"

// The labels; their shares are those of struct ebb_guidance.
struct ebb_classifier_guidance_job {
    const struct ebb_classifier *classifier; // borrowed; NULL: the model has none
    int label[EBB_GUIDANCE_LABELS];          // as many as the guidance has
};

struct ebb_classifier_guidance;

// For one state (h, w, c) at a time. Device and classifier are borrowed. NULL on failure.
struct ebb_classifier_guidance *ebb_classifier_guidance_create(struct ebb_device *device,
                                                               const struct ebb_classifier *classifier, int h,
                                                               int w, int c, struct ebb_error *error);
void ebb_classifier_guidance_destroy(struct ebb_classifier_guidance **guidance);

// Before a run: takes the timesteps of all evaluations, the labels and the guidance. Allocates only when
// `evals` grows.
enum ebb_result ebb_classifier_guidance_prepare(struct ebb_classifier_guidance *classifier,
                                                const struct ebb_classifier_guidance_job *job,
                                                const struct ebb_guidance *guidance, const double *timesteps,
                                                int evals, struct ebb_error *error);

// One evaluation: the state's noise level, and how the network's input and answer relate to the state.
struct ebb_classifier_guidance_at {
    int row;             // number of the evaluation in the run, from 0
    double alpha, sigma; // of the state
    double input_scale;  // the network's input / the state
    enum ebb_prediction prediction;
    double sigma_data;
};

// Computes the gradient at `input` (h, w, c), and in `weight` its factor in the network's answer, bounded
// by ebb_guidance_bound(); 0 where the state is noise alone. Waits for the device.
enum ebb_result ebb_classifier_guidance_evaluate(struct ebb_classifier_guidance *classifier, double scale,
                                                 const struct ebb_classifier_guidance_at *at,
                                                 struct ebb_buffer *input, double *weight,
                                                 struct ebb_error *error);
// The gradient (h, w, c) of the last evaluation; owned by `classifier`.
struct ebb_buffer *ebb_classifier_guidance_gradient(struct ebb_classifier_guidance *classifier);

#endif
