// SPDX-License-Identifier: LGPL-2.1-or-later
// Models that are asked in words, against diffusers' StableDiffusionPipeline
// (tests/golden/make_stable_diffusion.py).
#include <jansson.h>
#include <math.h>

#include "../model/scratch.h"
#include "../nets/npy.h"
#include "prompt_cases.h"
#include "tiny_model.h"

enum { LATENTS = 4 * 8 * 8 };

static void golden(char path[700], const char *folder, const char *name)
{
    snprintf(path, 700, "%s/golden/stable-diffusion/%s%s%s", getenv("EBB_TEST_DATA"), folder,
             *folder ? "/" : "", name);
}

static json_t *read_json(const char *folder, const char *name)
{
    char path[700];
    golden(path, folder, name);
    json_t *root = json_load_file(path, 0, NULL);
    if (!root)
        TEST_FAIL("%s", path);
    return root;
}

// The model with a scheduler of the golden files.
static struct ebb_model *open_with(const char *scheduler)
{
    char path[700];
    scratch_make("models/tiny-riffusion");
    golden(path, scheduler, "scheduler_config.json");
    run("cp '%s' '%s/scheduler/'", path, scratch);
    return open_at(scratch);
}

static void make_latents(struct ebb_model *model, const struct ebb_recipe *recipe, float values[LATENTS])
{
    int shape[4];
    REQUIRE_OK(ebb_generate_latents(model, recipe, values, LATENTS, shape, NULL, e));
    REQUIRE(shape[0] == 1 && shape[1] == 4 && shape[2] == 8 && shape[3] == 8);
}

// The tests of Vulkan name its device.
static void skip_without_device(void)
{
    struct ebb_error error = {0};
    const char *name = getenv("EBB_TEST_DEVICE");
    struct ebb_device *device = ebb_device_create(name ? name : "cpu", 1, NULL, &error);
    if (!device && !getenv("EBB_REQUIRE_VULKAN"))
        SKIP("%s", error.message);
    ebb_device_destroy(&device);
}

static double difference_of(const float *values, const float *want, size_t count)
{
    double difference = 0, reference = 0;
    for (size_t i = 0; i < count; i++) {
        difference = larger(difference, isfinite(values[i]) ? fabs((double)values[i] - want[i]) : INFINITY);
        reference = larger(reference, fabs(want[i]));
    }
    return difference / reference;
}

static void compare(struct ebb_model *model, const char *scheduler, const char *name, json_t *settings)
{
    char path[700], file[100];
    int shape[4];
    size_t count = 0;
    float values[LATENTS];
    snprintf(file, sizeof(file), "%s.npy", name);
    golden(path, scheduler, file);
    float *want = npy_read(path, shape, &count);
    if (!want && strcmp(scheduler, "pndm") != 0) // the others have one case
        return;
    REQUIRE(want && count == LATENTS);
    struct ebb_recipe *recipe = recipe_of_case("noise=torch seed=42 steps=6", settings);
    make_latents(model, recipe, values);
    double wrong = difference_of(values, want, LATENTS);
    printf("# %s, %s: %.2e\n", scheduler, name, wrong);
    bool half = strstr(ebb_device_description(ebb_model_device(model)), "16-bit");
    REQUIRE_NEAR(wrong, 0, half ? 1e-2 : 1e-5, name);
    ebb_recipe_destroy(&recipe);
    free(want);
}

TEST(latents_are_those_of_diffusers)
{
    skip_without_device();
    static const char *const schedulers[] = {"pndm", "ddim", "dpm", "euler"};
    json_t *cases = read_json("", "cases.json"), *settings;
    const char *name;
    for (int i = 0; i < 4; i++) {
        struct ebb_model *model = open_with(schedulers[i]);
        json_object_foreach(cases, name, settings) compare(model, schedulers[i], name, settings);
        ebb_model_close(&model);
    }
    json_decref(cases);
    scratch_remove();
}

