// SPDX-License-Identifier: LGPL-2.1-or-later
// What targets of tokenizers' files do with the folder that they have filled.
#ifndef EBB_TESTS_FUZZ_TRY_TOKENIZER_H
#define EBB_TESTS_FUZZ_TRY_TOKENIZER_H

#include <ebb/tokens.h>

#include "fuzz.h"

static inline void encode(const struct ebb_tokenizer *tokenizer, const char *text, size_t size)
{
    struct ebb_tokens tokens = {0};
    struct ebb_error error = {0};
    check_error(ebb_tokenizer_encode(tokenizer, text, size, &tokens, &error), &error);
    ebb_tokens_clear(&tokens);
}

// The tokenizer in fuzz_folder() opens or says why not; if it opens, it takes `text` and the input itself.
static inline void try_tokenizer(const char *text, size_t length, const uint8_t *data, size_t size)
{
    struct ebb_error error = {0};
    struct ebb_tokenizer *tokenizer = ebb_tokenizer_open(fuzz_folder(), &error);
    CHECK(tokenizer || (error.code != EBB_OK && *error.message));
    if (tokenizer) {
        encode(tokenizer, text, length);
        encode(tokenizer, (const char *)data, size < 300 ? size : 300);
    }
    ebb_tokenizer_destroy(&tokenizer);
}

#endif
