// SPDX-License-Identifier: LGPL-2.1-or-later
// Byte-pair encoding (Sennrich 2016) over bytes: a word begins as its bytes, and the pair of neighbours that
// was learned first is merged until none is left.
#ifndef EBB_TEXT_BPE_H
#define EBB_TEXT_BPE_H

#include "text/tokens.h"
#include "text/vocabulary.h"

struct ebb_bpe;

// `suffix`: what the last byte of a word has behind it in the vocabulary, "" or "</w>". `unknown`: the id of
// a byte that the vocabulary does not have, -1: such bytes are left out. The vocabulary is borrowed.
struct ebb_bpe *ebb_bpe_create(const struct ebb_vocabulary *vocabulary, const char *suffix, int unknown,
                               struct ebb_error *error);
void ebb_bpe_destroy(struct ebb_bpe **bpe);

// Adds the next merge. EBB_CORRUPT: the vocabulary does not have one of the two or what they become.
enum ebb_result ebb_bpe_add(struct ebb_bpe *bpe, struct ebb_text left, struct ebb_text right,
                            struct ebb_error *error);

// Appends a word's ids.
enum ebb_result ebb_bpe_encode(const struct ebb_bpe *bpe, struct ebb_text word, struct ebb_tokens *tokens,
                               struct ebb_error *error);

// Adds a token's bytes to a text; the suffix becomes a space.
void ebb_bpe_decode(const struct ebb_bpe *bpe, int id, struct ebb_text_buffer *text);

#endif
