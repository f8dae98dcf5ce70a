// SPDX-License-Identifier: LGPL-2.1-or-later
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "text/tokenizer_private.h"

// ---- life ----

struct ebb_tokenizer *ebb_tokenizer_open(const char *folder, struct ebb_error *error)
{
    error = EBB_ERROR(error);
    struct ebb_tokenizer *t = ebb_alloc(1, sizeof(*t));
    if (!t) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory for a tokenizer", folder);
        return NULL;
    }
    if (ebb_tokenizer_read(t, folder, error) != EBB_OK)
        ebb_tokenizer_destroy(&t);
    return t;
}

void ebb_tokenizer_destroy(struct ebb_tokenizer **tokenizer)
{
    struct ebb_tokenizer *t = *tokenizer;
    *tokenizer = NULL;
    if (!t)
        return;
    ebb_bpe_destroy(&t->bpe);
    ebb_vocabulary_destroy(&t->vocabulary);
    ebb_unigram_destroy(&t->unigram);
    ebb_charsmap_destroy(&t->map);
    ebb_added_clear(&t->added);
    free(t);
}

const struct ebb_vocabulary *ebb_tokenizer_vocabulary(const struct ebb_tokenizer *t)
{
    return t->class->unigram ? ebb_unigram_vocabulary(t->unigram) : t->vocabulary;
}

int ebb_tokenizer_size(const struct ebb_tokenizer *t)
{
    int size = ebb_vocabulary_size(ebb_tokenizer_vocabulary(t));
    for (int i = 0; i < t->added.count; i++)
        size = t->added.token[i].id >= size ? t->added.token[i].id + 1 : size;
    return size;
}

int ebb_tokenizer_pad(const struct ebb_tokenizer *t)
{
    int pad = t->named[EBB_TOKEN_PAD], end = t->named[EBB_TOKEN_EOS];
    return pad >= 0 ? pad : end >= 0 ? end : 0;
}

int ebb_tokenizer_most(const struct ebb_tokenizer *t)
{
    return t->most;
}

// ---- a text ----

// NFC, one space for every run of spaces, lower case.
static enum ebb_result lower(struct ebb_text text, struct ebb_text_buffer *buffer, struct ebb_error *error)
{
    struct ebb_text_buffer composed = {0};
    enum ebb_result result = ebb_text_compose(text, &composed, error);
    size_t length;
    bool space = false;
    for (size_t i = 0; result == EBB_OK && i < composed.size; i += length) {
        int32_t character = ebb_text_character(composed.text + i, composed.size - i, &length);
        bool before = space;
        space = ebb_is_space(character);
        if (!space)
            ebb_text_add_lower(buffer, character);
        else if (!before)
            ebb_text_add(buffer, " ", 1);
    }
    buffer->failed |= composed.failed;
    ebb_text_clear(&composed);
    return result;
}

enum ebb_result ebb_tokenizer_normalize(const struct ebb_tokenizer *t, struct ebb_text text,
                                        struct ebb_text_buffer *buffer, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    if (t->class->lower)
        result = lower(text, buffer, error);
    else if (t->map)
        ebb_charsmap_apply(t->map, text, buffer);
    else
        ebb_text_add(buffer, text.at, text.size);
    if (result == EBB_OK && buffer->failed)
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a text of %zu bytes", text.size);
    return result;
}

// sentencepiece writes a space as this, and puts one before every word.
static const char lowline[] = "\xe2\x96\x81"; // U+2581
enum { LOWLINE = sizeof(lowline) - 1 };

static bool begins_with_lowline(struct ebb_text text)
{
    return text.size >= LOWLINE && memcmp(text.at, lowline, LOWLINE) == 0;
}

// Encodes a word in parts that begin with a low line each.
static enum ebb_result encode_pieces(const struct ebb_tokenizer *t, struct ebb_text word,
                                     struct ebb_tokens *tokens, struct ebb_error *error)
{
    struct ebb_text_buffer marked = {0};
    if (!begins_with_lowline(word))
        ebb_text_add(&marked, lowline, LOWLINE);
    ebb_text_add(&marked, word.at, word.size);
    enum ebb_result result = marked.failed ? ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a word")
                                           : EBB_OK;
    for (size_t from = 0, to; result == EBB_OK && from < marked.size; from = to) {
        to = from + 1;
        while (to < marked.size &&
               !begins_with_lowline((struct ebb_text){marked.text + to, marked.size - to}))
            to++;
        struct ebb_text part = {marked.text + from, to - from};
        result = ebb_unigram_encode(t->unigram, part, t->named[EBB_TOKEN_UNK], tokens, error);
    }
    ebb_text_clear(&marked);
    return result;
}

