// SPDX-License-Identifier: LGPL-2.1-or-later
// Recipes as text: a written recipe is read again, old formats are read, a stranger's text does no harm.
#include <stdlib.h>
#include <string.h>

#include "comma_locale.h"
#include "recipe/table.h"
#include "test.h"

static struct ebb_recipe *read_good(const char *text)
{
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = ebb_recipe_read(text, &error);
    if (!recipe)
        TEST_FAIL("%s: %s", text, error.message);
    return recipe;
}

static void refused(const char *text, enum ebb_result code, const char *words)
{
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = ebb_recipe_read(text, &error);
    if (recipe || error.code != code || !strstr(error.message, words))
        TEST_FAIL("%.100s: %s: \"%s\"", text, ebb_result_name(error.code), error.message);
}

// Every row of every verb, set to something.
TEST(every_setting_survives)
{
    for (int verb = 0; verb < EBB_VERBS; verb++) {
        struct ebb_recipe *recipe = ebb_recipe_create((enum ebb_verb)verb), *back;
        static char text[8192];
        REQUIRE(recipe);
        EBB_EACH_SETTING (row) {
            enum ebb_result result = EBB_OK;
            if (!ebb_setting_applies(row, (enum ebb_verb)verb))
                continue;
            if (row->type == EBB_SETTING_TEXT)
                result = ebb_recipe_set(recipe, row->name, "größer \"quoted\" \\ 20 %", NULL);
            else if (row->type == EBB_SETTING_CHOICE)
                result = ebb_recipe_set(recipe, row->name, row->choice(1), NULL);
            else if (row->type == EBB_SETTING_SEED)
                result = ebb_recipe_set_seed(recipe, row->name, 9223372036854775807u, NULL);
            else if (row->type == EBB_SETTING_REAL)
                result = ebb_recipe_set_number(recipe, row->name, row->low + (row->high - row->low) / 3,
                                               NULL);
            else if (strcmp(row->name, "noise-version") != 0)
                result = ebb_recipe_set_number(recipe, row->name, row->high, NULL);
            REQUIRE(result == EBB_OK);
        }
        size_t needed = ebb_recipe_write(recipe, text, sizeof(text));
        REQUIRE(needed > 0 && needed == strlen(text) && !strchr(text, '\n'));
        back = read_good(text);
        REQUIRE(ebb_recipe_same(recipe, back));
        EBB_EACH_SETTING (row)
            REQUIRE(strcmp(ebb_recipe_text(recipe, row->name), ebb_recipe_text(back, row->name)) == 0);
        ebb_recipe_destroy(&recipe);
        ebb_recipe_destroy(&back);
    }
}

// Any double that somebody typed is written as it was typed; one that needs 17 digits has them.
TEST(numbers_are_written_as_short_as_they_are)
{
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
    char text[400];
    ebb_recipe_set(recipe, "guidance-from", "0.35", NULL);
    ebb_recipe_set(recipe, "guidance-to", "1", NULL);
    ebb_recipe_set(recipe, "rescale", "0.1", NULL);
    ebb_recipe_set_number(recipe, "threshold", 0.1 + 0.2, NULL);
    ebb_recipe_write(recipe, text, sizeof(text));
    REQUIRE(strstr(
        text,
        "\"guidance_from\":0.35,\"guidance_to\":1.0,\"rescale\":0.1,\"threshold\":0.30000000000000004}"));
    ebb_recipe_destroy(&recipe);
}

// Both of one recording: 63 bits, as they were first, and the 53 that JavaScript reads.
static void write_numbers(char *text, size_t size)
{
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
    REQUIRE(recipe && ebb_recipe_set(recipe, "guidance", "1.5", NULL) == EBB_OK);
    REQUIRE(ebb_recipe_set_number(recipe, "rescale", 0.35, NULL) == EBB_OK);
    REQUIRE(ebb_recipe_number(recipe, "guidance") == 1.5 && ebb_recipe_number(recipe, "rescale") == 0.35);
    REQUIRE_STRING(ebb_recipe_text(recipe, "rescale"), "0.35");
    REQUIRE(ebb_recipe_number(recipe, "tolerance") == 1e-3); // open: the table's own text
    REQUIRE(ebb_recipe_write(recipe, text, size) < size);
    ebb_recipe_destroy(&recipe);
}

