// SPDX-License-Identifier: LGPL-2.1-or-later
// The table of settings, and values by name: open until they are set, refused with range and near names.
#include <string.h>

#include "recipe/table.h"
#include "test.h"

static struct ebb_recipe *made(enum ebb_verb verb)
{
    struct ebb_recipe *recipe = ebb_recipe_create(verb);
    REQUIRE(recipe);
    return recipe;
}

static void refused(struct ebb_recipe *recipe, const char *name, const char *text, enum ebb_result code,
                    const char *words)
{
    struct ebb_error error = {0};
    if (ebb_recipe_set(recipe, name, text, &error) != code || !strstr(error.message, words))
        TEST_FAIL("%s = \"%s\": %s: \"%s\"", name, text, ebb_result_name(error.code), error.message);
    REQUIRE(!ebb_recipe_has(recipe, name));
}

// A row is complete, and no verb has two settings of one name.
TEST(every_row_says_what_it_must)
{
    int rows = 0;
    EBB_EACH_SETTING (row) {
        REQUIRE(row->name && row->help && row->verbs && row->verbs < 1u << EBB_VERBS);
        REQUIRE((row->type == EBB_SETTING_CHOICE) == (row->choice != NULL));
        REQUIRE((row->type == EBB_SETTING_FLAG) == (row->argument == NULL));
        bool number = row->type != EBB_SETTING_TEXT && row->type != EBB_SETTING_CHOICE;
        if (number && !(row->low < row->high))
            TEST_FAIL("%s has the range %g..%g", row->name, row->low, row->high);
        for (size_t i = 0; row->name[i]; i++)
            REQUIRE(strchr("abcdefghijklmnopqrstuvwxyz0123456789-", row->name[i]));
        EBB_EACH_SETTING (other)
            if (other != row && strcmp(other->name, row->name) == 0 && other->verbs & row->verbs)
                TEST_FAIL("two rows are called %s", row->name);
        rows++;
    }
    REQUIRE((size_t)rows == ebb_setting_count() && rows > 40);
}

// The initial value is one that may be set, or stands for no limit, or for nothing.
TEST(initial_values_are_in_range)
{
    for (int verb = 0; verb < EBB_VERBS; verb++) {
        struct ebb_recipe *recipe = made((enum ebb_verb)verb);
        EBB_EACH_SETTING (row) {
            bool applies = ebb_setting_applies(row, (enum ebb_verb)verb),
                 text = row->initial && *row->initial;
            if (!applies || !text || strcmp(row->initial, "inf") == 0)
                continue;
            struct ebb_error error = {0};
            if (ebb_recipe_set(recipe, row->name, row->initial, &error) != EBB_OK)
                TEST_FAIL("%s: %s", row->name, error.message);
        }
        ebb_recipe_destroy(&recipe);
    }
}

TEST(a_setting_is_open_until_it_is_set)
{
    struct ebb_recipe *recipe = made(EBB_VERB_GENERATE);
    REQUIRE(!ebb_recipe_has(recipe, "steps") && isnan(ebb_recipe_number(recipe, "steps")));
    REQUIRE(ebb_recipe_number(recipe, "phase-iterations") == 16 &&
            isinf(ebb_recipe_number(recipe, "churn-to")));
    REQUIRE(strcmp(ebb_recipe_text(recipe, "noise"), "philox") == 0 &&
            strcmp(ebb_recipe_text(recipe, "label"), "") == 0);
    REQUIRE(ebb_recipe_set(recipe, "steps", "30", NULL) == EBB_OK &&
            ebb_recipe_number(recipe, "steps") == 30);
    REQUIRE(ebb_recipe_has(recipe, "steps") && strcmp(ebb_recipe_text(recipe, "steps"), "30") == 0);
    ebb_recipe_open(recipe, "steps");
    REQUIRE(!ebb_recipe_has(recipe, "steps") && isnan(ebb_recipe_number(recipe, "steps")));
    ebb_recipe_open(recipe, "no-such"); // nothing happens
    ebb_recipe_destroy(&recipe);
    REQUIRE(recipe == NULL);
    ebb_recipe_destroy(&recipe);
    REQUIRE(!ebb_recipe_create((enum ebb_verb)99));
}

