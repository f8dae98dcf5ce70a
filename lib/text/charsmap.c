// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text/charsmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/byte_order.h"

struct ebb_charsmap {
    uint32_t *unit; // of the double array
    size_t units;
    char *text; // the replacements, each ended by a 0; a 0 follows the last
    size_t size;
};

struct ebb_charsmap *ebb_charsmap_create(const void *data, size_t size, struct ebb_error *error)
{
    enum { HEAD = 4, UNIT = 4 };
    const unsigned char *at = data;
    size_t array = size >= HEAD ? ebb_little(at, HEAD) : 0;
    if (array < UNIT || array % UNIT || array > size - HEAD) {
        ebb_fail(error, EBB_CORRUPT, "a map of characters of %zu bytes says that %zu of them are its array",
                 size, array);
        return NULL;
    }
    if (ebb_text_check((const char *)at + HEAD + array, size - HEAD - array, error) != EBB_OK) {
        ebb_explain(error, "the map of characters");
        return NULL;
    }
    struct ebb_charsmap *map = ebb_alloc(1, sizeof(*map));
    if (map) {
        map->units = array / UNIT;
        map->size = size - HEAD - array;
        map->unit = ebb_alloc(map->units, sizeof(*map->unit));
        map->text = ebb_alloc(map->size + 1, 1);
    }
    if (!map || !map->unit || !map->text) {
        ebb_charsmap_destroy(&map);
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a map of characters");
        return NULL;
    }
    for (size_t i = 0; i < map->units; i++)
        map->unit[i] = (uint32_t)ebb_little(at + HEAD + UNIT * i, UNIT);
    memcpy(map->text, at + HEAD + array, map->size);
    return map;
}

void ebb_charsmap_destroy(struct ebb_charsmap **owner)
{
    struct ebb_charsmap *map = *owner;
    *owner = NULL;
    if (!map)
        return;
    free(map->unit);
    free(map->text);
    free(map);
}

// ---- base64 ----

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

// The bytes that are written so; SIZE_MAX: they are none.
static size_t decode_base64(const char *text, unsigned char *data)
{
    size_t count = 0;
    uint32_t bits = 0;
    int held = 0;
    for (; *text && *text != '='; text++) {
        int digit = digit_of(*text);
        if (digit < 0)
            return SIZE_MAX;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8)
            data[count++] = (unsigned char)(bits >> (held -= 8));
    }
    return text[strspn(text, "=")] ? SIZE_MAX : count;
}

struct ebb_charsmap *ebb_charsmap_create_base64(const char *text, struct ebb_error *error)
{
    unsigned char *data = malloc(strlen(text) + 1);
    size_t size = data ? decode_base64(text, data) : 0;
    struct ebb_charsmap *map = NULL;
    if (!data)
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a map of characters");
    else if (size == SIZE_MAX)
        ebb_fail(error, EBB_CORRUPT, "\"precompiled_charsmap\" is not base64");
    else
        map = ebb_charsmap_create(data, size, error);
    free(data);
    return map;
}

// ---- use ----

// A unit of the array holds: bits 0-7 and 31 the byte that led there, bit 8 whether a key ends, bit 9 a
// longer offset, bits 10-30 the offset. A key's value is in bits 0-30 of the unit that the offset leads to.
static bool has_byte(uint32_t unit, unsigned char byte)
{
    return (unit & 0x800000ffu) == byte;
}

static bool ends_key(uint32_t unit)
{
    return unit >> 8 & 1;
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 0x200u) >> 6);
}

// The replacement of the shortest key that the text begins with, as Hugging Face's tokenizers take it;
// NULL: there is none.
static const char *find(const struct ebb_charsmap *map, const char *at, size_t size)
{
    size_t place = offset_of(map->unit[0]);
    for (size_t i = 0; i < size && at[i]; i++) {
        place ^= (unsigned char)at[i];
        if (place >= map->units || !has_byte(map->unit[place], (unsigned char)at[i]))
            return NULL;
        uint32_t unit = map->unit[place];
        place ^= offset_of(unit);
        if (!ends_key(unit))
            continue;
        size_t value = place < map->units ? map->unit[place] & 0x7fffffffu : SIZE_MAX;
        return value < map->size ? map->text + value : NULL;
    }
    return NULL;
}

static void replace_or_keep(const struct ebb_charsmap *map, const char *at, size_t size,
                            struct ebb_text_buffer *buffer)
{
    const char *to = find(map, at, size);
    ebb_text_add(buffer, to ? to : at, to ? strlen(to) : size);
}

void ebb_charsmap_apply(const struct ebb_charsmap *map, struct ebb_text text, struct ebb_text_buffer *buffer)
{
    enum { LONGEST = 5 }; // a longer grapheme is looked up by its characters alone
    size_t grapheme, character;
    for (size_t i = 0; i < text.size; i += grapheme) {
        const char *at = text.at + i;
        grapheme = ebb_text_grapheme(at, text.size - i);
        if (grapheme <= LONGEST && find(map, at, grapheme)) {
            replace_or_keep(map, at, grapheme, buffer);
            continue;
        }
        for (size_t k = 0; k < grapheme; k += character) {
            ebb_text_character(at + k, grapheme - k, &character);
            replace_or_keep(map, at + k, character, buffer);
        }
    }
}
