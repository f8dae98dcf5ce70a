// SPDX-License-Identifier: LGPL-2.1-or-later
// A recipe as a line of JSON: what is read is written, and read again as the same.
#include <ebb/recipe.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ebb_error error = {0};
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    struct ebb_recipe *recipe = ebb_recipe_read(text, &error);
    free(text);
    CHECK(recipe || (error.code != EBB_OK && *error.message));
    if (!recipe)
        return 0;
    size_t length = ebb_recipe_write(recipe, NULL, 0);
    char *written = malloc(length + 1);
    CHECK(length && ebb_recipe_write(recipe, written, length + 1) == length);
    struct ebb_recipe *again = ebb_recipe_read(written, &error);
    CHECK(again && ebb_recipe_same(recipe, again));
    free(written);
    ebb_recipe_destroy(&again);
    ebb_recipe_destroy(&recipe);
    return 0;
}
