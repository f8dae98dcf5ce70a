// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#include <utf8proc.h>

// ---- buffers ----

void ebb_text_add(struct ebb_text_buffer *buffer, const char *text, size_t size)
{
    if (size > SIZE_MAX / 4 - buffer->size)
        buffer->failed = true;
    if (buffer->failed || size == 0)
        return;
    if (buffer->size + size > buffer->capacity) {
        size_t capacity = 2 * (buffer->size + size);
        char *grown = realloc(buffer->text, capacity);
        if (!grown) {
            buffer->failed = true;
            return;
        }
        buffer->text = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->text + buffer->size, text, size);
    buffer->size += size;
}

void ebb_text_add_character(struct ebb_text_buffer *buffer, int32_t character)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t size = utf8proc_encode_char(character, bytes);
    ebb_text_add(buffer, (const char *)bytes, (size_t)size);
}

void ebb_text_clear(struct ebb_text_buffer *buffer)
{
    free(buffer->text);
    *buffer = (struct ebb_text_buffer){0};
}

// ---- characters ----

enum ebb_result ebb_text_check(const char *text, size_t size, struct ebb_error *error)
{
    for (size_t at = 0; at < size;) {
        utf8proc_int32_t character;
        utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                                   (utf8proc_ssize_t)(size - at), &character);
        if (length <= 0)
            return ebb_fail(error, EBB_INVALID, "byte %zu of the text is 0x%02x, expected UTF-8", at,
                            (unsigned char)text[at]);
        at += (size_t)length;
    }
    return EBB_OK;
}

int32_t ebb_text_character(const char *at, size_t size, size_t *length)
{
    utf8proc_int32_t character;
    utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)at, (utf8proc_ssize_t)size,
                                             &character);
    *length = used > 0 ? (size_t)used : 1;
    return used > 0 ? character : 0xfffd;
}

bool ebb_is_letter(int32_t character)
{
    utf8proc_category_t category = utf8proc_category(character);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool ebb_is_number(int32_t character)
{
    utf8proc_category_t category = utf8proc_category(character);
    return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool ebb_is_space(int32_t character)
{
    utf8proc_category_t category = utf8proc_category(character);
    return (character >= '\t' && character <= '\r') || character == 0x85 ||
           (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

bool ebb_is_word(int32_t character)
{
    utf8proc_category_t category = utf8proc_category(character);
    bool joiner = character == 0x200c || character == 0x200d;
    return joiner || ebb_is_letter(character) || category == UTF8PROC_CATEGORY_PC ||
           (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_NL);
}

// ---- changes ----

// utf8proc sorts the marks on a letter one by one, so that their number is limited.
static enum ebb_result check_marks(struct ebb_text text, struct ebb_error *error)
{
    enum { MOST = 256 };
    size_t length, marks = 0;
    for (size_t i = 0; i < text.size; i += length) {
        bool mark =
            utf8proc_get_property(ebb_text_character(text.at + i, text.size - i, &length))->combining_class !=
            0;
        marks = mark ? marks + 1 : 0;
        if (marks > MOST)
            return ebb_fail(error, EBB_INVALID, "the text has more than %d combining marks in a row", MOST);
    }
    return EBB_OK;
}

enum ebb_result ebb_text_compose(struct ebb_text text, struct ebb_text_buffer *buffer,
                                 struct ebb_error *error)
{
    enum ebb_result result = check_marks(text, error);
    if (result != EBB_OK || text.size == 0)
        return result;
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t size = utf8proc_map((const utf8proc_uint8_t *)text.at, (utf8proc_ssize_t)text.size,
                                         &composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (size < 0)
        return ebb_fail(error, size == UTF8PROC_ERROR_NOMEM ? EBB_OUT_OF_MEMORY : EBB_INVALID,
                        "the text cannot be composed: %s", utf8proc_errmsg(size));
    ebb_text_add(buffer, (const char *)composed, (size_t)size);
    free(composed);
    return EBB_OK;
}

size_t ebb_text_lower(int32_t character, char bytes[EBB_LOWER_BYTES])
{
    enum { I_WITH_DOT = 0x130, DOT_ABOVE = 0x307 }; // the one letter that becomes two
    utf8proc_uint8_t *out = (utf8proc_uint8_t *)bytes;
    utf8proc_ssize_t size = utf8proc_encode_char(character == I_WITH_DOT ? 'i' : utf8proc_tolower(character),
                                                 out);
    if (character == I_WITH_DOT)
        size += utf8proc_encode_char(DOT_ABOVE, out + size);
    return (size_t)size;
}

void ebb_text_add_lower(struct ebb_text_buffer *buffer, int32_t character)
{
    char bytes[EBB_LOWER_BYTES];
    ebb_text_add(buffer, bytes, ebb_text_lower(character, bytes));
}

size_t ebb_text_grapheme(const char *at, size_t size)
{
    utf8proc_int32_t state = 0;
    size_t length, end;
    int32_t before = ebb_text_character(at, size, &end);
    for (; end < size; end += length) {
        int32_t character = ebb_text_character(at + end, size - end, &length);
        if (utf8proc_grapheme_break_stateful(before, character, &state))
            break;
        before = character;
    }
    return end;
}
