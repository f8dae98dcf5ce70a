// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text/split.h"

#include <string.h>

enum character_kind { KIND_END, KIND_LETTER, KIND_NUMBER, KIND_SPACE, KIND_OTHER };

static enum character_kind kind_at(struct ebb_text text, size_t at, size_t *length)
{
    *length = 0;
    if (at >= text.size)
        return KIND_END;
    int32_t character = ebb_text_character(text.at + at, text.size - at, length);
    return ebb_is_letter(character)   ? KIND_LETTER
           : ebb_is_number(character) ? KIND_NUMBER
           : ebb_is_space(character)  ? KIND_SPACE
                                      : KIND_OTHER;
}

// The end of the run of characters of a kind that begins at `at`.
static size_t run_end(struct ebb_text text, size_t at, enum character_kind kind)
{
    size_t length;
    while (kind_at(text, at, &length) == kind)
        at += length;
    return at;
}

static bool take(struct ebb_text *rest, size_t skip, size_t end, struct ebb_text *word)
{
    *word = (struct ebb_text){rest->at + skip, end - skip};
    rest->at += end;
    rest->size -= end;
    return word->size > 0;
}

static size_t first_of(struct ebb_text text, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) <= text.size && memcmp(*words, text.at, strlen(*words)) == 0)
            return strlen(*words);
    return 0;
}

static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d", NULL};

// <|startoftext|>|<|endoftext|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
bool ebb_split_clip(struct ebb_text *rest, struct ebb_text *word)
{
    static const char *const marks[] = {"<|startoftext|>", "<|endoftext|>", NULL};
    size_t skip = run_end(*rest, 0, KIND_SPACE), length;
    struct ebb_text text = {rest->at + skip, rest->size - skip};
    enum character_kind kind = kind_at(text, 0, &length);
    size_t end = first_of(text, marks);
    end = end ? end : first_of(text, contractions);
    if (!end && kind == KIND_NUMBER)
        end = length;
    if (!end && kind != KIND_END)
        end = run_end(text, 0, kind);
    return take(rest, skip, skip + end, word);
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
bool ebb_split_gpt2(struct ebb_text *rest, struct ebb_text *word)
{
    size_t end = first_of(*rest, contractions), length;
    if (end)
        return take(rest, 0, end, word);
    size_t begin = rest->size > 0 && rest->at[0] == ' ' ? 1 : 0;
    enum character_kind kind = kind_at(*rest, begin, &length);
    if (kind != KIND_SPACE && kind != KIND_END)
        return take(rest, 0, run_end(*rest, begin, kind), word);

    size_t last = 0; // where the last space of the run begins
    for (end = 0; kind_at(*rest, end, &length) == KIND_SPACE; end += length)
        last = end;
    bool word_follows = end < rest->size && last > 0; // it has the last space
    return take(rest, 0, word_follows ? last : end, word);
}

bool ebb_split_space(struct ebb_text *rest, struct ebb_text *word)
{
    size_t skip = run_end(*rest, 0, KIND_SPACE), end = skip, length;
    for (enum character_kind kind; (kind = kind_at(*rest, end, &length)) != KIND_END && kind != KIND_SPACE;)
        end += length;
    return take(rest, skip, end, word);
}
