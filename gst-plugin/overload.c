// SPDX-License-Identifier: LGPL-2.1-or-later
#include "overload.h"

#define MARGIN (10 * GST_MSECOND) // more debt than the latency allows for, before it counts
#define SLACK (20 * GST_MSECOND)  // sound may come in so late, as it does from sources with long buffers
#define STUCK (1 * GST_SECOND)    // of sound as late as before, after which that is usual
#define RELAX (5 * GST_SECOND)    // calm before steps that were taken away are given back

static gboolean is_relaxed(const struct overload *overload)
{
    return overload->fewer > 0 && overload->calm >= RELAX;
}

static void notice_stuck(struct overload *overload, GstClockTime behind, GstClockTime sound)
{
    if (!overload->least || behind < overload->least) {
        overload->least = behind;
        overload->stuck = 0;
    } else if (overload->dry) {
        overload->stuck += sound;
    }
    if (overload->stuck < STUCK)
        return;
    overload->usual = behind;
    overload->least = overload->stuck = 0;
}

void overload_see_clock(struct overload *overload, GstClockTime behind, GstClockTime sound)
{
    overload->usual = MIN(overload->usual, behind);
    if (behind <= overload->usual + SLACK) {
        overload->least = overload->stuck = 0;
        return;
    }
    overload->debt = MAX(overload->debt, behind - overload->usual - SLACK);
    notice_stuck(overload, behind, sound);
}

gboolean overload_account(struct overload *overload, enum overload_policy policy, GstClockTime compute,
                          GstClockTime sound, GstClockTime allowance, gint steps)
{
    GstClockTime limit = allowance + MARGIN;
    overload->debt += compute;
    overload->debt -= MIN(overload->debt, sound);
    overload->calm = overload->debt <= limit / 2 ? overload->calm + sound : 0;
    if (overload->debt == 0)
        overload->dry = FALSE;
    if (is_relaxed(overload)) {
        overload->fewer--;
        overload->calm = 0;
    }
    if (policy == OVERLOAD_WAIT || overload->dry || overload->debt <= limit)
        return FALSE;

    if (policy == OVERLOAD_FEWER_STEPS && steps >> (overload->fewer + 1) > 0)
        overload->fewer++;
    else
        overload->dry = TRUE;
    return TRUE;
}

void overload_forgive(struct overload *overload)
{
    overload->debt = 0;
    overload->dry = FALSE;
}

gint overload_steps(const struct overload *overload, gint steps)
{
    return MAX(1, steps >> overload->fewer);
}

gint overload_quality(const struct overload *overload)
{
    return overload->dry ? 0 : 1000000 >> overload->fewer;
}
