// SPDX-License-Identifier: LGPL-2.1-or-later
// A text encoder made ready for texts of one length.
#ifndef EBB_MODEL_TEXT_PLAN_H
#define EBB_MODEL_TEXT_PLAN_H

#include <ebb/device.h>

#include "nets/nets.h"

struct ebb_text_plan;

// For n texts of `tokens` tokens each. NULL on failure.
struct ebb_text_plan *ebb_text_plan_create(struct ebb_device *device, const struct ebb_text_encoder *encoder,
                                           int n, int tokens, struct ebb_error *error);
void ebb_text_plan_destroy(struct ebb_text_plan **plan);

// `last` receives the states of the tokens (n, tokens, width), `pooled` (may be NULL) that of each text,
// where the encoder has one. Pads are not seen. EBB_INVALID: an id is outside the vocabulary.
enum ebb_result ebb_text_plan_run(struct ebb_text_plan *plan, const int *ids, float *last, float *pooled,
                                  struct ebb_error *error);

// The same on rows (n, tokens, width) in place of ids; `seen` (n, tokens), NULL: all tokens are.
enum ebb_result ebb_text_plan_run_rows(struct ebb_text_plan *plan, const float *rows, const bool *seen,
                                       float *last, struct ebb_error *error);

#endif
