// SPDX-License-Identifier: LGPL-2.1-or-later
// The file of a sentencepiece model, spiece.model: a protocol buffer, of which a few fields are read.
#ifndef EBB_TEXT_SPIECE_H
#define EBB_TEXT_SPIECE_H

#include "text/charsmap.h"
#include "text/unigram.h"

struct ebb_spiece {
    struct ebb_unigram *unigram;
    struct ebb_charsmap *map;  // NULL: none
    struct ebb_trie *controls; // pieces that are control tokens; the value is the id
};

enum ebb_result ebb_spiece_read(const char *path, struct ebb_spiece *spiece, struct ebb_error *error);
void ebb_spiece_clear(struct ebb_spiece *spiece);

#endif
