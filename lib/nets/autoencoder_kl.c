// SPDX-License-Identifier: LGPL-2.1-or-later
// AutoencoderKL: the first stage of latent diffusion (Rombach et al. 2022), as diffusers has it.
#include "nets/autoencoder_kl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

struct level {
    struct ebb_resnet resnets[EBB_MAX_LAYERS + 1];
    struct ebb_spatial_attention attentions[EBB_MAX_LAYERS + 1];
    int layers;
    bool attention;
    struct ebb_layer resample;
};

struct half { // encoder or decoder
    struct ebb_layer conv_in, norm_out, conv_out;
    struct level levels[EBB_MAX_LEVELS];
    struct ebb_resnet mid[2];
    struct ebb_spatial_attention mid_attention;
};

struct ebb_autoencoder {
    struct ebb_autoencoder_config config;
    struct ebb_weights weights;
    struct half encoder, decoder;
    struct ebb_layer quant, post_quant;
};

void ebb_autoencoder_config_default(struct ebb_autoencoder_config *config)
{
    *config = (struct ebb_autoencoder_config){
        .in_channels = 3,
        .out_channels = 3,
        .latent_channels = 4,
        .levels = 1,
        .block_out_channels = {64},
        .layers_per_block = 1,
        .mid_block_add_attention = true,
        .use_quant_conv = true,
        .use_post_quant_conv = true,
        .scaling_factor = 0.18215,
        .style = {.groups = 32, .eps = 1e-6f, .act = EBB_ACT_SILU},
    };
}

// ---- layout ----

static void want_attention(struct ebb_autoencoder *a, struct ebb_spatial_attention *block, const char *prefix,
                           int channels)
{
    ebb_want_attention(block, &a->weights, prefix, channels, 1, channels, a->config.style.groups);
}

static void want_level(struct ebb_autoencoder *a, struct level *level, const char *path, int cin, int cout)
{
    char prefix[96];
    for (int j = 0; j < level->layers; j++) {
        snprintf(prefix, sizeof(prefix), "%s.resnets.%d.", path, j);
        ebb_want_resnet(&level->resnets[j], &a->weights, prefix, j ? cout : cin, cout, 0, false);
        snprintf(prefix, sizeof(prefix), "%s.attentions.%d.", path, j);
        if (level->attention)
            want_attention(a, &level->attentions[j], prefix, cout);
    }
}

static void want_mid(struct ebb_autoencoder *a, struct half *half, const char *path)
{
    int channels = a->config.block_out_channels[a->config.levels - 1];
    char prefix[96];
    for (int j = 0; j < 2; j++) {
        snprintf(prefix, sizeof(prefix), "%s.mid_block.resnets.%d.", path, j);
        ebb_want_resnet(&half->mid[j], &a->weights, prefix, channels, channels, 0, false);
    }
    snprintf(prefix, sizeof(prefix), "%s.mid_block.attentions.0.", path);
    if (a->config.mid_block_add_attention)
        want_attention(a, &half->mid_attention, prefix, channels);
}

static void want_encoder(struct ebb_autoencoder *a)
{
    const struct ebb_autoencoder_config *c = &a->config;
    struct half *e = &a->encoder;
    const int *channels = c->block_out_channels;
    int last = c->levels - 1;
    e->conv_in = ebb_want_conv(&a->weights, c->in_channels, channels[0], 3, "", "encoder.conv_in");
    for (int i = 0; i < c->levels; i++) {
        struct level *level = &e->levels[i];
        char path[48];
        snprintf(path, sizeof(path), "encoder.down_blocks.%d", i);
        level->layers = c->layers_per_block;
        level->attention = c->down_attention[i];
        want_level(a, level, path, channels[i ? i - 1 : 0], channels[i]);
        if (i < last)
            level->resample = ebb_want_conv(&a->weights, channels[i], channels[i], 3, path,
                                            ".downsamplers.0.conv");
    }
    want_mid(a, e, "encoder");
    e->norm_out = ebb_want_norm(&a->weights, channels[last], "", "encoder.conv_norm_out");
    e->conv_out = ebb_want_conv(&a->weights, channels[last], 2 * c->latent_channels, 3, "",
                                "encoder.conv_out");
    if (c->use_quant_conv)
        a->quant = ebb_want_conv(&a->weights, 2 * c->latent_channels, 2 * c->latent_channels, 1, "",
                                 "quant_conv");
}

static void want_decoder(struct ebb_autoencoder *a)
{
    const struct ebb_autoencoder_config *c = &a->config;
    struct half *d = &a->decoder;
    const int *channels = c->block_out_channels;
    int last = c->levels - 1, latent = c->latent_channels;
    if (c->use_post_quant_conv)
        a->post_quant = ebb_want_conv(&a->weights, latent, latent, 1, "", "post_quant_conv");
    d->conv_in = ebb_want_conv(&a->weights, latent, channels[last], 3, "", "decoder.conv_in");
    want_mid(a, d, "decoder");
    for (int i = 0; i < c->levels; i++) {
        struct level *level = &d->levels[i];
        int cin = channels[last - (i ? i - 1 : 0)], cout = channels[last - i];
        char path[48];
        snprintf(path, sizeof(path), "decoder.up_blocks.%d", i);
        level->layers = c->layers_per_block + 1;
        level->attention = c->up_attention[i];
        want_level(a, level, path, cin, cout);
        if (i < last)
            level->resample = ebb_want_conv(&a->weights, cout, cout, 3, path, ".upsamplers.0.conv");
    }
    d->norm_out = ebb_want_norm(&a->weights, channels[0], "", "decoder.conv_norm_out");
    d->conv_out = ebb_want_conv(&a->weights, channels[0], c->out_channels, 3, "", "decoder.conv_out");
}

