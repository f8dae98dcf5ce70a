// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/fnv.h"
#include "text/hash.h"

// ---- vocabulary ----

struct token {
    size_t at, size; // in the vocabulary's text
};

struct ebb_vocabulary {
    struct ebb_text_buffer text; // all tokens, one behind the other
    struct token *token;         // by id; `size` SIZE_MAX: no such id
    int size, capacity;
    struct ebb_hash ids; // hash of the token -> id
};

struct ebb_vocabulary *ebb_vocabulary_create(void)
{
    return ebb_alloc(1, sizeof(struct ebb_vocabulary));
}

void ebb_vocabulary_destroy(struct ebb_vocabulary **vocabulary)
{
    struct ebb_vocabulary *v = *vocabulary;
    *vocabulary = NULL;
    if (!v)
        return;
    ebb_text_clear(&v->text);
    ebb_hash_clear(&v->ids);
    free(v->token);
    free(v);
}

static uint64_t hash_of(const char *text, size_t size)
{
    return ebb_hash_mix(ebb_fnv1a(EBB_FNV1A_START, text, size));
}

struct sought {
    const struct ebb_vocabulary *vocabulary;
    struct ebb_text token;
};

static bool is_token(const void *context, int id)
{
    const struct sought *sought = context;
    struct ebb_text token = ebb_vocabulary_token(sought->vocabulary, id);
    return token.at && token.size == sought->token.size &&
           memcmp(token.at, sought->token.at, token.size) == 0;
}

static bool make_room(struct ebb_vocabulary *v, int id)
{
    if (id >= v->capacity) {
        int capacity = 2 * id + 256;
        struct token *grown = realloc(v->token, (size_t)capacity * sizeof(*grown));
        if (!grown)
            return false;
        v->token = grown;
        v->capacity = capacity;
    }
    for (; v->size <= id; v->size++)
        v->token[v->size].size = SIZE_MAX;
    return true;
}

enum ebb_result ebb_vocabulary_add(struct ebb_vocabulary *v, struct ebb_text token, int id,
                                   struct ebb_error *error)
{
    if (id < 0 || id >= EBB_MOST_TOKENS)
        return ebb_fail(error, EBB_UNSUPPORTED, "a token has the id %d, expected less than %d", id,
                        EBB_MOST_TOKENS);
    if (token.size > EBB_LONGEST_TOKEN)
        return ebb_fail(error, EBB_UNSUPPORTED, "token %d has %zu bytes, expected at most %d", id, token.size,
                        EBB_LONGEST_TOKEN);
    struct sought sought = {v, token};
    size_t at = v->text.size;
    ebb_text_add(&v->text, token.at, token.size);
    if (v->text.failed || !make_room(v, id))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a vocabulary");
    int *known = ebb_hash_find(&v->ids, hash_of(token.at, token.size), is_token, &sought);
    v->token[id] = (struct token){at, token.size};
    if (known)
        *known = id;
    else if (!ebb_hash_add(&v->ids, hash_of(token.at, token.size), id))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a vocabulary");
    return EBB_OK;
}

int ebb_vocabulary_find(const struct ebb_vocabulary *v, const char *token, size_t size)
{
    struct sought sought = {v, {token, size}};
    const int *id = ebb_hash_find(&v->ids, hash_of(token, size), is_token, &sought);
    return id ? *id : -1;
}

struct ebb_text ebb_vocabulary_token(const struct ebb_vocabulary *v, int id)
{
    if (id < 0 || id >= v->size || v->token[id].size == SIZE_MAX)
        return (struct ebb_text){NULL, 0};
    const char *text = v->text.text ? v->text.text : "";
    return (struct ebb_text){text + v->token[id].at, v->token[id].size};
}

int ebb_vocabulary_size(const struct ebb_vocabulary *v)
{
    return v->size;
}

// ---- trie ----

struct ebb_trie {
    struct ebb_hash steps; // of a node and a byte -> the next node
    struct trie_node {
        int from, value;
        unsigned char byte;
    } * node;
    int nodes, capacity;
};

struct trie_edge {
    const struct ebb_trie *trie;
    int from;
    unsigned char byte;
};

static uint64_t edge_hash(int from, unsigned char byte)
{
    return ebb_hash_mix((uint64_t)from << 8 | byte);
}

static bool is_edge(const void *context, int node)
{
    const struct trie_edge *edge = context;
    const struct trie_node *to = &edge->trie->node[node];
    return to->from == edge->from && to->byte == edge->byte;
}

static int add_node(struct ebb_trie *trie, int from, unsigned char byte)
{
    if (trie->nodes == trie->capacity) {
        int capacity = trie->capacity > INT32_MAX / 4 ? 0 : 2 * trie->capacity + 64;
        struct trie_node *grown = capacity ? realloc(trie->node, (size_t)capacity * sizeof(*grown)) : NULL;
        if (!grown)
            return -1;
        trie->node = grown;
        trie->capacity = capacity;
    }
    trie->node[trie->nodes] = (struct trie_node){from, -1, byte};
    return trie->nodes++;
}

struct ebb_trie *ebb_trie_create(void)
{
    struct ebb_trie *trie = ebb_alloc(1, sizeof(*trie));
    if (trie && add_node(trie, -1, 0) < 0)
        ebb_trie_destroy(&trie);
    return trie;
}

void ebb_trie_destroy(struct ebb_trie **trie)
{
    struct ebb_trie *t = *trie;
    *trie = NULL;
    if (!t)
        return;
    ebb_hash_clear(&t->steps);
    free(t->node);
    free(t);
}

bool ebb_trie_add(struct ebb_trie *trie, struct ebb_text key, int value)
{
    int node = 0, ignored;
    for (size_t i = 0; i < key.size; i++) {
        unsigned char byte = (unsigned char)key.at[i];
        int next = ebb_trie_step(trie, node, byte, &ignored);
        if (next < 0) {
            next = add_node(trie, node, byte);
            if (next < 0 || !ebb_hash_add(&trie->steps, edge_hash(node, byte), next))
                return false;
        }
        node = next;
    }
    if (node)
        trie->node[node].value = value;
    return true;
}

int ebb_trie_step(const struct ebb_trie *trie, int node, unsigned char byte, int *value)
{
    struct trie_edge edge = {trie, node, byte};
    const int *next = ebb_hash_find(&trie->steps, edge_hash(node, byte), is_edge, &edge);
    *value = next ? trie->node[*next].value : -1;
    return next ? *next : -1;
}

size_t ebb_trie_longest(const struct ebb_trie *trie, const char *text, size_t size, int *value)
{
    size_t longest = 0;
    int node = 0, here;
    for (size_t i = 0; i < size; i++) {
        node = ebb_trie_step(trie, node, (unsigned char)text[i], &here);
        if (node < 0)
            break;
        if (here >= 0) {
            longest = i + 1;
            *value = here;
        }
    }
    return longest;
}
