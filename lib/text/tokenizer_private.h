// SPDX-License-Identifier: LGPL-2.1-or-later
// A tokenizer's inside, for tokenizer.c and the reader of its files.
#ifndef EBB_TEXT_TOKENIZER_PRIVATE_H
#define EBB_TEXT_TOKENIZER_PRIVATE_H

#include "text/added.h"
#include "text/bpe.h"
#include "text/charsmap.h"
#include "text/split.h"
#include "text/tokenizer.h"
#include "text/unigram.h"

enum ebb_named_token { // in transformers' order
    EBB_TOKEN_BOS,
    EBB_TOKEN_EOS,
    EBB_TOKEN_UNK,
    EBB_TOKEN_SEP,
    EBB_TOKEN_PAD,
    EBB_TOKEN_CLS,
    EBB_TOKEN_MASK,
    EBB_NAMED_TOKENS,
};

struct ebb_tokenizer_class {
    const char *name;                     // in transformers; "Fast" may follow
    const char *tokens[EBB_NAMED_TOKENS]; // where the files name none; NULL: there is none
    int before, behind;                   // the token before and behind a text; -1: none
    bool unigram;                         // its model; otherwise byte-pair encoding
    bool lower;                           // NFC, one space for many, lower case
    ebb_split split;                      // into words
    const char *suffix;                   // of a word's last token
    bool unknown;                         // a byte that is in no token becomes the unknown token
    int extra_ids;                        // tokens <extra_id_0>, ... behind the vocabulary
};

struct ebb_tokenizer {
    const struct ebb_tokenizer_class *class;
    struct ebb_vocabulary *vocabulary; // of byte-pair encoding
    struct ebb_bpe *bpe;
    struct ebb_unigram *unigram;
    struct ebb_charsmap *map; // NULL: none
    struct ebb_added added;
    int named[EBB_NAMED_TOKENS]; // ids, -1: there is none
    bool prefix_space;           // a space goes before a text that has none
    int before, behind;          // ids, -1: none
    int most;
};

// The ids of the model's own vocabulary.
const struct ebb_vocabulary *ebb_tokenizer_vocabulary(const struct ebb_tokenizer *tokenizer);
// Adds the text as the model sees it to the buffer.
enum ebb_result ebb_tokenizer_normalize(const struct ebb_tokenizer *tokenizer, struct ebb_text text,
                                        struct ebb_text_buffer *buffer, struct ebb_error *error);
// Reads the folder. `error` is not NULL.
enum ebb_result ebb_tokenizer_read(struct ebb_tokenizer *tokenizer, const char *folder,
                                   struct ebb_error *error);

#endif