// The last latents of the case "negative", decoded: red of diffusers' picture, whose first row is the
// highest band.
TEST(the_mel_is_the_red_of_the_picture_upside_down)
{
    enum { SIDE = 64 };
    char path[700];
    int shape[4];
    size_t count = 0;
    golden(path, "pndm", "negative.npy");
    float *latents = npy_read(path, shape, &count);
    REQUIRE(latents && count == LATENTS);
    golden(path, "", "picture.npy");
    float *picture = npy_read(path, shape, &count), mel[SIDE * SIDE], want[SIDE * SIDE];
    REQUIRE(picture && count == 3 * SIDE * SIDE);
    struct ebb_model *model = open_tiny("tiny-riffusion");
    REQUIRE_OK(ebb_generate_mel(model, latents, LATENTS, mel, SIDE * SIDE, e));
    for (int row = 0; row < SIDE; row++)
        memcpy(want + row * SIDE, picture + (SIDE - 1 - row) * SIDE, SIDE * sizeof(float));
    REQUIRE_NEAR(difference_of(mel, want, SIDE * SIDE), 0, 1e-5, "picture");
    free(latents);
    free(picture);
    ebb_model_close(&model);
}

TEST(such_a_model_says_what_it_takes)
{
    struct ebb_model *model = open_tiny("tiny-riffusion");
    const struct ebb_model_info *info = ebb_model_info(model);
    struct ebb_mel_params mel;
    ebb_model_mel(model, &mel);
    REQUIRE(info->prompt && info->latent && info->label_count == 0 && info->guidance == 7.5);
    REQUIRE(info->sample_rate == 44100 && info->hop == 441 && info->n_mels == 64);
    REQUIRE(mel.coding == EBB_MEL_CODING_RIFFUSION && mel.n_fft == 17640 && mel.window == 4410);
    ebb_model_close(&model);
    model = open_tiny("tiny-sfx");
    REQUIRE(!ebb_model_info(model)->prompt);
    ebb_model_close(&model);
}

// The tokenizer decides what a prompt is, so the model's hash covers it.
TEST(the_hash_covers_the_tokenizer)
{
    scratch_make("models/tiny-riffusion");
    struct ebb_model *before = open_at(scratch);
    scratch_replace("tokenizer/merges.txt", "#version: 0.2", "#version: 0.3");
    struct ebb_model *after = open_at(scratch), *plain = open_tiny("tiny-riffusion");
    REQUIRE_STRING(ebb_model_info(before)->hash, ebb_model_info(plain)->hash);
    REQUIRE(strcmp(ebb_model_info(after)->hash, ebb_model_info(plain)->hash) != 0);
    ebb_model_close(&before);
    ebb_model_close(&after);
    ebb_model_close(&plain);
    scratch_remove();
}

// A recipe of one model, and what is said about it.
static void refused(struct ebb_model *model, enum ebb_verb verb, const char *words, enum ebb_result code,
                    const char *word1, const char *word2)
{
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = recipe_of(verb, words);
    if (ebb_model_settle(model, recipe, &error) == EBB_OK)
        TEST_FAIL("%s: accepted", words);
    printf("# %s\n", error.message);
    if (error.code != code || !strstr(error.message, word1) || !strstr(error.message, word2))
        TEST_FAIL("%s: expected %s with \"%s\" and \"%s\"", words, ebb_result_name(code), word1, word2);
    ebb_recipe_destroy(&recipe);
}

TEST(labels_and_prompts_are_for_models_that_have_them)
{
    struct ebb_model *words = open_tiny("tiny-riffusion"), *labels = open_tiny("tiny-sfx");
    refused(labels, EBB_VERB_GENERATE, "prompt=rain", EBB_INVALID, "prompt", "ebb labels");
    refused(labels, EBB_VERB_STREAM, "negative-prompt=rain", EBB_INVALID, "negative-prompt", "ebb labels");
    refused(labels, EBB_VERB_GENERATE, "to-prompt=rain", EBB_INVALID, "to-prompt", "ebb labels");
    refused(words, EBB_VERB_GENERATE, "label=rain", EBB_INVALID, "label", "use prompt");
    refused(words, EBB_VERB_STREAM, "negative=rain", EBB_INVALID, "negative", "use negative-prompt");
    refused(words, EBB_VERB_EDIT, "prompt=rain", EBB_UNSUPPORTED, "cannot edit", "magnitudes");
    ebb_model_close(&words);
    ebb_model_close(&labels);
}

