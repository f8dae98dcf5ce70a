// SPDX-License-Identifier: LGPL-2.1-or-later
#include "axis.h"

#include <math.h>
#include <stdio.h>

static double warp(enum axis_scale scale, double value)
{
    switch (scale) {
    case AXIS_LOG: return log(fmax(value, 1e-18));
    case AXIS_MEL: // O'Shaughnessy's formula, as HTK has it
        return log1p(value / 700);
    case AXIS_LINEAR: break;
    }
    return value;
}

static double unwarp(enum axis_scale scale, double value)
{
    return scale == AXIS_LOG ? exp(value) : scale == AXIS_MEL ? 700 * expm1(value) : value;
}

double axis_place(const struct axis *a, double value)
{
    double low = warp(a->scale, a->low), high = warp(a->scale, a->high);
    return high > low ? (warp(a->scale, value) - low) / (high - low) : 0;
}

double axis_value(const struct axis *a, double place)
{
    double low = warp(a->scale, a->low), high = warp(a->scale, a->high);
    return unwarp(a->scale, low + place * (high - low));
}

// ---- ticks ----

static void add(struct axis_ticks *t, double value)
{
    struct axis_tick *tick = &t->at[t->count++];
    int decade = value > 0 ? (int)floor(log10(value) + 1e-9) : 0;
    tick->value = value;
    if (decade >= 3)
        snprintf(tick->text, sizeof(tick->text), "%gk", value / 1000);
    else if (decade < -3)
        snprintf(tick->text, sizeof(tick->text), "%ge%d", value / pow(10, decade), decade);
    else
        snprintf(tick->text, sizeof(tick->text), "%g", value);
}

// 1, 2 or 5 times a power of ten apart, about `wanted` of them.
static void linear_ticks(const struct axis *a, double wanted, struct axis_ticks *t)
{
    double rough = (a->high - a->low) / fmax(wanted, 1), power = pow(10, floor(log10(rough)));
    double step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
    double first = ceil(a->low / step - 1e-9), last = floor(a->high / step + 1e-9);
    for (double k = first; k <= last && t->count < AXIS_TICKS; k++)
        add(t, k * step + 0.0); // never -0
}

// 0 if it is there, then 1, 2, 5, 10, 20, ... as far as they keep their distance; over many decades the ones
// alone.
static void decade_ticks(const struct axis *a, double length, double apart, struct axis_ticks *t)
{
    static const double digits[] = {1, 2, 5};
    double last = a->low <= 0 ? 0 : -apart;
    int each = a->low > 0 && a->high / a->low > 1e5 ? 1 : 3;
    if (a->low <= 0)
        add(t, 0);
    for (int i = 0; i < 25 * each && t->count < AXIS_TICKS; i++) { // 1e-18 to 5e6
        double value = digits[i % each] * pow(10, i / each - 18), place = axis_place(a, value) * length;
        if (value < a->low * (1 - 1e-9) || value > a->high * (1 + 1e-9) || place - last < apart)
            continue;
        add(t, value);
        last = place;
    }
}

struct axis_ticks axis_ticks(const struct axis *a, double length, double apart)
{
    struct axis_ticks t = {.count = 0};
    if (a->high > a->low && a->scale == AXIS_LINEAR)
        linear_ticks(a, length / apart, &t);
    else if (a->high > a->low)
        decade_ticks(a, length, apart / 2, &t);
    return t;
}
