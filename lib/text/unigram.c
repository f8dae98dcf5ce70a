// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text/unigram.h"

#include <math.h>
#include <stdlib.h>

#include "base/base.h"

struct ebb_unigram {
    struct ebb_vocabulary *vocabulary;
    struct ebb_trie *trie;
    double *score; // by id
    int count, capacity;
    double least;
};

struct ebb_unigram *ebb_unigram_create(void)
{
    struct ebb_unigram *u = ebb_alloc(1, sizeof(*u));
    if (!u)
        return NULL;
    u->vocabulary = ebb_vocabulary_create();
    u->trie = ebb_trie_create();
    u->least = INFINITY;
    if (!u->vocabulary || !u->trie)
        ebb_unigram_destroy(&u);
    return u;
}

void ebb_unigram_destroy(struct ebb_unigram **unigram)
{
    struct ebb_unigram *u = *unigram;
    *unigram = NULL;
    if (!u)
        return;
    ebb_vocabulary_destroy(&u->vocabulary);
    ebb_trie_destroy(&u->trie);
    free(u->score);
    free(u);
}

static bool make_room(struct ebb_unigram *u)
{
    if (u->count < u->capacity)
        return true;
    int capacity = 2 * u->capacity + 256;
    double *grown = realloc(u->score, (size_t)capacity * sizeof(*grown));
    if (!grown)
        return false;
    u->score = grown;
    u->capacity = capacity;
    return true;
}

enum ebb_result ebb_unigram_add(struct ebb_unigram *u, struct ebb_text piece, double score,
                                struct ebb_error *error)
{
    enum ebb_result result = ebb_vocabulary_add(u->vocabulary, piece, u->count, error);
    if (result != EBB_OK)
        return result;
    if (!isfinite(score))
        return ebb_fail(error, EBB_CORRUPT, "the score of piece %d is no finite number", u->count);
    if (!make_room(u) || !ebb_trie_add(u->trie, piece, u->count))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a vocabulary");
    u->score[u->count++] = score;
    u->least = fmin(u->least, score);
    return EBB_OK;
}

const struct ebb_vocabulary *ebb_unigram_vocabulary(const struct ebb_unigram *unigram)
{
    return unigram->vocabulary;
}

// ---- a word ----

struct best { // of all ways to a place in the word
    double score;
    int id;
    size_t from; // where its last piece begins; SIZE_MAX: no way leads here
};

static void offer(struct best *to, double score, int id, size_t from)
{
    if (to->from == SIZE_MAX || score > to->score)
        *to = (struct best){score, id, from};
}

static void go_on(const struct ebb_unigram *u, struct ebb_text word, size_t from, int unknown,
                  struct best *best)
{
    const double penalty = 10; // sentencepiece's, for a character that is in no piece
    size_t character;
    bool alone = false; // the character is a piece
    int node = 0, id;
    ebb_text_character(word.at + from, word.size - from, &character);
    for (size_t i = from; i < word.size; i++) {
        node = ebb_trie_step(u->trie, node, (unsigned char)word.at[i], &id);
        if (node < 0)
            break;
        if (id >= 0)
            offer(&best[i + 1], best[from].score + u->score[id], id, from);
        alone |= id >= 0 && i + 1 - from == character;
    }
    if (!alone)
        offer(&best[from + character], best[from].score + u->least - penalty, unknown, from);
}

// The pieces from the end to the beginning, turned around.
static bool take_back(const struct best *best, size_t size, int unknown, struct ebb_tokens *tokens)
{
    size_t first = tokens->count;
    int after = -1;
    for (size_t at = size; at > 0; at = best[at].from) {
        bool joined = best[at].id == unknown && after == unknown;
        if (!joined && !ebb_tokens_add(tokens, best[at].id))
            return false;
        after = best[at].id;
    }
    for (size_t i = first, k = tokens->count; i + 1 < k; i++) {
        int swap = tokens->id[i];
        tokens->id[i] = tokens->id[--k];
        tokens->id[k] = swap;
    }
    return true;
}

enum ebb_result ebb_unigram_encode(const struct ebb_unigram *u, struct ebb_text word, int unknown,
                                   struct ebb_tokens *tokens, struct ebb_error *error)
{
    struct best *best = ebb_alloc(word.size + 1, sizeof(*best));
    if (!best)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for %zu bytes of text", word.size);
    for (size_t i = 1; i <= word.size; i++)
        best[i].from = SIZE_MAX;
    size_t length;
    for (size_t from = 0; from < word.size; from += length) {
        ebb_text_character(word.at + from, word.size - from, &length);
        go_on(u, word, from, unknown, best);
    }
    bool made = take_back(best, word.size, unknown, tokens);
    free(best);
    return made ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for tokens");
}