static bool differ(struct ebb_model *model, const char *a, const char *b)
{
    float x[LATENTS], y[LATENTS];
    struct ebb_recipe *one = generating(a), *two = generating(b);
    make_latents(model, one, x);
    make_latents(model, two, y);
    ebb_recipe_destroy(&one);
    ebb_recipe_destroy(&two);
    return memcmp(x, y, sizeof(x)) != 0;
}

TEST(a_path_leads_from_prompt_to_prompt)
{
    struct ebb_model *model = open_tiny("tiny-riffusion");
    const char *whole = "seed=3 steps=3 prompt=rain to-prompt=wind share=";
    char at[3][100];
    snprintf(at[0], sizeof(at[0]), "%s0", whole);
    snprintf(at[1], sizeof(at[1]), "%s0.5", whole);
    snprintf(at[2], sizeof(at[2]), "%s1", whole);
    REQUIRE(!differ(model, at[0], "seed=3 steps=3 prompt=rain"));
    REQUIRE(!differ(model, at[2], "seed=3 steps=3 prompt=wind"));
    REQUIRE(differ(model, at[1], at[0]) && differ(model, at[1], at[2]));
    // With two seeds and two prompts, both go the same way.
    REQUIRE(!differ(model, "seed=3 to-seed=4 steps=3 prompt=rain to-prompt=wind share=1",
                    "seed=4 steps=3 prompt=wind"));
    // Guidance 0 asks for what is guided away from, 1 for the prompt alone.
    REQUIRE(!differ(model, "steps=3 prompt=rain negative-prompt=wind guidance=0",
                    "steps=3 prompt=wind guidance=1"));
    REQUIRE(differ(model, "steps=3 prompt=rain negative-prompt=wind", "steps=3 prompt=rain"));
    ebb_model_close(&model);
}

TEST(many_prompts_are_encoded_and_the_first_is_still_right)
{
    struct ebb_model *model = open_tiny("tiny-riffusion");
    float first[LATENTS], again[LATENTS];
    struct ebb_recipe *recipe = generating("steps=1 prompt=p0 guidance=2");
    make_latents(model, recipe, first);
    for (int i = 1; i < 40; i++) {
        char prompt[20];
        snprintf(prompt, sizeof(prompt), "p%d", i);
        REQUIRE_OK(ebb_recipe_set(recipe, "prompt", prompt, e));
        make_latents(model, recipe, again);
    }
    REQUIRE_OK(ebb_recipe_set(recipe, "prompt", "p0", e));
    make_latents(model, recipe, again);
    REQUIRE(memcmp(first, again, sizeof(first)) == 0);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
}

// Labels of ebb.json may be names of prompts.
TEST(labels_that_stand_for_prompts)
{
    static const char manifest[] =
        "{\"format\": 1, \"name\": \"named\", \"default_label\": \"wet\", \"labels\": ["
        "{\"name\": \"wet\", \"prompt\": \"rain\", \"kind\": \"event\"},"
        "{\"name\": \"dry\", \"prompt\": \"wind\", \"guidance\": 3}]}";
    scratch_make("models/tiny-riffusion");
    scratch_write("ebb.json", manifest, strlen(manifest));
    struct ebb_model *model = open_at(scratch);
    REQUIRE(ebb_model_info(model)->label_count == 2 && ebb_model_info(model)->prompt);
    REQUIRE_STRING(ebb_model_label(model, 1)->prompt, "wind");
    const char *plain = "steps=3 noise=torch seed=5 guidance=4 ";
    char named[200], words[200];
    snprintf(named, sizeof(named), "%slabel=wet negative=dry", plain);
    snprintf(words, sizeof(words), "%sprompt=rain negative-prompt=wind", plain);
    REQUIRE(!differ(model, named, words));
    REQUIRE(differ(model, "steps=3 label=wet:1,dry:1 guidance=1", "steps=3 label=wet guidance=1"));
    refused(model, EBB_VERB_GENERATE, "label=wet prompt=rain", EBB_INVALID, "label", "exclude");
    refused(model, EBB_VERB_GENERATE, "label=wt", EBB_NOT_FOUND, "wt", "wet");
    ebb_model_close(&model);
    scratch_remove();
}

