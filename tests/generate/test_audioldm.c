// SPDX-License-Identifier: LGPL-2.1-or-later
// AudioLDM and MusicLDM, against diffusers' pipelines (tests/golden/make_audioldm.py).
#define GOLDEN "audioldm"
#include "vocoder_pipeline.h"

TEST(latents_are_those_of_diffusers)
{
    compare_all("tiny-audioldm");
}

static void make_musicldm(void)
{
    char path[700];
    golden(path, "clap");
    scratch_make("models/tiny-audioldm");
    run("rm -r '%s/text_encoder'%s", scratch, "");
    run("cp -r '%s' '%s/text_encoder'", path, scratch);
    scratch_replace("model_index.json", "AudioLDMPipeline", "MusicLDMPipeline");
    scratch_replace("model_index.json", "ClapTextModelWithProjection", "ClapModel");
}

// MusicLDM's text encoder is a whole CLAP.
TEST(musicldm_has_a_whole_clap)
{
    make_musicldm();
    json_t *cases = read_cases();
    struct ebb_model *model = open_at(scratch);
    REQUIRE(ebb_model_info(model)->guidance == 2 && ebb_model_info(model)->steps == 200);
    compare(model, "musicldm", json_object_get(cases, "negative"));
    ebb_model_close(&model);
    json_decref(cases);
    scratch_remove();
}

TEST(the_sound_is_that_of_the_vocoder)
{
    json_t *cases = read_cases();
    struct ebb_model *model = open_tiny("tiny-audioldm");
    struct sound_errors errors = {0};
    compare_sound(model, "negative", json_object_get(cases, "negative"), &errors);
    compare_sound(model, "longer", json_object_get(cases, "longer"), &errors);
    require_near(model, &errors);
    ebb_model_close(&model);
    json_decref(cases);
}

TEST(such_a_model_says_what_it_takes)
{
    struct ebb_model *model = open_tiny("tiny-audioldm");
    const struct ebb_model_info *info = ebb_model_info(model);
    struct ebb_mel_params mel;
    ebb_model_mel(model, &mel);
    REQUIRE(info->prompt && info->latent && info->guidance == 2.5 && info->steps == 10);
    REQUIRE(mel.coding == EBB_MEL_CODING_LOGARITHM);
    ebb_model_close(&model);
}

static void refused(struct ebb_model *model, enum ebb_verb verb, const char *words, const char *word)
{
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = recipe_of(verb, words);
    if (ebb_model_settle(model, recipe, &error) == EBB_OK)
        TEST_FAIL("%s: accepted", words);
    printf("# %s\n", error.message);
    if (error.code != EBB_UNSUPPORTED || !strstr(error.message, word))
        TEST_FAIL("%s: expected unsupported with \"%s\"", words, word);
    ebb_recipe_destroy(&recipe);
}

TEST(what_a_vocoder_does_not_do)
{
    struct ebb_model *model = open_tiny("tiny-audioldm");
    refused(model, EBB_VERB_EDIT, "prompt=rain", "cannot edit");
    refused(model, EBB_VERB_GENERATE, "prompt=rain loop=1", "vocoder");
    refused(model, EBB_VERB_STREAM, "prompt=rain loop=1", "vocoder");
    refused(model, EBB_VERB_GENERATE, "prompt=rain channels=2", "vocoder");
    refused(model, EBB_VERB_GENERATE, "prompt=rain seconds=3000", "at most");
    ebb_model_close(&model);
}

TEST(a_stream_is_of_separate_sounds)
{
    struct ebb_error error = {0};
    struct ebb_model *model = open_tiny("tiny-audioldm");
    struct ebb_recipe *recipe = recipe_of(EBB_VERB_STREAM, "seed=1 steps=2 prompt=rain gap=0.01");
    struct ebb_stream *stream = ebb_stream_create(model, recipe, NULL, &error);
    if (!stream)
        TEST_FAIL("%s", error.message);
    float samples[2000];
    size_t got;
    REQUIRE(ebb_stream_gap(stream) == (size_t)round(0.01 * ebb_model_info(model)->sample_rate));
    REQUIRE_OK(ebb_stream_read(stream, samples, 2000, &got, e));
    REQUIRE(got == 2000);
    for (int i = 0; i < 2000; i++)
        REQUIRE(isfinite(samples[i]) && fabsf(samples[i]) <= 1);
    ebb_stream_destroy(&stream);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
}

TEST(parts_that_are_missing_or_do_not_fit)
{
    scratch_make("models/tiny-audioldm");
    run("rm -r '%s/vocoder'%s", scratch, "");
    refuse_folder(EBB_NOT_FOUND, "vocoder", "folder");
    scratch_make("models/tiny-audioldm");
    run("rm -r '%s/vae'%s", scratch, "");
    refuse_folder(EBB_NOT_FOUND, "autoencoder", "no vae folder");
    scratch_make("models/tiny-audioldm");
    run("rm '%s/model_index.json'%s", scratch, "");
    refuse_folder(EBB_NOT_FOUND, "no model_index.json", "vocoder folder");
    scratch_make("models/tiny-audioldm");
    run("rm -r '%s/text_encoder'%s", scratch, "");
    refuse_folder(EBB_NOT_FOUND, "text_encoder", "folder");
    scratch_make("models/tiny-audioldm");
    scratch_replace("model_index.json", "AudioLDMPipeline", "AudioLDM3Pipeline");
    refuse_folder(EBB_UNSUPPORTED, "model_index.json", "AudioLDM3Pipeline");
    scratch_remove();
}

TEST_MAIN
