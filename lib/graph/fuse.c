// SPDX-License-Identifier: LGPL-2.1-or-later
// From nodes to fused ops, starting at the outputs. An op is a chain of nodes in three parts: the load
// (concat, upsample, norm, FiLM, activation), the core (a convolution, or none), and the epilogue (vector,
// residual, scale). A node of the epilogue has no other reader. The load is cheap, so each reader may
// compute it again.
#include "graph/fuse.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/base.h"
#include "graph/node.h"

struct lowering {
    struct ebb_graph *graph;
    struct ebb_lowered *programs;
    bool fuse;
    bool failed; // out of memory
};

static int need(struct lowering *l, enum ebb_side side, struct ebb_node *x);

static enum ebb_side side_of(const struct ebb_node *x)
{
    return x->by_step ? EBB_PROLOGUE : EBB_EVALUATION;
}

static void *grow(void *data, int count, int *room, size_t size)
{
    if (count < *room)
        return data;
    int more = *room ? 2 * *room : 32;
    void *bigger = realloc(data, (size_t)more * size);
    if (bigger)
        *room = more;
    return bigger;
}

static int add_operand(struct lowering *l, enum ebb_side side, const struct ebb_operand *operand, int import)
{
    struct ebb_lowered *p = &l->programs[side];
    int room = p->operand_room;
    struct ebb_operand *operands = grow(p->operands, p->operand_count, &room, sizeof(*operands));
    if (operands)
        p->operands = operands;
    room = p->operand_room;
    int *imports = grow(p->imports, p->operand_count, &room, sizeof(*imports));
    if (imports)
        p->imports = imports;
    if (!operands || !imports) {
        l->failed = true;
        return 0;
    }
    p->operand_room = room;
    p->operands[p->operand_count] = *operand;
    p->imports[p->operand_count] = import;
    return p->operand_count++;
}

static struct ebb_operand operand_of(const struct ebb_node *x, int channels)
{
    int batch = x->by_step ? EBB_STEP_CHUNK : 1;
    return (
        struct ebb_operand){.n = x->n * batch, .h = x->h, .w = x->w, .c = channels, .place = EBB_PLACE_ARENA};
}

static void add_op(struct lowering *l, enum ebb_side side, const struct ebb_op *op)
{
    struct ebb_lowered *p = &l->programs[side];
    struct ebb_op *ops = grow(p->ops, p->op_count, &p->op_room, sizeof(*ops));
    if (!ops) {
        l->failed = true;
        return;
    }
    p->ops = ops;
    p->ops[p->op_count++] = *op;
}

static struct ebb_op empty_op(enum ebb_op_kind kind)
{
    return (struct ebb_op){.kind = kind,
                           .dst = -1,
                           .src = {-1, -1, -1, -1},
                           .affine = -1,
                           .vector = -1,
                           .residual = -1,
                           .film = -1,
                           .scale = 1,
                           .stride = 1};
}

// Whether `x` may be computed as part of its only reader on `side`.
static bool can_enter(const struct lowering *l, enum ebb_side side, const struct ebb_node *x)
{
    return l->fuse && x->uses == 1 && x->operand < 0 && x->output < 0 && side_of(x) == side;
}

// The op that makes (a, b) of norm and FiLM, sources as `reader` has them; made once for all readers.
static int need_affine(struct lowering *l, enum ebb_side side, const struct ebb_op *reader,
                       struct ebb_node *norm, struct ebb_node *film)
{
    struct ebb_node *outer = film ? film : norm;
    if (outer->affine >= 0)
        return outer->affine;
    struct ebb_op op = empty_op(EBB_OP_NORM);
    if (norm) {
        op.src[0] = reader->src[0];
        op.src[1] = reader->src[1];
        op.groups = norm->groups;
        op.eps = norm->eps;
        op.gamma = norm->weight;
        op.beta = norm->bias;
    }
    op.film = film ? need(l, side, film->in[1]) : -1;
    struct ebb_operand operand = operand_of(outer, 2 * outer->c);
    operand.h = operand.w = 1;
    op.dst = outer->affine = add_operand(l, side, &operand, -1);
    add_op(l, side, &op);
    return outer->affine;
}

