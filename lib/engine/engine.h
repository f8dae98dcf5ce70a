// What the engines keep for one loaded model: plans and buffers by size, the mel's tables. Everything is made on first use and
// stays until the model moves to another device or is closed.
#ifndef EBB_ENGINE_ENGINE_H
#define EBB_ENGINE_ENGINE_H

#include "audio/phase.h"
#include "engine/loop.h"
#include "model/folder.h"

// Loads the model on the default device if it is not loaded yet.
enum ebb_result ebb_engine_ready(struct ebb_model *model, struct ebb_error *error);

// All of these need a model that is ready and an `error` that is not NULL. NULL on failure; owned by the model.
struct ebb_loop *ebb_engine_loop(struct ebb_model *model, const struct ebb_loop_size *size, struct ebb_error *error);
struct ebb_mel *ebb_engine_mel(struct ebb_model *model, struct ebb_error *error);
struct ebb_phase *ebb_engine_phase(struct ebb_model *model, size_t frames, struct ebb_error *error); // a workspace

// A state (h, w, c) of `w` columns as the mel it stands for, (n_mels, w * state_stride): through the autoencoder where
// there is one.
enum ebb_result ebb_engine_decode(struct ebb_model *model, const float *state, int w, float *mel,
                                  struct ebb_error *error);

// And back: (n_mels, w * state_stride) -> (h, w, c); of an autoencoder's answer the mean.
enum ebb_result ebb_engine_encode(struct ebb_model *model, const float *mel, int w, float *state,
                                  struct ebb_error *error);

#endif
