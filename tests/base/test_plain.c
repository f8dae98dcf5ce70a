// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/plain.h"

#include <stdint.h>

#include "base/base.h"
#include "comma_locale.h"
#include "test.h"

TEST(numbers_have_a_point_in_every_locale)
{
    char text[32], *end;
    if (!comma_locale())
        SKIP("no locale with a comma");
    REQUIRE(ebb_plain_number("0.25x", &end) == 0.25 && *end == 'x');
    REQUIRE(ebb_plain_print(text, sizeof(text), "%g", 0.25) == 4);
    REQUIRE_STRING(text, "0.25");
    struct ebb_error error;
    ebb_fail(&error, EBB_INVALID, "%g is wrong", 0.5);
    ebb_explain(&error, "at %g s", 1.5);
    REQUIRE_STRING(error.message, "at 1.5 s: 0.5 is wrong");
    snprintf(text, sizeof(text), "%g", 0.25); // the program has its locale back
    setlocale(LC_NUMERIC, "C");
    REQUIRE_STRING(text, "0,25");
}

TEST(capitals_of_ascii_are_the_same)
{
    REQUIRE(ebb_plain_same("TITLE", "title", SIZE_MAX) && ebb_plain_same("", "", SIZE_MAX));
    REQUIRE(!ebb_plain_same("title", "titles", SIZE_MAX) && !ebb_plain_same("titles", "title", SIZE_MAX));
    REQUIRE(ebb_plain_same("titlex", "TITLEY", 5) && !ebb_plain_same("titlex", "TITLEY", 6));
    REQUIRE(!ebb_plain_same("\xc4", "\xe4", 1) && ebb_plain_same("a", "b", 0));
}

TEST_MAIN
