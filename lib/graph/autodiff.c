// SPDX-License-Identifier: LGPL-2.1-or-later
// Reverse-mode differentiation: nodes are visited from the last to the first. Each has gathered its
// gradient by then, and adds gradients to its sources.
#include "graph/autodiff.h"

#include <stdlib.h>

#include "base/base.h"
#include "graph/node.h"

// dst (h, w, channels): x in the spots of stride x stride blocks, see EBB_OP_SPREAD.
static struct ebb_node *spread(struct ebb_graph *g, struct ebb_node *x, int h, int w, int stride, int spot,
                               float factor)
{
    struct ebb_node *node = x ? ebb_node_add(g, EBB_NODE_SPREAD, (struct ebb_node *[EBB_OP_SOURCES]){x}, h, w,
                                             x->c)
                              : NULL;
    if (node) {
        node->stride = stride;
        node->spot = spot;
        node->factor = factor;
    }
    return node;
}

// ---- weights turned by half a turn, outputs as inputs: (cin, kh, kw, cout) ----

static void turn(const struct ebb_weight *from, float *to)
{
    size_t kernel = (size_t)from->kh * (size_t)from->kw, cin = (size_t)from->cin, cout = (size_t)from->cout;
    for (size_t k = 0; k < kernel; k++)
        for (size_t i = 0; i < cin; i++)
            ebb_weight_read(from, k * cin + i, to + (i * kernel + (kernel - 1 - k)) * cout);
}

static struct ebb_weight *turned(struct ebb_graph *g, const struct ebb_weight *source)
{
    for (struct ebb_turned *t = g->turned; t; t = t->next)
        if (t->source == source)
            return &t->weight;
    size_t count = (size_t)source->cout * (size_t)source->kh * (size_t)source->kw * (size_t)source->cin;
    struct ebb_turned *t = ebb_alloc(1, sizeof(*t) + count * sizeof(float));
    if (!t) {
        ebb_fail(&g->error, EBB_OUT_OF_MEMORY, "no memory for a turned weight");
        return NULL;
    }
    turn(source, t->data);
    t->source = source;
    t->weight = (struct ebb_weight){.name = source->name,
                                    .data = t->data,
                                    .cout = source->cin,
                                    .kh = source->kh,
                                    .kw = source->kw,
                                    .cin = source->cout};
    t->next = g->turned;
    g->turned = t;
    return &t->weight;
}

// ---- one function per node: d[i] = gradient of in[i], from `dy`, that of the node ----

typedef void (*backward)(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                         struct ebb_node *d[EBB_OP_SOURCES]);

// A step of the forward kernel over zeros is a step of the turned one over dy with zeros between its pixels.
static void of_conv(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                    struct ebb_node *d[EBB_OP_SOURCES])
{
    struct ebb_weight *weight = turned(g, x->weight);
    if (x->stride > 1)
        dy = spread(g, dy, x->in[0]->h, x->in[0]->w, x->stride, x->pad == EBB_PAD_RIGHT_BOTTOM, 1);
    d[0] = dy ? ebb_conv2d(g, dy, weight, NULL, 1, EBB_PAD_SAME) : NULL;
}

static void of_norm(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                    struct ebb_node *d[EBB_OP_SOURCES])
{
    d[0] = ebb_node_add(g, EBB_NODE_NORM_GRAD, (struct ebb_node *[EBB_OP_SOURCES]){dy, x->in[0]}, x->h, x->w,
                        x->c);
    if (d[0]) {
        d[0]->groups = x->groups;
        d[0]->eps = x->eps;
        d[0]->weight = x->weight;
    }
}

static void of_film(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                    struct ebb_node *d[EBB_OP_SOURCES])
{
    if (!x->in[1]->by_step)
        ebb_graph_fail(g, "no gradient through a FiLM vector that depends on an input");
    d[0] = ebb_node_add(g, EBB_NODE_NORM_GRAD, (struct ebb_node *[EBB_OP_SOURCES]){dy, NULL, x->in[1]}, x->h,
                        x->w, x->c);
}

static void of_act(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                   struct ebb_node *d[EBB_OP_SOURCES])
{
    if (x->act == EBB_ACT_LEAKY) {
        ebb_graph_fail(g, "no gradient through a leaky ReLU");
        return;
    }
    d[0] = ebb_node_add(g, EBB_NODE_ACT_GRAD, (struct ebb_node *[EBB_OP_SOURCES]){dy, x->in[0]}, x->h, x->w,
                        x->c);
    if (d[0])
        d[0]->act = x->act;
}

static void of_add(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                   struct ebb_node *d[EBB_OP_SOURCES])
{
    d[0] = d[1] = dy;
}

static void of_vector(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                      struct ebb_node *d[EBB_OP_SOURCES])
{
    d[0] = dy;
    if (!x->in[1]->by_step)
        d[1] = ebb_scale(g, ebb_mean(g, dy), (float)x->h * (float)x->w);
}

static void of_scale(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                     struct ebb_node *d[EBB_OP_SOURCES])
{
    d[0] = ebb_scale(g, dy, x->factor);
}

static void of_concat(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                      struct ebb_node *d[EBB_OP_SOURCES])
{
    d[0] = ebb_slice(g, dy, 0, x->in[0]->c);
    d[1] = ebb_slice(g, dy, x->in[0]->c, x->in[1]->c);
}

static void of_upsample(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                        struct ebb_node *d[EBB_OP_SOURCES])
{
    d[0] = ebb_scale(g, ebb_avg_pool(g, dy), 4);
}

