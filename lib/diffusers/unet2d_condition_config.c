// SPDX-License-Identifier: LGPL-2.1-or-later
// UNet2DConditionModel, and AudioLDM2UNet2DConditionModel, which has fewer keys and sees two texts.
#include <string.h>

#include "diffusers/config_parts.h"
#include "diffusers/network_class.h"
#include "nets/unet2d_condition.h"

enum { MOST_TEXT = 1 << 16, LARGEST_KERNEL = 15 };

// ---- blocks ----

static const enum ebb_unet_block kinds[] = {EBB_BLOCK_PLAIN, EBB_BLOCK_CROSS, EBB_BLOCK_SIMPLE_CROSS,
                                            EBB_BLOCK_RESNET, EBB_BLOCK_ATTENTION};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), KINDS_OF_AUDIOLDM2 = 2 };

// Names in the order of `kinds`, then the same with the prefix that very old files give them.
static const char *const down_names[] = {"DownBlock2D",
                                         "CrossAttnDownBlock2D",
                                         "SimpleCrossAttnDownBlock2D",
                                         "ResnetDownsampleBlock2D",
                                         "AttnDownBlock2D",
                                         "UNetResDownBlock2D",
                                         "UNetResCrossAttnDownBlock2D",
                                         "UNetResSimpleCrossAttnDownBlock2D",
                                         "UNetResResnetDownsampleBlock2D",
                                         "UNetResAttnDownBlock2D",
                                         NULL},
                         *const up_names[] = {"UpBlock2D",
                                              "CrossAttnUpBlock2D",
                                              "SimpleCrossAttnUpBlock2D",
                                              "ResnetUpsampleBlock2D",
                                              "AttnUpBlock2D",
                                              "UNetResUpBlock2D",
                                              "UNetResCrossAttnUpBlock2D",
                                              "UNetResSimpleCrossAttnUpBlock2D",
                                              "UNetResResnetUpsampleBlock2D",
                                              "UNetResAttnUpBlock2D",
                                              NULL},
                         *const down_names2[] = {"DownBlock2D", "CrossAttnDownBlock2D", "UNetResDownBlock2D",
                                                 "UNetResCrossAttnDownBlock2D", NULL},
                         *const up_names2[] = {"UpBlock2D", "CrossAttnUpBlock2D", "UNetResUpBlock2D",
                                               "UNetResCrossAttnUpBlock2D", NULL};

static int read_blocks(const struct ebb_json *j, const char *key, const char *const *names, int known,
                       enum ebb_unet_block *blocks, int levels)
{
    int values[EBB_MAX_LEVELS] = {0};
    if (!ebb_json_given(j, key))
        return levels;
    int count = ebb_json_choices(j, key, values, EBB_MAX_LEVELS, names);
    for (int i = 0; i < count; i++)
        blocks[i] = kinds[values[i] % known];
    return count;
}

static void read_mid(const struct ebb_json *j, struct ebb_condition_config *c)
{
    static const char *const names[] = {"UNetMidBlock2D", "UNetMidBlock2DCrossAttn",
                                        "UNetMidBlock2DSimpleCrossAttn", NULL};
    static const enum ebb_condition_mid mids[] = {EBB_MID_PLAIN, EBB_MID_CROSS, EBB_MID_SIMPLE_CROSS};
    c->mid = EBB_MID_NONE;
    if (!ebb_json_null(j, "mid_block_type"))
        c->mid = mids[ebb_json_choice(j, "mid_block_type", 1, names)];
    if (c->two_texts && c->mid != EBB_MID_CROSS)
        ebb_json_refuse(j, "mid_block_type", EBB_UNSUPPORTED, "UNetMidBlock2DCrossAttn");
}

// ---- numbers of each level ----

// One integer for each level.
static void one_each(const struct ebb_json *j, const char *key, int levels, int *values, int fallback,
                     int low, int high)
{
    int counts[EBB_MAX_LEVELS] = {0};
    for (int i = 0; i < levels; i++)
        values[i] = fallback;
    ebb_json_rows(j, key, levels, 1, values, counts, low, high);
}

struct depths {
    int values[EBB_MAX_LEVELS * (EBB_MAX_LAYERS + 1)], counts[EBB_MAX_LEVELS];
};

