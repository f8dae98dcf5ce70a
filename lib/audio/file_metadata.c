// SPDX-License-Identifier: LGPL-2.1-or-later
// The object that holds a file's metadata, and the recipe beside the user's comment.
#include "audio/file_metadata.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/wav_header.h"
#include "base/byte_order.h"

void ebb_metadata_lose(struct ebb_sound_metadata *metadata, const char *format, ...)
{
    size_t used = strlen(metadata->lost), room = sizeof(metadata->lost) - used;
    char name[80];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    if (used && strstr(metadata->lost, name))
        return;
    if (used + strlen(name) + sizeof(", and more") < sizeof(metadata->lost))
        snprintf(metadata->lost + used, room, "%s%s", used ? ", " : "", name);
    else if (!strstr(metadata->lost, ", and more"))
        snprintf(metadata->lost + used, room, ", and more");
}

struct ebb_sound_metadata *ebb_metadata_read(const struct ebb_sound_input *input, SNDFILE *file,
                                             const SF_INFO *sf)
{
    struct ebb_sound_metadata *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->mask = ebb_wav_default_mask(sf->channels);
    bool riff = input && ebb_metadata_is_riff(input);
    bool ok = riff ? ebb_metadata_from_riff(m, input) : ebb_metadata_from_libsndfile(m, input, file, sf);
    if (ok && input && !riff)
        ok = ebb_metadata_from_hidden(m, input);
    if (ok && input && ebb_sound_input_passed_tag(input) > 0)
        ebb_metadata_lose(m, "an ID3 tag in front of it");
    if (!ok)
        ebb_sound_metadata_destroy(&m);
    return m;
}

struct ebb_sound_metadata *ebb_sound_metadata_copy(const struct ebb_sound_metadata *metadata,
                                                   uint64_t frames_before)
{
    struct ebb_sound_metadata *m = metadata ? calloc(1, sizeof(*m)) : NULL;
    if (!m)
        return NULL;
    *m = *metadata;
    m->chunks = (struct ebb_wav_chunks){0};
    m->recipe = metadata->recipe ? strdup(metadata->recipe) : NULL;
    if (!ebb_wav_chunks_copy(&m->chunks, &metadata->chunks) || (metadata->recipe && !m->recipe))
        ebb_sound_metadata_destroy(&m);
    else if (frames_before > 0)
        ebb_metadata_move(m, frames_before);
    return m;
}

void ebb_sound_metadata_destroy(struct ebb_sound_metadata **metadata)
{
    if (!metadata || !*metadata)
        return;
    ebb_wav_chunks_clear(&(*metadata)->chunks);
    free((*metadata)->recipe);
    free(*metadata);
    *metadata = NULL;
}

const char *ebb_sound_metadata_lost(const struct ebb_sound_metadata *metadata)
{
    return metadata->lost[0] ? metadata->lost : NULL;
}

// ---- the recipe and the comment ----

bool ebb_metadata_is_recipe(const char *text, size_t size)
{
    return size > 6 && text[0] == '{' && memmem(text, size, "\"ebb", 4) != NULL;
}

static bool is_comment(const struct ebb_wav_field *field)
{
    return memcmp(field->id, "ICMT", 4) == 0;
}

static bool is_old_recipe(const struct ebb_wav_field *field)
{
    return is_comment(field) && ebb_metadata_is_recipe((const char *)field->body, field->size);
}

// A copy of the LIST without recipes of ours.
static bool copy_without_recipes(const struct ebb_wav_chunk *list, struct ebb_wav_chunks *out,
                                 bool *has_comment)
{
    struct ebb_wav_chunk *copy = ebb_wav_chunks_add(out, "LIST", "INFO", 4);
    if (!copy)
        return false;
    copy->behind = list->behind;
    struct ebb_wav_field field;
    bool ok = true;
    for (size_t at = 0; ok && ebb_wav_chunk_next_field(list, &at, &field);) {
        if (is_old_recipe(&field))
            continue;
        *has_comment = *has_comment || is_comment(&field);
        ok = ebb_wav_chunk_append_field(copy, (const char *)field.id, field.body, field.size);
    }
    if (ok && copy->size == 4) { // nothing was left of it
        free(copy->body);
        out->count--;
    }
    return ok;
}

static struct ebb_wav_chunk *find_info(struct ebb_wav_chunks *chunks)
{
    for (size_t i = 0; i < chunks->count; i++)
        if (ebb_wav_chunk_is_list(chunks->items + i, "INFO"))
            return chunks->items + i;
    return NULL;
}

// Behind the samples, so that a file of ours begins with nothing but its format.
static bool add_recipe(struct ebb_wav_chunks *out, const char *recipe, bool has_comment)
{
    uint32_t size = (uint32_t)strlen(recipe) + 1;
    if (has_comment) {
        struct ebb_wav_chunk *own = ebb_wav_chunks_add(out, METADATA_RECIPE_ID, recipe, size);
        if (own)
            own->behind = true;
        return own != NULL;
    }
    struct ebb_wav_chunk *info = find_info(out);
    if (!info && (info = ebb_wav_chunks_add(out, "LIST", "INFO", 4)))
        info->behind = true;
    return info && ebb_wav_chunk_append_field(info, "ICMT", recipe, size);
}

// The loudness in a broadcast chunk (EBU Tech 3285, version 2) is that of the old sound: five values of 16
// bits become 0x7fff, which says that they are not known.
static void forget_loudness(struct ebb_wav_chunk *bext)
{
    enum { VERSION = 346, LOUDNESS = 412, VALUES = 5, UNKNOWN = 0x7fff };
    if (bext->size < LOUDNESS + 2 * VALUES || ebb_little(bext->body + VERSION, 2) < 2)
        return;
    for (int i = 0; i < VALUES; i++)
        ebb_put_little(bext->body + LOUDNESS + 2 * i, UNKNOWN, 2);
}

bool ebb_metadata_to_chunks(const struct ebb_sound_metadata *metadata, const char *recipe,
                            struct ebb_wav_chunks *out)
{
    static const struct ebb_wav_chunks none = {0};
    const struct ebb_wav_chunks *from = metadata ? &metadata->chunks : &none;
    bool ok = true, has_comment = false;
    for (size_t i = 0; i < from->count && ok; i++) {
        const struct ebb_wav_chunk *chunk = from->items + i;
        if (ebb_wav_chunk_is_list(chunk, "INFO"))
            ok = copy_without_recipes(chunk, out, &has_comment);
        else
            ok = ebb_wav_chunks_copy(out, &(struct ebb_wav_chunks){(struct ebb_wav_chunk *)chunk, 1});
        if (ok && memcmp(chunk->id, "bext", 4) == 0)
            forget_loudness(out->items + out->count - 1);
    }
    return ok && (!recipe || add_recipe(out, recipe, has_comment));
}
