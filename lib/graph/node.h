// SPDX-License-Identifier: LGPL-2.1-or-later
// Nodes and graphs: graph.c builds them, autodiff.c adds to them, fuse.c turns them into programs.
#ifndef EBB_GRAPH_NODE_H
#define EBB_GRAPH_NODE_H

#include <stdint.h>

#include "backend/op.h"
#include "graph/graph.h"

enum ebb_node_kind {
    EBB_NODE_INPUT,
    EBB_NODE_STEP_INPUT,
    EBB_NODE_CONV,
    EBB_NODE_CONV_1D,
    EBB_NODE_CONV_1D_UP,
    EBB_NODE_NORM,
    EBB_NODE_ACT,
    EBB_NODE_ADD,
    EBB_NODE_VECTOR,
    EBB_NODE_FILM,
    EBB_NODE_SCALE,
    EBB_NODE_CONCAT,
    EBB_NODE_UPSAMPLE,
    EBB_NODE_POOL,
    EBB_NODE_ATTENTION,
    EBB_NODE_MEAN,
    EBB_NODE_SOFTMAX,
    EBB_NODE_LAYER_NORM,
    EBB_NODE_GATE,
    EBB_NODE_JOIN,
    EBB_NODE_TURN,
    EBB_NODE_SPREAD,
    EBB_NODE_ACT_GRAD,
    EBB_NODE_NORM_GRAD,
    EBB_NODE_ATTENTION_GRAD,
    EBB_NODE_COUNT
};

struct ebb_node {
    enum ebb_node_kind kind;
    struct ebb_graph *graph;
    struct ebb_node *in[EBB_OP_SOURCES];
    int n, h, w, c;
    struct ebb_weight *weight, *bias; // norms: gamma, beta
    int stride, groups, heads, index; // index: of inputs and step inputs
    int dilation, padding;            // of 1-D convolutions
    enum ebb_pad pad;
    enum ebb_act act;
    float eps, factor; // factor: also the slope of a leaky ReLU
    int spot, first;   // of a spread
    bool causal, rms;
    bool by_step; // depends on step inputs alone
    int id;       // order of creation
    // For fuse.c:
    int uses;     // by reachable nodes, outputs included
    int output;   // which output it is, -1: none
    int operand;  // number in its own program; -1: not in memory yet
    int imported; // number in the evaluation's program, for a node of the prologue; -1: none
    int affine;   // operand with the (a, b) of this norm or FiLM; -1: none
    struct ebb_node *next;
};

// A weight that the graph made and owns: `source` turned around for a gradient.
struct ebb_turned {
    struct ebb_turned *next;
    const struct ebb_weight *source;
    struct ebb_weight weight;
    float data[];
};

struct ebb_graph {
    struct ebb_node *first, **last; // in order of creation, so every node comes after what it reads
    struct ebb_node **outputs;
    int inputs, step_inputs, output_count, node_count;
    bool bf16;
    struct ebb_turned *turned;
    struct ebb_error error; // the first failure; code EBB_OK: none
};

// ---- graph.c, for autodiff.c ----

// Records a failure, unless there is an earlier one. Returns NULL.
__attribute__((format(printf, 2, 3))) struct ebb_node *ebb_graph_fail(struct ebb_graph *g, const char *format,
                                                                      ...);
// Adds a node with up to EBB_OP_SOURCES sources (NULL: none). NULL: the graph has failed.
struct ebb_node *ebb_node_add(struct ebb_graph *g, enum ebb_node_kind kind,
                              struct ebb_node *const in[EBB_OP_SOURCES], int h, int w, int c);

#endif
