#include "model/config.h"

#include <string.h>

#include "base/base.h"

static enum ebb_act activation(const struct ebb_json *j)
{
    static const char *const names[] = {"silu", "swish", "gelu", "relu", "mish", NULL};
    static const enum ebb_act acts[] = {EBB_ACT_SILU, EBB_ACT_SILU, EBB_ACT_GELU, EBB_ACT_RELU, EBB_ACT_MISH};
    return acts[ebb_json_choice(j, "act_fn", 0, names)];
}

static void check_class(const struct ebb_json *j, const char *name)
{
    const char *found = ebb_json_string(j, "_class_name", "");
    if (strcmp(found, name) != 0)
        ebb_json_refuse(j, "_class_name", *found ? EBB_WRONG_TYPE : EBB_CORRUPT, "\"%s\"", name);
}

// Reads block_out_channels; `counts` are the lengths of the lists of block types, 0 where the file has none.
static int channels(const struct ebb_json *j, int *values, int levels, int down, int up)
{
    int count = ebb_json_ints(j, "block_out_channels", values, EBB_MAX_LEVELS, 1, EBB_MAX_CHANNELS);
    if (!json_object_get(j->object, "block_out_channels"))
        count = levels;
    if (count < 1)
        ebb_json_refuse(j, "block_out_channels", EBB_CORRUPT, "1 to %d integers", EBB_MAX_LEVELS);
    if (down != count)
        ebb_json_refuse(j, "down_block_types", EBB_CORRUPT, "%d blocks, as many as block_out_channels", count);
    if (up != count)
        ebb_json_refuse(j, "up_block_types", EBB_CORRUPT, "%d blocks, as many as block_out_channels", count);
    return count;
}

// 0 for null and where it is missing, if that is the default.
static int int_or_null(const struct ebb_json *j, const char *key, int fallback, int high)
{
    return ebb_json_null(j, key) ? 0 : ebb_json_int(j, key, fallback, 1, high);
}

static bool resnet_or_conv(const struct ebb_json *j, const char *key)
{
    static const char *const names[] = {"conv", "resnet", NULL};
    return !ebb_json_null(j, key) && ebb_json_choice(j, key, 0, names) == 1;
}

// Block names, with the prefix that very old files give them; the kind is the index of the name modulo 3.
static int blocks(const struct ebb_json *j, const char *key, enum ebb_unet_block *kinds, int levels,
                  const char *const *names)
{
    if (!json_object_get(j->object, key))
        return levels;
    int values[EBB_MAX_LEVELS] = {0};
    int count = ebb_json_choices(j, key, values, EBB_MAX_LEVELS, names);
    for (int i = 0; i < count; i++)
        kinds[i] = (enum ebb_unet_block)(values[i] % 3);
    return count;
}

// `both`: there is a way up.
static void unet_blocks(const struct ebb_json *j, struct ebb_unet_config *c, bool both)
{
    static const char *const down[] = {"DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D", "UNetResDownBlock2D",
                                       "UNetResAttnDownBlock2D", NULL};
    static const char *const up[] = {"UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D", "UNetResUpBlock2D",
                                     "UNetResAttnUpBlock2D", NULL};
    static const char *const mid[] = {"UNetMidBlock2D", NULL};
    int down_count = blocks(j, "down_block_types", c->down, c->levels, down);
    int up_count = both ? blocks(j, "up_block_types", c->up, c->levels, up) : down_count;
    c->levels = channels(j, c->block_out_channels, c->levels, down_count, up_count);

    c->mid = !ebb_json_null(j, "mid_block_type");
    if (c->mid)
        ebb_json_choice(j, "mid_block_type", 0, mid);
    c->add_attention = ebb_json_bool(j, "add_attention", true);
    c->mid_block_scale_factor = ebb_json_number(j, "mid_block_scale_factor", 1, 1e-6, 1e6);
    c->layers_per_block = ebb_json_int(j, "layers_per_block", 2, 1, EBB_MAX_LAYERS);
    c->downsample_padding = ebb_json_int(j, "downsample_padding", 1, 0, 1);
    c->downsample_resnet = resnet_or_conv(j, "downsample_type");
    c->upsample_resnet = resnet_or_conv(j, "upsample_type");
    c->attention_head_dim = int_or_null(j, "attention_head_dim", 8, EBB_MAX_CHANNELS);
    c->attn_norm_num_groups = int_or_null(j, "attn_norm_num_groups", 0, EBB_MAX_CHANNELS);
}

