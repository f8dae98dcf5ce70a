// SPDX-License-Identifier: LGPL-2.1-or-later
// What the files of settling share: settle.c makes the settings of windows, settle_labels.c reads a recipe's
// labels, settle_edit.c settles edits and inversions, settle_recipe.c writes the values into a recipe.
#ifndef EBB_MODEL_SETTLE_PRIVATE_H
#define EBB_MODEL_SETTLE_PRIVATE_H

#include "model/settle.h"

// ---- settle_labels.c ----

// The recipe's labels, and the label to guide away from; -1: none.
struct ebb_labels {
    int count; // 0: no label
    int index[EBB_GUIDANCE_LABELS];
    double share[EBB_GUIDANCE_LABELS];
    int negative;
};

// EBB_INVALID: the recipe asks for labels, words or an encoding, and the model is not asked by these.
enum ebb_result ebb_find_labels(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                struct ebb_labels *labels, struct ebb_error *error);

bool ebb_is_asked_in_words(const struct ebb_model *model);

// ---- settle.c ----

#define EBB_PLAIN_FADE 0.01 // seconds in which a sound ends that is not cut while it rings

// The version of the noise address: the recipe's, or today's.
int ebb_settled_noise_version(const struct ebb_recipe *recipe);

#endif
