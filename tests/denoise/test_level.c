// SPDX-License-Identifier: LGPL-2.1-or-later
// The level of a recording, and the gain of the network's view.
#include "denoise/level.h"
#include "test.h"

TEST(usual_levels_are_seen_as_they_are)
{
    struct ebb_level level;
    ebb_level_reset(&level);
    for (double db = EBB_LEVEL_LOW + 4; db < EBB_LEVEL_HIGH - 4; db += 1)
        REQUIRE(ebb_level_follow(&level, db, 8) == 0);
}

TEST(others_are_brought_to_the_goal_whatever_they_are)
{
    const double levels[] = {-150, -70, -51, 1, 20, 60};
    for (int i = 0; i < 6; i++) {
        struct ebb_level level;
        ebb_level_reset(&level);
        REQUIRE_NEAR(levels[i] + ebb_level_follow(&level, levels[i], 8), EBB_LEVEL_GOAL, 1e-9, "level seen");
        double gain = level.gain;
        REQUIRE(ebb_level_follow(&level, levels[i] + 1, 8) == gain); // the gain stands still
    }
}

// A recording whose level wanders about an edge does not go to and fro.
TEST(an_edge_is_crossed_once)
{
    struct ebb_level level;
    ebb_level_reset(&level);
    int changes = 0;
    double before = 0;
    for (int i = 0; i < 20 * EBB_LEVEL_FRAMES; i++) {
        double gain = ebb_level_follow(&level, EBB_LEVEL_LOW + (i / EBB_LEVEL_FRAMES % 4 < 2 ? 1.5 : -1.5),
                                       1);
        changes += gain != before;
        before = gain;
    }
    REQUIRE(changes == 1);
}

TEST(a_pause_is_no_quiet_recording_and_a_long_one_is)
{
    struct ebb_level level;
    ebb_level_reset(&level);
    REQUIRE(ebb_level_follow(&level, -20, 1) == 0);
    for (int i = 0; i < EBB_LEVEL_FRAMES; i++)
        REQUIRE(ebb_level_follow(&level, -80, 1) == 0);
    for (int i = 0; i < EBB_LEVEL_FRAMES; i++)
        ebb_level_follow(&level, -80, 1);
    REQUIRE_NEAR(level.gain, EBB_LEVEL_GOAL + 80, 1e-9, "gain");
    REQUIRE(ebb_level_follow(&level, -20, 1) == 0); // at once
}

TEST(silence_says_nothing)
{
    struct ebb_level level;
    ebb_level_reset(&level);
    REQUIRE(ebb_level_follow(&level, -INFINITY, 1) == 0);
    REQUIRE(ebb_level_follow(&level, -70, 1) == EBB_LEVEL_GOAL + 70);
    REQUIRE(ebb_level_follow(&level, -INFINITY, 1) == EBB_LEVEL_GOAL + 70);
}

TEST(a_click_is_no_level)
{
    float power[64];
    for (int i = 0; i < 64; i++)
        power[i] = i % 13 == 0 ? 1e20f : 0.003f; // a click is in 5 frames
    REQUIRE_NEAR(ebb_level_of(power, 64), -30, 1e-4, "level");
    power[0] = 0.03f;
    REQUIRE_NEAR(ebb_level_of(power, 1), -20, 1e-4, "one frame");
    float nothing[2] = {0, 0};
    REQUIRE(ebb_level_of(nothing, 2) == -INFINITY && ebb_level_of(nothing, 0) == -INFINITY);
}

TEST_MAIN
