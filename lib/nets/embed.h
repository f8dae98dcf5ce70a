// Time and class embedding of the U-Nets. What is cheap and made of numbers (sines, rows of a table) is a row that
// the caller fills; the layers after it are in the graph, where they are computed once for all steps.
#ifndef EBB_NETS_EMBED_H
#define EBB_NETS_EMBED_H

#include "nets/weights.h"

struct ebb_unet_config;

struct ebb_embed {
    const struct ebb_unet_config *config; // borrowed from the network
    int width;                   // of the embedding that every block sees
    int time_input, class_input; // floats of the rows; 0: no classes
    struct ebb_weight *time_table;  // fourier: frequencies; learned: a row per timestep
    struct ebb_weight *class_table; // a row per class
    struct ebb_layer time1, time2, class1, class2;
};

void ebb_want_embed(struct ebb_embed *embed, struct ebb_weights *weights, const struct ebb_unet_config *config);

// Declares the step inputs; the embedding (n, 1, 1, width), before the blocks' activation.
struct ebb_node *ebb_embed(struct ebb_graph *g, const struct ebb_embed *embed, int n);

void ebb_embed_time(const struct ebb_embed *embed, double timestep, float *row);

// label -1 and no vector: zeros. The vector is one row as wide as the embedding for identity classes, one number (the
// label, in place of `label`) for timestep classes.
void ebb_embed_class(const struct ebb_embed *embed, int label, const float *vector, float *row);

#endif
