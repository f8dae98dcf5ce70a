// SPDX-License-Identifier: LGPL-2.1-or-later
// A classifier of noisy states (Dhariwal and Nichol 2021, section 4): the encoder half of a U-Net, then
// norm, SiLU, the mean over all places and one layer; and the gradient of its log probability.
#include "nets/classifier.h"

#include <stdlib.h>

#include "base/base.h"
#include "graph/autodiff.h"
#include "nets/down.h"

struct ebb_classifier {
    struct ebb_classifier_config config;
    struct ebb_weights weights;
    struct ebb_down down;
    struct ebb_layer norm_out, head;
};

// The gradient starts from numbers below 1 and shrinks on its way; values stored in 16 bits keep more digits
// up here.
static const float lift = 256;

static void want_all(struct ebb_classifier *c)
{
    const struct ebb_unet_config *u = &c->config.unet;
    int lowest = u->block_out_channels[u->levels - 1];
    ebb_want_down(&c->down, &c->weights, u);
    c->norm_out = ebb_want_norm(&c->weights, lowest, "", "conv_norm_out");
    c->head = ebb_want_linear(&c->weights, lowest, c->config.labels, "", "classifier");
}

struct ebb_classifier *ebb_classifier_create(const struct ebb_classifier_config *config,
                                             struct ebb_error *error)
{
    if (ebb_down_check(&config->unet, error))
        return NULL;
    struct ebb_classifier *c = ebb_alloc(1, sizeof(*c));
    if (c) {
        c->config = *config;
        want_all(c);
    }
    if (c && !c->weights.failed && !c->down.own.failed)
        return c;
    ebb_classifier_destroy(&c);
    ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the network");
    return NULL;
}

void ebb_classifier_destroy(struct ebb_classifier **classifier)
{
    struct ebb_classifier *c = *classifier;
    *classifier = NULL;
    if (!c)
        return;
    ebb_weights_clear(&c->weights);
    ebb_down_clear(&c->down);
    free(c);
}

struct ebb_weights *ebb_classifier_weights(struct ebb_classifier *classifier)
{
    return &classifier->weights;
}

// sum_k target_k log p(k | x) has the gradient target - softmax by the scores, where the targets add up to 1.
enum ebb_result ebb_classifier_build(const struct ebb_classifier *c, struct ebb_graph *g, int n, int h, int w,
                                     struct ebb_error *error)
{
    const struct ebb_unet_config *u = &c->config.unet;
    int multiple = ebb_classifier_multiple(c);
    if (h % multiple || w % multiple)
        return ebb_fail(error, EBB_INVALID,
                        "%d x %d is not a size the classifier takes: both must be multiples of %d", h, w,
                        multiple);

    struct ebb_skips skips = {.count = 0}; // nobody goes up again
    struct ebb_node *x = ebb_input(g, n, h, w, u->in_channels);
    struct ebb_node *time = ebb_activate(g, ebb_embed(g, &c->down.embed, n), u->style.act);
    struct ebb_node *target = ebb_step_input(g, n, c->config.labels);
    struct ebb_node *last = ebb_down(g, &c->down, x, time, &skips);
    last = ebb_activate(g, ebb_norm(g, last, &u->style, &c->norm_out), EBB_ACT_SILU);
    struct ebb_node *scores = ebb_linear(g, ebb_mean(g, last), c->head.weight, c->head.bias);

    struct ebb_node *seed = ebb_add(g, ebb_scale(g, ebb_softmax(g, scores), -lift),
                                    ebb_scale(g, target, lift));
    ebb_output(g, ebb_scale(g, ebb_differentiate(g, scores, seed, x), 1 / lift));
    ebb_output(g, scores);
    return ebb_graph_failed(g, error);
}

int ebb_classifier_time_input(const struct ebb_classifier *c)
{
    return c->down.embed.time_input;
}

void ebb_classifier_embed(const struct ebb_classifier *c, double timestep, float *row)
{
    ebb_embed_time(&c->down.embed, timestep, row);
}

int ebb_classifier_in_channels(const struct ebb_classifier *c)
{
    return c->config.unet.in_channels;
}

int ebb_classifier_labels(const struct ebb_classifier *c)
{
    return c->config.labels;
}

int ebb_classifier_multiple(const struct ebb_classifier *c)
{
    return 1 << (c->config.unet.levels - 1);
}
