// SPDX-License-Identifier: LGPL-2.1-or-later
// A recording's samples in double precision, held until the denoiser says what it removes: 32-bit integers
// and doubles that it leaves alone come back as they were.
#ifndef EBB_TOOLS_ORIGINALS_H
#define EBB_TOOLS_ORIGINALS_H

#include <stdbool.h>
#include <stddef.h>

struct originals {
    double *samples; // owned
    size_t count, capacity;
};

bool originals_push(struct originals *o, const double *samples, size_t count); // false: out of memory
// The first `count` of them minus what was removed, in place; originals_drop() lets go of them.
const double *originals_less(struct originals *o, const float *removed, size_t count);
void originals_drop(struct originals *o, size_t count);
void originals_clear(struct originals *o);

#endif
