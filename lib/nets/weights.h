// The weights a network asks for: made from its config, a row per tensor of the file, filled by who reads the file.
#ifndef EBB_NETS_WEIGHTS_H
#define EBB_NETS_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/graph.h"

struct ebb_wanted {
    struct ebb_weight weight; // data NULL until filled; then `data` below
    char *name;
    float *data;
    int rank; // in the file: 4 conv (cout, cin, kh, kw), 2 linear (cout, cin) and tables, 1 vectors
    bool bound; // a tensor in the file fills it
};

struct ebb_weights {
    struct ebb_wanted **items; // pointers, so that a row stays where it is
    int count, capacity;
    bool failed; // out of memory
};

// One more row; its weight, or NULL without memory (told by `failed`).
struct ebb_weight *ebb_want(struct ebb_weights *weights, int rank, int cout, int cin, int kernel, const char *prefix,
                            const char *name);

struct ebb_wanted *ebb_weights_find(const struct ebb_weights *weights, const char *name);
uint64_t ebb_weights_count(const struct ebb_weights *weights); // numbers in all of them
void ebb_weights_clear(struct ebb_weights *weights);

// A convolution, linear layer or norm.
struct ebb_layer {
    struct ebb_weight *weight, *bias;
};
struct ebb_layer ebb_want_conv(struct ebb_weights *weights, int cin, int cout, int kernel, const char *prefix,
                               const char *name);
struct ebb_layer ebb_want_linear(struct ebb_weights *weights, int cin, int cout, const char *prefix, const char *name);
struct ebb_layer ebb_want_norm(struct ebb_weights *weights, int channels, const char *prefix, const char *name);

#endif
