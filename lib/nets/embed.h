// SPDX-License-Identifier: LGPL-2.1-or-later
// Time and class embedding of the U-Nets. Its first part (sines, or a row of a table) is computed on the
// host, as a row of numbers. The layers after it are in the graph, where they are computed once for all
// steps.
#ifndef EBB_NETS_EMBED_H
#define EBB_NETS_EMBED_H

#include "nets/weights.h"

struct ebb_unet_config;

struct ebb_embed {
    const struct ebb_unet_config *config; // borrowed from the network
    int own, width;                       // of the time's embedding; of the embedding that every block sees
    int time_input, class_input;          // floats of the two rows; class_input 0: no classes
    struct ebb_weight *time_table;        // fourier: frequencies; learned: a row per timestep
    struct ebb_weight *class_table;       // a row per class
    struct ebb_layer time1, time2, class1, class2;
};

void ebb_want_embed(struct ebb_embed *embed, struct ebb_weights *weights,
                    const struct ebb_unet_config *config);

// Declares the step inputs; the embedding (n, 1, 1, width), before the blocks' activation.
struct ebb_node *ebb_embed(struct ebb_graph *g, const struct ebb_embed *embed, int n);

// Fills the time row for a timestep.
void ebb_embed_time(const struct ebb_embed *embed, double timestep, float *row);

// Numbers in a vector that replaces a label: for identity classes as many as the embedding is wide, for
// projected ones as many as the projection takes, for timestep classes one, the label.
int ebb_embed_class_vector(const struct ebb_embed *embed);

// Fills the class row. Label -1 without a vector gives zeros. `vector` (may be NULL) replaces `label`.
void ebb_embed_class(const struct ebb_embed *embed, int label, const float *vector, float *row);

#endif
