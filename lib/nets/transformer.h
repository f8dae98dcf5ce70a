// SPDX-License-Identifier: LGPL-2.1-or-later
// Transformer2DModel on the places of a node (Rombach et al. 2022): attention of the places to each other and
// to a sequence of text states, then two layers with gates.
#ifndef EBB_NETS_TRANSFORMER_H
#define EBB_NETS_TRANSFORMER_H

#include "nets/weights.h"

enum { EBB_MAX_DEPTH = 64 };

struct ebb_transformer_attention {
    struct ebb_weight *q, *k, *v; // without biases
    struct ebb_layer out;
};

struct ebb_transformer_block {
    struct ebb_layer norm1, norm2, norm3;
    struct ebb_transformer_attention first, second;
    struct ebb_layer gates, out; // of the two layers
};

struct ebb_transformer {
    struct ebb_layer norm, in, out;
    int heads, groups, depth;
    bool sees_text, first_sees_text;
    struct ebb_transformer_block *blocks; // `depth` of them
};

struct ebb_transformer_shape {
    int channels, heads, groups, depth;
    int text;             // width of the states that the second attention sees, 0: it sees the places alone
    bool first_sees_text; // the first one too; otherwise it sees the places
    bool linear;          // the outer layers are linear layers in the file, otherwise 1x1 convolutions
};

// The states of a text, which a network sees; `mask` (n, 1, 1, tokens) is added to the scores, NULL: none.
struct ebb_text_states {
    struct ebb_node *states, *mask;
};

// channels rounded down to whole heads: what all layers between the outer ones work on
int ebb_transformer_width(int channels, int heads);
void ebb_want_transformer(struct ebb_transformer *transformer, struct ebb_weights *weights,
                          const char *prefix, const struct ebb_transformer_shape *shape);
void ebb_transformer_clear(struct ebb_transformer *transformer);

// x + what the transformer makes of it. `text` without states: both attentions see the places of x, and the
// text's width must be ebb_transformer_width().
struct ebb_node *ebb_transformer(struct ebb_graph *g, const struct ebb_transformer *transformer,
                                 struct ebb_node *x, const struct ebb_text_states *text);

#endif
