// SPDX-License-Identifier: LGPL-2.1-or-later
// A model's vocoder, made ready for mels of one length.
#ifndef EBB_MODEL_VOCODER_PLAN_H
#define EBB_MODEL_VOCODER_PLAN_H

#include "model/workspace.h"

struct ebb_vocoder_plan;
void ebb_vocoder_plan_destroy(struct ebb_vocoder_plan **reference);
struct ebb_vocoder_plan **ebb_workspace_vocoder_plan(struct ebb_model *model); // owned by the model

// The samples of a mel (n_mels, frames) through the model's vocoder. What it makes beyond `count` is cut off;
// what it does not reach is 0. The model is ready, `error` is not NULL.
enum ebb_result ebb_vocoder_plan_run(struct ebb_model *model, const float *mel, int frames, float *samples,
                                     size_t count, struct ebb_error *error);

#endif
