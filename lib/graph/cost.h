// SPDX-License-Identifier: LGPL-2.1-or-later
// What an evaluation of a graph costs, before there is a plan.
#ifndef EBB_GRAPH_COST_H
#define EBB_GRAPH_COST_H

#include "graph/graph.h"

struct ebb_graph_cost {
    double multiply_adds; // of convolutions, linear layers and attention, as their definitions have them
    double bytes;         // of tensors between the ops, in one arena
};

// The graph stays as it is, and can become a plan afterwards only if it is built anew.
enum ebb_result ebb_graph_cost(struct ebb_graph *graph, struct ebb_graph_cost *cost, struct ebb_error *error);

#endif
