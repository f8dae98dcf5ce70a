// SPDX-License-Identifier: LGPL-2.1-or-later
// Text in UTF-8, and what Unicode says about a character: utf8proc knows it.
#ifndef EBB_TEXT_UNICODE_H
#define EBB_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>

// A piece of text: not ended by a 0, valid UTF-8 where nothing else is said.
struct ebb_text {
    const char *at;
    size_t size;
};

// A text that grows; owned. `failed`: memory ran out, and what was added since is missing.
struct ebb_text_buffer {
    char *text;
    size_t size, capacity;
    bool failed;
};
void ebb_text_add(struct ebb_text_buffer *buffer, const char *text, size_t size);
void ebb_text_add_character(struct ebb_text_buffer *buffer, int32_t character);
void ebb_text_clear(struct ebb_text_buffer *buffer);

// EBB_INVALID names the first byte that is not UTF-8.
enum ebb_result ebb_text_check(const char *text, size_t size, struct ebb_error *error);

// The character at `at` and its length in bytes. A byte that is not UTF-8 reads as U+FFFD, length 1.
int32_t ebb_text_character(const char *at, size_t size, size_t *length);

bool ebb_is_letter(int32_t character); // category L
bool ebb_is_number(int32_t character); // category N
bool ebb_is_space(int32_t character);  // White_Space
bool ebb_is_word(int32_t character);   // a letter, mark, digit or connector: \w of a regular expression

// Composes (NFC) and adds to the buffer. More than 256 marks on one letter are EBB_INVALID.
enum ebb_result ebb_text_compose(struct ebb_text text, struct ebb_text_buffer *buffer,
                                 struct ebb_error *error);
// Writes the character in lower case, at most EBB_LOWER_BYTES, and returns how many bytes those are.
enum { EBB_LOWER_BYTES = 8 };
size_t ebb_text_lower(int32_t character, char bytes[EBB_LOWER_BYTES]);
// Adds the character in lower case.
void ebb_text_add_lower(struct ebb_text_buffer *buffer, int32_t character);

// The length of the first grapheme, a character with what belongs to it.
size_t ebb_text_grapheme(const char *at, size_t size);

#endif
