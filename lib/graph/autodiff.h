// SPDX-License-Identifier: LGPL-2.1-or-later
// Reverse-mode differentiation: adds nodes to a graph that compute the gradient of one of its values.
// Weights and step inputs are constants.
#ifndef EBB_GRAPH_AUTODIFF_H
#define EBB_GRAPH_AUTODIFF_H

#include "graph/graph.h"

// The gradient of sum(seed * of) with respect to `to` (shape of `to`); `seed` has the shape of `of`.
// The new nodes are in the same graph: one plan computes the value and its gradient, every forward value
// once. The graph fails where `of` does not depend on `to`, or depends on it through an op without a
// derivative here: softmax, layer norm, 1-D convolutions, leaky ReLU, gate, join, attention with a bias,
// causal or from one sequence to another, and the gradients themselves.
struct ebb_node *ebb_differentiate(struct ebb_graph *g, struct ebb_node *of, struct ebb_node *seed,
                                   struct ebb_node *to);

#endif