TEST(one_name_may_mean_another_thing_for_another_verb)
{
    struct ebb_recipe *edit = made(EBB_VERB_EDIT), *denoise = made(EBB_VERB_DENOISE),
                      *generate = made(EBB_VERB_GENERATE);
    REQUIRE(ebb_recipe_set(edit, "t", "0.5", NULL) == EBB_OK &&
            ebb_recipe_set(denoise, "t", "0.25", NULL) == EBB_OK);
    REQUIRE(ebb_recipe_number(edit, "t") == 0.5 && ebb_recipe_number(denoise, "t") == 0.25);
    refused(generate, "t", "0.5", EBB_NOT_FOUND, "generate has no setting \"t\"");
    ebb_recipe_destroy(&edit);
    ebb_recipe_destroy(&denoise);
    ebb_recipe_destroy(&generate);
}

TEST(what_does_not_fit_is_refused_with_range_and_near_names)
{
    struct ebb_recipe *recipe = made(EBB_VERB_GENERATE);
    refused(recipe, "stpes", "3", EBB_NOT_FOUND, "did you mean steps?");
    refused(recipe, "steps", "0", EBB_INVALID, "1 to 1000");
    refused(recipe, "steps", "2.5", EBB_INVALID, "a whole number, 1 to 1000");
    refused(recipe, "steps", "1e400", EBB_INVALID, "1 to 1000");
    refused(recipe, "steps", "", EBB_INVALID, "\"\"");
    refused(recipe, "guidance", "0x10", EBB_INVALID, "0 to 100");
    refused(recipe, "guidance", "nan", EBB_INVALID, "a number, 0 to 100");
    refused(recipe, "guidance", "1,5", EBB_INVALID, "1,5");
    refused(recipe, "guidance", " 1", EBB_INVALID, "0 to 100");
    refused(recipe, "seed", "-1", EBB_INVALID, "0 to 9223372036854775807");
    refused(recipe, "seed", "9223372036854775808", EBB_INVALID, "0 to 9223372036854775807");
    refused(recipe, "sampler", "eulre", EBB_NOT_FOUND, "did you mean euler");
    refused(recipe, "trim", "maybe", EBB_INVALID, "true, false, yes, no, 1, 0");
    refused(recipe, "label", "a\tb", EBB_INVALID, "control character (0x09)");
    static char longest[5000];
    memset(longest, 'x', sizeof(longest) - 1);
    refused(recipe, "label", longest, EBB_INVALID, "4095 bytes at most");
    longest[4095] = 0;
    REQUIRE(ebb_recipe_set(recipe, "label", longest, NULL) == EBB_OK);
    ebb_recipe_destroy(&recipe);
}

