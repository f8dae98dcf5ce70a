// SPDX-License-Identifier: LGPL-2.1-or-later
// NumPy's .npy: float32 and float64, little-endian, C order. Hostile until checked.
#ifndef EBB_TOOLS_NPY_H
#define EBB_TOOLS_NPY_H

#include "tool.h"

enum { NPY_DIMS = 8 };

struct npy {
    int dims;
    size_t shape[NPY_DIMS];
    size_t count;
    float *values; // owned; float64 files are rounded
};

int npy_read(const char *path, struct npy *a);     // exit code
int npy_read_ids(const char *path, struct npy *a); // whole numbers of 32 or 64 bits, -2^24..2^24. Exit code
int npy_write(const char *path, const float *values, int dims, const size_t *shape); // exit code
void npy_clear(struct npy *a);

// Exit code: no array is written under the name of a sound file, which may be a recording. NULL: there is
// none.
int npy_check_name(const char *path);

#endif