static void of_pool(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                    struct ebb_node *d[EBB_OP_SOURCES])
{
    d[0] = spread(g, dy, x->in[0]->h, x->in[0]->w, 2, EBB_SPOT_ALL, 0.25f);
}

static void of_mean(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                    struct ebb_node *d[EBB_OP_SOURCES])
{
    int h = x->in[0]->h, w = x->in[0]->w;
    d[0] = spread(g, dy, h, w, h > w ? h : w, EBB_SPOT_ALL, 1 / ((float)h * (float)w));
}

static void of_attention(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *dy,
                         struct ebb_node *d[EBB_OP_SOURCES])
{
    const struct ebb_node *q = x->in[0], *k = x->in[1];
    if (q->h != k->h || q->w != k->w) {
        ebb_graph_fail(g, "no gradient of attention from %d x %d places to %d x %d", q->h, q->w, k->h, k->w);
        return;
    }
    if (x->in[3] || x->causal || x->factor > 0) {
        ebb_graph_fail(g, "no gradient of attention with a bias, a scale of its own or in order of time");
        return;
    }
    struct ebb_node *all = ebb_node_add(g, EBB_NODE_ATTENTION_GRAD,
                                        (struct ebb_node *[EBB_OP_SOURCES]){x->in[0], x->in[1], x->in[2], dy},
                                        x->h, x->w, 3 * x->c);
    if (all)
        all->heads = x->heads;
    for (int i = 0; i < 3; i++)
        d[i] = ebb_slice(g, all, i * x->c, x->c);
}

static const backward table[EBB_NODE_COUNT] = {
    [EBB_NODE_CONV] = of_conv,   [EBB_NODE_NORM] = of_norm,     [EBB_NODE_ACT] = of_act,
    [EBB_NODE_ADD] = of_add,     [EBB_NODE_VECTOR] = of_vector, [EBB_NODE_FILM] = of_film,
    [EBB_NODE_SCALE] = of_scale, [EBB_NODE_CONCAT] = of_concat, [EBB_NODE_UPSAMPLE] = of_upsample,
    [EBB_NODE_POOL] = of_pool,   [EBB_NODE_MEAN] = of_mean,     [EBB_NODE_ATTENTION] = of_attention,
};

// ---- the walk ----

struct gradient_walk {
    struct ebb_graph *graph;
    struct ebb_node **nodes, **gradients; // by id, as many as there were before
    bool *depends;                        // on what the gradient is asked of
};

static void mark(struct gradient_walk *walk, const struct ebb_node *to)
{
    for (struct ebb_node *x = walk->graph->first; x; x = x->next) {
        walk->nodes[x->id] = x;
        walk->depends[x->id] = x == to;
        for (int i = 0; i < EBB_OP_SOURCES && x->in[i]; i++)
            walk->depends[x->id] |= walk->depends[x->in[i]->id];
    }
}

static void step(struct gradient_walk *walk, struct ebb_node *x)
{
    struct ebb_node *d[EBB_OP_SOURCES] = {NULL};
    if (!table[x->kind]) {
        ebb_graph_fail(walk->graph, "no gradient through node %d of kind %d", x->id, (int)x->kind);
        return;
    }
    table[x->kind](walk->graph, x, walk->gradients[x->id], d);
    for (int i = 0; i < EBB_OP_SOURCES && x->in[i]; i++) {
        struct ebb_node **sum = &walk->gradients[x->in[i]->id];
        if (d[i] && walk->depends[x->in[i]->id])
            *sum = *sum ? ebb_add(walk->graph, d[i], *sum) : d[i];
    }
}

static struct ebb_node *run(struct gradient_walk *walk, struct ebb_node *of, struct ebb_node *seed,
                            struct ebb_node *to)
{
    struct ebb_graph *g = walk->graph;
    mark(walk, to);
    if (!walk->depends[of->id])
        return ebb_graph_fail(g, "a gradient with respect to a node on which the value does not depend");
    if (seed->n != of->n || seed->h != of->h || seed->w != of->w || seed->c != of->c)
        return ebb_graph_fail(g, "a gradient of (%d, %d, %d, %d) starts from (%d, %d, %d, %d)", of->n, of->h,
                              of->w, of->c, seed->n, seed->h, seed->w, seed->c);
    walk->gradients[of->id] = seed;
    for (int i = of->id; i > to->id && g->error.code == EBB_OK; i--)
        if (walk->gradients[i] && walk->depends[i])
            step(walk, walk->nodes[i]);
    return g->error.code == EBB_OK ? walk->gradients[to->id] : NULL;
}

struct ebb_node *ebb_differentiate(struct ebb_graph *g, struct ebb_node *of, struct ebb_node *seed,
                                   struct ebb_node *to)
{
    if (g->error.code != EBB_OK)
        return NULL;
    if (!of || !seed || !to || of->graph != g || seed->graph != g || to->graph != g)
        return ebb_graph_fail(g, "a gradient of nodes of another graph");

    size_t count = (size_t)g->node_count;
    struct gradient_walk walk = {g, ebb_alloc(count, sizeof(*walk.nodes)),
                                 ebb_alloc(count, sizeof(*walk.gradients)), ebb_alloc(count, sizeof(bool))};
    struct ebb_node *result = NULL;
    if (walk.nodes && walk.gradients && walk.depends)
        result = run(&walk, of, seed, to);
    else
        ebb_fail(&g->error, EBB_OUT_OF_MEMORY, "no memory for a gradient");
    free(walk.nodes);
    free(walk.gradients);
    free(walk.depends);
    return result;
}
