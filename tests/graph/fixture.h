// SPDX-License-Identifier: LGPL-2.1-or-later
// What graph and backend tests share: random weights and buffers that clean up, evaluation of a graph on a
// device.
#ifndef EBB_TESTS_FIXTURE_H
#define EBB_TESTS_FIXTURE_H

#include <stdint.h>
#include <stdlib.h>

#include "graph/graph.h"
#include "graph/node.h"
#include "graph/plan.h"
#include "graph/plan_private.h"
#include "test.h"

static inline float random_float(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*state >> 32) / 2147483648.0f;
}

static inline float *random_floats(size_t count, uint64_t seed)
{
    float *data = malloc((count ? count : 1) * sizeof(*data));
    for (size_t i = 0; data && i < count; i++)
        data[i] = random_float(&seed);
    return data;
}

// (n, h, w, c); zeros for a node that a failed graph did not make.
static inline void node_shape(const struct ebb_node *x, int shape[4])
{
    const int of[4] = {x ? x->n : 0, x ? x->h : 0, x ? x->w : 0, x ? x->c : 0};
    memcpy(shape, of, sizeof(of));
}

// Weights of one test; freed together.
struct pool {
    struct ebb_weight *weights[512];
    int count;
    uint64_t seed;
};

static inline struct ebb_weight *weight(struct pool *pool, int cout, int k, int cin)
{
    struct ebb_weight *w = calloc(1, sizeof(*w));
    size_t count = (size_t)cout * (size_t)k * (size_t)k * (size_t)cin;
    float *data = random_floats(count, ++pool->seed), gain = 1 / sqrtf((float)(k * k * cin));
    for (size_t i = 0; i < count; i++)
        data[i] *= gain;
    *w = (struct ebb_weight){.name = "test", .data = data, .cout = cout, .kh = k, .kw = k, .cin = cin};
    return pool->weights[pool->count++] = w;
}

// (cout, 1, k, cin), for 1-D convolutions.
static inline struct ebb_weight *weight_1d(struct pool *pool, int cout, int k, int cin)
{
    struct ebb_weight *w = weight(pool, cout, 1, k * cin);
    w->kw = k;
    w->cin = cin;
    return w;
}

static inline void pool_clear(struct pool *pool)
{
    for (int i = 0; i < pool->count; i++) {
        ebb_weight_release(pool->weights[i]);
        free((void *)pool->weights[i]->data);
        free((void *)pool->weights[i]->panels.data);
        free(pool->weights[i]);
    }
    pool->count = 0;
}

static inline struct ebb_device *device(const char *name, int threads)
{
    struct ebb_error error = {0};
    struct ebb_device *d = ebb_device_create(name, threads, NULL, &error);
    if (!d)
        printf("# %s: %s\n", name, error.message);
    return d;
}

static inline struct ebb_buffer *buffer(struct ebb_device *d, const float *data, size_t count)
{
    struct ebb_buffer *b = ebb_buffer_create(d, count, NULL);
    if (b && data)
        ebb_buffer_write(b, 0, data, count, NULL);
    return b;
}

#endif
