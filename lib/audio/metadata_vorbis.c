// SPDX-License-Identifier: LGPL-2.1-or-later
// The comments of a FLAC or an Ogg, of which libsndfile tells a few: the places of the channels, a
// description, and the names of those that a WAV has no place for.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "audio/file_metadata.h"
#include "base/byte_order.h"
#include "base/plain.h"

enum { MOST_COMMENTS = 10000, MOST_NAME = 40 };

struct comment {
    const char *text; // not terminated; NAME=value
    size_t size, name;
};

static bool is_named(const struct comment *c, const char *name)
{
    return c->name == strlen(name) && ebb_plain_same(c->text, name, c->name);
}

// Those that libsndfile tells, and those that speak of the encoding.
static bool is_told(const struct comment *c)
{
    static const char *const told[] = {"TITLE",     "ARTIST", "ALBUM",    "DATE",    "COMMENT", "TRACKNUMBER",
                                       "COPYRIGHT", "GENRE",  "SOFTWARE", "LICENSE", "ENCODER", "ENCODED-BY"};
    bool found = false;
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
        found = found || is_named(c, told[i]);
    return found;
}

// RFC 9639: a number in hexadecimal digits; 0: the channels have no places.
static void take_mask(struct ebb_sound_metadata *m, const struct comment *c)
{
    char digits[20] = {0}, *end;
    size_t size = c->size - c->name - 1;
    if (size == 0 || size >= sizeof(digits))
        return;
    memcpy(digits, c->text + c->name + 1, size);
    unsigned long mask = strtoul(digits, &end, 16);
    if (isxdigit((unsigned char)digits[0]) && *end == 0 && mask <= UINT32_MAX)
        m->mask = (uint32_t)mask;
}

static struct ebb_wav_chunk *info_of(struct ebb_sound_metadata *m)
{
    for (size_t i = 0; i < m->chunks.count; i++)
        if (ebb_wav_chunk_is_list(m->chunks.items + i, "INFO"))
            return m->chunks.items + i;
    struct ebb_wav_chunk *info = ebb_wav_chunks_add(&m->chunks, "LIST", "INFO", 4);
    if (info)
        info->behind = true;
    return info;
}

static bool has_comment(const struct ebb_wav_chunk *info)
{
    struct ebb_wav_field field;
    bool found = false;
    for (size_t at = 0; !found && ebb_wav_chunk_next_field(info, &at, &field);)
        found = memcmp(field.id, "ICMT", 4) == 0;
    return found;
}

// What other programs take for the comment. false: out of memory.
static bool take_description(struct ebb_sound_metadata *m, const struct comment *c)
{
    struct ebb_wav_chunk *info = info_of(m);
    size_t size = c->size - c->name - 1;
    char *text = info ? strndup(c->text + c->name + 1, size) : NULL;
    bool ok = text != NULL;
    if (ok && has_comment(info))
        ebb_metadata_lose(m, "DESCRIPTION");
    else if (ok && *text)
        ok = ebb_wav_chunk_append_field(info, "ICMT", text, (uint32_t)strlen(text) + 1);
    free(text);
    return ok;
}

// Ours, beside somebody else's comment.
static bool is_recipe(const struct comment *c)
{
    return is_named(c, "EBB_RECIPE") && ebb_metadata_is_recipe(c->text + c->name + 1, c->size - c->name - 1);
}

// The first counts. false: out of memory.
static bool take_recipe(struct ebb_sound_metadata *m, const struct comment *c)
{
    if (!m->recipe)
        m->recipe = strndup(c->text + c->name + 1, c->size - c->name - 1);
    return m->recipe != NULL;
}

static bool take_comment(struct ebb_sound_metadata *m, const struct comment *c)
{
    char name[MOST_NAME + 1] = {0};
    if (is_recipe(c))
        return take_recipe(m, c);
    if (is_named(c, "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"))
        take_mask(m, c);
    else if (is_named(c, "DESCRIPTION"))
        return take_description(m, c);
    else if (is_named(c, "METADATA_BLOCK_PICTURE"))
        ebb_metadata_lose(m, "a picture");
    else if (c->name > 0 && !is_told(c)) {
        memcpy(name, c->text, c->name < MOST_NAME ? c->name : MOST_NAME);
        ebb_metadata_lose(m, "%s", name);
    }
    return true;
}

// The next text behind its length; false: there is none.
static bool next_text(const unsigned char **at, size_t *left, struct comment *c)
{
    uint32_t size = *left >= 4 ? ebb_little(*at, 4) : 0;
    if (*left < 4 || size > *left - 4)
        return false;
    *c = (struct comment){(const char *)*at + 4, size, 0};
    while (c->name < size && c->text[c->name] != '=')
        c->name++;
    if (c->name == size) // no name: not one of these
        c->name = 0;
    *at += 4 + size;
    *left -= 4 + size;
    return true;
}

bool ebb_metadata_from_vorbis(struct ebb_sound_metadata *metadata, const unsigned char *bytes, size_t size)
{
    struct comment c;
    if (!next_text(&bytes, &size, &c) || size < 4) // the encoder's name
        return true;
    uint32_t count = ebb_little(bytes, 4);
    bool ok = true;
    bytes += 4;
    size -= 4;
    for (uint32_t i = 0; i < count && i < MOST_COMMENTS && ok && next_text(&bytes, &size, &c); i++)
        ok = take_comment(metadata, &c);
    return ok;
}