static void unet_embedding(const struct ebb_json *j, struct ebb_unet_config *c)
{
    static const char *const times[] = {"positional", "fourier", "learned", NULL};
    static const char *const classes[] = {"timestep", "identity", NULL};
    c->time = (enum ebb_time_embedding)ebb_json_choice(j, "time_embedding_type", 0, times);
    c->time_embedding_dim = int_or_null(j, "time_embedding_dim", 0, EBB_MAX_CHANNELS);
    c->freq_shift = ebb_json_number(j, "freq_shift", 0, -1000, 1000);
    c->flip_sin_to_cos = ebb_json_bool(j, "flip_sin_to_cos", true);
    c->num_train_timesteps = int_or_null(j, "num_train_timesteps", 0, 100000);
    c->num_class_embeds = int_or_null(j, "num_class_embeds", 0, 1000000);
    if (ebb_json_has(j, "class_embed_type"))
        c->classes = EBB_CLASS_TIMESTEP + (unsigned)ebb_json_choice(j, "class_embed_type", 0, classes);
    else
        c->classes = c->num_class_embeds ? EBB_CLASS_TABLE : EBB_CLASS_NONE;
}

// An integer or a pair.
static void sample_size(const struct ebb_json *j, int size[2])
{
    json_t *value = json_object_get(j->object, "sample_size");
    if (json_is_array(value)) {
        if (ebb_json_ints(j, "sample_size", size, 2, 1, 1 << 16) != 2)
            ebb_json_refuse(j, "sample_size", EBB_CORRUPT, "one or two integers");
    } else {
        size[0] = size[1] = int_or_null(j, "sample_size", 0, 1 << 16);
    }
}

// What the U-Net and the classifier have in common.
static void unet_first_half(const struct ebb_json *j, struct ebb_unet_config *c, bool both)
{
    static const char *const shifts[] = {"default", "scale_shift", NULL};
    ebb_unet_config_default(c);
    c->in_channels = ebb_json_int(j, "in_channels", 3, 1, EBB_MAX_CHANNELS);
    c->center_input_sample = ebb_json_bool(j, "center_input_sample", false);
    c->style.groups = ebb_json_int(j, "norm_num_groups", 32, 1, EBB_MAX_CHANNELS);
    c->style.eps = (float)ebb_json_number(j, "norm_eps", 1e-5, 0, 1);
    c->style.act = activation(j);
    c->style.film = ebb_json_choice(j, "resnet_time_scale_shift", 0, shifts) == 1;
    sample_size(j, c->sample_size);
    unet_blocks(j, c, both);
    unet_embedding(j, c);
}

enum ebb_result ebb_config_unet(struct ebb_json_file *file, struct ebb_unet_config *c)
{
    struct ebb_json root = ebb_json_root(file), *j = &root;
    check_class(j, "UNet2DModel");
    unet_first_half(j, c, true);
    c->out_channels = ebb_json_int(j, "out_channels", 3, 1, EBB_MAX_CHANNELS);
    return file->result;
}

enum ebb_result ebb_config_classifier(struct ebb_json_file *file, struct ebb_classifier_config *c)
{
    static const char *const pools[] = {"mean", NULL};
    struct ebb_json root = ebb_json_root(file), *j = &root;
    check_class(j, "EncoderUNet2DModel");
    unet_first_half(j, &c->unet, false);
    ebb_json_choice(j, "pool", 0, pools);
    c->labels = ebb_json_int(j, "num_labels", 0, 1, 1000000);
    if (!ebb_json_has(j, "num_labels"))
        ebb_json_refuse(j, "num_labels", EBB_CORRUPT, "how many labels the classifier tells apart");
    if (c->unet.classes != EBB_CLASS_NONE)
        ebb_json_refuse(j, c->unet.num_class_embeds ? "num_class_embeds" : "class_embed_type", EBB_UNSUPPORTED,
                        "null: a classifier is told no class");
    return file->result;
}

static int attention_flags(const struct ebb_json *j, const char *key, bool *flags, int levels, const char *const *names)
{
    if (!json_object_get(j->object, key))
        return levels;
    int values[EBB_MAX_LEVELS] = {0};
    int count = ebb_json_choices(j, key, values, EBB_MAX_LEVELS, names);
    for (int i = 0; i < count; i++)
        flags[i] = values[i] == 1;
    return count;
}

enum ebb_result ebb_config_autoencoder(struct ebb_json_file *file, struct ebb_autoencoder_config *c)
{
    static const char *const down[] = {"DownEncoderBlock2D", "AttnDownEncoderBlock2D", NULL};
    static const char *const up[] = {"UpDecoderBlock2D", "AttnUpDecoderBlock2D", NULL};
    struct ebb_json root = ebb_json_root(file), *j = &root;
    ebb_autoencoder_config_default(c);
    check_class(j, "AutoencoderKL");
    c->in_channels = ebb_json_int(j, "in_channels", 3, 1, EBB_MAX_CHANNELS);
    c->out_channels = ebb_json_int(j, "out_channels", 3, 1, EBB_MAX_CHANNELS);
    c->latent_channels = ebb_json_int(j, "latent_channels", 4, 1, EBB_MAX_CHANNELS / 2);
    c->layers_per_block = ebb_json_int(j, "layers_per_block", 1, 1, EBB_MAX_LAYERS);
    c->style.groups = ebb_json_int(j, "norm_num_groups", 32, 1, EBB_MAX_CHANNELS);
    c->style.act = activation(j);
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
    c->levels = channels(j, c->block_out_channels, c->levels, down_count, up_count);
    return file->result;
}
