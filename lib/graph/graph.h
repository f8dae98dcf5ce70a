// A network as plain nodes that read like the paper. Tensors are float32, (n, h, w, c): h = mel band from low to
// high, w = time. Builders pass an earlier failure through, so calls nest; ebb_graph_failed() tells at the end.
#ifndef EBB_GRAPH_GRAPH_H
#define EBB_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>

#include "backend/weight.h"

enum ebb_pad {
    EBB_PAD_SAME,        // kernel / 2 zeros on every side
    EBB_PAD_RIGHT_BOTTOM, // 3x3 stride 2 of diffusers with padding 0: one zero column right, one zero row below
};

struct ebb_graph;
struct ebb_node; // one tensor and the op that makes it; owned by the graph

struct ebb_graph *ebb_graph_create(void);
void ebb_graph_destroy(struct ebb_graph **graph);
enum ebb_result ebb_graph_failed(const struct ebb_graph *graph, struct ebb_error *error); // EBB_OK: whole

// Inputs: a tensor given at each evaluation, or a vector (n, 1, 1, c) known for all steps before the loop. What
// depends on step inputs alone is computed once, for all steps, ahead of the loop.
struct ebb_node *ebb_input(struct ebb_graph *g, int n, int h, int w, int c);
struct ebb_node *ebb_step_input(struct ebb_graph *g, int n, int c);
void ebb_output(struct ebb_graph *g, struct ebb_node *x); // in order of calls

// Shape of a node: (n, h, w, c).
void ebb_node_shape(const struct ebb_node *x, int shape[4]);

struct ebb_node *ebb_conv2d(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *weight, struct ebb_weight *bias,
                            int stride, enum ebb_pad pad); // bias may be NULL; kernel 1x1 or 3x3 (any odd)
struct ebb_node *ebb_linear(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *weight, struct ebb_weight *bias);
struct ebb_node *ebb_group_norm(struct ebb_graph *g, struct ebb_node *x, int groups, float eps, struct ebb_weight *gamma,
                                struct ebb_weight *beta);
struct ebb_node *ebb_activate(struct ebb_graph *g, struct ebb_node *x, enum ebb_act act);
struct ebb_node *ebb_add(struct ebb_graph *g, struct ebb_node *a, struct ebb_node *b);
struct ebb_node *ebb_add_channels(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *v); // v (n, 1, 1, c)
struct ebb_node *ebb_film(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *v); // v (n, 1, 1, 2c): x (1 + v0) + v1
struct ebb_node *ebb_scale(struct ebb_graph *g, struct ebb_node *x, float factor);
struct ebb_node *ebb_concat(struct ebb_graph *g, struct ebb_node *a, struct ebb_node *b); // channels, a first
struct ebb_node *ebb_upsample(struct ebb_graph *g, struct ebb_node *x);  // nearest, twice h and w
struct ebb_node *ebb_avg_pool(struct ebb_graph *g, struct ebb_node *x);  // 2x2, stride 2
struct ebb_node *ebb_mean(struct ebb_graph *g, struct ebb_node *x);      // over h and w: (n, 1, 1, c)
struct ebb_node *ebb_softmax(struct ebb_graph *g, struct ebb_node *x);   // over channels
struct ebb_node *ebb_attention(struct ebb_graph *g, struct ebb_node *q, struct ebb_node *k, struct ebb_node *v,
                               int heads); // tokens = h * w; softmax(q k^T / sqrt(c / heads)) v

#endif
