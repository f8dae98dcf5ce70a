// SPDX-License-Identifier: LGPL-2.1-or-later
// The attention of SimpleCrossAttn blocks (Ramesh et al. 2022): places see a sequence of text states, and
// each other, in one softmax.
#ifndef EBB_NETS_SIMPLE_CROSS_H
#define EBB_NETS_SIMPLE_CROSS_H

#include "nets/unet2d_condition.h"

struct ebb_simple_cross {
    struct ebb_layer norm, norm_text, q, k, v, text_k, text_v, out; // norm_text, k, v: NULL: there is none
    enum ebb_text_norm text_norm;
    int heads, groups;
};

struct ebb_simple_cross_shape {
    int channels, head_dim, groups, text; // text: width of its states
    enum ebb_text_norm text_norm;
    bool only_cross; // the text alone
};

enum { EBB_TEXT_GROUPS = 32 }; // of a group norm of text

void ebb_want_simple_cross(struct ebb_simple_cross *block, struct ebb_weights *weights, const char *prefix,
                           const struct ebb_simple_cross_shape *shape);

// x + its attention to `text` and to itself. NULL: in place of text, its own places before the norm.
struct ebb_node *ebb_simple_cross(struct ebb_graph *g, const struct ebb_simple_cross *block,
                                  struct ebb_node *x, struct ebb_node *text);

#endif
