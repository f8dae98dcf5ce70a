// Classifier guidance on a device: what the gradient of log p(label | x, t) adds to the network's answer (Dhariwal and
// Nichol 2021). A plan of its own, made when a run first asks for it; a run allocates nothing between its steps.
#ifndef EBB_ENGINE_STEER_H
#define EBB_ENGINE_STEER_H

#include "diffusion/guidance.h"
#include "graph/plan.h"
#include "nets/nets.h"

// Which labels, and by how much. Shares are those of the guidance.
struct ebb_steer_job {
    const struct ebb_classifier *classifier; // borrowed; NULL: the model has none
    int label[EBB_GUIDANCE_LABELS];          // as many as the guidance has
};

struct ebb_steer;

// For states (h, w, c) of one item.
struct ebb_steer *ebb_steer_create(struct ebb_device *device, const struct ebb_classifier *classifier, int h, int w, int c,
                                   struct ebb_error *error);
void ebb_steer_destroy(struct ebb_steer **steer);

// Before the loop: the times of all evaluations and what they are led to. Allocates only when `evals` grows.
enum ebb_result ebb_steer_prepare(struct ebb_steer *steer, const struct ebb_steer_job *job, const struct ebb_guidance *guidance,
                                  const double *timesteps, int evals, struct ebb_error *error);

// One evaluation: where the state stands, and what the network was shown of it.
struct ebb_steer_at {
    int row;                    // of the evaluations prepared
    double alpha, sigma;        // of the state
    double input_scale;         // the network's input is so many times the state
    enum ebb_prediction prediction;
    double sigma_data;
};

// Evaluates the gradient at `input` (h, w, c) and its weight in the network's answer, bounded as ebb_guidance_bound() says; 0
// where the state is noise alone. Waits for the device.
enum ebb_result ebb_steer_look(struct ebb_steer *steer, double scale, const struct ebb_steer_at *at, struct ebb_buffer *input,
                               double *weight, struct ebb_error *error);
struct ebb_buffer *ebb_steer_gradient(struct ebb_steer *steer); // (h, w, c), of the last look

#endif
