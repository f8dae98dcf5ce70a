// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/config_parts.h"

static enum ebb_act activation(const struct ebb_json *j, const char *key)
{
    static const char *const names[] = {"silu", "swish", "gelu", "relu", "mish", NULL};
    static const enum ebb_act acts[] = {EBB_ACT_SILU, EBB_ACT_SILU, EBB_ACT_GELU, EBB_ACT_RELU, EBB_ACT_MISH};
    return acts[ebb_json_choice(j, key, 0, names)];
}

enum ebb_act ebb_config_activation(const struct ebb_json *j)
{
    return activation(j, "act_fn");
}

enum ebb_act ebb_config_activation_of(const struct ebb_json *j, const char *key)
{
    return ebb_json_has(j, key) ? activation(j, key) : EBB_ACT_NONE;
}

int ebb_config_channels(const struct ebb_json *j, int *values, int levels, int down, int up)
{
    int count = ebb_json_ints(j, "block_out_channels", values, EBB_MAX_LEVELS, 1, EBB_MAX_CHANNELS);
    if (!ebb_json_given(j, "block_out_channels"))
        count = levels;
    if (count < 1)
        ebb_json_refuse(j, "block_out_channels", EBB_CORRUPT, "1 to %d integers", EBB_MAX_LEVELS);
    if (down != count)
        ebb_json_refuse(j, "down_block_types", EBB_CORRUPT, "%d blocks, as many as block_out_channels",
                        count);
    if (up != count)
        ebb_json_refuse(j, "up_block_types", EBB_CORRUPT, "%d blocks, as many as block_out_channels", count);
    return count;
}

int ebb_config_count(const struct ebb_json *j, const char *key, int fallback, int high)
{
    return ebb_json_null(j, key) ? 0 : ebb_json_int(j, key, fallback, 1, high);
}

static bool resnet_or_conv(const struct ebb_json *j, const char *key)
{
    static const char *const names[] = {"conv", "resnet", NULL};
    return !ebb_json_null(j, key) && ebb_json_choice(j, key, 0, names) == 1;
}

// Block names, with the prefix that very old files give them; the kind is the index of the name modulo
// EBB_BLOCKS.
static int blocks(const struct ebb_json *j, const char *key, enum ebb_unet_block *kinds, int levels,
                  const char *const *names)
{
    if (!ebb_json_given(j, key))
        return levels;
    int values[EBB_MAX_LEVELS] = {0};
    int count = ebb_json_choices(j, key, values, EBB_MAX_LEVELS, names);
    for (int i = 0; i < count; i++)
        kinds[i] = (enum ebb_unet_block)(values[i] % EBB_BLOCKS);
    return count;
}

static void unet_blocks(const struct ebb_json *j, struct ebb_unet_config *c, bool way_up)
{
    static const char *const down[] = {
        "DownBlock2D",         "AttnDownBlock2D",    "ResnetDownsampleBlock2D", "SkipDownBlock2D",
        "AttnSkipDownBlock2D", "UNetResDownBlock2D", "UNetResAttnDownBlock2D",  NULL};
    static const char *const up[] = {
        "UpBlock2D",         "AttnUpBlock2D",    "ResnetUpsampleBlock2D", "SkipUpBlock2D",
        "AttnSkipUpBlock2D", "UNetResUpBlock2D", "UNetResAttnUpBlock2D",  NULL};
    static const char *const mid[] = {"UNetMidBlock2D", NULL};
    int down_count = blocks(j, "down_block_types", c->down, c->levels, down);
    int up_count = way_up ? blocks(j, "up_block_types", c->up, c->levels, up) : down_count;
    c->levels = ebb_config_channels(j, c->block_out_channels, c->levels, down_count, up_count);

    c->mid = !ebb_json_null(j, "mid_block_type");
    if (c->mid)
        ebb_json_choice(j, "mid_block_type", 0, mid);
    c->add_attention = ebb_json_bool(j, "add_attention", true);
    c->mid_block_scale_factor = ebb_json_number(j, "mid_block_scale_factor", 1, 1e-6, 1e6);
    c->layers_per_block = ebb_json_int(j, "layers_per_block", 2, 1, EBB_MAX_LAYERS);
    c->downsample_padding = ebb_json_int(j, "downsample_padding", 1, 0, 1);
    c->downsample_resnet = resnet_or_conv(j, "downsample_type");
    c->upsample_resnet = resnet_or_conv(j, "upsample_type");
    c->attention_head_dim = ebb_config_count(j, "attention_head_dim", 8, EBB_MAX_CHANNELS);
    c->attn_norm_num_groups = ebb_config_count(j, "attn_norm_num_groups", 0, EBB_MAX_CHANNELS);
}

static void unet_embedding(const struct ebb_json *j, struct ebb_unet_config *c)
{
    static const char *const times[] = {"positional", "fourier", "learned", NULL};
    static const char *const classes[] = {"timestep", "identity", NULL};
    c->time = (enum ebb_time_embedding)ebb_json_choice(j, "time_embedding_type", 0, times);
    c->time_embedding_dim = ebb_config_count(j, "time_embedding_dim", 0, EBB_MAX_CHANNELS);
    c->freq_shift = ebb_json_number(j, "freq_shift", 0, -1000, 1000);
    c->flip_sin_to_cos = ebb_json_bool(j, "flip_sin_to_cos", true);
    c->num_train_timesteps = ebb_config_count(j, "num_train_timesteps", 0, 100000);
    c->num_class_embeds = ebb_config_count(j, "num_class_embeds", 0, 1000000);
    if (ebb_json_has(j, "class_embed_type"))
        c->classes = EBB_CLASS_TIMESTEP + (unsigned)ebb_json_choice(j, "class_embed_type", 0, classes);
    else
        c->classes = c->num_class_embeds ? EBB_CLASS_TABLE : EBB_CLASS_NONE;
}

void ebb_config_sample_size(const struct ebb_json *j, int size[2])
{
    if (ebb_json_is_list(j, "sample_size")) {
        if (ebb_json_ints(j, "sample_size", size, 2, 1, 1 << 16) != 2)
            ebb_json_refuse(j, "sample_size", EBB_CORRUPT, "one or two integers");
    } else {
        size[0] = size[1] = ebb_config_count(j, "sample_size", 0, 1 << 16);
    }
}

void ebb_config_unet(const struct ebb_json *j, struct ebb_unet_config *c, bool way_up)
{
    static const char *const shifts[] = {"default", "scale_shift", NULL};
    ebb_unet_config_default(c);
    c->in_channels = ebb_json_int(j, "in_channels", 3, 1, EBB_MAX_CHANNELS);
    c->center_input_sample = ebb_json_bool(j, "center_input_sample", false);
    c->style.groups = ebb_config_count(j, "norm_num_groups", 32, EBB_MAX_CHANNELS);
    c->style.eps = (float)ebb_json_number(j, "norm_eps", 1e-5, 0, 1);
    c->style.act = ebb_config_activation(j);
    c->style.film = ebb_json_choice(j, "resnet_time_scale_shift", 0, shifts) == 1;
    ebb_config_sample_size(j, c->sample_size);
    unet_blocks(j, c, way_up);
    unet_embedding(j, c);
}
