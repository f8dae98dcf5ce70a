// SPDX-License-Identifier: LGPL-2.1-or-later
// The map of characters that a sentencepiece model carries: which are written in another way before the text
// is divided. It is a double array (Aoe 1989) and the texts that it points into.
#ifndef EBB_TEXT_CHARSMAP_H
#define EBB_TEXT_CHARSMAP_H

#include "text/unicode.h"

struct ebb_charsmap;

// From the bytes of "precompiled_charsmap".
struct ebb_charsmap *ebb_charsmap_create(const void *data, size_t size, struct ebb_error *error);
// From the same bytes in base64.
struct ebb_charsmap *ebb_charsmap_create_base64(const char *text, struct ebb_error *error);
void ebb_charsmap_destroy(struct ebb_charsmap **map);

// Adds the text, rewritten, to the buffer.
void ebb_charsmap_apply(const struct ebb_charsmap *map, struct ebb_text text, struct ebb_text_buffer *buffer);

#endif
