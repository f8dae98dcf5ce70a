// SPDX-License-Identifier: LGPL-2.1-or-later
#include "graph/cost.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "graph/fuse.h"
#include "graph/node.h"

static double values_of(const struct ebb_node *node)
{
    return (double)node->n * node->h * node->w * node->c;
}

static double multiply_adds(const struct ebb_node *node)
{
    const struct ebb_weight *weight = node->weight;
    switch (node->kind) {
    case EBB_NODE_CONV:
    case EBB_NODE_CONV_1D: return values_of(node) * weight->kh * weight->kw * weight->cin;
    case EBB_NODE_CONV_1D_UP: return values_of(node->in[0]) * weight->kw * weight->cout;
    case EBB_NODE_ATTENTION: return 2 * values_of(node) * node->in[1]->h * node->in[1]->w;
    default: return 0;
    }
}

static enum ebb_result find_bytes(struct ebb_graph *graph, int *step_inputs, double *bytes,
                                  struct ebb_error *error)
{
    struct ebb_lowered lowered[EBB_PROGRAMS];
    memset(lowered, 0, sizeof(lowered));
    size_t most = 0;
    enum ebb_result result = ebb_lower(graph, true, lowered, step_inputs, error);
    for (int i = 0; i < EBB_PROGRAMS; i++) {
        size_t floats = result == EBB_OK ? ebb_place(&lowered[i], true, NULL) : 0;
        if (floats == SIZE_MAX)
            result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a plan");
        most = floats > most ? floats : most;
        ebb_lowered_clear(&lowered[i]);
    }
    *bytes = (double)most * sizeof(float);
    return result;
}

enum ebb_result ebb_graph_cost(struct ebb_graph *graph, struct ebb_graph_cost *cost, struct ebb_error *error)
{
    *cost = (struct ebb_graph_cost){0};
    enum ebb_result result = ebb_graph_failed(graph, error);
    if (result != EBB_OK)
        return result;
    for (const struct ebb_node *node = graph->first; node; node = node->next)
        cost->multiply_adds += node->by_step ? 0 : multiply_adds(node);
    int *step_inputs = ebb_alloc((size_t)graph->step_inputs + 1, sizeof(*step_inputs));
    result = step_inputs ? find_bytes(graph, step_inputs, &cost->bytes, error)
                         : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a plan");
    free(step_inputs);
    return result;
}
