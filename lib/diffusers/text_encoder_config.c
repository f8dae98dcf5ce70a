// SPDX-License-Identifier: LGPL-2.1-or-later
// Text encoders of transformers: CLIPTextModel, ClapModel and its text half, T5EncoderModel, GPT2Model; and
// AudioLDM2ProjectionModel.
#include <stdio.h>
#include <string.h>

#include "diffusers/network_class.h"
#include "nets/text_encoder.h"

// ---- keys ----

// transformers' names of activations.
static const struct {
    const char *name;
    enum ebb_act act;
} activations[] = {
    {"quick_gelu", EBB_ACT_QUICK_GELU},
    {"gelu", EBB_ACT_GELU},
    {"relu", EBB_ACT_RELU},
    {"gelu_new", EBB_ACT_GELU_TANH},
    {"gelu_pytorch_tanh", EBB_ACT_GELU_TANH},
    {"gelu_fast", EBB_ACT_GELU_TANH},
    {"silu", EBB_ACT_SILU},
    {"swish", EBB_ACT_SILU},
    {"mish", EBB_ACT_MISH},
    {"tanh", EBB_ACT_TANH},
};
enum { ACTIVATIONS = sizeof(activations) / sizeof(activations[0]) };

static enum ebb_act read_activation(const struct ebb_json *j, const char *key, const char *fallback)
{
    const char *names[ACTIVATIONS + 1] = {0};
    int initial = 0;
    for (int i = 0; i < ACTIVATIONS; i++) {
        names[i] = activations[i].name;
        initial = strcmp(names[i], fallback) == 0 ? i : initial;
    }
    return activations[ebb_json_choice(j, key, initial, names)].act;
}

static int size(const struct ebb_json *j, const char *key, int fallback)
{
    return ebb_json_int(j, key, fallback, 1, EBB_TEXT_WIDEST);
}

static int vocabulary(const struct ebb_json *j, int fallback)
{
    return ebb_json_int(j, "vocab_size", fallback, 1, 1 << 20);
}

// null: no token is a pad.
static int read_pad(const struct ebb_json *j, int fallback)
{
    return ebb_json_null(j, "pad_token_id") ? -1 : ebb_json_int(j, "pad_token_id", fallback, -1, 1 << 20);
}

static void read_common(const struct ebb_json *j, struct ebb_text_config *c, const char *const keys[4],
                        const int initial[4])
{
    c->width = size(j, keys[0], initial[0]);
    c->layers = ebb_json_int(j, keys[1], initial[1], 1, EBB_TEXT_LAYERS);
    c->heads = size(j, keys[2], initial[2]);
    c->positions = keys[3] ? size(j, keys[3], initial[3]) : 0;
    c->head_width = c->width / c->heads;
    if (!j->file->result && keys[3] && c->width % c->heads)
        ebb_json_refuse(j, keys[2], EBB_CORRUPT, "a divisor of %s, %d", keys[0], c->width);
}

static const char *const usual_keys[] = {"hidden_size", "num_hidden_layers", "num_attention_heads",
                                         "max_position_embeddings"};

// ---- classes ----

static void read_clip(const struct ebb_json *j, struct ebb_text_config *c)
{
    enum { OLD_END = 2 }; // configs from before transformers 4.31 say so, and mean the largest id
    c->kind = EBB_TEXT_CLIP;
    c->vocabulary = vocabulary(j, 49408);
    read_common(j, c, usual_keys, (const int[]){512, 12, 8, 77});
    c->inner = size(j, "intermediate_size", 2048);
    c->eps = (float)ebb_json_number(j, "layer_norm_eps", 1e-5, 0, 1);
    c->act = read_activation(j, "hidden_act", "quick_gelu");
    c->pad = -1;
    if (ebb_json_bool(j, "use_attention_mask", false))
        ebb_json_refuse(j, "use_attention_mask", EBB_UNSUPPORTED, "false");
    c->end = ebb_json_null(j, "eos_token_id") ? -1 : ebb_json_int(j, "eos_token_id", 49407, -1, 1 << 20);
    c->end = c->end == OLD_END ? -1 : c->end;
}

static void read_clip_projected(const struct ebb_json *j, struct ebb_text_config *c)
{
    read_clip(j, c);
    c->projection = size(j, "projection_dim", 512);
}

