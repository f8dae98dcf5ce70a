// SPDX-License-Identifier: LGPL-2.1-or-later
// AutoencoderKL.
#include "diffusers/config_parts.h"
#include "diffusers/network_class.h"
#include "nets/autoencoder_kl.h"

static int attention_flags(const struct ebb_json *j, const char *key, bool *flags, int levels,
                           const char *const *names)
{
    if (!ebb_json_given(j, key))
        return levels;
    int values[EBB_MAX_LEVELS] = {0};
    int count = ebb_json_choices(j, key, values, EBB_MAX_LEVELS, names);
    for (int i = 0; i < count; i++)
        flags[i] = values[i] == 1;
    return count;
}

static void read(const struct ebb_json *j, struct ebb_autoencoder_config *c)
{
    static const char *const down[] = {"DownEncoderBlock2D", "AttnDownEncoderBlock2D", NULL};
    static const char *const up[] = {"UpDecoderBlock2D", "AttnUpDecoderBlock2D", NULL};
    ebb_autoencoder_config_default(c);
    c->in_channels = ebb_json_int(j, "in_channels", 3, 1, EBB_MAX_CHANNELS);
    c->out_channels = ebb_json_int(j, "out_channels", 3, 1, EBB_MAX_CHANNELS);
    c->latent_channels = ebb_json_int(j, "latent_channels", 4, 1, EBB_MAX_CHANNELS / 2);
    c->layers_per_block = ebb_json_int(j, "layers_per_block", 1, 1, EBB_MAX_LAYERS);
    c->style.groups = ebb_json_int(j, "norm_num_groups", 32, 1, EBB_MAX_CHANNELS);
    c->style.act = ebb_config_activation(j);
    c->use_quant_conv = ebb_json_bool(j, "use_quant_conv", true);
    c->use_post_quant_conv = ebb_json_bool(j, "use_post_quant_conv", true);
    c->mid_block_add_attention = ebb_json_bool(j, "mid_block_add_attention", true);
    c->scaling_factor = ebb_json_number(j, "scaling_factor", 0.18215, 1e-6, 1e6);
    if (ebb_json_has(j, "shift_factor"))
        c->shift_factor = ebb_json_number(j, "shift_factor", 0, -1e6, 1e6);
    if (ebb_json_has(j, "latents_mean")) // the class ignores them; pipelines that use them are not ours
        ebb_json_refuse(j, "latents_mean", EBB_UNSUPPORTED, "null");
    if (ebb_json_has(j, "latents_std"))
        ebb_json_refuse(j, "latents_std", EBB_UNSUPPORTED, "null");

    int down_count = attention_flags(j, "down_block_types", c->down_attention, c->levels, down);
    int up_count = attention_flags(j, "up_block_types", c->up_attention, c->levels, up);
    c->levels = ebb_config_channels(j, c->block_out_channels, c->levels, down_count, up_count);
}

static void *create(struct ebb_json_file *file)
{
    struct ebb_json root = ebb_json_root(file);
    struct ebb_autoencoder_config config;
    read(&root, &config);
    return file->result == EBB_OK ? ebb_autoencoder_create(&config, file->error) : NULL;
}

static void destroy(void *net)
{
    struct ebb_autoencoder *gone = net;
    ebb_autoencoder_destroy(&gone);
}

static struct ebb_weights *weights(void *net)
{
    return ebb_autoencoder_weights(net);
}

const struct ebb_network_class ebb_autoencoder_kl_class = {
    .name = "AutoencoderKL",
    .role = EBB_ROLE_AUTOENCODER,
    .create = create,
    .destroy = destroy,
    .weights = weights,
};
