// SPDX-License-Identifier: LGPL-2.1-or-later
// The overload of a live denoiser: its beginning, its effect and its end.
#include "test.h"

#include "overload.h"

#define MS GST_MSECOND
#define ALLOWANCE (20 * MS) // an overload: more than 30 ms of debt

// `times` slices of 20 ms that take `compute` each; returns how many overloads began.
static int slices(struct overload *overload, enum overload_policy policy, GstClockTime compute, int times)
{
    int begun = 0;
    for (int i = 0; i < times; i++)
        begun += overload_account(overload, policy, compute, 20 * MS, ALLOWANCE, 8);
    return begun;
}

TEST(fast_enough_is_no_debt)
{
    struct overload overload = {0};
    REQUIRE(slices(&overload, OVERLOAD_DRY, 20 * MS, 1000) == 0);
    REQUIRE(overload.debt == 0 && !overload.dry && overload_quality(&overload) == 1000000);
}

TEST(a_window_may_take_what_the_latency_allows)
{
    struct overload overload = {0};
    REQUIRE(slices(&overload, OVERLOAD_DRY, 50 * MS, 1) == 0); // 30 ms of debt
    REQUIRE(slices(&overload, OVERLOAD_DRY, 21 * MS, 1) == 1); // 31 ms
    REQUIRE(overload.debt == 31 * MS && overload.dry && overload_quality(&overload) == 0);
}

TEST(dry_until_the_debt_is_paid)
{
    struct overload overload = {0};
    REQUIRE(slices(&overload, OVERLOAD_DRY, 100 * MS, 1) == 1); // 80 ms of debt
    REQUIRE(slices(&overload, OVERLOAD_DRY, 0, 3) == 0 && overload.dry);
    REQUIRE(slices(&overload, OVERLOAD_DRY, 0, 1) == 0 && !overload.dry);
}

TEST(wait_changes_nothing)
{
    struct overload overload = {0};
    REQUIRE(slices(&overload, OVERLOAD_WAIT, 1000 * MS, 10) == 0);
    REQUIRE(overload.debt == 9800 * MS && !overload.dry && overload.fewer == 0);
}

TEST(steps_are_halved_and_given_back)
{
    struct overload overload = {0};
    REQUIRE(slices(&overload, OVERLOAD_FEWER_STEPS, 60 * MS, 1) == 1);
    REQUIRE(overload.fewer == 1 && overload_steps(&overload, 8) == 4 &&
            overload_quality(&overload) == 500000);
    REQUIRE(slices(&overload, OVERLOAD_FEWER_STEPS, 0, 1) == 0);   // 20 ms of debt are no calm
    REQUIRE(slices(&overload, OVERLOAD_FEWER_STEPS, 0, 249) == 0); // 4.98 s of calm
    REQUIRE(overload.fewer == 1);
    REQUIRE(slices(&overload, OVERLOAD_FEWER_STEPS, 0, 1) == 0 && overload.fewer == 0);
}

TEST(steps_are_halved_to_one_before_sound_is_let_through)
{
    struct overload overload = {0};
    const gint steps[] = {4, 2, 1};
    for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
        REQUIRE(slices(&overload, OVERLOAD_FEWER_STEPS, 1000 * MS, 1) == 1);
        REQUIRE(overload_steps(&overload, 8) == steps[i] && !overload.dry);
    }
    REQUIRE(slices(&overload, OVERLOAD_FEWER_STEPS, 1000 * MS, 1) == 1 && overload.dry);
}

// As a live stream is seen: `behind` the clock at first; each slice that is let through brings it 19 ms
// nearer.
static int catch_up(struct overload *overload, GstClockTime behind, int times)
{
    int begun = 0;
    for (int i = 0; i < times; i++) {
        overload_see_clock(overload, behind, 20 * MS);
        begun += overload_account(overload, OVERLOAD_DRY, 1 * MS, 20 * MS, ALLOWANCE, 8);
        behind -= MIN(behind, 19 * MS);
    }
    return begun;
}

TEST(lateness_is_owed_until_it_is_caught_up_with)
{
    struct overload overload = {0};
    REQUIRE(catch_up(&overload, 2000 * MS, 1) == 1 && overload.dry && overload.debt > 1900 * MS);
    REQUIRE(catch_up(&overload, 1981 * MS, 90) == 0 && overload.dry);
    REQUIRE(catch_up(&overload, 271 * MS, 20) == 0 && !overload.dry && overload.debt == 0);
}

TEST(a_little_late_is_nothing)
{
    struct overload overload = {0};
    for (int i = 0; i < 1000; i++) {
        overload_see_clock(&overload, (GstClockTime)(i % 21) * MS, 20 * MS);
        REQUIRE(!overload_account(&overload, OVERLOAD_DRY, 0, 20 * MS, ALLOWANCE, 8));
    }
}

// A source that told too small a latency is always late. That is no reason never to clean.
TEST(what_is_always_late_is_cleaned)
{
    struct overload overload = {0};
    int begun = 0, dry = 0;
    for (int i = 0; i < 200; i++) {
        overload_see_clock(&overload, 90 * MS + (GstClockTime)(i % 5) * MS, 20 * MS);
        begun += overload_account(&overload, OVERLOAD_DRY, 2 * MS, 20 * MS, ALLOWANCE, 8);
        dry += overload.dry;
    }
    REQUIRE(begun == 1 && dry >= 50 && dry <= 60 && !overload.dry);
}

TEST(steps_never_reach_zero)
{
    struct overload overload = {0};
    slices(&overload, OVERLOAD_FEWER_STEPS, 1000 * MS, 100);
    REQUIRE(overload.dry && overload_steps(&overload, 8) >= 1 && overload_steps(&overload, 1) == 1);
}

TEST(a_flush_forgives_the_debt_alone)
{
    struct overload overload = {0};
    slices(&overload, OVERLOAD_FEWER_STEPS, 60 * MS, 1);
    overload_forgive(&overload);
    REQUIRE(overload.debt == 0 && !overload.dry && overload.fewer == 1);
}

TEST_MAIN
