// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/near.h"
#include "test.h"

#include <ebb/error.h>

TEST(letters_are_counted_as_they_are_changed)
{
    REQUIRE(ebb_near_distance("kitten", "sitting") == 3 && ebb_near_distance("", "abc") == 3);
    REQUIRE(ebb_near_distance("same", "same") == 0 && ebb_near_distance("abc", "") == 3);
}

TEST(two_neighbours_swapped_are_one_change)
{
    REQUIRE(ebb_near_distance("rian", "rain") == 1 && ebb_near_distance("ab", "ba") == 1);
    REQUIRE(ebb_near_distance("ca", "abc") == 3); // a letter is touched once
}

TEST(a_part_of_a_name_is_near)
{
    static const char *const names[] = {"wind", "heavy rain", "kick"};
    REQUIRE(ebb_near_name("rain", names, 3) == names[1] &&
            ebb_near_name("kicks and hats", names, 3) == names[2]);
    REQUIRE(ebb_near_name("he", names, 3) == NULL); // two letters say nothing
    REQUIRE(ebb_near_name("trombone", names, 3) == NULL && ebb_near_name("", names, 3) == NULL);
}

TEST(long_names_count_as_far_as_63_letters)
{
    char a[200], b[200];
    memset(a, 'a', sizeof(a) - 1);
    memset(b, 'b', sizeof(b) - 1);
    a[199] = b[199] = 0;
    REQUIRE(ebb_near_distance(a, b) == 63);
}

TEST_MAIN
