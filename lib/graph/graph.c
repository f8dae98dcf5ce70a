// SPDX-License-Identifier: LGPL-2.1-or-later
// Building a graph: every call checks its shapes; the graph keeps the first failure.
#include "graph/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "graph/node.h"

#define SHAPE "(%d, %d, %d, %d)"
#define SHAPE_OF(x) (x)->n, (x)->h, (x)->w, (x)->c

// Returning NULL makes a builder's exit one line.
struct ebb_node *ebb_graph_fail(struct ebb_graph *g, const char *format, ...)
{
    if (g->error.code != EBB_OK)
        return NULL;
    va_list args;
    va_start(args, format);
    g->error.code = EBB_INVALID;
    vsnprintf(g->error.message, sizeof(g->error.message), format, args);
    va_end(args);
    return NULL;
}

size_t ebb_node_count(const struct ebb_node *x)
{
    return x ? (size_t)x->n * (size_t)x->h * (size_t)x->w * (size_t)x->c : 0;
}

static const char *name_of(const struct ebb_weight *weight)
{
    return weight && weight->name ? weight->name : "without a name";
}

struct ebb_graph *ebb_graph_create(void)
{
    struct ebb_graph *graph = ebb_alloc(1, sizeof(*graph));
    if (graph)
        graph->last = &graph->first;
    return graph;
}

void ebb_graph_destroy(struct ebb_graph **graph)
{
    struct ebb_graph *gone = graph ? *graph : NULL;
    if (!gone)
        return;
    *graph = NULL;
    while (gone->first) {
        struct ebb_node *next = gone->first->next;
        free(gone->first);
        gone->first = next;
    }
    while (gone->turned) {
        struct ebb_turned *next = gone->turned->next;
        ebb_weight_release(&gone->turned->weight);
        free(gone->turned);
        gone->turned = next;
    }
    free(gone->outputs);
    free(gone);
}

enum ebb_result ebb_graph_failed(const struct ebb_graph *graph, struct ebb_error *error)
{
    if (!graph)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");
    if (graph->error.code != EBB_OK && error)
        *error = graph->error;
    return graph->error.code;
}

// A tensor must fit: its bytes stay far below what size_t holds, its pixels within int.
static bool fits(int n, int h, int w, int c)
{
    double pixels = (double)n * h * w;
    return n > 0 && h > 0 && w > 0 && c > 0 && pixels < (1 << 28) && pixels * c < 1e10;
}

static struct ebb_node *add_node(struct ebb_graph *g, enum ebb_node_kind kind, struct ebb_node *x, int n,
                                 int h, int w, int c)
{
    if (!fits(n, h, w, c))
        return ebb_graph_fail(g, "a tensor of shape " SHAPE " is empty or too large", n, h, w, c);
    struct ebb_node *node = ebb_alloc(1, sizeof(*node));
    if (!node) {
        ebb_fail(&g->error, EBB_OUT_OF_MEMORY, "no memory for a node");
        return NULL;
    }
    *node = (struct ebb_node){.kind = kind, .graph = g, .in = {x}, .n = n, .h = h, .w = w, .c = c};
    node->output = node->operand = node->imported = node->affine = -1;
    node->id = g->node_count++;
    node->by_step = x && x->by_step;
    *g->last = node;
    g->last = &node->next;
    return node;
}

struct ebb_node *ebb_node_add(struct ebb_graph *g, enum ebb_node_kind kind,
                              struct ebb_node *const in[EBB_OP_SOURCES], int h, int w, int c)
{
    struct ebb_node *node = in[0] && g->error.code == EBB_OK ? add_node(g, kind, in[0], in[0]->n, h, w, c)
                                                             : NULL;
    for (int i = 1; node && i < EBB_OP_SOURCES; i++) {
        node->in[i] = in[i];
        node->by_step = node->by_step && (!in[i] || in[i]->by_step);
    }
    return node;
}

