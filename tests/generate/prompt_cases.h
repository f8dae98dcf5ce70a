// SPDX-License-Identifier: LGPL-2.1-or-later
// What tests of models that are asked in words share: recipes of golden cases, and folders that do not fit.
#ifndef EBB_TEST_PROMPT_CASES_H
#define EBB_TEST_PROMPT_CASES_H

#include <jansson.h>

#include "../model/scratch.h"
#include "tiny_model.h"

// `words`: what the case leaves open.
static inline struct ebb_recipe *recipe_of_case(const char *words, json_t *settings)
{
    const char *name;
    json_t *value;
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = generating(words);
    json_object_foreach(settings, name, value)
    {
        enum ebb_result result = json_is_string(value)
                                     ? ebb_recipe_set(recipe, name, json_string_value(value), &error)
                                     : ebb_recipe_set_number(recipe, name, json_number_value(value), &error);
        if (result != EBB_OK)
            TEST_FAIL("%s", error.message);
    }
    return recipe;
}

// The model in the scratch folder.
static inline void refuse_folder(enum ebb_result code, const char *word1, const char *word2)
{
    struct ebb_error error = {0};
    struct ebb_model *model = ebb_model_open(scratch, &error);
    printf("# %s\n", error.message);
    if (model || error.code != code || !strstr(error.message, word1) || !strstr(error.message, word2))
        TEST_FAIL("expected %s with \"%s\" and \"%s\"", ebb_result_name(code), word1, word2);
}

#endif