TEST(numbers_and_texts_are_the_same_values)
{
    struct ebb_recipe *a = made(EBB_VERB_GENERATE), *b = made(EBB_VERB_GENERATE);
    struct ebb_error error;
    REQUIRE(ebb_recipe_set(a, "guidance", "0.1", NULL) == EBB_OK &&
            ebb_recipe_set_number(b, "guidance", 0.1, NULL) == EBB_OK);
    REQUIRE(strcmp(ebb_recipe_text(b, "guidance"), "0.1") == 0);
    REQUIRE(ebb_recipe_set(a, "trim", "yes", NULL) == EBB_OK &&
            ebb_recipe_set_number(b, "trim", 1, NULL) == EBB_OK);
    REQUIRE(ebb_recipe_set(a, "seed", "77", NULL) == EBB_OK &&
            ebb_recipe_set_number(b, "seed", 77, NULL) == EBB_OK);
    REQUIRE(ebb_recipe_same(a, b));
    REQUIRE(ebb_recipe_set_seed(b, "seed", 9223372036854775807u, NULL) == EBB_OK && !ebb_recipe_same(a, b));
    REQUIRE(strcmp(ebb_recipe_text(b, "seed"), "9223372036854775807") == 0);
    REQUIRE(ebb_recipe_set_seed(b, "seed", 9223372036854775808u, NULL) == EBB_INVALID);
    REQUIRE(ebb_recipe_set_seed(b, "steps", 3, NULL) == EBB_INVALID);
    REQUIRE(ebb_recipe_set_number(b, "label", 3, &error) == EBB_INVALID &&
            strstr(error.message, "takes a text"));
    REQUIRE(ebb_recipe_set_number(b, "steps", 2.5, NULL) == EBB_INVALID);
    REQUIRE(ebb_recipe_set_number(b, "seed", -1, NULL) == EBB_INVALID);
    REQUIRE(ebb_recipe_set_number(b, "seed", 0x1p53, NULL) == EBB_INVALID);
    REQUIRE(ebb_recipe_set_number(b, "steps", NAN, NULL) == EBB_INVALID);
    ebb_recipe_destroy(&a);
    ebb_recipe_destroy(&b);
}

TEST(a_copy_is_its_own)
{
    struct ebb_recipe *a = made(EBB_VERB_STREAM), *b;
    REQUIRE(ebb_recipe_set(a, "label", "rain", NULL) == EBB_OK);
    b = ebb_recipe_copy(a);
    REQUIRE(b && ebb_recipe_same(a, b) && ebb_recipe_verb(b) == EBB_VERB_STREAM);
    REQUIRE(ebb_recipe_set(a, "label", "wind", NULL) == EBB_OK &&
            strcmp(ebb_recipe_text(b, "label"), "rain") == 0);
    ebb_recipe_destroy(&a);
    ebb_recipe_destroy(&b);
}

TEST(merging_takes_what_is_set_and_fits_the_verb)
{
    struct ebb_recipe *base = made(EBB_VERB_STREAM), *given = made(EBB_VERB_GENERATE);
    REQUIRE(ebb_recipe_set(base, "label", "rain", NULL) == EBB_OK &&
            ebb_recipe_set(base, "gap", "1", NULL) == EBB_OK);
    REQUIRE(ebb_recipe_set(given, "label", "wind", NULL) == EBB_OK &&
            ebb_recipe_set(given, "seconds", "3", NULL) == EBB_OK);
    REQUIRE(ebb_recipe_merge(base, given, NULL) == EBB_OK);
    REQUIRE(strcmp(ebb_recipe_text(base, "label"), "wind") == 0 && ebb_recipe_number(base, "gap") == 1);
    REQUIRE(!ebb_recipe_has(base, "seconds"));
    ebb_recipe_destroy(&base);
    ebb_recipe_destroy(&given);
}

// Who made a sound does not matter for what it is; by which model and noise it does.
TEST(the_record_counts_only_where_it_decides)
{
    struct ebb_recipe *a = made(EBB_VERB_GENERATE), *b = made(EBB_VERB_GENERATE);
    REQUIRE(ebb_recipe_set(a, "device", "cpu", NULL) == EBB_OK &&
            ebb_recipe_set(a, "version", "0.1", NULL) == EBB_OK);
    REQUIRE(ebb_recipe_same(a, b));
    REQUIRE(ebb_recipe_set(a, "phase-iterations", "16", NULL) == EBB_OK && ebb_recipe_same(a, b)); // its
                                                                                                   // initial
                                                                                                   // value
    REQUIRE(ebb_recipe_set(a, "model", "sfx", NULL) == EBB_OK && !ebb_recipe_same(a, b));
    ebb_recipe_destroy(&a);
    ebb_recipe_destroy(&b);
}

TEST_MAIN
