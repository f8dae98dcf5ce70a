// SPDX-License-Identifier: LGPL-2.1-or-later
// Dividing text into words, as each tokenizer does before it looks for tokens.
#ifndef EBB_TEXT_SPLIT_H
#define EBB_TEXT_SPLIT_H

#include "text/unicode.h"

// Takes the next word off the front of `rest`; false: there is none.
typedef bool (*ebb_split)(struct ebb_text *rest, struct ebb_text *word);

bool ebb_split_clip(struct ebb_text *rest, struct ebb_text *word);  // CLIP's: a digit is a word, spaces go
bool ebb_split_gpt2(struct ebb_text *rest, struct ebb_text *word);  // GPT-2's: a space goes with its word
bool ebb_split_space(struct ebb_text *rest, struct ebb_text *word); // what is between spaces

#endif
