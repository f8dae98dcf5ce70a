// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nets/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static bool grow(struct ebb_weights *weights)
{
    if (weights->count < weights->capacity)
        return true;
    int capacity = weights->capacity ? 2 * weights->capacity : 64;
    void *items = realloc(weights->items, (size_t)capacity * sizeof(*weights->items));
    if (!items)
        return false;
    weights->items = items;
    weights->capacity = capacity;
    return true;
}

static struct ebb_weight *want_kernel(struct ebb_weights *weights, int rank, int cout, int cin, int kh,
                                      int kw, const char *prefix, const char *name)
{
    size_t size = strlen(prefix) + strlen(name) + 1;
    struct ebb_wanted *row = ebb_alloc(1, sizeof(*row) + size);
    if (!row || !grow(weights)) {
        free(row);
        weights->failed = true;
        return NULL;
    }

    row->name = (char *)(row + 1);
    snprintf(row->name, size, "%s%s", prefix, name);
    row->rank = rank;
    row->weight = (struct ebb_weight){.name = row->name, .cout = cout, .kh = kh, .kw = kw, .cin = cin};
    weights->items[weights->count++] = row;
    return &row->weight;
}

struct ebb_weight *ebb_want(struct ebb_weights *weights, int rank, int cout, int cin, int kernel,
                            const char *prefix, const char *name)
{
    return want_kernel(weights, rank, cout, cin, kernel, kernel, prefix, name);
}

uint64_t ebb_weights_count(const struct ebb_weights *weights)
{
    uint64_t total = 0;
    for (int i = 0; i < weights->count; i++) {
        const struct ebb_weight *w = &weights->items[i]->weight;
        total += (uint64_t)w->cout * (uint64_t)w->cin * (uint64_t)w->kh * (uint64_t)w->kw;
    }
    return total;
}

void ebb_weights_clear(struct ebb_weights *weights)
{
    for (int i = 0; i < weights->count; i++) {
        ebb_weight_release(&weights->items[i]->weight);
        free(weights->items[i]->data);
        free(weights->items[i]->lengths);
        free(weights->items[i]->panels);
        free(weights->items[i]);
    }
    free(weights->items);
    *weights = (struct ebb_weights){0};
}

struct ebb_weight *ebb_want_matrix(struct ebb_weights *weights, int cout, int cin, const char *prefix,
                                   const char *name)
{
    struct ebb_weight *weight = ebb_want(weights, 2, cout, cin, 1, prefix, name);
    if (weight)
        weights->items[weights->count - 1]->as_panels = true;
    return weight;
}

static struct ebb_layer layer(struct ebb_weights *weights, int rank, int cin, int cout, int kernel,
                              const char *prefix, const char *name)
{
    char full[160];
    struct ebb_layer both;
    snprintf(full, sizeof(full), "%s.weight", name);
    both.weight = ebb_want(weights, rank, cout, cin, kernel, prefix, full);
    if (both.weight && (rank == 2 || rank == 4))
        weights->items[weights->count - 1]->as_panels = true;
    snprintf(full, sizeof(full), "%s.bias", name);
    both.bias = ebb_want(weights, 1, cout, 1, 1, prefix, full);
    return both;
}

struct ebb_layer ebb_want_conv(struct ebb_weights *weights, int cin, int cout, int kernel, const char *prefix,
                               const char *name)
{
    return layer(weights, 4, cin, cout, kernel, prefix, name);
}

struct ebb_layer ebb_want_linear(struct ebb_weights *weights, int cin, int cout, const char *prefix,
                                 const char *name)
{
    return layer(weights, 2, cin, cout, 1, prefix, name);
}

struct ebb_layer ebb_want_norm(struct ebb_weights *weights, int channels, const char *prefix,
                               const char *name)
{
    return layer(weights, 1, 1, channels, 1, prefix, name);
}

static struct ebb_layer layer_1d(struct ebb_weights *weights, int cin, int cout, int kernel, const char *name,
                                 bool transposed)
{
    char full[160];
    struct ebb_layer both;
    snprintf(full, sizeof(full), "%s.weight", name);
    both.weight = want_kernel(weights, 3, cout, cin, 1, kernel, "", full);
    if (both.weight) {
        weights->items[weights->count - 1]->as_panels = true;
        weights->items[weights->count - 1]->transposed = transposed;
    }
    snprintf(full, sizeof(full), "%s.bias", name);
    both.bias = ebb_want(weights, 1, cout, 1, 1, "", full);
    return both;
}

struct ebb_layer ebb_want_conv_1d(struct ebb_weights *weights, int cin, int cout, int kernel,
                                  const char *name)
{
    return layer_1d(weights, cin, cout, kernel, name, false);
}

struct ebb_layer ebb_want_conv_1d_up(struct ebb_weights *weights, int cin, int cout, int kernel,
                                     const char *name)
{
    return layer_1d(weights, cin, cout, kernel, name, true);
}