static void set_activation(struct ebb_op *op, const struct ebb_node *x)
{
    op->act = x->act;
    op->slope = x->factor;
}

// Fills the load of `op` so that it reads `x`. `root`: this node must not be read from memory (it is being
// computed).
static void read_node(struct lowering *l, enum ebb_side side, struct ebb_op *op, struct ebb_node *x,
                      const struct ebb_node *root)
{
    struct ebb_node *norm = NULL, *film = NULL;
    bool inside = true;
    while (inside && (x == root || (l->fuse && x->operand < 0 && side_of(x) == side))) {
        bool first = op->act == EBB_ACT_NONE && !norm && !film;
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a node of these kinds has a source
        if (x->kind == EBB_NODE_ACT && first)
            set_activation(op, x);
        else if (x->kind == EBB_NODE_FILM && !norm && !film)
            film = x;
        else if (x->kind == EBB_NODE_NORM && !norm)
            norm = x;
        else if (x->kind == EBB_NODE_UPSAMPLE && !op->upsample)
            op->upsample = true; // its statistics are those of its source
        else
            inside = false;
        if (inside)
            x = x->in[0];
    }

    bool concat = x->kind == EBB_NODE_CONCAT &&
                  (x == root || (l->fuse && x->operand < 0 && side_of(x) == side));
    op->src[0] = need(l, side, concat ? x->in[0] : x);
    op->src[1] = concat ? need(l, side, x->in[1]) : -1;
    if (norm || film)
        op->affine = need_affine(l, side, op, norm, film);
}

// The op of a node that is a convolution; 0, a convolution in two dimensions, for other nodes too.
static enum ebb_op_kind conv_op(const struct ebb_node *x)
{
    return x->kind == EBB_NODE_CONV_1D      ? EBB_OP_CONV_1D
           : x->kind == EBB_NODE_CONV_1D_UP ? EBB_OP_CONV_1D_UP
                                            : EBB_OP_CONV;
}

static bool is_conv(const struct ebb_node *x)
{
    return x->kind == EBB_NODE_CONV || conv_op(x) != EBB_OP_CONV;
}