// Whether the builder may go on: nothing failed before and the arguments are nodes of this graph.
static bool ready(struct ebb_graph *g, const struct ebb_node *a, const struct ebb_node *b)
{
    if (g->error.code != EBB_OK)
        return false;
    if (a && b && a->graph == g && b->graph == g)
        return true;
    ebb_graph_fail(g, "%s", a && b ? "a node of another graph" : "a node that is NULL");
    return false;
}

static bool is_vector(const struct ebb_weight *v, int length)
{
    return !v || (v->cout == length && v->kh == 1 && v->kw == 1 && v->cin == 1);
}

struct ebb_node *ebb_input(struct ebb_graph *g, int n, int h, int w, int c)
{
    struct ebb_node *node = g->error.code == EBB_OK ? add_node(g, EBB_NODE_INPUT, NULL, n, h, w, c) : NULL;
    if (node)
        node->index = g->inputs++;
    return node;
}

struct ebb_node *ebb_step_input(struct ebb_graph *g, int n, int c)
{
    struct ebb_node *node = g->error.code == EBB_OK ? add_node(g, EBB_NODE_STEP_INPUT, NULL, n, 1, 1, c)
                                                    : NULL;
    if (node) {
        node->index = g->step_inputs++;
        node->by_step = true;
    }
    return node;
}

void ebb_graph_use_bf16(struct ebb_graph *g)
{
    g->bf16 = true;
}

void ebb_output(struct ebb_graph *g, struct ebb_node *x)
{
    if (!ready(g, x, x))
        return;
    struct ebb_node **more = realloc(g->outputs, (size_t)(g->output_count + 1) * sizeof(struct ebb_node *));
    if (!more) {
        ebb_fail(&g->error, EBB_OUT_OF_MEMORY, "no memory for an output");
        return;
    }
    g->outputs = more;
    g->outputs[g->output_count++] = x;
}

struct ebb_node *ebb_conv2d(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *weight,
                            struct ebb_weight *bias, int stride, enum ebb_pad pad)
{
    if (!ready(g, x, x))
        return NULL;
    if (!weight || weight->cout < 1 || weight->cin != x->c)
        return ebb_graph_fail(g, "convolution %s: %d input channels, its source has %d", name_of(weight),
                              weight ? weight->cin : 0, x->c);
    if (weight->kh < 1 || weight->kw < 1 || weight->kh % 2 == 0 || weight->kw % 2 == 0 || stride < 1)
        return ebb_graph_fail(g, "convolution %s: kernel %dx%d, stride %d", name_of(weight), weight->kh,
                              weight->kw, stride);
    if (pad == EBB_PAD_RIGHT_BOTTOM && (weight->kh != 3 || weight->kw != 3 || stride != 2))
        return ebb_graph_fail(g, "convolution %s: padding right and bottom needs 3x3, stride 2",
                              name_of(weight));
    if (pad == EBB_PAD_SAME && weight->kh != weight->kw)
        return ebb_graph_fail(g, "convolution %s: kernel %dx%d is not square", name_of(weight), weight->kh,
                              weight->kw);
    if (!is_vector(bias, weight->cout))
        return ebb_graph_fail(g, "convolution %s: %d output channels, a bias of %d", name_of(weight),
                              weight->cout, bias->cout);

    // Both pads: floor((size + zeros - kernel) / stride) + 1 with zeros = kernel - 1, or 1 for the 3x3 stride
    // 2 one.
    int zeros = pad == EBB_PAD_SAME ? weight->kh - 1 : 1;
    if (x->h + zeros < weight->kh || x->w + zeros < weight->kw)
        return ebb_graph_fail(g, "convolution %s: kernel larger than its source", name_of(weight));
    struct ebb_node *node = add_node(g, EBB_NODE_CONV, x, x->n, (x->h + zeros - weight->kh) / stride + 1,
                                     (x->w + zeros - weight->kw) / stride + 1, weight->cout);
    if (node) {
        node->weight = weight;
        node->bias = bias;
        node->stride = stride;
        node->pad = pad;
    }
    return node;
}