// Byte-level encoding divides every word once more, as GPT-2 does.
static enum ebb_result encode_bytes(const struct ebb_tokenizer *t, struct ebb_text word,
                                    struct ebb_tokens *tokens, struct ebb_error *error)
{
    struct ebb_text part;
    enum ebb_result result = EBB_OK;
    while (result == EBB_OK && ebb_split_gpt2(&word, &part))
        result = ebb_bpe_encode(t->bpe, part, tokens, error);
    return result;
}

static enum ebb_result encode_words(const struct ebb_tokenizer *t, struct ebb_text text,
                                    struct ebb_tokens *tokens, struct ebb_error *error)
{
    struct ebb_text_buffer spaced = {0};
    enum ebb_result result = EBB_OK;
    if (t->prefix_space && text.size > 0 && text.at[0] != ' ') {
        ebb_text_add(&spaced, " ", 1);
        ebb_text_add(&spaced, text.at, text.size);
        if (spaced.failed)
            result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a text");
        text = (struct ebb_text){spaced.text, spaced.size};
    }
    struct ebb_text word;
    while (result == EBB_OK && t->class->split(&text, &word))
        result = t->class->unigram ? encode_pieces(t, word, tokens, error)
                                   : encode_bytes(t, word, tokens, error);
    ebb_text_clear(&spaced);
    return result;
}

static enum ebb_result add_id(struct ebb_tokens *tokens, int id, struct ebb_error *error)
{
    return id < 0 || ebb_tokens_add(tokens, id) ? EBB_OK
                                                : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for tokens");
}

// Encodes what lies between the added tokens with `inner`.
static enum ebb_result encode_between(
    const struct ebb_tokenizer *t, const struct ebb_trie *trie, struct ebb_text text,
    enum ebb_result (*inner)(const struct ebb_tokenizer *t, struct ebb_text text, struct ebb_tokens *tokens,
                             struct ebb_error *error),
    struct ebb_tokens *tokens, struct ebb_error *error)
{
    const char *begin = text.at;
    enum ebb_result result = EBB_OK;
    while (result == EBB_OK && text.size > 0) {
        struct ebb_text before;
        const struct ebb_added_token *token = ebb_added_next(&t->added, trie, &text, &before, begin);
        if (before.size > 0)
            result = inner(t, before, tokens, error);
        if (result == EBB_OK && token)
            result = add_id(tokens, token->id, error);
    }
    return result;
}

static enum ebb_result encode_normalized(const struct ebb_tokenizer *t, struct ebb_text text,
                                         struct ebb_tokens *tokens, struct ebb_error *error)
{
    struct ebb_text_buffer normal = {0};
    enum ebb_result result = ebb_tokenizer_normalize(t, text, &normal, error);
    if (result == EBB_OK)
        result = encode_between(t, t->added.normalized, (struct ebb_text){normal.text, normal.size},
                                encode_words, tokens, error);
    ebb_text_clear(&normal);
    return result;
}

enum ebb_result ebb_tokenizer_encode(const struct ebb_tokenizer *t, const char *text, size_t size,
                                     struct ebb_tokens *tokens, struct ebb_error *error)
{
    enum ebb_result result = ebb_text_check(text, size, error);
    if (result == EBB_OK)
        result = add_id(tokens, t->before, error);
    if (result == EBB_OK)
        result = encode_between(t, t->added.plain, (struct ebb_text){text, size}, encode_normalized, tokens,
                                error);
    return result == EBB_OK ? add_id(tokens, t->behind, error) : result;
}

// ---- cutting ----

static void add_token_text(const struct ebb_tokenizer *t, int id, struct ebb_text_buffer *text)
{
    for (int i = 0; i < t->added.count; i++)
        if (t->added.token[i].id == id) {
            ebb_text_add(text, t->added.token[i].content, strlen(t->added.token[i].content));
            return;
        }
    if (!t->class->unigram) {
        ebb_bpe_decode(t->bpe, id, text);
        return;
    }
    struct ebb_text token = ebb_vocabulary_token(ebb_unigram_vocabulary(t->unigram), id);
    bool word = token.at && begins_with_lowline(token);
    if (word)
        ebb_text_add(text, " ", 1);
    if (token.at)
        ebb_text_add(text, token.at + (word ? LOWLINE : 0), token.size - (word ? LOWLINE : 0));
}

void ebb_tokenizer_cut(const struct ebb_tokenizer *t, struct ebb_tokens *tokens, size_t most,
                       struct ebb_text_buffer *cut)
{
    size_t behind = t->behind >= 0 ? 1 : 0;
    if (tokens->count <= most || most < behind)
        return;
    for (size_t i = most - behind; i < tokens->count - behind; i++)
        add_token_text(t, tokens->id[i], cut);
    tokens->count = most;
    if (behind)
        tokens->id[most - 1] = t->behind;
}