// Programs of a desktop call setlocale().
TEST(a_locale_with_a_comma_changes_no_recipe)
{
    char plain[400], comma[400];
    write_numbers(plain, sizeof(plain));
    if (!comma_locale())
        SKIP("no locale with a comma");
    write_numbers(comma, sizeof(comma));
    struct ebb_recipe *back = read_good(comma);
    setlocale(LC_NUMERIC, "C");
    REQUIRE(ebb_recipe_number(back, "guidance") == 1.5);
    ebb_recipe_destroy(&back);
    REQUIRE_STRING(comma, plain);
}

TEST(prints_of_before_are_those_of_now)
{
    struct ebb_recipe *old = read_good("{\"ebb\":2,\"verb\":\"edit\",\"source_print\":8920879778819149517}");
    struct ebb_recipe *now = read_good("{\"ebb\":2,\"verb\":\"edit\",\"source_print\":8711796659003075}");
    struct ebb_recipe *other = read_good("{\"ebb\":2,\"verb\":\"edit\",\"source_print\":8711796659003076}");
    REQUIRE(8920879778819149517u >> 10 == 8711796659003075u);
    REQUIRE(ebb_recipe_same(old, now) && !ebb_recipe_same(old, other));
    ebb_recipe_destroy(&old);
    ebb_recipe_destroy(&now);
    ebb_recipe_destroy(&other);
}

TEST(a_short_buffer_is_told_what_is_needed)
{
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_STREAM);
    char text[8];
    size_t needed = ebb_recipe_write(recipe, NULL, 0);
    REQUIRE(needed == strlen("{\"ebb\":2,\"verb\":\"stream\"}") &&
            ebb_recipe_write(recipe, text, sizeof(text)) == needed);
    REQUIRE(strcmp(text, "{\"ebb\":") == 0); // as much as there is room for
    ebb_recipe_destroy(&recipe);
}

// What Ebb 0.1 wrote, kept as it was.
TEST(recipes_of_format_1_are_read)
{
    struct ebb_recipe *recipe = read_good(
        "{\"ebb\":1,\"model\":\"sfx\",\"model_sha256\":\"ab\",\"label\":\"rain\",\"seed\":3,\"index\":1,\"seconds\":0.0,"
        "\"sampler\":\"dpmpp-2m\",\"steps\":8,\"guidance\":3.5,\"eta\":-1.0,\"rtol\":0.01,\"atol\":0.01,\"noise\":\"philox\","
        "\"noise_version\":1,\"phase_iterations\":16,\"trim\":true,\"gain_db\":-3.0,\"lufs\":null,\"peak_db\":null,"
        "\"format\":\"wav16\",\"version\":\"0.1.0\",\"device\":\"cpu: 2 threads\",\"licence\":null,\"credit\":null}");
    REQUIRE(ebb_recipe_verb(recipe) == EBB_VERB_GENERATE && ebb_recipe_seed(recipe, "seed") == 3);
    REQUIRE(ebb_recipe_number(recipe, "gain") == -3 && ebb_recipe_number(recipe, "tolerance") == 0.01);
    REQUIRE(!ebb_recipe_has(recipe, "eta") && !ebb_recipe_has(recipe, "lufs") &&
            !ebb_recipe_has(recipe, "credit"));
    REQUIRE(ebb_recipe_number(recipe, "guidance-from") == 0 && ebb_recipe_number(recipe, "guidance-to") == 1);
    ebb_recipe_destroy(&recipe);

    recipe = read_good(
        "{\"ebb_edit\":1,\"source\":\"a.wav\",\"source_print\":5,\"from\":1.0,\"t\":1.0,\"model\":\"sfx\",\"label\":null,"
        "\"seed\":0,\"index\":0,\"sampler\":\"ddim\",\"steps\":4,\"guidance\":1.0,\"eta\":-1.0,\"noise_version\":1}");
    REQUIRE(ebb_recipe_verb(recipe) == EBB_VERB_EDIT && ebb_recipe_number(recipe, "from") == 1);
    ebb_recipe_destroy(&recipe);
    recipe = read_good(
        "{\"ebb_denoise\":1,\"model\":\"denoise\",\"source\":\"-\",\"wet\":1.0,\"seed\":0,\"t\":\"auto\","
        "\"version\":\"0.1.0\",\"model_licence\":\"CC-BY-4.0\"}");
    REQUIRE(ebb_recipe_verb(recipe) == EBB_VERB_DENOISE && ebb_recipe_number(recipe, "auto-t") == 1);
    REQUIRE(!ebb_recipe_has(recipe, "t") && strcmp(ebb_recipe_text(recipe, "licence"), "CC-BY-4.0") == 0);
    ebb_recipe_destroy(&recipe);
}

