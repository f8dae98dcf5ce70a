// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "text/hash.h"

enum { BYTES = 256, GONE = -1 };

struct ebb_bpe {
    const struct ebb_vocabulary *vocabulary;
    char suffix[16];
    int inner[BYTES], last[BYTES]; // ids of the bytes within a word, and at its end; -1: left out
    int32_t character[BYTES];      // that stands for the byte in the vocabulary
    struct merge {
        int left, right, to;
    } * merge; // in their order: the number is the rank
    int merges, capacity;
    struct ebb_hash pairs; // of two ids -> the merge
};

// ---- bytes ----

// GPT-2's alphabet: a byte that prints stands for itself; the others, in their order, are the characters
// from U+0100.
static void make_alphabet(int32_t character[BYTES])
{
    int32_t next = 0x100;
    for (int byte = 0; byte < BYTES; byte++) {
        bool prints = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
        character[byte] = prints ? byte : next++;
    }
}

static int find_token(const struct ebb_bpe *bpe, const struct ebb_text_buffer *token, int unknown)
{
    int id = token->failed ? -1 : ebb_vocabulary_find(bpe->vocabulary, token->text, token->size);
    return id < 0 ? unknown : id;
}

// The two tokens of a byte. `token` holds them in turn.
static bool find_byte(struct ebb_bpe *bpe, int byte, int unknown, struct ebb_text_buffer *token)
{
    token->size = 0;
    ebb_text_add_character(token, bpe->character[byte]);
    bpe->inner[byte] = bpe->last[byte] = find_token(bpe, token, unknown);
    ebb_text_add(token, bpe->suffix, strlen(bpe->suffix));
    if (*bpe->suffix)
        bpe->last[byte] = find_token(bpe, token, unknown);
    return !token->failed;
}

struct ebb_bpe *ebb_bpe_create(const struct ebb_vocabulary *vocabulary, const char *suffix, int unknown,
                               struct ebb_error *error)
{
    struct ebb_bpe *bpe = ebb_alloc(1, sizeof(*bpe));
    bool made = bpe != NULL;
    struct ebb_text_buffer token = {0};
    if (made) {
        bpe->vocabulary = vocabulary;
        strncpy(bpe->suffix, suffix, sizeof(bpe->suffix) - 1);
        make_alphabet(bpe->character);
    }
    for (int byte = 0; made && byte < BYTES; byte++)
        made = find_byte(bpe, byte, unknown, &token);
    ebb_text_clear(&token);
    if (made)
        return bpe;
    ebb_bpe_destroy(&bpe);
    ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a tokenizer");
    return NULL;
}

void ebb_bpe_destroy(struct ebb_bpe **owner)
{
    struct ebb_bpe *bpe = *owner;
    *owner = NULL;
    if (!bpe)
        return;
    ebb_hash_clear(&bpe->pairs);
    free(bpe->merge);
    free(bpe);
}

// ---- merges ----

struct bpe_pair {
    const struct ebb_bpe *bpe;
    int left, right;
};

static uint64_t pair_hash(int left, int right)
{
    return ebb_hash_mix((uint64_t)(unsigned)left << 32 | (unsigned)right);
}

static bool is_pair(const void *context, int rank)
{
    const struct bpe_pair *pair = context;
    const struct merge *merge = &pair->bpe->merge[rank];
    return merge->left == pair->left && merge->right == pair->right;
}

static int find_merge(const struct ebb_bpe *bpe, int left, int right)
{
    struct bpe_pair pair = {bpe, left, right};
    const int *rank = ebb_hash_find(&bpe->pairs, pair_hash(left, right), is_pair, &pair);
    return rank ? *rank : -1;
}

static enum ebb_result find_part(const struct ebb_bpe *bpe, struct ebb_text part, int *id,
                                 struct ebb_error *error)
{
    *id = ebb_vocabulary_find(bpe->vocabulary, part.at, part.size);
    return *id >= 0 ? EBB_OK
                    : ebb_fail(error, EBB_CORRUPT, "merge %d is about \"%.*s\", which the vocabulary lacks",
                               bpe->merges + 1, part.size < 60 ? (int)part.size : 60, part.at);
}

static bool make_room(struct ebb_bpe *bpe)
{
    if (bpe->merges < bpe->capacity)
        return true;
    int capacity = 2 * bpe->capacity + 256;
    struct merge *grown = realloc(bpe->merge, (size_t)capacity * sizeof(*grown));
    if (!grown)
        return false;
    bpe->merge = grown;
    bpe->capacity = capacity;
    return true;
}

enum ebb_result ebb_bpe_add(struct ebb_bpe *bpe, struct ebb_text left, struct ebb_text right,
                            struct ebb_error *error)
{
    struct merge merge = {0};
    struct ebb_text_buffer both = {0};
    ebb_text_add(&both, left.at, left.size);
    ebb_text_add(&both, right.at, right.size);
    enum ebb_result result = EBB_OK;
    if (bpe->merges >= EBB_MOST_TOKENS)
        result = ebb_fail(error, EBB_UNSUPPORTED, "more than %d merges", EBB_MOST_TOKENS);
    if (result == EBB_OK && (both.failed || !make_room(bpe)))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for merges");
    if (result == EBB_OK)
        result = find_part(bpe, left, &merge.left, error);
    if (result == EBB_OK)
        result = find_part(bpe, right, &merge.right, error);
    if (result == EBB_OK)
        result = find_part(bpe, (struct ebb_text){both.text, both.size}, &merge.to, error);
    ebb_text_clear(&both);
    if (result != EBB_OK)
        return result;

