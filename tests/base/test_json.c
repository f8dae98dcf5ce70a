// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/json.h"
#include "test.h"

#include <math.h>

static struct ebb_json_file file;
static struct ebb_error error;

static struct ebb_json parsed(const char *text)
{
    error = (struct ebb_error){0};
    if (ebb_json_parse(&file, "a.json", text, strlen(text), EBB_JSON_PYTHON, &error) != EBB_OK)
        TEST_FAIL("%s: %s", text, error.message);
    return ebb_json_root(&file);
}

static void refused(const char *text, size_t size, const char *words)
{
    struct ebb_json_file bad;
    REQUIRE(ebb_json_parse(&bad, "a.json", text, size, EBB_JSON_PYTHON, &error) == EBB_CORRUPT);
    if (!strstr(error.message, words) || strncmp(error.message, "a.json: ", 8) != 0)
        TEST_FAIL("%s: \"%s\" does not say \"%s\"", text, error.message, words);
}

TEST(infinity_is_a_number_where_the_range_takes_it)
{
    struct ebb_json j = parsed("{\"a\": Infinity, \"b\": -Infinity, \"c\": [1, -Infinity], \"d\": 1e308}");
    double list[2];
    REQUIRE(ebb_json_number(&j, "a", 0, 0, INFINITY) == INFINITY);
    REQUIRE(ebb_json_number(&j, "b", 0, -INFINITY, 0) == -INFINITY);
    REQUIRE(ebb_json_numbers(&j, "c", list, 2, -INFINITY, 1) == 2 && list[0] == 1 && list[1] == -INFINITY);
    REQUIRE(ebb_json_number(&j, "d", 0, 0, INFINITY) == 1e308); // a number like any other
    REQUIRE(file.result == EBB_OK);
    REQUIRE(ebb_json_number(&j, "a", 7, 0, 1e308) == 7);
    REQUIRE(file.result == EBB_CORRUPT);
    REQUIRE_STRING(error.message, "a.json: \"a\" is Infinity, expected a number from 0 to 1e+308");
    ebb_json_close(&file);
}

TEST(nan_is_a_number_that_no_range_takes)
{
    struct ebb_json j = parsed("{\"a\": [0, NaN]}");
    double list[2];
    REQUIRE(ebb_json_numbers(&j, "a", list, 2, -INFINITY, INFINITY) == 0);
    REQUIRE_STRING(error.message, "a.json: \"a[1]\" is NaN, expected a number from -inf to inf");
    ebb_json_close(&file);
    j = parsed("{\"a\": NaN, \"b\": {\"c\": [NaN]}}");
    REQUIRE(ebb_json_int(&j, "a", 3, 0, 9) == 3 && file.result == EBB_CORRUPT);
    ebb_json_close(&file);
    j = parsed("{\"b\": {\"c\": [NaN]}}");
    REQUIRE(ebb_json_int(&j, "b", 3, 0, 9) == 3);
    REQUIRE_STRING(error.message, "a.json: \"b\" is {\"c\":[NaN]}, expected an integer from 0 to 9");
    ebb_json_close(&file);
}

TEST(python_numbers_are_no_strings_and_strings_no_python_numbers)
{
    static const char *const names[] = {"Infinity", NULL};
    struct ebb_json j = parsed(
        "{\"a\": Infinity, \"b\": \"Infinity\", \"c\": \"\\\"NaN\", \"d\": [Infinity]}");
    REQUIRE_STRING(ebb_json_string(&j, "b", ""), "Infinity");
    REQUIRE_STRING(ebb_json_string(&j, "c", ""), "\"NaN");
    REQUIRE(ebb_json_string_at(&j, "d", 0) == NULL);
    REQUIRE(ebb_json_choice(&j, "b", 1, names) == 0 && file.result == EBB_OK);
    REQUIRE_STRING(ebb_json_string(&j, "a", "none"), "none");
    REQUIRE(file.result == EBB_CORRUPT);
    ebb_json_close(&file);
}

TEST(strict_json_has_no_python_numbers)
{
    struct ebb_json_file bad;
    REQUIRE(ebb_json_parse(&bad, "a.json", "{\"a\": NaN}", 10, EBB_JSON_FINITE, &error) == EBB_CORRUPT);
    REQUIRE(ebb_json_parse(&bad, "a.json", "{\"a\": -1}", 9, EBB_JSON_FINITE, &error) == EBB_OK);
    ebb_json_close(&bad);
}

TEST(hostile_text_is_refused)
{
    char deep[200];
    memset(deep, '[', sizeof(deep));
    deep[199] = 0;
    refused(deep, 199, "nested deeper than 32");
    refused("{\"a\": \"x\\u0000Infinity\"}", 24, "NUL");
    refused("{\"\\u0000Infinity\": 1}", 21, "NUL");
    refused("{\"a\": 1}\0{}", 11, "line 1");
    refused("{\"a\": 1, \"a\": 2}", 16, "duplicate");
    refused("{\"a\": 1e999}", 12, "overflow");
    refused("{\"a\": 99999999999999999999}", 27, "big");
    refused("{\"a\": Infinityy}", 16, "line 1");
    refused("{NaN: 1}", 8, "line 1");
    refused("{\"a\": \"\\", 8, "line 1");
    refused("{\"a\": \"\xff\"}", 10, "decode");
    refused("[1]", 3, "object");
    refused("", 0, "line");
}

