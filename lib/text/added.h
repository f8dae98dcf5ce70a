// SPDX-License-Identifier: LGPL-2.1-or-later
// Added tokens: strings that are looked for in the text before it is divided, such as <|endoftext|>.
#ifndef EBB_TEXT_ADDED_H
#define EBB_TEXT_ADDED_H

#include "text/vocabulary.h"

enum { EBB_MOST_ADDED = 4096 };

struct ebb_added_token {
    char *content;    // owned
    bool normalized;  // looked for in the normalized text, and normalized itself
    bool left, right; // takes the spaces on that side with it
    bool single_word; // only between characters that belong to no word
    bool special;
    int id;
};

struct ebb_added {
    struct ebb_added_token *token;
    int count, capacity;
    struct ebb_trie *plain, *normalized; // content -> number of the token
};

// Adds a token, or gives the token of that content other properties. `id` may still be open, -1.
enum ebb_result ebb_added_add(struct ebb_added *added, const struct ebb_added_token *token,
                              struct ebb_error *error);
const struct ebb_added_token *ebb_added_find(const struct ebb_added *added, const char *content);
void ebb_added_clear(struct ebb_added *added);

// The next added token in `rest`: `before` becomes the text in front of it, `rest` what follows. Without
// one, `before` is all of the text and NULL is returned.
const struct ebb_added_token *ebb_added_next(const struct ebb_added *added, const struct ebb_trie *trie,
                                             struct ebb_text *rest, struct ebb_text *before,
                                             const char *begin);

#endif