// A 1-D convolution of either direction, whose result has `w` places along w.
static struct ebb_node *conv_1d(struct ebb_graph *g, enum ebb_node_kind kind, struct ebb_node *x,
                                struct ebb_weight *weight, struct ebb_weight *bias, long w)
{
    if (weight->kh != 1 || weight->cin != x->c)
        return ebb_graph_fail(g, "1-D convolution %s: kernel %dx%d, %d input channels, its source has %d",
                              name_of(weight), weight->kh, weight->kw, weight->cin, x->c);
    if (!is_vector(bias, weight->cout))
        return ebb_graph_fail(g, "1-D convolution %s: %d output channels, a bias of %d", name_of(weight),
                              weight->cout, bias->cout);
    if (w < 1 || w > 1 << 28)
        return ebb_graph_fail(g, "1-D convolution %s: %ld places", name_of(weight), w);
    struct ebb_node *node = add_node(g, kind, x, x->n, x->h, (int)w, weight->cout);
    if (node) {
        node->weight = weight;
        node->bias = bias;
        node->stride = node->dilation = 1;
    }
    return node;
}

static bool has_size(struct ebb_graph *g, const struct ebb_weight *weight)
{
    if (weight && weight->cout > 0 && weight->kw > 0)
        return true;
    ebb_graph_fail(g, "1-D convolution %s: there is no weight", name_of(weight));
    return false;
}

struct ebb_node *ebb_conv_1d(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *weight,
                             struct ebb_weight *bias, int dilation)
{
    if (!ready(g, x, x) || !has_size(g, weight))
        return NULL;
    if (weight->kw % 2 == 0 || dilation < 1 || dilation > (1 << 20) / weight->kw)
        return ebb_graph_fail(g, "1-D convolution %s: kernel %d, dilation %d", name_of(weight), weight->kw,
                              dilation);
    struct ebb_node *node = conv_1d(g, EBB_NODE_CONV_1D, x, weight, bias, x->w);
    if (node) {
        node->dilation = dilation;
        node->padding = (weight->kw - 1) / 2 * dilation;
    }
    return node;
}

struct ebb_node *ebb_conv_1d_up(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *weight,
                                struct ebb_weight *bias, int stride, int padding)
{
    if (!ready(g, x, x) || !has_size(g, weight))
        return NULL;
    if (stride < 1 || stride > 1 << 16 || padding < 0 || padding >= weight->kw)
        return ebb_graph_fail(g, "1-D convolution %s: kernel %d, stride %d, padding %d", name_of(weight),
                              weight->kw, stride, padding);
    struct ebb_node *node = conv_1d(g, EBB_NODE_CONV_1D_UP, x, weight, bias,
                                    (x->w - 1L) * stride - 2L * padding + weight->kw);
    if (node) {
        node->stride = stride;
        node->padding = padding;
    }
    return node;
}

struct ebb_node *ebb_linear(struct ebb_graph *g, struct ebb_node *x, struct ebb_weight *weight,
                            struct ebb_weight *bias)
{
    if (ready(g, x, x) && weight && (weight->kh != 1 || weight->kw != 1))
        return ebb_graph_fail(g, "linear layer %s: its weight is %dx%d", name_of(weight), weight->kh,
                              weight->kw);
    return ebb_conv2d(g, x, weight, bias, 1, EBB_PAD_SAME);
}

struct ebb_node *ebb_group_norm(struct ebb_graph *g, struct ebb_node *x, int groups, float eps,
                                struct ebb_weight *gamma, struct ebb_weight *beta)
{
    if (!ready(g, x, x))
        return NULL;
    if (groups < 1 || x->c % groups != 0)
        return ebb_graph_fail(g, "group norm: %d channels do not divide into %d groups", x->c, groups);
    if (!is_vector(gamma, x->c) || !is_vector(beta, x->c))
        return ebb_graph_fail(g, "group norm %s: not %d values", name_of(gamma), x->c);
    struct ebb_node *node = add_node(g, EBB_NODE_NORM, x, x->n, x->h, x->w, x->c);
    if (node) {
        node->groups = groups;
        node->eps = eps;
        node->weight = gamma;
        node->bias = beta;
    }
    return node;
}

