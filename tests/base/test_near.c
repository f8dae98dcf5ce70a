// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/near.h"
#include "test.h"

#include <ebb/error.h>

#include <stdbool.h>
#include <string.h>

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

// Names whose lengths tell that they are far are not looked at: the nearest is the same as by the definition.
TEST(the_nearest_is_the_nearest_of_all)
{
    static const char *const names[] = {"rain",      "raining", "train", "drain pipe",
                                        "sea waves", "wave",    "bell"};
    enum { NAMES = sizeof(names) / sizeof(names[0]) };
    static const char *const texts[] = {"rian", "trian",   "ranning",    "waev",
                                        "bel",  "se wavs", "drainpipes", "x"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int least = (int)strlen(texts[i]) / 3 + 2;
        const char *best = NULL;
        for (int k = 0; k < NAMES; k++) {
            bool part = strstr(names[k], texts[i]) || strstr(texts[i], names[k]);
            int distance = ebb_near_distance(texts[i], names[k]);
            distance = part && strlen(texts[i]) > 2 && distance > 1 ? 1 : distance;
            if (distance < least && distance < (int)strlen(texts[i])) {
                least = distance;
                best = names[k];
            }
        }
        REQUIRE(ebb_near_name(texts[i], names, NAMES) == best);
    }
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
