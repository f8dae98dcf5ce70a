// Reverse mode: from a graph that makes a value, the nodes that make its gradient. Weights and step inputs are constants.
#ifndef EBB_GRAPH_GRADIENT_H
#define EBB_GRAPH_GRADIENT_H

#include "graph/graph.h"

// The gradient of sum(seed * of) with respect to `to` (shape of `to`); `seed` has the shape of `of`. Everything lands in
// the same graph, so that one plan makes the value and its gradient, each forward value once. Fails the graph where `of`
// does not depend on `to`, or through an op that nobody differentiates here (softmax and the gradients themselves).
struct ebb_node *ebb_gradient(struct ebb_graph *g, struct ebb_node *of, struct ebb_node *seed, struct ebb_node *to);

#endif
