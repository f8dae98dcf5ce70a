// SPDX-License-Identifier: LGPL-2.1-or-later
// The workspace of a loaded model: plans and buffers by size, and the tables of its mel. Each is made on
// first use and stays until the model moves to another device or is closed.
#ifndef EBB_MODEL_WORKSPACE_H
#define EBB_MODEL_WORKSPACE_H

#include "audio/phase.h"
#include "model/model.h"
#include "model/precision.h"
#include "process/reverse.h"

struct ebb_workspace;
void ebb_workspace_destroy(struct ebb_workspace **workspace);

// Loads the model on the default device if it is not loaded yet.
enum ebb_result ebb_model_ready(struct ebb_model *model, struct ebb_error *error);

// In the calls below the model is ready and `error` is not NULL. Results are owned by the model; NULL on
// failure.
struct ebb_reverse *ebb_workspace_reverse(struct ebb_model *model, const struct ebb_reverse_size *size,
                                          struct ebb_error *error);
// Whether the U-Net is to be evaluated in bfloat16, see precision.h.
enum ebb_result ebb_workspace_bf16(struct ebb_model *model, enum ebb_precision precision, bool *bf16,
                                   struct ebb_error *error);
struct ebb_mel *ebb_workspace_mel(struct ebb_model *model, struct ebb_error *error);
struct ebb_phase *ebb_workspace_phase(struct ebb_model *model, size_t frames,
                                      struct ebb_error *error); // with room for so many frames

// ---- coder.c ----

struct ebb_coder; // encoder or decoder of an autoencoder, planned for one width
struct ebb_coder **ebb_workspace_coders(struct ebb_model *model); // a list, owned by the model
void ebb_coders_destroy(struct ebb_coder **coders);
// Decodes: a state (h, w, c) of `w` columns -> the mel that it stands for, (n_mels, w * state_stride). Uses
// the autoencoder where the model has one.
enum ebb_result ebb_workspace_decode(struct ebb_model *model, const float *state, int w, float *mel,
                                     struct ebb_error *error);

// Encodes: (n_mels, w * state_stride) -> (h, w, c). With an autoencoder, the state is the mean of its
// answer.
enum ebb_result ebb_workspace_encode(struct ebb_model *model, const float *mel, int w, float *state,
                                     struct ebb_error *error);

#endif
