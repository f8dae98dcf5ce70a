// SPDX-License-Identifier: LGPL-2.1-or-later
// What a model's U-Net is told in words: prompts as the states that the text encoders make of them. The last
// prompts stay encoded.
#ifndef EBB_MODEL_WORDS_H
#define EBB_MODEL_WORDS_H

#include "model/settle.h"
#include "model/workspace.h"

struct ebb_word_store;
void ebb_word_store_destroy(struct ebb_word_store **store);
struct ebb_word_store **ebb_workspace_word_store(struct ebb_model *model); // owned by the model

// Points words[i] to what item i of the settled batch is told; NULL for a model that is not asked in words.
// Valid until the next call. The model is ready, `error` is not NULL. EBB_INVALID: a prompt is not UTF-8.
enum ebb_result ebb_workspace_words(struct ebb_model *model, const struct ebb_settled *settled,
                                    const struct ebb_words *words[EBB_GUIDANCE_LABELS + 1],
                                    struct ebb_error *error);

#endif
