// SPDX-License-Identifier: LGPL-2.1-or-later
// A network as a graph of nodes, built by calls that read like the paper. Tensors are float32, (n, h, w,
// c): h = mel band from low to high, w = time. After a failure, later calls do nothing, so calls can be
// nested; ebb_graph_failed() tells the failure at the end.
#ifndef EBB_GRAPH_GRAPH_H
#define EBB_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>

#include "backend/weight.h"

enum ebb_pad {
    EBB_PAD_SAME,         // kernel / 2 zeros on every side
    EBB_PAD_RIGHT_BOTTOM, // one zero column right, one zero row below: diffusers' 3x3 stride 2, padding 0
};

struct ebb_graph;
struct ebb_node; // one tensor and the op that makes it; owned by the graph

struct ebb_graph *ebb_graph_create(void);
void ebb_graph_destroy(struct ebb_graph **graph);
enum ebb_result ebb_graph_failed(const struct ebb_graph *graph, struct ebb_error *error); // EBB_OK: whole

// An input is a tensor that changes at each evaluation. A step input is a vector (n, 1, 1, c) that is known
// for all steps before the run; nodes that depend on step inputs alone are computed once for all steps.
struct ebb_node *ebb_input(struct ebb_graph *g, int n, int h, int w, int c);
struct ebb_node *ebb_step_input(struct ebb_graph *g, int n, int c);
// Convolutions of the graph may be computed in bfloat16, on devices that do so faster. What depends on step
// inputs alone stays float32.
void ebb_graph_use_bf16(struct ebb_graph *graph);

void ebb_output(struct ebb_graph *g, struct ebb_node *x); // in order of calls
size_t ebb_node_count(const struct ebb_node *x);          // numbers of the tensor; of NULL 0

struct ebb_node *ebb_conv2d(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *weight,
                            struct ebb_weight *bias, int stride,
                            enum ebb_pad pad); // bias may be NULL; kernel 1x1 or 3x3 (any odd)
// Along w, row by row; weights (cout, 1, k, cin). As many zeros on both sides as keep the length: k is odd.
struct ebb_node *ebb_conv_1d(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *weight,
                             struct ebb_weight *bias, int dilation);
// The transposed convolution: w becomes (w - 1) stride - 2 padding + k.
struct ebb_node *ebb_conv_1d_up(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *weight,
                                struct ebb_weight *bias, int stride, int padding);
struct ebb_node *ebb_linear(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *weight,
                            struct ebb_weight *bias);
struct ebb_node *ebb_group_norm(struct ebb_graph *g, struct ebb_node *x, int groups, float eps,
                                struct ebb_weight *gamma, struct ebb_weight *beta);
struct ebb_node *ebb_activate(struct ebb_graph *g, struct ebb_node *x, enum ebb_act act);
struct ebb_node *ebb_leaky_relu(struct ebb_graph *g, struct ebb_node *x, float slope); // x < 0: slope x
struct ebb_node *ebb_add(struct ebb_graph *g, struct ebb_node *a, struct ebb_node *b);
struct ebb_node *ebb_add_channels(struct ebb_graph *g, struct ebb_node *x,
                                  struct ebb_node *v); // v (n, 1, 1, c)
struct ebb_node *ebb_film(struct ebb_graph *g, struct ebb_node *x,
                          struct ebb_node *v); // v (n, 1, 1, 2c): x (1 + v0) + v1
struct ebb_node *ebb_scale(struct ebb_graph *g, struct ebb_node *x, float factor);
struct ebb_node *ebb_concat(struct ebb_graph *g, struct ebb_node *a, struct ebb_node *b); // channels, a first
struct ebb_node *ebb_slice(struct ebb_graph *g, struct ebb_node *x, int first,
                           int channels);                               // channels first, first + 1, ... of x
struct ebb_node *ebb_upsample(struct ebb_graph *g, struct ebb_node *x); // nearest, twice h and w
struct ebb_node *ebb_upsample_to(struct ebb_graph *g, struct ebb_node *x, int h,
                                 int w); // the same, cut to h, w: 2 x->h or one less
struct ebb_node *ebb_turn(struct ebb_graph *g, struct ebb_node *x);     // (n, w, h, c)
struct ebb_node *ebb_avg_pool(struct ebb_graph *g, struct ebb_node *x); // 2x2, stride 2
struct ebb_node *ebb_mean(struct ebb_graph *g, struct ebb_node *x);     // over h and w: (n, 1, 1, c)
struct ebb_node *ebb_softmax(struct ebb_graph *g, struct ebb_node *x);  // over channels
struct ebb_node *ebb_layer_norm(struct ebb_graph *g, struct ebb_node *x, float eps, struct ebb_weight *gamma,
                                struct ebb_weight *beta); // over channels, pixel by pixel
struct ebb_node *ebb_rms_norm(struct ebb_graph *g, struct ebb_node *x, float eps,
                              struct ebb_weight *gamma); // x / sqrt(mean of x^2 + eps) * gamma

// x * act(gate), value by value. `gate` NULL: x's channels are two halves, of values and of gates (GEGLU).
struct ebb_node *ebb_gate(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *gate, enum ebb_act act);

// Tokens, as transformers have them, are the places (h, w) of a node, in the order of memory. A sequence is
// (n, 1, tokens, c). It need not be as long as another that it attends to.
struct ebb_node *ebb_join_tokens(struct ebb_graph *g, struct ebb_node *a, struct ebb_node *b); // a first
struct ebb_node *ebb_attention(struct ebb_graph *g, struct ebb_node *q, struct ebb_node *k,
                               struct ebb_node *v, int heads); // softmax(q k^T / sqrt(c / heads)) v

struct ebb_attention_terms {
    int heads;
    float scale; // of q k^T; 0: 1 / sqrt(c / heads)
    bool causal; // a query does not see keys behind its own; the last query sees all keys
    // Added to the scores, NULL: nothing. Shape (n, heads, queries, keys); n, heads and queries may each be
    // 1, for all alike. A padding mask is (n, 1, 1, keys), and may be a step input: 0 for a key that is seen,
    // -1e30 or less for one that is not. Relative positions are (1, heads, queries, keys).
    struct ebb_node *bias;
};
struct ebb_node *ebb_attention_with(struct ebb_graph *g, struct ebb_node *q, struct ebb_node *k,
                                    struct ebb_node *v, const struct ebb_attention_terms *terms);

#endif
