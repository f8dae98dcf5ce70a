// One op (and whatever fuses with it) evaluated on a device, the same case on every device.
#ifndef EBB_TESTS_CASE_H
#define EBB_TESTS_CASE_H

#include "graph/fixture.h"

// What to build; zero is off. Source (n, h, w, c).
struct op_case {
    const char *name;
    int n, h, w, c;
    int concat;    // channels of a second source
    bool upsample;
    int groups;    // group norm
    bool film;
    enum ebb_act act;
    int cout, kernel, stride; // convolution; kernel 0: none
    enum ebb_pad pad;
    bool bias, vector, residual;
    float scale;
    bool pool;
    int heads;     // attention; keys of `tokens` pixels if > 0, else of the source itself
    int tokens;
};

// Item `item` alone if >= 0, else all n. Fills *count; NULL on failure. Freed by the caller.
float *run_case(const char *device_name, int threads, const struct op_case *c, unsigned flags, int item, size_t *count);

// max|a - b| / max|b|; infinite when something is not finite.
double relative_error(const float *a, const float *b, size_t count);

#endif
