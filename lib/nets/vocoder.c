// SPDX-License-Identifier: LGPL-2.1-or-later
// HiFi-GAN (Kong, Kim and Bae 2020), the generator: a mel is stretched to samples in stages. Each stage is a
// transposed convolution, then the mean of residual blocks of different kernels, whose layers look ever
// further.
#include "nets/vocoder.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

enum { OUTER_KERNEL = 7 };

struct ebb_vocoder {
    struct ebb_vocoder_config config;
    struct ebb_weights weights;
    struct ebb_layer first, last;
    struct ebb_layer up[EBB_VOCODER_STAGES];
    // Two convolutions of a layer: the dilated one, then one that is not.
    struct ebb_layer block[EBB_VOCODER_STAGES][EBB_VOCODER_KERNELS][EBB_VOCODER_DILATIONS][2];
    struct ebb_weight *mean, *scale;
};

// ---- config ----

static enum ebb_result check_stage(const struct ebb_vocoder_config *c, int stage, struct ebb_error *error)
{
    int channels = c->channels >> (stage + 1), kernel = c->kernels[stage], rate = c->rates[stage];
    if (channels < 1)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "upsample_initial_channel is %d, expected at least %d for %d stages", c->channels,
                        2 << stage, c->stages);
    if (kernel < rate)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "upsample_kernel_sizes: %d for a rate of %d, expected at least the rate", kernel,
                        rate);
    return EBB_OK;
}

static enum ebb_result check(const struct ebb_vocoder_config *c, struct ebb_error *error)
{
    long hop = 1;
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < c->stages; i++) {
        result = check_stage(c, i, error);
        hop *= c->rates[i];
        if (result == EBB_OK && hop > 1 << 16)
            result = ebb_fail(error, EBB_UNSUPPORTED, "upsample_rates multiply to %ld, expected at most %d",
                              hop, 1 << 16);
    }
    for (int i = 0; result == EBB_OK && i < c->blocks; i++)
        if (c->block_kernels[i] % 2 == 0)
            result = ebb_fail(error, EBB_UNSUPPORTED, "resblock_kernel_sizes: %d, expected odd numbers",
                              c->block_kernels[i]);
    return result;
}

// ---- weights ----

static void want_stage(struct ebb_vocoder *v, int stage)
{
    const struct ebb_vocoder_config *c = &v->config;
    int channels = c->channels >> (stage + 1);
    char name[64];
    snprintf(name, sizeof(name), "upsampler.%d", stage);
    v->up[stage] = ebb_want_conv_1d_up(&v->weights, c->channels >> stage, channels, c->kernels[stage], name);
    for (int k = 0; k < c->blocks; k++)
        for (int j = 0; j < c->layers[k]; j++)
            for (int i = 0; i < 2; i++) {
                snprintf(name, sizeof(name), "resblocks.%d.convs%d.%d", stage * c->blocks + k, i + 1, j);
                v->block[stage][k][j][i] = ebb_want_conv_1d(&v->weights, channels, channels,
                                                            c->block_kernels[k], name);
            }
}

static void want_all(struct ebb_vocoder *v)
{
    const struct ebb_vocoder_config *c = &v->config;
    v->first = ebb_want_conv_1d(&v->weights, c->bands, c->channels, OUTER_KERNEL, "conv_pre");
    for (int stage = 0; stage < c->stages; stage++)
        want_stage(v, stage);
    v->last = ebb_want_conv_1d(&v->weights, c->channels >> c->stages, 1, OUTER_KERNEL, "conv_post");
    v->mean = ebb_want(&v->weights, 1, c->bands, 1, 1, "", "mean");
    v->scale = ebb_want(&v->weights, 1, c->bands, 1, 1, "", "scale");
}

struct ebb_vocoder *ebb_vocoder_create(const struct ebb_vocoder_config *config, struct ebb_error *error)
{
    if (check(config, error) != EBB_OK)
        return NULL;
    struct ebb_vocoder *v = ebb_alloc(1, sizeof(*v));
    if (v) {
        v->config = *config;
        want_all(v);
    }
    if (v && !v->weights.failed)
        return v;
    ebb_vocoder_destroy(&v);
    ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the network");
    return NULL;
}

