// SPDX-License-Identifier: LGPL-2.1-or-later
// A vocabulary: tokens, which are strings of bytes, and their ids. And a trie over strings.
#ifndef EBB_TEXT_VOCABULARY_H
#define EBB_TEXT_VOCABULARY_H

#include <stdbool.h>

#include "text/unicode.h"

enum {
    EBB_MOST_TOKENS = 1 << 20,  // of a vocabulary
    EBB_LONGEST_TOKEN = 1 << 9, // bytes
};

struct ebb_vocabulary;
struct ebb_vocabulary *ebb_vocabulary_create(void); // NULL: out of memory
void ebb_vocabulary_destroy(struct ebb_vocabulary **vocabulary);

// Gives a token its id; a token that is there already gets the new one. EBB_UNSUPPORTED: it is too long, or
// the id is too large.
enum ebb_result ebb_vocabulary_add(struct ebb_vocabulary *vocabulary, struct ebb_text token, int id,
                                   struct ebb_error *error);
int ebb_vocabulary_find(const struct ebb_vocabulary *vocabulary, const char *token, size_t size); // -1: no
struct ebb_text ebb_vocabulary_token(const struct ebb_vocabulary *vocabulary, int id); // NULL: no such id
int ebb_vocabulary_size(const struct ebb_vocabulary *vocabulary);                      // the largest id and 1

// A trie. A string's value is a number from 0.
struct ebb_trie;
struct ebb_trie *ebb_trie_create(void);
void ebb_trie_destroy(struct ebb_trie **trie);
bool ebb_trie_add(struct ebb_trie *trie, struct ebb_text key, int value); // false: out of memory
// One step from a node, which is 0 at the beginning: the next node, or -1. `value`: of the string that ends
// there, -1: none does.
int ebb_trie_step(const struct ebb_trie *trie, int node, unsigned char byte, int *value);
// The longest string of the trie that `text` begins with: its length, 0 where there is none.
size_t ebb_trie_longest(const struct ebb_trie *trie, const char *text, size_t size, int *value);

#endif
