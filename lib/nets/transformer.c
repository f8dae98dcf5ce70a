// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nets/transformer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

// As diffusers has them, whatever the network around it uses.
static const float norm_eps = 1e-6f, layer_norm_eps = 1e-5f;
enum { EXPANSION = 4 }; // of the two layers

int ebb_transformer_width(int channels, int heads)
{
    return channels / heads * heads;
}

// ---- layout: which weights there are ----

static struct ebb_transformer_attention want_attention(struct ebb_weights *weights, const char *prefix,
                                                       const char *name, int width, int seen)
{
    char path[120];
    snprintf(path, sizeof(path), "%s%s.", prefix, name);
    return (struct ebb_transformer_attention){
        .q = ebb_want_matrix(weights, width, width, path, "to_q.weight"),
        .k = ebb_want_matrix(weights, width, seen, path, "to_k.weight"),
        .v = ebb_want_matrix(weights, width, seen, path, "to_v.weight"),
        .out = ebb_want_linear(weights, width, width, path, "to_out.0"),
    };
}

static void want_block(struct ebb_transformer_block *b, struct ebb_weights *weights, const char *prefix,
                       const struct ebb_transformer_shape *s)
{
    int width = ebb_transformer_width(s->channels, s->heads), inner = EXPANSION * width;
    int text = s->text ? s->text : width;
    b->norm1 = ebb_want_norm(weights, width, prefix, "norm1");
    b->first = want_attention(weights, prefix, "attn1", width, s->first_sees_text ? text : width);
    b->norm2 = ebb_want_norm(weights, width, prefix, "norm2");
    b->second = want_attention(weights, prefix, "attn2", width, text);
    b->norm3 = ebb_want_norm(weights, width, prefix, "norm3");
    b->gates = ebb_want_linear(weights, width, 2 * inner, prefix, "ff.net.0.proj");
    b->out = ebb_want_linear(weights, inner, width, prefix, "ff.net.2");
}

static struct ebb_layer want_outer(struct ebb_weights *weights, int cin, int cout, bool linear,
                                   const char *prefix, const char *name)
{
    return linear ? ebb_want_linear(weights, cin, cout, prefix, name)
                  : ebb_want_conv(weights, cin, cout, 1, prefix, name);
}

void ebb_want_transformer(struct ebb_transformer *t, struct ebb_weights *weights, const char *prefix,
                          const struct ebb_transformer_shape *s)
{
    int width = ebb_transformer_width(s->channels, s->heads);
    t->heads = s->heads;
    t->groups = s->groups;
    t->sees_text = s->text > 0;
    t->first_sees_text = s->first_sees_text;
    t->norm = ebb_want_norm(weights, s->channels, prefix, "norm");
    t->in = want_outer(weights, s->channels, width, s->linear, prefix, "proj_in");
    t->blocks = ebb_alloc((size_t)s->depth, sizeof(*t->blocks));
    t->depth = t->blocks ? s->depth : 0;
    weights->failed |= !t->blocks;
    for (int i = 0; i < t->depth; i++) {
        char path[100];
        snprintf(path, sizeof(path), "%stransformer_blocks.%d.", prefix, i);
        want_block(&t->blocks[i], weights, path, s);
    }
    t->out = want_outer(weights, width, s->channels, s->linear, prefix, "proj_out");
}

void ebb_transformer_clear(struct ebb_transformer *t)
{
    free(t->blocks);
    *t = (struct ebb_transformer){0};
}

// ---- the network ----

static struct ebb_node *normed(struct ebb_graph *g, struct ebb_node *x, const struct ebb_layer *norm)
{
    return ebb_layer_norm(g, x, layer_norm_eps, norm->weight, norm->bias);
}

// x + the attention of its normed places to `text`, NULL: to each other.
static struct ebb_node *attend(struct ebb_graph *g, const struct ebb_transformer_attention *a, int heads,
                               struct ebb_node *x, const struct ebb_layer *norm,
                               const struct ebb_text_states *text)
{
    struct ebb_node *h = normed(g, x, norm), *seen = text ? text->states : h;
    struct ebb_node *q = ebb_linear(g, h, a->q, NULL), *k = ebb_linear(g, seen, a->k, NULL);
    struct ebb_node *v = ebb_linear(g, seen, a->v, NULL);
    h = ebb_attention_with(g, q, k, v,
                           &(struct ebb_attention_terms){.heads = heads, .bias = text ? text->mask : NULL});
    return ebb_add(g, ebb_linear(g, h, a->out.weight, a->out.bias), x);
}

static struct ebb_node *block(struct ebb_graph *g, const struct ebb_transformer *t,
                              const struct ebb_transformer_block *b, struct ebb_node *x,
                              const struct ebb_text_states *text)
{
    // diffusers masks what the second attention sees, and that alone.
    const struct ebb_text_states plain = {text ? text->states : NULL, NULL};
    x = attend(g, &b->first, t->heads, x, &b->norm1, text && t->first_sees_text ? &plain : NULL);
    x = attend(g, &b->second, t->heads, x, &b->norm2, text);
    struct ebb_node *h = ebb_linear(g, normed(g, x, &b->norm3), b->gates.weight, b->gates.bias);
    h = ebb_gate(g, h, NULL, EBB_ACT_GELU);
    return ebb_add(g, ebb_linear(g, h, b->out.weight, b->out.bias), x);
}

struct ebb_node *ebb_transformer(struct ebb_graph *g, const struct ebb_transformer *t, struct ebb_node *x,
                                 const struct ebb_text_states *text)
{
    struct ebb_node *h = ebb_group_norm(g, x, t->groups, norm_eps, t->norm.weight, t->norm.bias);
    h = ebb_linear(g, h, t->in.weight, t->in.bias);
    if (!t->sees_text || !text->states)
        text = NULL;
    for (int i = 0; i < t->depth; i++)
        h = block(g, t, &t->blocks[i], h, text);
    return ebb_add(g, ebb_linear(g, h, t->out.weight, t->out.bias), x);
}