struct ebb_node *ebb_activate(struct ebb_graph *g, struct ebb_node *x, enum ebb_act act)
{
    if (!ready(g, x, x) || act == EBB_ACT_NONE)
        return x;
    struct ebb_node *node = add_node(g, EBB_NODE_ACT, x, x->n, x->h, x->w, x->c);
    if (node)
        node->act = act;
    return node;
}

struct ebb_node *ebb_leaky_relu(struct ebb_graph *g, struct ebb_node *x, float slope)
{
    struct ebb_node *node = ebb_activate(g, x, EBB_ACT_LEAKY);
    if (node && node != x)
        node->factor = slope;
    return node;
}

// A node of two sources; `a` gives its shape except for the channels.
static struct ebb_node *add_pair(struct ebb_graph *g, enum ebb_node_kind kind, struct ebb_node *a,
                                 struct ebb_node *b, int channels)
{
    struct ebb_node *node = add_node(g, kind, a, a->n, a->h, a->w, channels);
    if (node) {
        node->in[1] = b;
        node->by_step = a->by_step && b->by_step;
    }
    return node;
}

struct ebb_node *ebb_add(struct ebb_graph *g, struct ebb_node *a, struct ebb_node *b)
{
    if (!ready(g, a, b))
        return NULL;
    if (a->n != b->n || a->h != b->h || a->w != b->w || a->c != b->c)
        return ebb_graph_fail(g, "sum of " SHAPE " and " SHAPE, SHAPE_OF(a), SHAPE_OF(b));
    return add_pair(g, EBB_NODE_ADD, a, b, a->c);
}

struct ebb_node *ebb_add_channels(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *v)
{
    if (!ready(g, x, v))
        return NULL;
    if (v->n != x->n || v->h != 1 || v->w != 1 || v->c != x->c)
        return ebb_graph_fail(g, "a vector " SHAPE " added to the channels of " SHAPE, SHAPE_OF(v),
                              SHAPE_OF(x));
    return add_pair(g, EBB_NODE_VECTOR, x, v, x->c);
}

struct ebb_node *ebb_film(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *v)
{
    if (!ready(g, x, v))
        return NULL;
    if (v->n != x->n || v->h != 1 || v->w != 1 || v->c % 2 != 0 || v->c / 2 != x->c)
        return ebb_graph_fail(g, "scale and shift " SHAPE " for the channels of " SHAPE, SHAPE_OF(v),
                              SHAPE_OF(x));
    return add_pair(g, EBB_NODE_FILM, x, v, x->c);
}

struct ebb_node *ebb_scale(struct ebb_graph *g, struct ebb_node *x, float factor)
{
    if (!ready(g, x, x) || factor == 1)
        return x;
    struct ebb_node *node = add_node(g, EBB_NODE_SCALE, x, x->n, x->h, x->w, x->c);
    if (node)
        node->factor = factor;
    return node;
}

struct ebb_node *ebb_concat(struct ebb_graph *g, struct ebb_node *a, struct ebb_node *b)
{
    if (!ready(g, a, b))
        return NULL;
    if (a->n != b->n || a->h != b->h || a->w != b->w || a->c > (1 << 24) || b->c > (1 << 24))
        return ebb_graph_fail(g, SHAPE " and " SHAPE " side by side", SHAPE_OF(a), SHAPE_OF(b));
    return add_pair(g, EBB_NODE_CONCAT, a, b, a->c + b->c);
}

struct ebb_node *ebb_upsample(struct ebb_graph *g, struct ebb_node *x)
{
    if (!ready(g, x, x))
        return NULL;
    if (x->h > (1 << 24) || x->w > (1 << 24))
        return ebb_graph_fail(g, "upsampling " SHAPE, SHAPE_OF(x));
    return add_node(g, EBB_NODE_UPSAMPLE, x, x->n, 2 * x->h, 2 * x->w, x->c);
}

