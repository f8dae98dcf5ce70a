// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading NumPy's .npy: float32 and float64, little-endian, C order. Hostile until checked.
#ifndef EBB_BASE_NPY_H
#define EBB_BASE_NPY_H

#include <stddef.h>

#include <ebb/error.h>

enum { EBB_NPY_DIMS = 4 };

struct ebb_npy {
    int dims;
    size_t shape[EBB_NPY_DIMS];
    float *values; // owned: free(); float64 is rounded
};

// Reads a file of at most `limit` bytes. EBB_WRONG_TYPE: not a .npy; EBB_UNSUPPORTED: other numbers,
// Fortran's order, more dimensions; EBB_CORRUPT: cut short, or a number that is not finite.
enum ebb_result ebb_npy_read(const char *path, size_t limit, struct ebb_npy *npy, struct ebb_error *error);

#endif
