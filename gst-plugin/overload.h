// SPDX-License-Identifier: LGPL-2.1-or-later
// What a live denoiser does when computing is slower than the clock. Computing time is a debt, and the clock
// pays it back. Sound that comes in late, after a stall for instance, is a debt too. A debt larger than the
// latency allows for is an overload.
#ifndef GST_DIFFUSE_OVERLOAD_H
#define GST_DIFFUSE_OVERLOAD_H

#include <gst/gst.h>

// In the order of the property's values.
enum overload_policy { OVERLOAD_WAIT, OVERLOAD_DRY, OVERLOAD_FEWER_STEPS };

// Zeroed: no overload.
struct overload {
    GstClockTime debt; // time that the clock has not yet paid back
    gboolean dry;      // nothing is to be computed until the debt is paid
    gint fewer;        // steps are to be divided by 2^fewer
    GstClockTime calm; // sound since the debt last was more than half of the limit

    GstClockTime usual; // so late sound comes in that nobody here has held up
    GstClockTime least; // behind the clock since the sound came in late; 0: it does not
    GstClockTime stuck; // sound since that last fell
};

// `sound` of sound comes in `behind` the clock: what is more than usual is owed. Lateness that does not fall
// while nothing is computed is the source's own, and becomes usual.
void overload_see_clock(struct overload *overload, GstClockTime behind, GstClockTime sound);

// Accounts for `sound` of sound that took `compute` to make. `steps`: as they would be without an overload.
// `allowance`: the part of the reported latency that is meant for computing. TRUE: an overload begins, or
// gets worse: `dry` or `fewer` have changed.
gboolean overload_account(struct overload *overload, enum overload_policy policy, GstClockTime compute,
                          GstClockTime sound, GstClockTime allowance, gint steps);

// The sound was interrupted: the debt is forgotten. Steps that were taken away stay away.
void overload_forgive(struct overload *overload);

// Steps to compute now out of `steps`, at least 1.
gint overload_steps(const struct overload *overload, gint steps);

// The share of the work that is still done, in parts of a million.
gint overload_quality(const struct overload *overload);

#endif