struct ebb_node *ebb_slice(struct ebb_graph *g, struct ebb_node *x, int first, int channels)
{
    if (!ready(g, x, x))
        return NULL;
    if (first < 0 || channels < 1 || channels > x->c - first)
        return ebb_graph_fail(g, "channels %d to %d of " SHAPE, first, first + channels - 1, SHAPE_OF(x));
    struct ebb_node *node = add_node(g, EBB_NODE_SPREAD, x, x->n, x->h, x->w, channels);
    if (node) {
        node->stride = 1;
        node->spot = EBB_SPOT_ALL;
        node->factor = 1;
        node->first = first;
    }
    return node;
}

struct ebb_node *ebb_upsample_to(struct ebb_graph *g, struct ebb_node *x, int h, int w)
{
    if (!ready(g, x, x))
        return NULL;
    if (h == 2 * x->h && w == 2 * x->w)
        return ebb_upsample(g, x);
    if ((h != 2 * x->h && h != 2 * x->h - 1) || (w != 2 * x->w && w != 2 * x->w - 1))
        return ebb_graph_fail(g, "upsampling " SHAPE " to %d x %d", SHAPE_OF(x), h, w);
    struct ebb_node *node = add_node(g, EBB_NODE_SPREAD, x, x->n, h, w, x->c);
    if (node) {
        node->stride = 2;
        node->spot = EBB_SPOT_ALL;
        node->factor = 1;
    }
    return node;
}

struct ebb_node *ebb_avg_pool(struct ebb_graph *g, struct ebb_node *x)
{
    return ready(g, x, x) ? add_node(g, EBB_NODE_POOL, x, x->n, x->h / 2, x->w / 2, x->c) : NULL;
}

struct ebb_node *ebb_mean(struct ebb_graph *g, struct ebb_node *x)
{
    return ready(g, x, x) ? add_node(g, EBB_NODE_MEAN, x, x->n, 1, 1, x->c) : NULL;
}

struct ebb_node *ebb_softmax(struct ebb_graph *g, struct ebb_node *x)
{
    return ready(g, x, x) ? add_node(g, EBB_NODE_SOFTMAX, x, x->n, x->h, x->w, x->c) : NULL;
}

struct ebb_node *ebb_layer_norm(struct ebb_graph *g, struct ebb_node *x, float eps, struct ebb_weight *gamma,
                                struct ebb_weight *beta)
{
    if (!ready(g, x, x))
        return NULL;
    if (!is_vector(gamma, x->c) || !is_vector(beta, x->c))
        return ebb_graph_fail(g, "layer norm %s: not %d values", name_of(gamma ? gamma : beta), x->c);
    struct ebb_node *node = add_node(g, EBB_NODE_LAYER_NORM, x, x->n, x->h, x->w, x->c);
    if (node) {
        node->eps = eps;
        node->weight = gamma;
        node->bias = beta;
    }
    return node;
}

struct ebb_node *ebb_rms_norm(struct ebb_graph *g, struct ebb_node *x, float eps, struct ebb_weight *gamma)
{
    struct ebb_node *node = ebb_layer_norm(g, x, eps, gamma, NULL);
    if (node)
        node->rms = true;
    return node;
}

struct ebb_node *ebb_gate(struct ebb_graph *g, struct ebb_node *x, struct ebb_node *gate, enum ebb_act act)
{
    if (!ready(g, x, gate ? gate : x))
        return NULL;
    if (!gate && x->c % 2)
        return ebb_graph_fail(g, "gate: %d channels are not two halves", x->c);
    if (gate && (gate->n != x->n || gate->h != x->h || gate->w != x->w || gate->c != x->c))
        return ebb_graph_fail(g, "a gate " SHAPE " for " SHAPE, SHAPE_OF(gate), SHAPE_OF(x));
    struct ebb_node *node = gate ? add_pair(g, EBB_NODE_GATE, x, gate, x->c)
                                 : add_node(g, EBB_NODE_GATE, x, x->n, x->h, x->w, x->c / 2);
    if (node)
        node->act = act;
    return node;
}