// Which of the two operands of a sum the op computes; the other is read as the residual.
static int main_operand(const struct lowering *l, enum ebb_side side, const struct ebb_node *add)
{
    int best = 0, best_rank = -1;
    for (int i = 0; i < 2; i++) {
        const struct ebb_node *x = add->in[i];
        int rank = 0;
        if (can_enter(l, side, x)) {
            const struct ebb_node *core = x->kind == EBB_NODE_VECTOR && can_enter(l, side, x->in[0])
                                              ? x->in[0]
                                              : x;
            rank = is_conv(core) ? 2 + core->id : 1;
        }
        if (rank > best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

static void set_conv(struct ebb_op *op, const struct ebb_node *conv)
{
    op->kind = conv_op(conv);
    op->weight = conv->weight;
    op->bias = conv->bias;
    op->stride = conv->stride;
    op->dilation = conv->dilation;
    op->pad = conv->kind != EBB_NODE_CONV ? conv->padding
              : conv->pad == EBB_PAD_SAME ? conv->weight->kh / 2
                                          : 0;
}

// What a chain adds to its core; NULL: nothing.
struct additions {
    struct ebb_node *residual, *vector;
};

// Scale and additions of the chain that ends at `root`; returns its core and whether it is ours to compute.
static struct ebb_node *peel(struct lowering *l, enum ebb_side side, struct ebb_op *op, struct ebb_node *root,
                             bool *open, struct additions *add)
{
    struct ebb_node *core = root;
    *open = true;
    if (core->kind == EBB_NODE_SCALE) {
        op->scale = core->factor;
        core = core->in[0];
        *open = can_enter(l, side, core);
    }
    if (*open && core->kind == EBB_NODE_ADD) {
        int which = main_operand(l, side, core);
        add->residual = core->in[!which];
        core = core->in[which];
        *open = can_enter(l, side, core);
    }
    if (*open && core->kind == EBB_NODE_VECTOR) {
        add->vector = core->in[1];
        core = core->in[0];
        *open = can_enter(l, side, core);
    }
    return core;
}

// Nodes whose op stands by itself: what they read is in memory, and nothing follows in the same op.
// 0, a convolution: none of these.
static const enum ebb_op_kind alone[EBB_NODE_COUNT] = {
    [EBB_NODE_POOL] = EBB_OP_POOL,
    [EBB_NODE_ATTENTION] = EBB_OP_ATTENTION,
    [EBB_NODE_MEAN] = EBB_OP_MEAN,
    [EBB_NODE_SOFTMAX] = EBB_OP_SOFTMAX,
    [EBB_NODE_SPREAD] = EBB_OP_SPREAD,
    [EBB_NODE_ACT_GRAD] = EBB_OP_ACT_GRAD,
    [EBB_NODE_NORM_GRAD] = EBB_OP_NORM_GRAD,
    [EBB_NODE_ATTENTION_GRAD] = EBB_OP_ATTENTION_GRAD,
    [EBB_NODE_LAYER_NORM] = EBB_OP_LAYER_NORM,
    [EBB_NODE_GATE] = EBB_OP_GATE,
    [EBB_NODE_JOIN] = EBB_OP_JOIN,
    [EBB_NODE_TURN] = EBB_OP_TURN,
};

// Source 1 of an activation's gradient, with the norm and FiLM before it as the affine part.
static void read_affine(struct lowering *l, enum ebb_side side, struct ebb_op *op, struct ebb_node *x)
{
    struct ebb_node *norm = NULL, *film = NULL;
    if (l->fuse && x->kind == EBB_NODE_FILM && x->operand < 0 && side_of(x) == side) {
        film = x;
        x = x->in[0];
    }
    if (l->fuse && x->kind == EBB_NODE_NORM && x->operand < 0 && side_of(x) == side) {
        norm = x;
        x = x->in[0];
    }
    struct ebb_op reader = empty_op(EBB_OP_MAP);
    reader.src[0] = op->src[1] = need(l, side, x);
    if (norm || film)
        op->affine = need_affine(l, side, &reader, norm, film);
}

static void lower_alone(struct lowering *l, enum ebb_side side, struct ebb_op *op, struct ebb_node *x)
{
    op->kind = alone[x->kind];
    op->heads = x->heads;
    op->causal = x->causal;
    op->rms = x->rms;
    op->act = x->act;
    if (x->kind == EBB_NODE_ATTENTION)
        op->scale = x->factor;
    if (x->kind == EBB_NODE_SPREAD) {
        op->stride = x->stride;
        op->spot = x->spot;
        op->first = x->first;
        op->scale = x->factor;
    }
    op->groups = x->groups;
    op->eps = x->eps;
    op->gamma = x->weight;
    op->beta = x->bias;
    if (x->kind == EBB_NODE_NORM_GRAD)
        op->film = x->in[2] ? need(l, side, x->in[2]) : -1;
    int plain = x->kind == EBB_NODE_ACT_GRAD ? 1 : x->kind == EBB_NODE_NORM_GRAD ? 2 : EBB_OP_SOURCES;
    for (int i = 0; i < plain && x->in[i]; i++)
        op->src[i] = need(l, side, x->in[i]);
    if (x->kind == EBB_NODE_ACT_GRAD)
        read_affine(l, side, op, x->in[1]);
}

static int lower(struct lowering *l, enum ebb_side side, struct ebb_node *root)
{
    struct ebb_op op = empty_op(EBB_OP_MAP);
    bool open;
    struct additions add = {NULL, NULL};
    struct ebb_node *core = peel(l, side, &op, root, &open, &add);

    if (open && is_conv(core)) {
        set_conv(&op, core);
        read_node(l, side, &op, core->in[0], NULL);
    } else if (core == root && alone[core->kind]) {
        lower_alone(l, side, &op, core);
    } else {
        read_node(l, side, &op, core, core == root ? root : NULL);
    }
    // After what the core reads: a shortcut's source is then read for the last time.
    if (add.residual)
        op.residual = need(l, side, add.residual);
    if (add.vector)
        op.vector = need(l, side, add.vector);

    struct ebb_operand operand = operand_of(root, root->c);
    if (root->output >= 0 && side == EBB_EVALUATION) {
        operand.place = EBB_PLACE_OUTPUT;
        operand.index = root->output;
    }
    op.dst = add_operand(l, side, &operand, -1);
    add_op(l, side, &op);
    return op.dst;
}

// The operand of `x` in program `side`, computing it first if nothing has yet.
static int need(struct lowering *l, enum ebb_side side, struct ebb_node *x)
{
    if (side == EBB_EVALUATION && x->by_step) {
        if (x->imported < 0) {
            int there = need(l, EBB_PROLOGUE, x);
            struct ebb_operand operand = operand_of(x, x->c);
            operand.place = EBB_PLACE_STEPS;
            if (!l->failed)
                l->programs[EBB_PROLOGUE].operands[there].place = EBB_PLACE_STEPS;
            operand.n = x->n;
            x->imported = add_operand(l, EBB_EVALUATION, &operand, there);
        }
        return x->imported;
    }
    if (x->operand >= 0)
        return x->operand;
    if (x->kind == EBB_NODE_INPUT || x->kind == EBB_NODE_STEP_INPUT) {
        struct ebb_operand operand = operand_of(x, x->c);
        operand.place = x->kind == EBB_NODE_INPUT ? EBB_PLACE_INPUT : EBB_PLACE_STEPS;
        operand.index = x->index;
        x->operand = add_operand(l, side, &operand, -1);
    } else {
        x->operand = lower(l, side, x);
    }
    return x->operand;
}

// Output `index` that no op can write directly: an input, a step's value, or a node that is another output
// too.
static void copy_output(struct lowering *l, int index)
{
    struct ebb_node *x = l->graph->outputs[index];
    struct ebb_op op = empty_op(EBB_OP_MAP);
    op.src[0] = need(l, EBB_EVALUATION, x);
    struct ebb_operand operand = operand_of(x, x->c);
    operand.n = x->n;
    operand.place = EBB_PLACE_OUTPUT;
    operand.index = index;
    op.dst = add_operand(l, EBB_EVALUATION, &operand, -1);
    add_op(l, EBB_EVALUATION, &op);
}

static bool count_uses(struct ebb_graph *graph)
{
    struct ebb_node **nodes = ebb_alloc((size_t)graph->node_count, sizeof(*nodes));
    for (int i = 0; i < graph->output_count; i++)
        graph->outputs[i]->uses++;
    if (!nodes)
        return false;
    for (struct ebb_node *x = graph->first; x; x = x->next)
        nodes[x->id] = x;
    for (int i = graph->node_count - 1; i >= 0; i--)
        for (int k = 0; k < EBB_OP_SOURCES && nodes[i]->uses; k++)
            if (nodes[i]->in[k])
                nodes[i]->in[k]->uses++;
    free(nodes);
    return true;
}

enum ebb_result ebb_lower(struct ebb_graph *graph, bool fuse, struct ebb_lowered lowered[EBB_PROGRAMS],
                          int *step_inputs, struct ebb_error *error)
{
    struct lowering l = {.graph = graph, .programs = lowered, .fuse = fuse};
    if (!count_uses(graph))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a plan");
    for (struct ebb_node *x = graph->first; x; x = x->next)
        if (x->kind == EBB_NODE_STEP_INPUT)
            step_inputs[x->index] = need(&l, EBB_PROLOGUE, x);
    for (int i = 0; i < graph->output_count; i++) {
        struct ebb_node *x = graph->outputs[i];
        if (x->kind != EBB_NODE_INPUT && !x->by_step && x->output < 0)
            x->output = i;
    }
    for (int i = 0; i < graph->output_count && !l.failed; i++) {
        if (graph->outputs[i]->output == i)
            need(&l, EBB_EVALUATION, graph->outputs[i]);
        else
            copy_output(&l, i);
    }
    return l.failed ? ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a plan") : EBB_OK;
}

void ebb_lowered_clear(struct ebb_lowered *lowered)
{
    free(lowered->operands);
    free(lowered->ops);
    free(lowered->imports);
    *lowered = (struct ebb_lowered){0};
}
