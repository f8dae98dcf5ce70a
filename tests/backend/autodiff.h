// SPDX-License-Identifier: LGPL-2.1-or-later
// Gradients of small graphs on a device: the same list on every backend.
#ifndef EBB_TESTS_AUTODIFF_H
#define EBB_TESTS_AUTODIFF_H

#include "graph/fixture.h"

struct gradient_case {
    const char *name;
    int n, h, w, c; // of the input
    struct ebb_node *(*build)(struct ebb_graph *g, struct pool *pool, struct ebb_node *x);
    int vector;  // channels of a step input that `build` declares
    bool kinked; // differences see corners
};
extern const struct gradient_case gradient_cases[];
extern const int gradient_case_count;

// The value of a case at x + shift * (a fixed direction); NULL on failure, `count` floats, freed by the
// caller.
float *gradient_value(const char *device_name, const struct gradient_case *c, double shift, size_t *count);

// The gradient of sum(seed * value) with respect to x, `seed` fixed as well. Item `item` alone if >= 0, else
// all.
float *gradient_run(const char *device_name, int threads, const struct gradient_case *c, unsigned flags,
                    int item, size_t *count);

// What is fixed: `seed` (of the value's size) and the direction (of the input's). Freed by the caller.
float *gradient_seed(size_t count);
float *gradient_direction(size_t count);

// sqrt(sum (a - b)^2 / sum b^2); infinite when something is not finite.
double gradient_error(const float *a, const float *b, size_t count);

#endif
