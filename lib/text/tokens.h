// SPDX-License-Identifier: LGPL-2.1-or-later
// A list of token ids that grows.
#ifndef EBB_TEXT_TOKENS_H
#define EBB_TEXT_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/tokens.h>

bool ebb_tokens_add(struct ebb_tokens *tokens, int id); // false: out of memory

#endif
