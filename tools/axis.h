// SPDX-License-Identifier: LGPL-2.1-or-later
// Where values lie along an axis, and its ticks.
#ifndef EBB_TOOLS_AXIS_H
#define EBB_TOOLS_AXIS_H

enum axis_scale { AXIS_LINEAR, AXIS_LOG, AXIS_MEL };

struct axis {
    enum axis_scale scale;
    double low, high;  // low < high, or nothing is marked; above 0 where it is logarithmic
    const char *label; // with its unit; NULL: none
};
double axis_place(const struct axis *a, double value); // 0 at `low`, 1 at `high`
double axis_value(const struct axis *a, double place);

enum { AXIS_TICKS = 24 };
struct axis_ticks {
    int count;
    struct axis_tick {
        double value;
        char text[32]; // 0.5, 200, 20k, 1e-4
    } at[AXIS_TICKS];
};

// Round values along `length` pixels, about `apart` pixels from each other.
struct axis_ticks axis_ticks(const struct axis *a, double length, double apart);

#endif