static void read_clap(const struct ebb_json *root, struct ebb_text_config *c)
{
    struct ebb_json nested = ebb_json_object(root, "text_config");
    const struct ebb_json *j = nested.object ? &nested : root; // a whole ClapModel has its text half within
    c->kind = EBB_TEXT_ROBERTA;
    c->vocabulary = vocabulary(j, 50265);
    read_common(j, c, usual_keys, (const int[]){768, 12, 12, 514});
    c->types = size(j, "type_vocab_size", 1);
    c->inner = size(j, "intermediate_size", 3072);
    c->eps = (float)ebb_json_number(j, "layer_norm_eps", 1e-12, 0, 1);
    c->act = read_activation(j, "hidden_act", "gelu");
    c->pad = read_pad(j, 1);
    bool outer = ebb_json_has(root, "projection_dim"); // a ClapModel's own counts for more
    c->projection = size(outer ? root : j, "projection_dim", 512);
    c->projection_act = read_activation(ebb_json_has(root, "projection_hidden_act") ? root : j,
                                        "projection_hidden_act", "relu");
    static const char *const places[] = {"absolute", NULL};
    ebb_json_choice(j, "position_embedding_type", 0, places);
    if (!j->file->result && c->positions <= c->pad + 1)
        ebb_json_refuse(j, usual_keys[3], EBB_CORRUPT, "more than %d", c->pad + 1);
}

static void read_t5(const struct ebb_json *j, struct ebb_text_config *c)
{
    static const char *const keys[] = {"d_model", "num_layers", "num_heads", NULL};
    static const char *const nets[] = {"relu", "gated-gelu", "gated-silu", "gated-relu", "gelu", NULL};
    static const enum ebb_act acts[] = {EBB_ACT_RELU, EBB_ACT_GELU_TANH, EBB_ACT_SILU, EBB_ACT_RELU,
                                        EBB_ACT_GELU};
    c->kind = EBB_TEXT_T5;
    c->vocabulary = vocabulary(j, 32128);
    read_common(j, c, keys, (const int[]){512, 6, 8, 0});
    c->head_width = size(j, "d_kv", 64);
    c->inner = size(j, "d_ff", 2048);
    c->eps = (float)ebb_json_number(j, "layer_norm_epsilon", 1e-6, 0, 1);
    int net = ebb_json_choice(j, "feed_forward_proj", 0, nets);
    c->act = acts[net];
    c->gated = strncmp(nets[net], "gated-", 6) == 0;
    c->buckets = ebb_json_int(j, "relative_attention_num_buckets", 32, 4, 4096);
    c->distance = ebb_json_int(j, "relative_attention_max_distance", 128, 2, 1 << 20);
    c->pad = read_pad(j, 0);
    if (!j->file->result && c->distance <= c->buckets / 4)
        ebb_json_refuse(j, "relative_attention_max_distance", EBB_UNSUPPORTED,
                        "more than %d, a quarter of "
                        "relative_attention_num_buckets",
                        c->buckets / 4);
}

static void read_gpt2(const struct ebb_json *j, struct ebb_text_config *c)
{
    static const char *const keys[] = {"n_embd", "n_layer", "n_head", "n_positions"};
    c->kind = EBB_TEXT_GPT2;
    c->vocabulary = vocabulary(j, 50257);
    read_common(j, c, keys, (const int[]){768, 12, 12, 1024});
    c->inner = ebb_json_has(j, "n_inner") ? size(j, "n_inner", 4 * c->width) : 4 * c->width;
    c->eps = (float)ebb_json_number(j, "layer_norm_epsilon", 1e-5, 0, 1);
    c->act = read_activation(j, "activation_function", "gelu_new");
    c->pad = read_pad(j, -1);
    c->follow = ebb_json_int(j, "max_new_tokens", 8, 1, 4096);
    if (ebb_json_bool(j, "scale_attn_by_inverse_layer_idx", false))
        ebb_json_refuse(j, "scale_attn_by_inverse_layer_idx", EBB_UNSUPPORTED, "false");
    if (!ebb_json_bool(j, "scale_attn_weights", true))
        ebb_json_refuse(j, "scale_attn_weights", EBB_UNSUPPORTED, "true");
}

// ---- names of tensors ----

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static bool is_buffer(const char *name)
{
    return strstr(name, "position_ids") || strstr(name, "token_type_ids");
}

// transformers 5 leaves "text_model." out of a CLIPTextModel's names.
static const char *clip_name(const char *name, char out[256])
{
    if (is_buffer(name) || begins(name, "vision_model.") || begins(name, "visual_projection.") ||
        begins(name, "logit_scale"))
        return NULL;
    if (!begins(name, "embeddings.") && !begins(name, "encoder.") && !begins(name, "final_layer_norm."))
        return name;
    snprintf(out, 256, "text_model.%s", name);
    return out;
}

