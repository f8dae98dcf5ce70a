// SPDX-License-Identifier: LGPL-2.1-or-later
// SpeechT5HifiGan, a class of transformers.
#include "diffusers/network_class.h"
#include "nets/vocoder.h"

static int list(const struct ebb_json *j, const char *key, int *values, int capacity)
{
    return ebb_json_ints(j, key, values, capacity, 1, EBB_VOCODER_WIDEST);
}

// Two lists of which one has a length for each entry of the other.
static void must_match(const struct ebb_json *j, const char *key, int found, const char *other, int expected)
{
    if (found != expected || found < 1)
        ebb_json_refuse(j, key, EBB_CORRUPT, "as many entries as %s has, and at least one", other);
}

static void read_stages(const struct ebb_json *j, struct ebb_vocoder_config *c)
{
    c->stages = 4;
    for (int i = 0; i < c->stages; i++) {
        c->rates[i] = 4;
        c->kernels[i] = 8;
    }
    int kernels = c->stages;
    if (ebb_json_given(j, "upsample_rates"))
        c->stages = list(j, "upsample_rates", c->rates, EBB_VOCODER_STAGES);
    if (ebb_json_given(j, "upsample_kernel_sizes"))
        kernels = list(j, "upsample_kernel_sizes", c->kernels, EBB_VOCODER_STAGES);
    must_match(j, "upsample_kernel_sizes", kernels, "upsample_rates", c->stages);
}

static void read_blocks(const struct ebb_json *j, struct ebb_vocoder_config *c)
{
    c->blocks = 3;
    for (int k = 0; k < c->blocks; k++) {
        c->block_kernels[k] = 3 + 4 * k;
        c->layers[k] = 3;
        for (int i = 0; i < 3; i++)
            c->dilations[k][i] = 1 + 2 * i;
    }
    if (ebb_json_given(j, "resblock_kernel_sizes"))
        c->blocks = list(j, "resblock_kernel_sizes", c->block_kernels, EBB_VOCODER_KERNELS);
    if (!ebb_json_given(j, "resblock_dilation_sizes")) {
        must_match(j, "resblock_kernel_sizes", c->blocks, "resblock_dilation_sizes", 3);
        return;
    }
    must_match(j, "resblock_dilation_sizes", ebb_json_count(j, "resblock_dilation_sizes"),
               "resblock_kernel_sizes", c->blocks);
    for (int k = 0; k < c->blocks && j->file->result == EBB_OK; k++)
        c->layers[k] = ebb_json_ints_at(j, "resblock_dilation_sizes", k, c->dilations[k],
                                        EBB_VOCODER_DILATIONS, 1, EBB_VOCODER_WIDEST);
}

static void read(const struct ebb_json *j, struct ebb_vocoder_config *c)
{
    *c = (struct ebb_vocoder_config){0};
    c->bands = ebb_json_int(j, "model_in_dim", 80, 1, 4096);
    c->channels = ebb_json_int(j, "upsample_initial_channel", 512, 1, 16384);
    c->sample_rate = ebb_json_int(j, "sampling_rate", 16000, 1000, 384000);
    c->slope = (float)ebb_json_number(j, "leaky_relu_slope", 0.1, -10, 10);
    c->normalize = ebb_json_bool(j, "normalize_before", true);
    read_stages(j, c);
    read_blocks(j, c);
}

static void *create(struct ebb_json_file *file)
{
    struct ebb_json root = ebb_json_root(file);
    struct ebb_vocoder_config config;
    read(&root, &config);
    return file->result == EBB_OK ? ebb_vocoder_create(&config, file->error) : NULL;
}

static void destroy(void *net)
{
    struct ebb_vocoder *gone = net;
    ebb_vocoder_destroy(&gone);
}

static struct ebb_weights *weights(void *net)
{
    return ebb_vocoder_weights(net);
}

const struct ebb_network_class ebb_speecht5_hifigan_class = {
    .name = "SpeechT5HifiGan",
    .role = EBB_ROLE_VOCODER,
    .create = create,
    .destroy = destroy,
    .weights = weights,
};
