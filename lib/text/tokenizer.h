// SPDX-License-Identifier: LGPL-2.1-or-later
// Tokenizers: a prompt becomes the ids that a text encoder was trained on, exactly as transformers makes
// them.
#ifndef EBB_TEXT_TOKENIZER_H
#define EBB_TEXT_TOKENIZER_H

#include "text/tokens.h"
#include "text/unicode.h"

// ebb/tokens.h has opening and encoding. The folder is that of a CLIPTokenizer, RobertaTokenizer,
// GPT2Tokenizer or T5Tokenizer.

// Cuts the ids of one text down to `most`; the tokens that stand before and behind it stay. The words that
// were cut are added to `cut`.
void ebb_tokenizer_cut(const struct ebb_tokenizer *tokenizer, struct ebb_tokens *tokens, size_t most,
                       struct ebb_text_buffer *cut);

int ebb_tokenizer_size(const struct ebb_tokenizer *tokenizer); // the largest id and 1
int ebb_tokenizer_pad(const struct ebb_tokenizer *tokenizer);  // id that fills a text up
int ebb_tokenizer_most(const struct ebb_tokenizer *tokenizer); // tokens of a text; INT_MAX: any number

#endif
