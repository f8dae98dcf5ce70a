// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/metadata_tags.h"

#include <stdlib.h>
#include <string.h>

#include <sndfile.h>
#include <utf8proc.h>

#include "audio/file_metadata.h"

const struct ebb_metadata_tag ebb_metadata_tags[METADATA_TAGS] = {
    {SF_STR_TITLE, "INAM"},       {SF_STR_ARTIST, "IART"},   {SF_STR_ALBUM, "IPRD"},
    {SF_STR_TRACKNUMBER, "ITRK"}, {SF_STR_DATE, "ICRD"},     {SF_STR_GENRE, "IGNR"},
    {SF_STR_COPYRIGHT, "ICOP"},   {SF_STR_SOFTWARE, "ISFT"}, {SF_STR_COMMENT, "ICMT"},
};
enum { COMMENT = METADATA_TAGS - 1 };

static bool is_utf8(const unsigned char *text, size_t size)
{
    utf8proc_int32_t character;
    for (size_t at = 0; at < size;) {
        utf8proc_ssize_t n = utf8proc_iterate(text + at, (utf8proc_ssize_t)(size - at), &character);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

// A WAV does not say in which set of characters its texts are. What is no UTF-8 is taken for Latin-1.
static char *to_utf8(const unsigned char *text, size_t size)
{
    size = strnlen((const char *)text, size);
    bool done = is_utf8(text, size);
    char *out = malloc(2 * size + 1), *end = out;
    for (size_t i = 0; out && i < size; i++) {
        if (done)
            *end++ = (char)text[i];
        else
            end += utf8proc_encode_char(text[i], (utf8proc_uint8_t *)end);
    }
    if (out)
        *end = 0;
    return out;
}

static int tag_of(const unsigned char *id)
{
    for (int i = 0; i < METADATA_TAGS; i++)
        if (memcmp(ebb_metadata_tags[i].id, id, 4) == 0)
            return i;
    return -1;
}

// Of two fields of one name the first counts.
static bool take_field(const struct ebb_wav_field *field, struct ebb_metadata_texts *texts, bool *rest)
{
    int tag = tag_of(field->id);
    if (tag == COMMENT && ebb_metadata_is_recipe((const char *)field->body, field->size))
        return true;
    if (tag < 0 || texts->of[tag]) {
        *rest = true;
        return true;
    }
    texts->of[tag] = to_utf8(field->body, field->size);
    return texts->of[tag] != NULL;
}

bool ebb_metadata_to_texts(const struct ebb_sound_metadata *metadata, const char *comment,
                           struct ebb_metadata_texts *texts, bool *rest)
{
    bool ok = true;
    *texts = (struct ebb_metadata_texts){0};
    *rest = false;
    for (size_t i = 0; metadata && i < metadata->chunks.count; i++) {
        const struct ebb_wav_chunk *chunk = metadata->chunks.items + i;
        struct ebb_wav_field field;
        bool is_info = ebb_wav_chunk_is_list(chunk, "INFO");
        *rest = *rest || !is_info;
        for (size_t at = 0; ok && is_info && ebb_wav_chunk_next_field(chunk, &at, &field);)
            ok = take_field(&field, texts, rest);
    }
    char **place = texts->of[COMMENT] ? &texts->recipe : &texts->of[COMMENT];
    if (ok && comment)
        ok = (*place = strdup(comment)) != NULL;
    return ok;
}

bool ebb_metadata_texts_replace_comment(struct ebb_metadata_texts *texts)
{
    if (!texts->recipe)
        return false;
    free(texts->of[COMMENT]);
    texts->of[COMMENT] = texts->recipe;
    texts->recipe = NULL;
    return true;
}

bool ebb_metadata_texts_are_full(const struct ebb_metadata_texts *texts)
{
    bool full = true;
    for (int i = 0; i < METADATA_TAGS; i++)
        full = full && (texts->of[i] || ebb_metadata_tags[i].text == SF_STR_SOFTWARE);
    return full;
}

void ebb_metadata_texts_clear(struct ebb_metadata_texts *texts)
{
    for (int i = 0; i < METADATA_TAGS; i++)
        free(texts->of[i]);
    free(texts->recipe);
    *texts = (struct ebb_metadata_texts){0};
}

const char *ebb_metadata_texts_comment(const struct ebb_metadata_texts *texts)
{
    return texts->of[COMMENT] ? texts->of[COMMENT] : "";
}
