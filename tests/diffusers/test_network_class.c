// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/network_class.h"
#include "nets/unet2d.h"
#include "test.h"

static struct ebb_json_file file;
static struct ebb_error error;

static const struct ebb_network_class *class_of(const char *text, int roles)
{
    error = (struct ebb_error){0};
    REQUIRE(ebb_json_parse(&file, "config.json", text, strlen(text), EBB_JSON_PYTHON, &error) == EBB_OK);
    return ebb_network_class_of(&file, roles);
}

TEST(every_class_is_found_by_its_name_in_its_role_alone)
{
    for (const struct ebb_network_class *const *class = ebb_network_classes; *class; class ++) {
        char text[100];
        int role = (int)(*class)->role, others = 7 & ~role;
        snprintf(text, sizeof(text), "{\"_class_name\": \"%s\"}", (*class)->name);
        REQUIRE(class_of(text, role) == *class && file.result == EBB_OK);
        ebb_json_close(&file);
        REQUIRE(class_of(text, others) == NULL && file.result == EBB_UNSUPPORTED);
        REQUIRE(strstr(error.message, (*class)->name) != NULL);
        ebb_json_close(&file);
    }
}

TEST(a_class_that_is_not_ours_is_told_which_are)
{
    REQUIRE(class_of("{\"_class_name\": \"VQModel\"}", EBB_ROLE_UNET | EBB_ROLE_AUTOENCODER) == NULL);
    REQUIRE_STRING(
        error.message,
        "config.json: \"_class_name\" is \"VQModel\", expected UNet2DModel or UNet2DConditionModel or "
        "AudioLDM2UNet2DConditionModel or AutoencoderKL");
    ebb_json_close(&file);
    REQUIRE(class_of("{}", EBB_ROLE_UNET) == NULL && file.result == EBB_CORRUPT);
    REQUIRE_STRING(error.message,
                   "config.json: \"_class_name\" is missing, expected UNet2DModel or UNet2DConditionModel or "
                   "AudioLDM2UNet2DConditionModel");
    ebb_json_close(&file);
}

TEST(a_network_is_laid_out_with_its_class_defaults)
{
    const struct ebb_network_class *class = class_of("{\"_class_name\": \"UNet2DModel\"}", EBB_ROLE_UNET);
    void *net = class->create(&file);
    REQUIRE(net != NULL && class->weights(net)->count > 0);
    REQUIRE(ebb_unet_in_channels(net) == 3 && ebb_unet_config(net)->num_class_embeds == 0);
    class->destroy(net);
    ebb_json_close(&file);
}

// A number that a class of this role reads.
static const char *number_of(enum ebb_network_role role)
{
    return role == EBB_ROLE_VOCODER           ? "model_in_dim"
           : role == EBB_ROLE_TEXT_PROJECTION ? "text_encoder_dim"
           : role >= EBB_ROLE_TEXT            ? "vocab_size"
                                              : "in_channels";
}

TEST(a_config_that_is_refused_makes_no_network)
{
    for (const struct ebb_network_class *const *class = ebb_network_classes; *class; class ++) {
        char text[100], words[100];
        const char *key = number_of((*class)->role);
        snprintf(text, sizeof(text), "{\"_class_name\": \"%s\", \"%s\": Infinity}", (*class)->name, key);
        snprintf(words, sizeof(words), "\"%s\" is Infinity, expected an integer", key);
        REQUIRE(class_of(text, (int)(*class)->role)->create(&file) == NULL && file.result == EBB_CORRUPT);
        REQUIRE(strstr(error.message, words) != NULL);
        ebb_json_close(&file);
    }
}

