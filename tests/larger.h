// SPDX-License-Identifier: LGPL-2.1-or-later
// The larger of two errors, as fmax(), but what is no number stays: it is within no bound. Debian 12's
// compiler for arm64 breaks down on loops of fmax() over floats, too.
#ifndef EBB_LARGER_H
#define EBB_LARGER_H

#include <math.h>

static inline double larger(double a, double b)
{
    return isnan(a) || b <= a ? a : b;
}

#endif
