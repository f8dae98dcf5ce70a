// SPDX-License-Identifier: LGPL-2.1-or-later
// The version in the headers is the one of the library.
#include <ebb/version.h>

#include "test.h"

TEST(headers_and_library_are_of_one_version)
{
    char text[64];
    snprintf(text, sizeof(text), "%d.%d.%d", EBB_VERSION_MAJOR, EBB_VERSION_MINOR, EBB_VERSION_PATCH);
    REQUIRE_STRING(ebb_version(), text);
}

TEST(versions_are_compared_by_their_first_difference)
{
    REQUIRE(EBB_VERSION_AT_LEAST(EBB_VERSION_MAJOR, EBB_VERSION_MINOR, EBB_VERSION_PATCH));
    REQUIRE(EBB_VERSION_AT_LEAST(0, 0, 999));
    REQUIRE(!EBB_VERSION_AT_LEAST(EBB_VERSION_MAJOR, EBB_VERSION_MINOR, EBB_VERSION_PATCH + 1));
    REQUIRE(!EBB_VERSION_AT_LEAST(EBB_VERSION_MAJOR, EBB_VERSION_MINOR + 1, 0));
    REQUIRE(!EBB_VERSION_AT_LEAST(EBB_VERSION_MAJOR + 1, 0, 0));
}

TEST_MAIN
