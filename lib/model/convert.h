// Numbers as files have them -> float32 as networks take them.
#ifndef EBB_MODEL_CONVERT_H
#define EBB_MODEL_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

// False for a type that holds no real numbers.
bool ebb_convertible(const char *dtype);

// Converts (outer, middle, inner) numbers to float32, stored (outer, inner, middle): weights (cout, cin, kh * kw) come
// out as (cout, kh * kw, cin). `data` needs no alignment, `scratch` holds middle * inner floats (unused, may be NULL, if
// either is 1). False if a number is not finite (in float32).
bool ebb_convert(const char *dtype, const void *data, size_t outer, size_t middle, size_t inner, float *scratch,
                 float *out);

#endif