TEST(text_encoders_that_are_not_there_are_refused)
{
    static const struct {
        const char *name, *keys, *words;
    } cases[] = {
        {"CLIPTextModel", "\"hidden_act\": \"tanhshrink\"", "hidden_act"},
        {"CLIPTextModel", "\"num_attention_heads\": 7", "a divisor of hidden_size, 512"},
        {"CLIPTextModel", "\"num_hidden_layers\": 1000000", "num_hidden_layers"},
        {"CLIPTextModel", "\"vocab_size\": 0", "vocab_size"},
        {"CLIPTextModel", "\"use_attention_mask\": true", "use_attention_mask"},
        {"ClapModel", "\"text_config\": {\"hidden_size\": -1}", "text_config.hidden_size"},
        {"ClapTextModelWithProjection", "\"pad_token_id\": 514", "max_position_embeddings"},
        {"ClapTextModelWithProjection", "\"position_embedding_type\": \"relative_key\"", "absolute"},
        {"T5EncoderModel", "\"feed_forward_proj\": \"gated-tanh\"", "gated-tanh"},
        {"T5EncoderModel", "\"relative_attention_max_distance\": 8", "more than 8"},
        {"GPT2Model", "\"n_head\": 5", "a divisor of n_embd"},
        {"GPT2Model", "\"scale_attn_by_inverse_layer_idx\": true", "false"},
        {"AudioLDM2ProjectionModel", "\"use_learned_position_embedding\": true", "null"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[300];
        snprintf(text, sizeof(text), "{\"architectures\": [\"%s\"], %s}", cases[i].name, cases[i].keys);
        const struct ebb_network_class *class = class_of(text, EBB_ROLE_TEXT | EBB_ROLE_LANGUAGE |
                                                                   EBB_ROLE_TEXT_PROJECTION);
        REQUIRE(class && class->create(&file) == NULL);
        printf("# %s\n", error.message);
        if (!strstr(error.message, cases[i].words))
            TEST_FAIL("expected \"%s\"", cases[i].words);
        ebb_json_close(&file);
    }
}

TEST(vocoders_whose_numbers_do_not_fit_are_refused)
{
    static const struct {
        const char *keys, *words;
    } cases[] = {
        {"\"upsample_rates\": [4, 4]", "\"upsample_kernel_sizes\" is missing"},
        {"\"upsample_rates\": [4, 0], \"upsample_kernel_sizes\": [8, 8]", "at most 10 integers from 1"},
        {"\"upsample_rates\": [9, 9], \"upsample_kernel_sizes\": [8, 9]", "8 for a rate of 9"},
        {"\"upsample_rates\": [200, 200, 200], \"upsample_kernel_sizes\": [255, 255, 255]", "multiply to"},
        {"\"upsample_initial_channel\": 8", "expected at least 16 for 4 stages"},
        {"\"resblock_kernel_sizes\": [3, 4, 5]", "4, expected odd numbers"},
        {"\"resblock_kernel_sizes\": [3]", "as many entries as resblock_dilation_sizes"},
        {"\"resblock_dilation_sizes\": [[1], [1]]", "as many entries as resblock_kernel_sizes"},
        {"\"resblock_dilation_sizes\": [[1], 1, [1]]", "resblock_dilation_sizes[1]"},
        {"\"resblock_dilation_sizes\": [[1], [1e9], [1]]", "resblock_dilation_sizes[1]"},
        {"\"leaky_relu_slope\": NaN", "leaky_relu_slope"},
        {"\"normalize_before\": 1", "true or false"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[300];
        snprintf(text, sizeof(text), "{\"architectures\": [\"SpeechT5HifiGan\"], %s}", cases[i].keys);
        const struct ebb_network_class *class = class_of(text, EBB_ROLE_VOCODER);
        REQUIRE(class && class->create(&file) == NULL);
        if (!strstr(error.message, cases[i].words))
            TEST_FAIL("%s: %s, expected \"%s\"", cases[i].keys, error.message, cases[i].words);
        ebb_json_close(&file);
    }
}

static void refuses_unet(const char *keys, const char *words)
{
    char text[400];
    snprintf(text, sizeof(text), "{\"_class_name\": \"UNet2DModel\", \"layers_per_block\": 1, %s}", keys);
    void *net = class_of(text, EBB_ROLE_UNET)->create(&file);
    if (net || error.code != EBB_UNSUPPORTED || !strstr(error.message, words))
        TEST_FAIL("%s: \"%s\", expected \"%s\"", keys, net ? "is taken" : error.message, words);
    ebb_json_close(&file);
}

#define SKIP_DOWN "\"down_block_types\": [\"SkipDownBlock2D\", \"AttnSkipDownBlock2D\"], "
#define SKIP_UP "\"up_block_types\": [\"AttnSkipUpBlock2D\", \"SkipUpBlock2D\"], "
#define PLAIN_DOWN "\"down_block_types\": [\"DownBlock2D\", \"DownBlock2D\"], "
TEST(skip_blocks_are_refused_where_their_numbers_do_not_fit)
{
    const char *wide = "\"block_out_channels\": [32, 64]";
    char keys[300];
    snprintf(keys, sizeof(keys), SKIP_DOWN SKIP_UP "\"in_channels\": 4, %s", wide);
    refuses_unet(keys, "\"in_channels\" is 4, expected 3");
    snprintf(keys, sizeof(keys), PLAIN_DOWN SKIP_UP "\"out_channels\": 1, %s", wide);
    refuses_unet(keys, "\"out_channels\" is 1, expected 3");
    refuses_unet(SKIP_DOWN SKIP_UP "\"block_out_channels\": [32, 48]", "has 48, expected a multiple of 32");
    refuses_unet(SKIP_DOWN "\"up_block_types\": [\"SkipUpBlock2D\", \"SkipUpBlock2D\"], "
                           "\"block_out_channels\": [2, 4]",
                 "has 2, which 0 groups");
    refuses_unet(PLAIN_DOWN "\"up_block_types\": [\"SkipUpBlock2D\", \"SkipUpBlock2D\"], "
                            "\"block_out_channels\": [160, 68]",
                 "68 + 68 channels");
    refuses_unet(SKIP_DOWN "\"up_block_types\": [\"AttnSkipUpBlock2D\", \"UpBlock2D\"], "
                           "\"block_out_channels\": [32, 64]",
                 "\"up_block_types\" has Skip blocks beside others");
}

// ---- U-Nets that see text ----

static void refuses_conditional(const char *class, const char *keys, const char *words)
{
    char text[500];
    snprintf(text, sizeof(text), "{\"_class_name\": \"%s\", %s}", class, keys);
    void *net = class_of(text, EBB_ROLE_UNET)->create(&file);
    if (net || !strstr(error.message, words))
        TEST_FAIL("%s: \"%s\", expected \"%s\"", keys, net ? "is taken" : error.message, words);
    ebb_json_close(&file);
}

TEST(options_of_conditional_networks_that_are_not_there_are_refused_by_name)
{
    static const char plain[] = "UNet2DConditionModel", two[] = "AudioLDM2UNet2DConditionModel";
    static const struct {
        const char *class, *keys, *words;
    } cases[] = {
        {plain, "\"num_attention_heads\": 8", "\"num_attention_heads\" is 8, expected null"},
        {plain, "\"addition_embed_type\": \"text_time\"",
         "\"addition_embed_type\" is \"text_time\", expected null"},
        {plain, "\"time_cond_proj_dim\": 256", "\"time_cond_proj_dim\" is 256, expected null"},
        {plain, "\"dual_cross_attention\": true", "\"dual_cross_attention\" is true, expected false"},
        {plain, "\"attention_type\": \"gated\"", "\"attention_type\" is \"gated\", expected default"},
        {plain, "\"encoder_hid_dim\": 8, \"encoder_hid_dim_type\": \"image_proj\"", "expected text_proj"},
        {plain, "\"encoder_hid_dim_type\": \"text_proj\"", "\"encoder_hid_dim\" is missing"},
        {plain, "\"encoder_hid_dim\": 8, \"cross_attention_dim\": [8, 16, 8, 8]", "has several widths"},
        {plain, "\"cross_attention_dim\": [8, 16, 8, 8]", "\"cross_attention_dim\" has several widths"},
        {plain, "\"cross_attention_dim\": null", "one for all or 4 in a list"},
        {plain, "\"cross_attention_dim\": [[8, 8], [8, 8], [8, 8], [8, 8]]", "one for all or 4 in a list"},
        {plain, "\"attention_head_dim\": [8, 8]", "\"attention_head_dim\" is [8,8], expected integers"},
        {plain, "\"attention_head_dim\": null", "\"attention_head_dim\" is null"},
        {plain, "\"attention_head_dim\": 321", "\"attention_head_dim\" is 321, expected at most 320 heads"},
        {plain, "\"attention_head_dim\": 3, \"mid_block_type\": \"UNetMidBlock2DSimpleCrossAttn\"",
         "\"attention_head_dim\" is 3, expected a divisor of 1280"},
        {plain, "\"only_cross_attention\": [true]", "expected true or false, one for all or 4 in a list"},
        {plain, "\"transformer_layers_per_block\": [[1, 1], 1, 1, 1]",
         "reverse_transformer_layers_per_block"},
        {plain,
         "\"transformer_layers_per_block\": [[1], 1, 1, 1], \"reverse_transformer_layers_per_block\": 1",
         "2 integers in list 0"},
        {plain, "\"transformer_layers_per_block\": 1000000", "expected integers from 1 to 64"},
        {plain, "\"class_embed_type\": \"projection\"",
         "\"projection_class_embeddings_input_dim\" is missing"},
        {plain, "\"class_embeddings_concat\": true", "\"class_embeddings_concat\" is true"},
        {plain, "\"norm_num_groups\": null", "\"norm_num_groups\" is null"},
        {plain, "\"norm_num_groups\": 24", "\"norm_num_groups\" is 24, expected a divisor of 320"},
        {plain, "\"conv_in_kernel\": 4", "\"conv_in_kernel\" is 4, expected an odd number"},
        {plain, "\"time_embedding_type\": \"learned\"", "\"time_embedding_type\" is \"learned\""},
        {plain, "\"time_embedding_type\": \"fourier\", \"time_embedding_dim\": 7", "expected an even number"},
        {plain, "\"resnet_time_scale_shift\": \"spatial\"", "\"resnet_time_scale_shift\" is \"spatial\""},
        {plain, "\"down_block_types\": [\"KDownBlock2D\"]", "\"down_block_types[0]\" is \"KDownBlock2D\""},
        {plain,
         "\"mid_block_type\": \"UNetMidBlock2DSimpleCrossAttn\", \"cross_attention_norm\": \"layer_norm\", "
         "\"cross_attention_dim\": 8",
         "expected 1280, the channels"},
        {plain,
         "\"mid_block_type\": \"UNetMidBlock2DSimpleCrossAttn\", \"cross_attention_norm\": \"group_norm\", "
         "\"cross_attention_dim\": 8",
         "expected a multiple of 32"},
        {two, "\"mid_block_type\": null", "\"mid_block_type\" is null, expected UNetMidBlock2DCrossAttn"},
        {two, "\"cross_attention_dim\": [[null, 6, 5, 5, 5], [6], [6], [6]]", "one for all or 4 in a list"},
        {two, "\"cross_attention_dim\": [null, 6, 6, 6]", "expected a width for each level"},
        {two, "\"cross_attention_dim\": [[null, 6, 5], [null, 6, 5], [null, 6, 4], [null, 6, 5]]",
         "has several widths"},
        {two, "\"time_embedding_type\": \"fourier\"", "\"time_embedding_type\" is \"fourier\""},
        {two, "\"down_block_types\": [\"SimpleCrossAttnDownBlock2D\"]", "SimpleCrossAttnDownBlock2D"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuses_conditional(cases[i].class, cases[i].keys, cases[i].words);
}

TEST(a_conditional_network_tells_what_it_sees)
{
    static const char words[] = "{\"_class_name\": \"UNet2DConditionModel\", \"cross_attention_dim\": %s}";
    static const struct {
        const char *value;
        int width;
        bool may_lack;
    } cases[] = {{"768", 768, false}, {"[320, 640, 1280, 1280]", 0, true}, {"[9, 9, 9, 9]", 9, false}};
    for (int i = 0; i < 3; i++) {
        char text[200];
        snprintf(text, sizeof(text), words, cases[i].value);
        struct ebb_unet *net = class_of(text, EBB_ROLE_UNET)->create(&file);
        REQUIRE(net && ebb_unet_text_width(net, 0) == cases[i].width && ebb_unet_text_width(net, 1) == 0);
        REQUIRE(ebb_unet_may_lack_text(net) == cases[i].may_lack && ebb_unet_class_vector(net) == 0);
        ebb_unet_destroy(&net);
        ebb_json_close(&file);
    }
}

TEST_MAIN
