// SPDX-License-Identifier: LGPL-2.1-or-later
// One window of a model that generates: settled recipe -> noise -> reverse process -> state.
#ifndef EBB_GENERATE_WINDOW_H
#define EBB_GENERATE_WINDOW_H

#include "diffusion/noise_address.h"
#include "model/settle.h"
#include "model/workspace.h"

struct ebb_window_job {
    struct ebb_noise_address noise;
    struct ebb_counts *counts; // receives the work of the run; NULL: not counted
    const float *first;        // noise at the start, (h, w, c); NULL: drawn from the address
    const float *start;        // x_0 that the start is noised from, (h, w, c); NULL: zeros
    const float *known;        // held state, where `mask` is 1; both NULL: nothing is held
    const float *mask;
    ebb_reverse_watch watch; // is shown every state of the run; NULL: none
    void *user;
    int ring; // above 0: columns of a ring, which takes the window's place (process/ring.h)
    struct ebb_progress_span progress;
};

size_t ebb_window_count(const struct ebb_model *model); // floats of the state of one window

// Makes the clean state (h, w, c) of one window. The model must be ready.
enum ebb_result ebb_window_make(struct ebb_model *model, const struct ebb_settled *settled,
                                const struct ebb_window_job *job, float *state, struct ebb_error *error);

// The noise that a window starts from, (h, w, c). Not for noise of torch's generator.
enum ebb_result ebb_window_noise(const struct ebb_model *model, const struct ebb_settled *settled,
                                 const struct ebb_noise_address *address, float *noise,
                                 struct ebb_error *error);

// Inversion (DDIM, Song 2021): the state x_t from which the run leads to the clean state `state`. t is the
// settled recipe's start; its steps and guidance are used.
enum ebb_result ebb_window_invert(struct ebb_model *model, const struct ebb_settled *settled,
                                  const float *state, const struct ebb_progress_span *progress,
                                  float *inverted, struct ebb_error *error);

// alpha and sigma at the start of the settled recipe's run: x_t = alpha x_0 + sigma noise.
enum ebb_result ebb_window_start(const struct ebb_settled *settled, double *alpha, double *sigma,
                                 struct ebb_error *error);

// The shape (1, c, h, w) that diffusers has for a state of `columns` columns, and a state from (h, w, c) to
// such latents and back. Where time goes down the network's pictures, its h is our w.
void ebb_window_shape(const struct ebb_model *model, int columns, int shape[4]);
void ebb_window_to_latents(const struct ebb_model *model, int columns, const float *state, float *latents);
void ebb_window_from_latents(const struct ebb_model *model, int columns, const float *latents, float *state);

// Copies `count` columns of the state `from`, from column `first` on, to column `at` and on of the state
// `to`.
void ebb_window_copy_columns(const struct ebb_model *model, float *to, int at, const float *from, int first,
                             int count);

#endif
