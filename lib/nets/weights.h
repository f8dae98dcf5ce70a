// SPDX-License-Identifier: LGPL-2.1-or-later
// The weights of a network: a list that the network makes from its config, an entry for each tensor of its
// file. lib/diffusers reads the file and fills the entries.
#ifndef EBB_NETS_WEIGHTS_H
#define EBB_NETS_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/graph.h"

struct ebb_wanted {
    struct ebb_weight weight; // without numbers until the entry is filled; then they are `data` or `panels`
    char *name;
    float *data;
    void *panels;
    int rank; // in the file: 4 conv (cout, cin, kh, kw), 3 1-D conv (cout, cin, kw), 2 linear (cout, cin) and
              // tables, 1 vectors
    bool as_panels;  // what pixels are multiplied by, and large tables, are held as panels, all else as
                     // float32
    bool transposed; // in the file: (cin, cout) or (cin, cout, kw)
    bool bound;      // a tensor of the file belongs to it
    // Weight normalization: the file has a direction, and lengths of its rows (of what its first dimension
    // counts).
    bool parted, has_lengths;
    float *lengths; // while the files are read
};

struct ebb_weights {
    struct ebb_wanted **items; // pointers, because an entry's address must not change
    int count, capacity;
    bool failed; // out of memory
};

// Adds an entry, held as float32, and returns its weight. NULL: out of memory; then `failed` is set.
struct ebb_weight *ebb_want(struct ebb_weights *weights, int rank, int cout, int cin, int kernel,
                            const char *prefix, const char *name);

// The same for a matrix (cout, cin) that pixels or tokens are multiplied by, or for a table of cout rows that
// ebb_weight_row() reads; held as panels.
struct ebb_weight *ebb_want_matrix(struct ebb_weights *weights, int cout, int cin, const char *prefix,
                                   const char *name);

uint64_t ebb_weights_count(const struct ebb_weights *weights); // numbers in all of them
void ebb_weights_clear(struct ebb_weights *weights);

// A convolution, linear layer or norm.
struct ebb_layer {
    struct ebb_weight *weight, *bias;
};
struct ebb_layer ebb_want_conv(struct ebb_weights *weights, int cin, int cout, int kernel, const char *prefix,
                               const char *name);
struct ebb_layer ebb_want_linear(struct ebb_weights *weights, int cin, int cout, const char *prefix,
                                 const char *name);
struct ebb_layer ebb_want_norm(struct ebb_weights *weights, int channels, const char *prefix,
                               const char *name);
// 1-D convolutions; the second is transposed.
struct ebb_layer ebb_want_conv_1d(struct ebb_weights *weights, int cin, int cout, int kernel,
                                  const char *name);
struct ebb_layer ebb_want_conv_1d_up(struct ebb_weights *weights, int cin, int cout, int kernel,
                                     const char *name);

#endif