// How many blocks each transformer has, by level or by level and layer.
static struct depths read_depths(const struct ebb_json *j, const char *key, int levels)
{
    struct depths d = {.counts = {0}};
    for (int i = 0; i < EBB_MAX_LEVELS * (EBB_MAX_LAYERS + 1); i++)
        d.values[i] = 1;
    ebb_json_rows(j, key, levels, EBB_MAX_LAYERS + 1, d.values, d.counts, 1, EBB_MAX_DEPTH);
    return d;
}

static void take_depths(const struct ebb_json *j, const char *key, const struct depths *d, int row,
                        int layers, int *depth)
{
    const int *values = d->values + row * (EBB_MAX_LAYERS + 1);
    if (d->counts[row] && d->counts[row] < layers)
        ebb_json_refuse(j, key, EBB_CORRUPT, "%d integers in list %d, one a layer", layers, row);
    for (int k = 0; k < layers; k++)
        depth[k] = values[d->counts[row] ? k : 0];
}

// diffusers turns the list around for the way up, unless the config has another one for it.
static void read_all_depths(const struct ebb_json *j, struct ebb_condition_config *c)
{
    static const char *const key = "transformer_layers_per_block", *const up_key =
                                                                       "reverse_transformer_layers_per_block";
    int levels = c->unet.levels;
    bool own = !c->two_texts && ebb_json_has(j, up_key);
    struct depths down = read_depths(j, key, levels), up = own ? read_depths(j, up_key, levels) : down;
    for (int i = 0; i < levels; i++) {
        int below = levels - 1 - i;
        take_depths(j, key, &down, i, c->level[i].layers, c->level[i].depth);
        if (!own && down.counts[i])
            ebb_json_refuse(j, key, EBB_CORRUPT, "one integer a level where there is no \"%s\"", up_key);
        else
            take_depths(j, own ? up_key : key, &up, own ? i : below, c->level[below].layers + 1,
                        c->up_depth[i]);
    }
}

static void read_text_widths(const struct ebb_json *j, struct ebb_condition_config *c)
{
    static const char key[] = "cross_attention_dim";
    int most = c->two_texts ? EBB_MAX_TRANSFORMERS : 1, least = c->two_texts ? 0 : 1;
    int values[EBB_MAX_LEVELS * EBB_MAX_TRANSFORMERS] = {0}, counts[EBB_MAX_LEVELS] = {0};
    for (int i = 0; i < c->unet.levels; i++)
        values[i * most] = 1280;
    ebb_json_rows(j, key, c->unet.levels, most, values, counts, least, MOST_TEXT);
    for (int i = 0; i < c->unet.levels; i++) {
        struct ebb_condition_level *level = &c->level[i];
        level->transformers = counts[i] ? counts[i] : 1;
        memcpy(level->text, values + i * most, (size_t)level->transformers * sizeof(*level->text));
        if (!counts[i] && !level->text[0])
            ebb_json_refuse(j, key, EBB_UNSUPPORTED, "a width for each level");
    }
}

static void read_levels(const struct ebb_json *j, struct ebb_condition_config *c)
{
    // What cannot be read stays as it is here.
    int layers[EBB_MAX_LEVELS] = {0}, heads[EBB_MAX_LEVELS] = {0}, levels = c->unet.levels;
    bool only_cross[EBB_MAX_LEVELS] = {false};
    one_each(j, "layers_per_block", levels, layers, 2, 1, EBB_MAX_LAYERS);
    // A number of heads for transformers, and a width of heads for all other attentions.
    one_each(j, "attention_head_dim", levels, heads, 8, 1, EBB_MAX_CHANNELS);
    ebb_json_bools(j, "only_cross_attention", only_cross, levels, false);
    for (int i = 0; i < levels; i++)
        c->level[i] = (struct ebb_condition_level){.layers = layers[i],
                                                   .heads = heads[i],
                                                   .head_dim = heads[i],
                                                   .only_cross = only_cross[i]};
    read_text_widths(j, c);
    read_all_depths(j, c);
    c->mid_only_cross = !ebb_json_is_list(j, "only_cross_attention") && only_cross[0];
    if (ebb_json_has(j, "mid_block_only_cross_attention"))
        c->mid_only_cross = ebb_json_bool(j, "mid_block_only_cross_attention", false);
}

// ---- the embedding ----