struct ebb_autoencoder *ebb_autoencoder_create(const struct ebb_autoencoder_config *config,
                                               struct ebb_error *error)
{
    int groups = config->style.groups;
    for (int i = 0; i < config->levels; i++)
        if (config->block_out_channels[i] % groups) {
            ebb_fail(error, EBB_UNSUPPORTED, "\"norm_num_groups\" is %d, expected a divisor of %d channels",
                     groups, config->block_out_channels[i]);
            return NULL;
        }

    struct ebb_autoencoder *net = ebb_alloc(1, sizeof(*net));
    if (net) {
        net->config = *config;
        want_encoder(net);
        want_decoder(net);
    }
    if (net && !net->weights.failed)
        return net;

    ebb_autoencoder_destroy(&net);
    ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the network");
    return NULL;
}

void ebb_autoencoder_destroy(struct ebb_autoencoder **net)
{
    if (!*net)
        return;
    ebb_weights_clear(&(*net)->weights);
    free(*net);
    *net = NULL;
}

struct ebb_weights *ebb_autoencoder_weights(struct ebb_autoencoder *net)
{
    return &net->weights;
}

const struct ebb_autoencoder_config *ebb_autoencoder_config(const struct ebb_autoencoder *net)
{
    return &net->config;
}

int ebb_autoencoder_in_channels(const struct ebb_autoencoder *net)
{
    return net->config.in_channels;
}

int ebb_autoencoder_out_channels(const struct ebb_autoencoder *net)
{
    return net->config.out_channels;
}

int ebb_autoencoder_latent_channels(const struct ebb_autoencoder *net)
{
    return net->config.latent_channels;
}

int ebb_autoencoder_reduction(const struct ebb_autoencoder *net)
{
    return 1 << (net->config.levels - 1);
}

// ---- the network ----

static struct ebb_node *layers(struct ebb_graph *g, const struct ebb_style *style, const struct level *level,
                               struct ebb_node *x)
{
    for (int j = 0; j < level->layers; j++) {
        x = ebb_resnet(g, &level->resnets[j], style, x, NULL, EBB_KEEP_SIZE);
        if (level->attention)
            x = ebb_spatial_attention(g, &level->attentions[j], style->eps, x);
    }
    return x;
}

static struct ebb_node *middle(struct ebb_graph *g, const struct ebb_autoencoder_config *c,
                               const struct half *half, struct ebb_node *x)
{
    x = ebb_resnet(g, &half->mid[0], &c->style, x, NULL, EBB_KEEP_SIZE);
    if (c->mid_block_add_attention)
        x = ebb_spatial_attention(g, &half->mid_attention, c->style.eps, x);
    return ebb_resnet(g, &half->mid[1], &c->style, x, NULL, EBB_KEEP_SIZE);
}

static struct ebb_node *ending(struct ebb_graph *g, const struct ebb_autoencoder_config *c,
                               const struct half *half, struct ebb_node *x)
{
    x = ebb_activate(g, ebb_norm(g, x, &c->style, &half->norm_out), EBB_ACT_SILU);
    return ebb_conv(g, x, &half->conv_out);
}

enum ebb_result ebb_encoder_build(const struct ebb_autoencoder *net, struct ebb_graph *g, int n, int h, int w,
                                  struct ebb_error *error)
{
    const struct ebb_autoencoder_config *c = &net->config;
    const struct half *e = &net->encoder;
    int reduction = ebb_autoencoder_reduction(net);
    if (h < reduction || w < reduction)
        return ebb_fail(error, EBB_INVALID, "%d x %d is too small for this encoder: both must be at least %d",
                        h, w, reduction);

    struct ebb_node *x = ebb_conv(g, ebb_input(g, n, h, w, c->in_channels), &e->conv_in);
    for (int i = 0; i < c->levels; i++) {
        x = layers(g, &c->style, &e->levels[i], x);
        if (i < c->levels - 1)
            x = ebb_conv2d(g, x, e->levels[i].resample.weight, e->levels[i].resample.bias, 2,
                           EBB_PAD_RIGHT_BOTTOM);
    }
    x = ending(g, c, e, middle(g, c, e, x));
    ebb_output(g, c->use_quant_conv ? ebb_conv(g, x, &net->quant) : x);
    return ebb_graph_failed(g, error);
}

enum ebb_result ebb_decoder_build(const struct ebb_autoencoder *net, struct ebb_graph *g, int n, int h, int w,
                                  struct ebb_error *error)
{
    const struct ebb_autoencoder_config *c = &net->config;
    const struct half *d = &net->decoder;
    struct ebb_node *x = ebb_input(g, n, h, w, c->latent_channels);
    if (c->use_post_quant_conv)
        x = ebb_conv(g, x, &net->post_quant);
    x = middle(g, c, d, ebb_conv(g, x, &d->conv_in));
    for (int i = 0; i < c->levels; i++) {
        x = layers(g, &c->style, &d->levels[i], x);
        if (i < c->levels - 1)
            x = ebb_conv(g, ebb_upsample(g, x), &d->levels[i].resample);
    }
    ebb_output(g, ending(g, c, d, x));
    return ebb_graph_failed(g, error);
}
