// SPDX-License-Identifier: LGPL-2.1-or-later
#include "text/tokens.h"

#include <stdlib.h>

bool ebb_tokens_add(struct ebb_tokens *tokens, int id)
{
    if (tokens->count == tokens->capacity) {
        size_t capacity = 2 * tokens->capacity + 32;
        int *grown = realloc(tokens->id, capacity * sizeof(*grown));
        if (!grown)
            return false;
        tokens->id = grown;
        tokens->capacity = capacity;
    }
    tokens->id[tokens->count++] = id;
    return true;
}

void ebb_tokens_clear(struct ebb_tokens *tokens)
{
    free(tokens->id);
    *tokens = (struct ebb_tokens){0};
}