static void read_classes(const struct ebb_json *j, struct ebb_unet_config *u)
{
    static const char *const names[] = {"timestep", "identity", "projection", "simple_projection", NULL};
    u->num_class_embeds = ebb_config_count(j, "num_class_embeds", 0, 1000000);
    u->classes = u->num_class_embeds ? EBB_CLASS_TABLE : EBB_CLASS_NONE;
    if (ebb_json_has(j, "class_embed_type"))
        u->classes = EBB_CLASS_TIMESTEP + (unsigned)ebb_json_choice(j, "class_embed_type", 0, names);
    if (u->classes == EBB_CLASS_PROJECTION || u->classes == EBB_CLASS_SIMPLE_PROJECTION) {
        u->class_vector = ebb_config_count(j, "projection_class_embeddings_input_dim", 0, MOST_TEXT);
        if (!u->class_vector)
            ebb_json_refuse(j, "projection_class_embeddings_input_dim", EBB_CORRUPT,
                            "the width of the vector that is projected");
    }
    u->classes_beside = ebb_json_bool(j, "class_embeddings_concat", false);
}

static void read_embedding(const struct ebb_json *j, struct ebb_condition_config *c)
{
    static const char *const times[] = {"positional", "fourier", NULL};
    struct ebb_unet_config *u = &c->unet;
    u->time = (enum ebb_time_embedding)ebb_json_choice(j, "time_embedding_type", 0, times);
    if (c->two_texts && u->time != EBB_TIME_POSITIONAL)
        ebb_json_refuse(j, "time_embedding_type", EBB_UNSUPPORTED, "positional");
    u->fourier_of_time = true;
    u->time_embedding_dim = ebb_config_count(j, "time_embedding_dim", 0, EBB_MAX_CHANNELS);
    u->freq_shift = ebb_json_number(j, "freq_shift", 0, -1000, 1000);
    u->flip_sin_to_cos = ebb_json_bool(j, "flip_sin_to_cos", true);
    u->embed_act = u->style.act;
    u->time_act = ebb_config_activation_of(j, "timestep_post_act");
    u->last_act = ebb_config_activation_of(j, "time_embedding_act_fn");
    read_classes(j, u);
}

// ---- all of it ----

