// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nets/simple_cross.h"

static const float norm_eps = 1e-5f; // whatever the network around it uses

void ebb_want_simple_cross(struct ebb_simple_cross *b, struct ebb_weights *weights, const char *prefix,
                           const struct ebb_simple_cross_shape *s)
{
    int c = s->channels;
    b->heads = c / s->head_dim;
    b->groups = s->groups;
    b->text_norm = s->text_norm;
    b->norm = ebb_want_norm(weights, c, prefix, "group_norm");
    if (s->text_norm != EBB_TEXT_NORM_NONE)
        b->norm_text = ebb_want_norm(weights, s->text, prefix, "norm_cross");
    b->q = ebb_want_linear(weights, c, c, prefix, "to_q");
    if (!s->only_cross) {
        b->k = ebb_want_linear(weights, c, c, prefix, "to_k");
        b->v = ebb_want_linear(weights, c, c, prefix, "to_v");
    }
    b->text_k = ebb_want_linear(weights, s->text, c, prefix, "add_k_proj");
    b->text_v = ebb_want_linear(weights, s->text, c, prefix, "add_v_proj");
    b->out = ebb_want_linear(weights, c, c, prefix, "to_out.0");
}

static struct ebb_node *linear(struct ebb_graph *g, struct ebb_node *x, const struct ebb_layer *layer)
{
    return ebb_linear(g, x, layer->weight, layer->bias);
}

static struct ebb_node *normed_text(struct ebb_graph *g, const struct ebb_simple_cross *b,
                                    struct ebb_node *text)
{
    const struct ebb_layer *norm = &b->norm_text;
    if (b->text_norm == EBB_TEXT_NORM_LAYER)
        return ebb_layer_norm(g, text, norm_eps, norm->weight, norm->bias);
    if (b->text_norm == EBB_TEXT_NORM_GROUP)
        return ebb_group_norm(g, text, EBB_TEXT_GROUPS, norm_eps, norm->weight, norm->bias);
    return text;
}

struct ebb_node *ebb_simple_cross(struct ebb_graph *g, const struct ebb_simple_cross *b, struct ebb_node *x,
                                  struct ebb_node *text)
{
    struct ebb_node *h = ebb_group_norm(g, x, b->groups, norm_eps, b->norm.weight, b->norm.bias);
    struct ebb_node *seen = text ? normed_text(g, b, text) : x;
    struct ebb_node *k = linear(g, seen, &b->text_k), *v = linear(g, seen, &b->text_v);
    if (b->k.weight) {
        k = ebb_join_tokens(g, k, linear(g, h, &b->k));
        v = ebb_join_tokens(g, v, linear(g, h, &b->v));
    }
    h = ebb_attention(g, linear(g, h, &b->q), k, v, b->heads);
    return ebb_add(g, linear(g, h, &b->out), x);
}