TEST(a_stream_of_a_prompt)
{
    struct ebb_error error = {0};
    struct ebb_model *model = open_tiny("tiny-riffusion");
    struct ebb_recipe *recipe = recipe_of(EBB_VERB_STREAM,
                                          "seed=1 steps=2 prompt=rain to-prompt=wind share=0.3");
    struct ebb_stream *stream = ebb_stream_create(model, recipe, NULL, &error);
    if (!stream)
        TEST_FAIL("%s", error.message);
    float samples[2000];
    size_t got;
    REQUIRE_OK(ebb_stream_read(stream, samples, 2000, &got, e));
    REQUIRE(got == 2000);
    for (int i = 0; i < 2000; i++)
        REQUIRE(isfinite(samples[i]) && fabsf(samples[i]) <= 1);
    ebb_stream_destroy(&stream);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
}

// Refused where it is set: a recipe could not be written down with it.
TEST(a_prompt_that_is_no_utf8)
{
    static const char *const texts[] = {"rain \xff", "\xc3", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xc0\xaf"};
    struct ebb_recipe *recipe = generating("steps=1");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ebb_error error = {0};
        REQUIRE(ebb_recipe_set(recipe, "prompt", texts[i], &error) == EBB_INVALID);
        REQUIRE(strstr(error.message, "prompt") && strstr(error.message, "UTF-8"));
    }
    ebb_recipe_destroy(&recipe);
}

// A megabyte is refused before anything is made of it.
TEST(a_prompt_that_is_too_long)
{
    enum { SIZE = 1 << 20 };
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = generating("steps=1");
    char *text = malloc(SIZE + 1);
    REQUIRE(text != NULL);
    memset(text, 'a', SIZE);
    text[SIZE] = 0;
    REQUIRE(ebb_recipe_set(recipe, "prompt", text, &error) == EBB_INVALID);
    REQUIRE(strstr(error.message, "too long") && strstr(error.message, "4095"));
    free(text);
    ebb_recipe_destroy(&recipe);
}

// ---- folders that do not fit together ----

TEST(parts_that_are_missing_or_do_not_fit)
{
    scratch_make("models/tiny-riffusion");
    run("rm -r '%s/tokenizer'%s", scratch, "");
    refuse_folder(EBB_NOT_FOUND, "text_encoder folder", "no tokenizer folder");
    scratch_make("models/tiny-riffusion");
    run("rm '%s/tokenizer/merges.txt'%s", scratch, "");
    refuse_folder(EBB_NOT_FOUND, "merges.txt", "no such file");
    scratch_make("models/tiny-riffusion");
    run("rm '%s/model_index.json'%s", scratch, "");
    refuse_folder(EBB_NOT_FOUND, "no model_index.json", "text_encoder folder");
    scratch_make("models/tiny-riffusion");
    run("rm -r '%s/text_encoder'%s", scratch, "");
    refuse_folder(EBB_NOT_FOUND, "told words", "no text_encoder folder");
    scratch_make("models/tiny-riffusion");
    scratch_replace("tokenizer/vocab.json", "\"!\": 0", "\"!\": 896");
    refuse_folder(EBB_CORRUPT, "897 tokens", "knows 896");
    scratch_make("models/tiny-riffusion");
    scratch_replace("text_encoder/config.json", "\"vocab_size\": 896", "\"vocab_size\": 895");
    refuse_folder(EBB_CORRUPT, "token_embedding", "(895, 16)");
    scratch_make("models/tiny-riffusion");
    scratch_replace("model_index.json", "StableDiffusionPipeline", "StableDiffusionXLPipeline");
    refuse_folder(EBB_UNSUPPORTED, "model_index.json", "StableDiffusionXLPipeline");
    scratch_remove();
}

TEST_MAIN