TEST(what_is_no_recipe_is_named)
{
    refused("", EBB_WRONG_TYPE, "no recipe");
    refused("recorded in the rain", EBB_WRONG_TYPE, "no recipe");
    refused("{\"artist\": \"me\"}", EBB_WRONG_TYPE, "no recipe");
    refused("[{\"ebb\":2}]", EBB_CORRUPT, "damaged");
    refused("{\"ebb\":2,\"verb\":\"generate\",", EBB_CORRUPT, "damaged");
    refused("{\"ebb\":2,\"verb\":\"dance\"}", EBB_WRONG_TYPE, "no recipe");
    refused("{\"verb\":\"generate\"}", EBB_WRONG_TYPE, "no recipe");
    refused("{\"ebb\":3,\"verb\":\"generate\"}", EBB_UNSUPPORTED, "format 3");
    refused("{\"ebb\":2,\"verb\":\"generate\",\"noise_version\":99}", EBB_UNSUPPORTED, "noise version 99");
}

TEST(a_strangers_recipe_does_no_harm)
{
    refused("{\"ebb\":2,\"verb\":\"generate\",\"stpes\":3}", EBB_NOT_FOUND, "did you mean steps?");
    refused("{\"ebb\":2,\"verb\":\"generate\",\"steps\":3,\"steps\":4}", EBB_CORRUPT, "damaged");
    refused("{\"ebb\":2,\"verb\":\"generate\",\"steps\":100000}", EBB_INVALID, "1 to 1000");
    refused("{\"ebb\":2,\"verb\":\"generate\",\"steps\":[1]}", EBB_CORRUPT, "steps");
    refused("{\"ebb\":2,\"verb\":\"generate\",\"trim\":\"x\"}", EBB_INVALID, "trim");
    refused("{\"ebb\":2,\"verb\":\"generate\",\"label\":\"a\\u001b[2J\"}", EBB_INVALID, "control character");
    refused("{\"ebb\":2,\"verb\":\"generate\",\"label\":\"a\\u0000b\"}", EBB_CORRUPT, "damaged");
    refused("{\"ebb\":2,\"verb\":\"generate\",\"seed\":-1}", EBB_INVALID, "below 0");
    refused("{\"ebb\":2,\"verb\":\"generate\",\"seed\":99999999999999999999}", EBB_CORRUPT, "damaged");
    refused("{\"ebb\":2,\"verb\":\"generate\",\"guidance\":1e999}", EBB_CORRUPT, "damaged");
    refused("{\"ebb\":2,\"verb\":\"denoise\",\"guidance\":1}", EBB_NOT_FOUND, "denoise has no setting");
    size_t size = 1 << 20;
    char *deep = malloc(size);
    REQUIRE(deep);
    memset(deep, '[', size - 1);
    deep[size - 1] = 0;
    refused(deep, EBB_WRONG_TYPE, "bytes");
    deep[60000] = 0;
    refused(deep, EBB_WRONG_TYPE, "no recipe");
    free(deep);
}

TEST_MAIN