    struct bpe_pair pair = {bpe, merge.left, merge.right};
    uint64_t hash = pair_hash(merge.left, merge.right);
    int *known = ebb_hash_find(&bpe->pairs, hash, is_pair, &pair);
    if (known)
        *known = bpe->merges; // the later one counts
    bpe->merge[bpe->merges++] = merge;
    return known || ebb_hash_add(&bpe->pairs, hash, bpe->merges - 1)
               ? EBB_OK
               : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for merges");
}

// ---- a word ----

// The pairs that can be merged wait in a heap, the least rank first and of equal ones the leftmost. A pair
// that is no longer there is passed over when its turn comes.
struct waiting {
    int rank, at; // the place of the left one
};

struct word {
    const struct ebb_bpe *bpe;
    struct symbol {
        int id, before, after; // neighbours, -1: none; `id` GONE: merged into the one before
    } * symbol;
    struct waiting *heap;
    int symbols, waits;
};

static bool is_before(const struct waiting *a, const struct waiting *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push(struct word *word, int rank, int at)
{
    struct waiting entry = {rank, at};
    int i = word->waits++;
    for (; i > 0 && is_before(&entry, &word->heap[(i - 1) / 2]); i = (i - 1) / 2)
        word->heap[i] = word->heap[(i - 1) / 2];
    word->heap[i] = entry;
}

static struct waiting pop(struct word *word)
{
    struct waiting first = word->heap[0], entry = word->heap[--word->waits];
    int i = 0, child;
    for (; (child = 2 * i + 1) < word->waits; i = child) {
        if (child + 1 < word->waits && is_before(&word->heap[child + 1], &word->heap[child]))
            child++;
        if (!is_before(&word->heap[child], &entry))
            break;
        word->heap[i] = word->heap[child];
    }
    word->heap[i] = entry;
    return first;
}

// Lets the pair of a symbol and the next one wait, if it can be merged.
static void consider(struct word *word, int at)
{
    int after = at < 0 ? -1 : word->symbol[at].after;
    int rank = after < 0 ? -1 : find_merge(word->bpe, word->symbol[at].id, word->symbol[after].id);
    if (rank >= 0)
        push(word, rank, at);
}

static void merge_all(struct word *word)
{
    for (int i = 0; i + 1 < word->symbols; i++)
        consider(word, i);
    while (word->waits > 0) {
        struct waiting next = pop(word);
        struct symbol *left = &word->symbol[next.at];
        const struct merge *merge = &word->bpe->merge[next.rank];
        if (left->id == GONE || left->after < 0)
            continue;
        int now = find_merge(word->bpe, left->id, word->symbol[left->after].id);
        if (now < 0 || word->bpe->merge[now].to != merge->to)
            continue;
        struct symbol *right = &word->symbol[left->after];
        left->id = merge->to;
        left->after = right->after;
        right->id = GONE;
        if (left->after >= 0)
            word->symbol[left->after].before = next.at;
        consider(word, left->before);
        consider(word, next.at);
    }
}

static void begin_word(struct word *word, struct ebb_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        const int *ids = i + 1 < text.size ? word->bpe->inner : word->bpe->last;
        int id = ids[(unsigned char)text.at[i]], at = word->symbols;
        if (id < 0)
            continue;
        word->symbol[at] = (struct symbol){id, at - 1, -1};
        if (at > 0)
            word->symbol[at - 1].after = at;
        word->symbols++;
    }
}

enum ebb_result ebb_bpe_encode(const struct ebb_bpe *bpe, struct ebb_text text, struct ebb_tokens *tokens,
                               struct ebb_error *error)
{
    enum { WAITING_PER_SYMBOL = 3 }; // its own pair at the start, and two for every merge
    struct word word = {.bpe = bpe};
    if (text.size < INT32_MAX / WAITING_PER_SYMBOL) {
        word.symbol = ebb_alloc(text.size + 1, sizeof(*word.symbol));
        word.heap = ebb_alloc(WAITING_PER_SYMBOL * (text.size + 1), sizeof(*word.heap));
    }
    bool made = word.symbol && word.heap;
    if (made) {
        begin_word(&word, text);
        merge_all(&word);
    }
    for (int i = 0; made && i < word.symbols; i++)
        if (word.symbol[i].id != GONE)
            made = ebb_tokens_add(tokens, word.symbol[i].id);
    free(word.symbol);
    free(word.heap);
    return made ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for %zu bytes of text", text.size);
}

// ---- back to text ----

static void add_byte(const struct ebb_bpe *bpe, int32_t character, struct ebb_text_buffer *text)
{
    for (int byte = 0; byte < BYTES; byte++)
        if (bpe->character[byte] == character)
            ebb_text_add(text, &(char){(char)byte}, 1);
}

void ebb_bpe_decode(const struct ebb_bpe *bpe, int id, struct ebb_text_buffer *text)
{
    struct ebb_text token = ebb_vocabulary_token(bpe->vocabulary, id);
    size_t suffix = strlen(bpe->suffix), length;
    bool ends = suffix && token.size >= suffix &&
                memcmp(token.at + token.size - suffix, bpe->suffix, suffix) == 0;
    token.size -= ends ? suffix : 0;
    for (size_t i = 0; i < token.size; i += length)
        add_byte(bpe, ebb_text_character(token.at + i, token.size - i, &length), text);
    if (ends)
        ebb_text_add(text, " ", 1);
}