void ebb_vocoder_destroy(struct ebb_vocoder **vocoder)
{
    struct ebb_vocoder *v = *vocoder;
    *vocoder = NULL;
    if (!v)
        return;
    ebb_weights_clear(&v->weights);
    free(v);
}

struct ebb_weights *ebb_vocoder_weights(struct ebb_vocoder *vocoder)
{
    return &vocoder->weights;
}

int ebb_vocoder_bands(const struct ebb_vocoder *vocoder)
{
    return vocoder->config.bands;
}

int ebb_vocoder_hop(const struct ebb_vocoder *vocoder)
{
    double hop = 1;
    for (int i = 0; i < vocoder->config.stages; i++)
        hop *= vocoder->config.rates[i];
    return hop < 1 << 20 ? (int)hop : 1 << 20;
}

int ebb_vocoder_sample_rate(const struct ebb_vocoder *vocoder)
{
    return vocoder->config.sample_rate;
}

static int padding_of(const struct ebb_vocoder_config *c, int stage)
{
    return (c->kernels[stage] - c->rates[stage]) / 2;
}

long ebb_vocoder_samples(const struct ebb_vocoder *vocoder, int frames)
{
    const struct ebb_vocoder_config *c = &vocoder->config;
    long length = frames;
    for (int i = 0; i < c->stages; i++)
        length = (length - 1) * c->rates[i] - 2L * padding_of(c, i) + c->kernels[i];
    return length;
}

void ebb_vocoder_normalize(const struct ebb_vocoder *vocoder, float *mel, size_t frames)
{
    size_t bands = (size_t)vocoder->config.bands;
    const float *mean = vocoder->mean->data, *scale = vocoder->scale->data;
    for (size_t t = 0; vocoder->config.normalize && t < frames; t++, mel += bands)
        for (size_t i = 0; i < bands; i++)
            mel[i] = (mel[i] - mean[i]) / scale[i];
}

// ---- graph ----

static struct ebb_node *conv(struct ebb_graph *g, struct ebb_node *x, const struct ebb_layer *layer,
                             int dilation)
{
    return ebb_conv_1d(g, x, layer->weight, layer->bias, dilation);
}

static struct ebb_node *block(struct ebb_graph *g, const struct ebb_vocoder *v, int stage, int k,
                              struct ebb_node *x)
{
    const struct ebb_vocoder_config *c = &v->config;
    for (int j = 0; j < c->layers[k]; j++) {
        const struct ebb_layer *layer = v->block[stage][k][j];
        struct ebb_node *h = conv(g, ebb_leaky_relu(g, x, c->slope), &layer[0], c->dilations[k][j]);
        x = ebb_add(g, conv(g, ebb_leaky_relu(g, h, c->slope), &layer[1], 1), x);
    }
    return x;
}

static struct ebb_node *stretch(struct ebb_graph *g, const struct ebb_vocoder *v, int stage,
                                struct ebb_node *x)
{
    const struct ebb_vocoder_config *c = &v->config;
    x = ebb_conv_1d_up(g, ebb_leaky_relu(g, x, c->slope), v->up[stage].weight, v->up[stage].bias,
                       c->rates[stage], padding_of(c, stage));
    struct ebb_node *sum = block(g, v, stage, 0, x);
    for (int k = 1; k < c->blocks; k++)
        sum = ebb_add(g, sum, block(g, v, stage, k, x));
    return ebb_scale(g, sum, 1 / (float)c->blocks);
}

enum ebb_result ebb_vocoder_build(const struct ebb_vocoder *vocoder, struct ebb_graph *graph, int n,
                                  int frames, struct ebb_error *error)
{
    const float last_slope = 0.01f; // not the config's: transformers leaves out the number here
    const struct ebb_vocoder_config *c = &vocoder->config;
    struct ebb_node *x = ebb_input(graph, n, 1, frames, c->bands);
    x = conv(graph, x, &vocoder->first, 1);
    for (int stage = 0; stage < c->stages; stage++)
        x = stretch(graph, vocoder, stage, x);
    x = conv(graph, ebb_leaky_relu(graph, x, last_slope), &vocoder->last, 1);
    ebb_output(graph, ebb_activate(graph, x, EBB_ACT_TANH));
    return ebb_graph_failed(graph, error);
}
