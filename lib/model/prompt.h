// SPDX-License-Identifier: LGPL-2.1-or-later
// One prompt becomes what the U-Net is told of it: by the text encoders, and by the language model where the
// model has one. For words.c.
#ifndef EBB_MODEL_PROMPT_H
#define EBB_MODEL_PROMPT_H

#include "model/model.h"
#include "process/reverse.h"

// `words` points to the other fields, which are owned.
struct ebb_prompt {
    struct ebb_words words;
    float *states[EBB_UNET_TEXTS], *seen[EBB_UNET_TEXTS], *vector;
};
void ebb_prompt_clear(struct ebb_prompt *prompt);

// The text encoders made ready for the lengths of the last prompts. NULL: out of memory.
struct ebb_prompt_plans;
struct ebb_prompt_plans *ebb_prompt_plans_create(void);
void ebb_prompt_plans_destroy(struct ebb_prompt_plans **plans);

// `tokens` 0: the prompt's own length. Otherwise it is a prompt to guide away from, and has as many tokens as
// that to guide to (ebb_prompt_tokens()) where the kind of model wants it so. The model is ready, `error` is
// not NULL. EBB_INVALID: the text is not UTF-8.
enum ebb_result ebb_prompt_encode(struct ebb_prompt_plans *plans, const struct ebb_model *model,
                                  const char *text, int tokens, struct ebb_prompt *prompt,
                                  struct ebb_error *error);

// A prompt that is a .npy of states, of a model that is asked so: (width), (tokens, width) or (1, tokens,
// width).
enum ebb_result ebb_prompt_read(const struct ebb_model *model, const char *path, struct ebb_prompt *prompt,
                                struct ebb_error *error);

// Tokens that a prompt to guide away from is given, above 0; some models do not look at the other prompt.
int ebb_prompt_tokens(const struct ebb_model *model, const struct ebb_prompt *to);

// Between two prompts, (1 - share) from + share to. A token that one of them lacks, or does not see, is seen
// by the other's share. `tokens`: of the text whose length is the prompt's own; the rest is not seen.
enum ebb_result ebb_prompt_mix(const struct ebb_model *model, const struct ebb_prompt *from,
                               const struct ebb_prompt *to, double share, int tokens,
                               struct ebb_prompt *prompt, struct ebb_error *error);

#endif
