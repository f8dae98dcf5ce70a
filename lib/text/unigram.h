// SPDX-License-Identifier: LGPL-2.1-or-later
// A unigram model (Kudo 2018): of all ways to write a word with the vocabulary's pieces, the one with the
// largest sum of scores.
#ifndef EBB_TEXT_UNIGRAM_H
#define EBB_TEXT_UNIGRAM_H

#include "text/tokens.h"
#include "text/vocabulary.h"

struct ebb_unigram;
struct ebb_unigram *ebb_unigram_create(void);
void ebb_unigram_destroy(struct ebb_unigram **unigram);

// Adds the next piece; its id is the number of those before it.
enum ebb_result ebb_unigram_add(struct ebb_unigram *unigram, struct ebb_text piece, double score,
                                struct ebb_error *error);
const struct ebb_vocabulary *ebb_unigram_vocabulary(const struct ebb_unigram *unigram);

// Appends a word's ids. Characters that are in no piece become `unknown`, one for a row of them.
enum ebb_result ebb_unigram_encode(const struct ebb_unigram *unigram, struct ebb_text word, int unknown,
                                   struct ebb_tokens *tokens, struct ebb_error *error);

#endif
