// SPDX-License-Identifier: LGPL-2.1-or-later
// Lab (see ebb/lab.h): the tokenizer of a text encoder on its own, to compare it with transformers.
#ifndef EBB_TOKENS_H
#define EBB_TOKENS_H

#include <stddef.h>

#include <ebb/error.h>

EBB_BEGIN_DECLS

struct ebb_tokenizer;

struct ebb_tokens {
    int *id; // owned: ebb_tokens_clear() frees it
    size_t count, capacity;
};

// Opens a folder with tokenizer.json, or vocab.json and merges.txt, or spiece.model; tokenizer_config.json
// is read if it is there. NULL on failure.
EBB_API struct ebb_tokenizer *ebb_tokenizer_open(const char *folder, struct ebb_error *error);
EBB_API void ebb_tokenizer_destroy(struct ebb_tokenizer **tokenizer);

// Appends the ids of a text of `size` bytes, with the tokens that stand before and behind it; nothing is cut
// or filled up. EBB_INVALID: the text is not UTF-8. `tokens` begins with zeros (= {0}).
EBB_API enum ebb_result ebb_tokenizer_encode(const struct ebb_tokenizer *tokenizer, const char *text,
                                             size_t size, struct ebb_tokens *tokens, struct ebb_error *error);
EBB_API void ebb_tokens_clear(struct ebb_tokens *tokens);

EBB_END_DECLS

#endif
