// SPDX-License-Identifier: LGPL-2.1-or-later
// From a file's numbers to the float32 of networks.
#ifndef EBB_DIFFUSERS_CONVERT_H
#define EBB_DIFFUSERS_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include "nets/weights.h"

// Whether `dtype` is a type of real numbers that can be converted.
bool ebb_convertible(const char *dtype);

// Converts (outer, middle, inner) numbers to float32, stored (outer, inner, middle): weights (cout, cin, kh *
// kw) come out as (cout, kh * kw, cin). `data` needs no alignment, `scratch` holds middle * inner floats
// (unused, may be NULL, if either is 1). False if a number is not finite (in float32).
bool ebb_convert(const char *dtype, const void *data, size_t outer, size_t middle, size_t inner,
                 float *scratch, float *out);

// How panels hold numbers of `dtype`: as they are, but F64 as float32.
enum ebb_number ebb_convert_number(const char *dtype);

// Numbers (cout, cin, places), or `transposed` (cin, cout, places), as panels of (places, cin, width), see
// backend/weight.h. `number` is that of the dtype, or EBB_FLOAT32. `data` needs no alignment; `scratch` holds
// as many floats as there are numbers (unused, may be NULL, if the numbers stay as they are). False if a
// number is not finite.
bool ebb_convert_panels(const char *dtype, const void *data, const struct ebb_weight *shape, bool transposed,
                        enum ebb_number number, float *scratch, void *panels);

#endif