// Keys that must be null: what they ask for is not there.
static void refuse_others(const struct ebb_json *j)
{
    static const char *const keys[] = {"num_attention_heads", "addition_embed_type", "time_cond_proj_dim"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (ebb_json_has(j, keys[i]))
            ebb_json_refuse(j, keys[i], EBB_UNSUPPORTED, "null");
    if (ebb_json_bool(j, "dual_cross_attention", false))
        ebb_json_refuse(j, "dual_cross_attention", EBB_UNSUPPORTED, "false");
    if (strcmp(ebb_json_string(j, "attention_type", "default"), "default") != 0)
        ebb_json_refuse(j, "attention_type", EBB_UNSUPPORTED, "default");
}

static void read_projection(const struct ebb_json *j, struct ebb_condition_config *c)
{
    static const char *const types[] = {"text_proj", NULL};
    c->text_width = ebb_config_count(j, "encoder_hid_dim", 0, MOST_TEXT);
    if (ebb_json_has(j, "encoder_hid_dim_type")) {
        ebb_json_choice(j, "encoder_hid_dim_type", 0, types);
        if (!c->text_width)
            ebb_json_refuse(j, "encoder_hid_dim", EBB_CORRUPT,
                            "the width of the text with "
                            "\"encoder_hid_dim_type\"");
    }
}

// Keys that AudioLDM2's class does not have.
static void read_own(const struct ebb_json *j, struct ebb_condition_config *c)
{
    static const char *const norms[] = {"layer_norm", "group_norm", NULL};
    c->resnet_out_scale_factor = 1;
    if (c->two_texts)
        return;
    c->unet.center_input_sample = ebb_json_bool(j, "center_input_sample", false);
    c->resnet_out_scale_factor = ebb_json_number(j, "resnet_out_scale_factor", 1, 1e-6, 1e6);
    c->skip_time_act = ebb_json_bool(j, "resnet_skip_time_act", false);
    if (ebb_json_has(j, "cross_attention_norm"))
        c->text_norm = EBB_TEXT_NORM_LAYER + (unsigned)ebb_json_choice(j, "cross_attention_norm", 0, norms);
    read_projection(j, c);
}

static int read_kernel(const struct ebb_json *j, const char *key)
{
    int kernel = ebb_json_int(j, key, 3, 1, LARGEST_KERNEL);
    if (kernel % 2 == 0)
        ebb_json_refuse(j, key, EBB_UNSUPPORTED, "an odd number");
    return kernel;
}

static void read_blocks_of(const struct ebb_json *j, struct ebb_condition_config *c)
{
    static const int channels[] = {320, 640, 1280, 1280};
    struct ebb_unet_config *u = &c->unet;
    int known = c->two_texts ? KINDS_OF_AUDIOLDM2 : KINDS;
    u->levels = 4;
    memcpy(u->block_out_channels, channels, sizeof(channels));
    for (int i = 0; i < 4; i++) {
        u->down[i] = i < 3 ? EBB_BLOCK_CROSS : EBB_BLOCK_PLAIN;
        u->up[i] = i > 0 ? EBB_BLOCK_CROSS : EBB_BLOCK_PLAIN;
    }
    int down = read_blocks(j, "down_block_types", c->two_texts ? down_names2 : down_names, known, u->down, 4);
    int up = read_blocks(j, "up_block_types", c->two_texts ? up_names2 : up_names, known, u->up, 4);
    u->levels = ebb_config_channels(j, u->block_out_channels, 4, down, up);
    read_mid(j, c);
}

static void read(const struct ebb_json *j, struct ebb_condition_config *c, bool two_texts)
{
    static const char *const shifts[] = {"default", "scale_shift", NULL};
    struct ebb_unet_config *u = &c->unet;
    *c = (struct ebb_condition_config){.two_texts = two_texts};
    ebb_unet_config_default(u);
    u->in_channels = ebb_json_int(j, "in_channels", 4, 1, EBB_MAX_CHANNELS);
    u->out_channels = ebb_json_int(j, "out_channels", 4, 1, EBB_MAX_CHANNELS);
    u->style.groups = ebb_json_int(j, "norm_num_groups", 32, 1, EBB_MAX_CHANNELS);
    u->style.eps = (float)ebb_json_number(j, "norm_eps", 1e-5, 0, 1);
    u->style.act = ebb_config_activation(j);
    u->style.film = ebb_json_choice(j, "resnet_time_scale_shift", 0, shifts) == 1;
    u->mid_block_scale_factor = ebb_json_number(j, "mid_block_scale_factor", 1, 1e-6, 1e6);
    u->downsample_padding = ebb_json_int(j, "downsample_padding", 1, 0, 1);
    c->linear_projection = ebb_json_bool(j, "use_linear_projection", false);
    ebb_json_bool(j, "upcast_attention", false); // attention is computed in 32 bits always
    c->kernel_in = read_kernel(j, "conv_in_kernel");
    c->kernel_out = read_kernel(j, "conv_out_kernel");
    ebb_config_sample_size(j, u->sample_size);
    read_blocks_of(j, c);
    if (j->file->result == EBB_OK)
        read_levels(j, c);
    read_own(j, c);
    read_embedding(j, c);
    refuse_others(j);
}

static void *create_as(struct ebb_json_file *file, bool two_texts)
{
    struct ebb_json root = ebb_json_root(file);
    struct ebb_condition_config config;
    read(&root, &config, two_texts);
    return file->result == EBB_OK ? ebb_unet_condition_create(&config, file->error) : NULL;
}

static void *create(struct ebb_json_file *file)
{
    return create_as(file, false);
}

static void *create_audioldm2(struct ebb_json_file *file)
{
    return create_as(file, true);
}

static void destroy(void *net)
{
    struct ebb_unet *gone = net;
    ebb_unet_destroy(&gone);
}

static struct ebb_weights *weights(void *net)
{
    return ebb_unet_weights(net);
}

const struct ebb_network_class ebb_unet2d_condition_class = {
    .name = "UNet2DConditionModel",
    .role = EBB_ROLE_UNET,
    .create = create,
    .destroy = destroy,
    .weights = weights,
};

const struct ebb_network_class ebb_audioldm2_unet_class = {
    .name = "AudioLDM2UNet2DConditionModel",
    .role = EBB_ROLE_UNET,
    .create = create_audioldm2,
    .destroy = destroy,
    .weights = weights,
};
