// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text/added.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"

const struct ebb_added_token *ebb_added_find(const struct ebb_added *added, const char *content)
{
    for (int i = 0; i < added->count; i++)
        if (strcmp(added->token[i].content, content) == 0)
            return &added->token[i];
    return NULL;
}

static bool make_room(struct ebb_added *added)
{
    if (added->count < added->capacity)
        return true;
    int capacity = 2 * added->capacity + 16;
    struct ebb_added_token *grown = realloc(added->token, (size_t)capacity * sizeof(*grown));
    if (!grown)
        return false;
    added->token = grown;
    added->capacity = capacity;
    return true;
}

enum ebb_result ebb_added_add(struct ebb_added *added, const struct ebb_added_token *token,
                              struct ebb_error *error)
{
    if (!*token->content)
        return EBB_OK;
    struct ebb_added_token *known = (struct ebb_added_token *)ebb_added_find(added, token->content);
    if (known) {
        struct ebb_added_token changed = *token;
        changed.content = known->content;
        *known = changed;
        return EBB_OK;
    }
    if (added->count == EBB_MOST_ADDED || strlen(token->content) > EBB_LONGEST_TOKEN)
        return ebb_fail(error, EBB_UNSUPPORTED, "more than %d added tokens, or one of more than %d bytes",
                        EBB_MOST_ADDED, EBB_LONGEST_TOKEN);
    struct ebb_added_token copy = *token;
    copy.content = make_room(added) ? strdup(token->content) : NULL;
    if (!copy.content)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for added tokens");
    added->token[added->count++] = copy;
    return EBB_OK;
}

void ebb_added_clear(struct ebb_added *added)
{
    for (int i = 0; i < added->count; i++)
        free(added->token[i].content);
    free(added->token);
    ebb_trie_destroy(&added->plain);
    ebb_trie_destroy(&added->normalized);
    *added = (struct ebb_added){0};
}

// ---- search ----

// Where the character before `at` begins.
static const char *step_back(const char *begin, const char *at)
{
    do
        at--;
    while (at > begin && ((unsigned char)*at & 0xc0) == 0x80);
    return at;
}

static bool is_at(bool (*is)(int32_t character), const char *at, const char *end)
{
    size_t length;
    return at < end && is(ebb_text_character(at, (size_t)(end - at), &length));
}

static bool stands_alone(const char *begin, const char *from, const char *to, const char *end)
{
    bool joined_before = from > begin && is_at(ebb_is_word, step_back(begin, from), end);
    return !joined_before && !is_at(ebb_is_word, to, end);
}

static const char *without_spaces(const char *begin, const char *at)
{
    while (at > begin && is_at(ebb_is_space, step_back(begin, at), at))
        at = step_back(begin, at);
    return at;
}

static const char *behind_spaces(const char *at, const char *end)
{
    size_t length;
    while (at < end && ebb_is_space(ebb_text_character(at, (size_t)(end - at), &length)))
        at += length;
    return at;
}

const struct ebb_added_token *ebb_added_next(const struct ebb_added *added, const struct ebb_trie *trie,
                                             struct ebb_text *rest, struct ebb_text *before,
                                             const char *begin)
{
    const char *end = rest->at + rest->size;
    for (const char *at = rest->at; at < end;) {
        int number;
        size_t length = ebb_trie_longest(trie, at, (size_t)(end - at), &number);
        const struct ebb_added_token *token = length ? &added->token[number] : NULL;
        if (!token || (token->single_word && !stands_alone(begin, at, at + length, end))) {
            at += length ? length : 1;
            continue;
        }
        const char *from = token->left ? without_spaces(rest->at, at) : at;
        const char *to = token->right ? behind_spaces(at + length, end) : at + length;
        *before = (struct ebb_text){rest->at, (size_t)(from - rest->at)};
        *rest = (struct ebb_text){to, (size_t)(end - to)};
        return token;
    }
    *before = *rest;
    *rest = (struct ebb_text){end, 0};
    return NULL;
}