static const char *clap_name(const char *name, char out[256])
{
    (void)out;
    bool other = begins(name, "audio_model.") || begins(name, "audio_projection.") ||
                 begins(name, "logit_scale");
    return other || is_buffer(name) ? NULL : name;
}

static const char *t5_name(const char *name, char out[256])
{
    (void)out;
    if (begins(name, "decoder.") || begins(name, "lm_head."))
        return NULL;
    return strcmp(name, "encoder.embed_tokens.weight") == 0 ? "shared.weight" : name;
}

static bool ends(const char *name, const char *with)
{
    size_t length = strlen(name), tail = strlen(with);
    return length >= tail && strcmp(name + length - tail, with) == 0;
}

static const char *gpt2_name(const char *name, char out[256])
{
    if (begins(name, "lm_head.") || ends(name, ".attn.bias") || ends(name, ".attn.masked_bias"))
        return NULL;
    snprintf(out, 256, "%s", begins(name, "transformer.") ? name + strlen("transformer.") : name);
    return out;
}

// ---- rows ----

typedef void reader(const struct ebb_json *root, struct ebb_text_config *config);

static void *create(struct ebb_json_file *file, reader *read)
{
    struct ebb_json root = ebb_json_root(file);
    struct ebb_text_config config = {0};
    read(&root, &config);
    return file->result == EBB_OK ? ebb_text_encoder_create(&config, file->error) : NULL;
}

static void *create_clip(struct ebb_json_file *file)
{
    return create(file, read_clip);
}

static void *create_clip_projected(struct ebb_json_file *file)
{
    return create(file, read_clip_projected);
}

static void *create_clap(struct ebb_json_file *file)
{
    return create(file, read_clap);
}

static void *create_t5(struct ebb_json_file *file)
{
    return create(file, read_t5);
}

static void *create_gpt2(struct ebb_json_file *file)
{
    return create(file, read_gpt2);
}

static void destroy(void *net)
{
    struct ebb_text_encoder *gone = net;
    ebb_text_encoder_destroy(&gone);
}

static struct ebb_weights *weights(void *net)
{
    return ebb_text_encoder_weights(net);
}

static void *create_projection(struct ebb_json_file *file)
{
    struct ebb_json root = ebb_json_root(file), *j = &root;
    struct ebb_text_projection_config config = {
        .width = {size(j, "text_encoder_dim", 512), size(j, "text_encoder_1_dim", 1024)},
        .out = size(j, "langauge_model_dim", 768), // diffusers spells it so
    };
    if (ebb_json_has(j, "use_learned_position_embedding"))
        ebb_json_refuse(j, "use_learned_position_embedding", EBB_UNSUPPORTED, "null");
    return file->result == EBB_OK ? ebb_text_projection_create(&config, file->error) : NULL;
}

static void destroy_projection(void *net)
{
    struct ebb_text_projection *gone = net;
    ebb_text_projection_destroy(&gone);
}

static struct ebb_weights *projection_weights(void *net)
{
    return ebb_text_projection_weights(net);
}

#define ENCODER(variable, class_name, class_role, make, names)                                               \
    const struct ebb_network_class variable = {.name = class_name,                                           \
                                               .role = class_role,                                           \
                                               .create = make,                                               \
                                               .destroy = destroy,                                           \
                                               .weights = weights,                                           \
                                               .tensor = names}

ENCODER(ebb_clip_class, "CLIPTextModel", EBB_ROLE_TEXT, create_clip, clip_name);
ENCODER(ebb_clip_projection_class, "CLIPTextModelWithProjection", EBB_ROLE_TEXT, create_clip_projected,
        clip_name);
ENCODER(ebb_clap_text_class, "ClapTextModelWithProjection", EBB_ROLE_TEXT, create_clap, clap_name);
ENCODER(ebb_clap_class, "ClapModel", EBB_ROLE_TEXT, create_clap, clap_name);
ENCODER(ebb_t5_class, "T5EncoderModel", EBB_ROLE_TEXT, create_t5, t5_name);
ENCODER(ebb_gpt2_class, "GPT2Model", EBB_ROLE_LANGUAGE, create_gpt2, gpt2_name);
ENCODER(ebb_gpt2_head_class, "GPT2LMHeadModel", EBB_ROLE_LANGUAGE, create_gpt2, gpt2_name);

const struct ebb_network_class ebb_text_projection_class = {
    .name = "AudioLDM2ProjectionModel",
    .role = EBB_ROLE_TEXT_PROJECTION,
    .create = create_projection,
    .destroy = destroy_projection,
    .weights = projection_weights,
};