struct ebb_node *ebb_turn(struct ebb_graph *g, struct ebb_node *x)
{
    return ready(g, x, x) ? add_node(g, EBB_NODE_TURN, x, x->n, x->w, x->h, x->c) : NULL;
}

static int tokens_of(const struct ebb_node *x)
{
    return x->h * x->w;
}

struct ebb_node *ebb_join_tokens(struct ebb_graph *g, struct ebb_node *a, struct ebb_node *b)
{
    if (!ready(g, a, b))
        return NULL;
    if (a->n != b->n || a->c != b->c)
        return ebb_graph_fail(g, SHAPE " and " SHAPE " one after the other", SHAPE_OF(a), SHAPE_OF(b));
    struct ebb_node *node = add_node(g, EBB_NODE_JOIN, a, a->n, 1, tokens_of(a) + tokens_of(b), a->c);
    if (node) {
        node->in[1] = b;
        node->by_step = a->by_step && b->by_step;
    }
    return node;
}

// One of `all` or 1: how many of them `found` stands for.
static bool all_or_one(int found, int all)
{
    return found == all || found == 1;
}

static bool bias_fits(const struct ebb_node *bias, const struct ebb_node *q, const struct ebb_node *k,
                      int heads)
{
    return all_or_one(bias->n, q->n) && all_or_one(bias->h, heads) && all_or_one(bias->w, tokens_of(q)) &&
           bias->c == tokens_of(k);
}

struct ebb_node *ebb_attention_with(struct ebb_graph *g, struct ebb_node *q, struct ebb_node *k,
                                    struct ebb_node *v, const struct ebb_attention_terms *terms)
{
    int heads = terms->heads;
    struct ebb_node *bias = terms->bias;
    if (!ready(g, q, k) || !ready(g, q, v) || !ready(g, q, bias ? bias : q))
        return NULL;
    if (heads < 1 || q->c % heads != 0 || k->c != q->c || v->c != q->c || k->n != q->n || v->n != q->n ||
        k->h != v->h || k->w != v->w)
        return ebb_graph_fail(g, "attention of %d heads, query " SHAPE ", key " SHAPE ", value " SHAPE, heads,
                              SHAPE_OF(q), SHAPE_OF(k), SHAPE_OF(v));
    if (bias && !bias_fits(bias, q, k, heads))
        return ebb_graph_fail(g, "attention of %d heads from %d places to %d: a bias " SHAPE, heads,
                              tokens_of(q), tokens_of(k), SHAPE_OF(bias));
    if (bias && bias->n != q->n && q->by_step && k->by_step && v->by_step && bias->by_step)
        return ebb_graph_fail(g, "attention of step inputs: one bias for %d images", q->n);
    if (terms->causal && tokens_of(q) > tokens_of(k))
        return ebb_graph_fail(g, "causal attention from %d places to %d", tokens_of(q), tokens_of(k));
    if (!(terms->scale >= 0))
        return ebb_graph_fail(g, "attention: scores times %g", (double)terms->scale);
    struct ebb_node *node = ebb_node_add(g, EBB_NODE_ATTENTION,
                                         (struct ebb_node *[EBB_OP_SOURCES]){q, k, v, bias}, q->h, q->w,
                                         q->c);
    if (node) {
        node->heads = heads;
        node->factor = terms->scale;
        node->causal = terms->causal;
    }
    return node;
}

struct ebb_node *ebb_attention(struct ebb_graph *g, struct ebb_node *q, struct ebb_node *k,
                               struct ebb_node *v, int heads)
{
    return ebb_attention_with(g, q, k, v, &(struct ebb_attention_terms){.heads = heads});
}
