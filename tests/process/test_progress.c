// SPDX-License-Identifier: LGPL-2.1-or-later
// Progress of a call that has parts.
#include "process/progress.h"
#include "test.h"

static bool remember(void *user, double fraction)
{
    *(double *)user = fraction;
    return fraction < 0.5;
}

TEST(a_part_of_a_part_is_told_as_the_whole)
{
    double heard = -1;
    struct ebb_progress_span pulse = {remember, &heard, 0, 1}, half = ebb_progress_part(&pulse, 0.5, 1),
                             quarter = ebb_progress_part(&half, 0, 0.5);
    REQUIRE(ebb_progress_tell(&pulse, 0.25, NULL) == EBB_OK && heard == 0.25);
    REQUIRE(ebb_progress_tell(&quarter, 0.5, NULL) == EBB_CANCELLED && heard == 0.625);
    struct ebb_progress_span silent = {0};
    REQUIRE(ebb_progress_tell(&silent, 0.9, NULL) == EBB_OK);
}

TEST_MAIN