TEST(a_backslash_hides_no_brackets)
{
    struct ebb_json j = parsed("{\"a\": \"\\\\\", \"b\": \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"}");
    REQUIRE_STRING(ebb_json_string(&j, "a", ""), "\\");
    ebb_json_close(&file);
}

TEST(null_is_absent_only_where_it_is_said_to_be)
{
    struct ebb_json j = parsed("{\"a\": null, \"b\": {\"c\": null}}");
    j.null_is_absent = true;
    struct ebb_json b = ebb_json_object(&j, "b");
    REQUIRE(ebb_json_int(&j, "a", 5, 0, 9) == 5 && ebb_json_number(&b, "c", 2, 0, 9) == 2 &&
            file.result == EBB_OK);
    j.null_is_absent = false;
    REQUIRE(ebb_json_int(&j, "a", 5, 0, 9) == 5 && file.result == EBB_CORRUPT);
    REQUIRE_STRING(error.message, "a.json: \"a\" is null, expected an integer from 0 to 9");
    ebb_json_close(&file);
}

TEST(keys_come_one_after_the_other)
{
    struct ebb_json j = parsed("{\"b\": 1, \"a\": 2}");
    const char *key = ebb_json_next_key(&j, NULL);
    REQUIRE_STRING(key, "b");
    key = ebb_json_next_key(&j, key);
    REQUIRE_STRING(key, "a");
    REQUIRE(ebb_json_next_key(&j, key) == NULL);
    ebb_json_close(&file);
}

TEST(pairs_are_two_numbers_each)
{
    struct ebb_json j = parsed("{\"a\": [[1, 2], [3, 4]], \"b\": [[1, 2, 3]], \"c\": [[1, NaN]]}");
    double pairs[2][2];
    REQUIRE(ebb_json_pairs(&j, "a", pairs, 2) == 2 && pairs[1][0] == 3 && file.result == EBB_OK);
    REQUIRE(ebb_json_pairs(&j, "c", pairs, 2) == 0);
    REQUIRE_STRING(error.message, "a.json: \"c[0]\" is [1,NaN], expected a pair of numbers");
    REQUIRE(ebb_json_pairs(&j, "b", pairs, 2) == 0 && ebb_json_pairs(&j, "a", pairs, 1) == 0);
    ebb_json_close(&file);
}

TEST(rows_are_one_for_all_or_a_list_with_an_entry_each)
{
    static const char text[] =
        "{\"one\": 3, \"each\": [1, 2.0], \"lists\": [[4, 5], 6], \"nulls\": [[null, 7], 8], "
        "\"short\": [1], \"long\": [[1, 2, 3, 4], 1], \"empty\": [[], 1], \"flags\": [true, false], "
        "\"flag\": true, \"words\": [true, \"x\"]}";
    REQUIRE(ebb_json_parse(&file, "f", text, strlen(text), EBB_JSON_PYTHON, &error) == EBB_OK);
    struct ebb_json j = ebb_json_root(&file);
    int values[6] = {9, 9, 9, 9, 9, 9}, counts[2] = {9, 9};
    ebb_json_rows(&j, "absent", 2, 3, values, counts, 1, 9);
    REQUIRE(values[0] == 9 && counts[0] == 9);
    ebb_json_rows(&j, "one", 2, 3, values, counts, 1, 9);
    REQUIRE(values[0] == 3 && values[3] == 3 && counts[0] == 0 && counts[1] == 0);
    ebb_json_rows(&j, "each", 2, 3, values, counts, 1, 9);
    REQUIRE(values[0] == 1 && values[3] == 2 && counts[1] == 0);
    ebb_json_rows(&j, "lists", 2, 3, values, counts, 1, 9);
    REQUIRE(values[0] == 4 && values[1] == 5 && values[3] == 6 && counts[0] == 2 && counts[1] == 0);
    ebb_json_rows(&j, "nulls", 2, 3, values, counts, 0, 9);
    REQUIRE(values[0] == 0 && values[1] == 7 && values[3] == 8 && file.result == EBB_OK);
    bool flags[2] = {false, false};
    ebb_json_bools(&j, "absent", flags, 2, true);
    REQUIRE(flags[0] && flags[1]);
    ebb_json_bools(&j, "flags", flags, 2, false);
    REQUIRE(flags[0] && !flags[1]);
    ebb_json_bools(&j, "flag", flags, 2, false);
    REQUIRE(flags[0] && flags[1] && file.result == EBB_OK);

    static const char *const wrong[] = {"short", "long", "empty", "nulls", "flags"};
    for (int i = 0; i < 5; i++) {
        file.result = EBB_OK;
        ebb_json_rows(&j, wrong[i], 2, 3, values, counts, 1, 9);
        REQUIRE(file.result == EBB_CORRUPT &&
                strstr(error.message, "integers from 1 to 9, one for all or 2 in a list"));
    }
    file.result = EBB_OK;
    ebb_json_bools(&j, "words", flags, 2, false);
    REQUIRE(file.result == EBB_CORRUPT && strstr(error.message, "true or false, one for all or 2 in a list"));
    ebb_json_close(&file);
}

TEST_MAIN
