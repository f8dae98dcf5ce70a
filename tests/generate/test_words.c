// SPDX-License-Identifier: LGPL-2.1-or-later
// Models with labels that are told words as well, against diffusers' loop (tests/golden/make_words.py). The
// vector of a prompt stands in the place of a class.
#include <jansson.h>
#include <math.h>

#include "../model/scratch.h"
#include "model/known_words.h"
#include "model/settle.h"
#include "prompt_cases.h"
#include "tiny_model.h"

enum { LATENTS = 4 * 16 * 32 };

// tiny-sfx with the text encoder of the golden files.
static void make_folder(void)
{
    char from[700];
    snprintf(from, sizeof(from), "%s/golden/words", getenv("EBB_TEST_DATA"));
    scratch_make("models/tiny-sfx");
    run("cp -r '%s/text_encoder' '%s/'", from, scratch);
    run("cp -r '%s/tokenizer' '%s/'", from, scratch);
}

static struct ebb_model *open_words(void)
{
    make_folder();
    return open_at(scratch);
}

static void latents_of_recipe(struct ebb_model *model, const struct ebb_recipe *recipe, float values[LATENTS])
{
    int shape[4];
    REQUIRE_OK(ebb_generate_latents(model, recipe, values, LATENTS, shape, NULL, e));
    REQUIRE(shape[0] == 1 && shape[1] == 4 && shape[2] == 16 && shape[3] == 32);
}

static void compare(struct ebb_model *model, const char *name, json_t *settings)
{
    float values[LATENTS], want[LATENTS];
    char path[700];
    snprintf(path, sizeof(path), "%s/golden/words/%s.f32", getenv("EBB_TEST_DATA"), name);
    FILE *file = fopen(path, "rb");
    REQUIRE(file);
    REQUIRE(fread(want, sizeof(float), LATENTS, file) == LATENTS && fgetc(file) == EOF);
    fclose(file);
    struct ebb_recipe *recipe = recipe_of_case("noise=torch seed=42 steps=10 sampler=ddim", settings);
    latents_of_recipe(model, recipe, values);
    double worst = 0, size = 0;
    for (int i = 0; i < LATENTS; i++) {
        worst = larger(worst, isfinite(values[i]) ? fabs((double)values[i] - want[i]) : INFINITY);
        size = larger(size, fabs(want[i]));
    }
    printf("# %s: %.1e\n", name, worst / size);
    REQUIRE_NEAR(worst / size, 0, 1e-4, name);
    ebb_recipe_destroy(&recipe);
}

TEST(latents_are_those_of_diffusers)
{
    char path[700];
    const char *name;
    json_t *settings;
    snprintf(path, sizeof(path), "%s/golden/words/cases.json", getenv("EBB_TEST_DATA"));
    json_t *cases = json_load_file(path, 0, NULL);
    REQUIRE(cases);
    struct ebb_model *model = open_words();
    json_object_foreach(cases, name, settings) compare(model, name, settings);
    json_decref(cases);
    ebb_model_close(&model);
    scratch_remove();
}

static bool same_latents(struct ebb_model *a, const char *one, struct ebb_model *b, const char *two)
{
    float x[LATENTS], y[LATENTS];
    struct ebb_recipe *first = generating(one), *second = generating(two);
    latents_of_recipe(a, first, x);
    latents_of_recipe(b, second, y);
    ebb_recipe_destroy(&first);
    ebb_recipe_destroy(&second);
    return memcmp(x, y, sizeof(x)) == 0;
}

// A text encoder beside a model of labels changes nothing for whom asks for labels.
TEST(labels_are_as_without_words)
{
    static const char *const recipes[] = {
        "steps=3 seed=5 label=kick",
        "steps=3 seed=5 label=kick guidance=3 negative=wind",
        "steps=3 seed=5 label=rain:2,wind:1 guidance=2",
        "steps=3 seed=5 label=bell guidance=0",
        "steps=3 seed=5 label=bell guidance=1",
        "steps=3 seed=5",
    };
    struct ebb_model *words = open_words(), *plain = open_tiny("tiny-sfx");
    REQUIRE(ebb_model_info(words)->prompt && ebb_model_info(words)->label_count == 4);
    for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++)
        if (!same_latents(words, recipes[i], plain, recipes[i]))
            TEST_FAIL("%s", recipes[i]);
    ebb_model_close(&words);
    ebb_model_close(&plain);
    scratch_remove();
}

// The text encoder's weights are read when the first prompt comes: damage to them is no label's concern.
TEST(weights_of_words_wait_for_a_prompt)
{
    struct ebb_error error = {0};
    float values[LATENTS];
    make_folder();
    scratch_replace("ebb.json", "\"sha256\": {",
                    "\"sha256\": {\"text_encoder/model.safetensors\": "
                    "\"0000000000000000000000000000000000000000000000000000000000000000\",");
    struct ebb_model *words = open_at(scratch), *plain = open_tiny("tiny-sfx");
    REQUIRE(same_latents(words, "steps=3 seed=5 label=kick", plain, "steps=3 seed=5 label=kick"));
    struct ebb_recipe *recipe = generating("steps=1 prompt=rain");
    int shape[4];
    REQUIRE(ebb_generate_latents(words, recipe, values, LATENTS, shape, NULL, &error) == EBB_CORRUPT);
    printf("# %s\n", error.message);
    REQUIRE(strstr(error.message, "text_encoder"));
    REQUIRE(same_latents(words, "steps=3 seed=6 label=kick", plain, "steps=3 seed=6 label=kick"));
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&words);
    ebb_model_close(&plain);
    scratch_remove();
}

TEST(guidance_and_paths_of_words)
{
    struct ebb_model *m = open_words();
    const char *prompt = "steps=3 prompt=rain";
    REQUIRE(!same_latents(m, prompt, m, "steps=3 prompt=wind"));
    REQUIRE(!same_latents(m, prompt, m, "steps=3 label=rain"));
    REQUIRE(same_latents(m, "steps=3 prompt=rain negative-prompt=wind guidance=0", m,
                         "steps=3 prompt=wind guidance=1"));
    REQUIRE(same_latents(m, "steps=3 noise=torch prompt=rain negative=wind guidance=0", m,
                         "steps=3 noise=torch label=wind guidance=1"));
    REQUIRE(same_latents(m, "steps=3 prompt=rain guidance=0", m, "steps=3 label=none guidance=1"));
    REQUIRE(same_latents(m, "steps=3 prompt=rain to-prompt=wind share=0", m, prompt));
    REQUIRE(same_latents(m, "steps=3 prompt=rain to-prompt=wind share=1", m, "steps=3 prompt=wind"));
    REQUIRE(!same_latents(m, "steps=3 prompt=rain to-prompt=wind share=0.5", m, prompt));
    ebb_model_close(&m);
    scratch_remove();
}

TEST(a_prompt_beside_a_label_is_refused)
{
    struct ebb_error error = {0};
    struct ebb_model *model = open_words();
    struct ebb_recipe *recipe = generating("label=rain prompt=wind");
    REQUIRE(ebb_model_settle(model, recipe, &error) == EBB_INVALID && strstr(error.message, "exclude"));
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(a_vector_of_another_width_is_refused)
{
    struct ebb_error error = {0};
    make_folder();
    scratch_replace("text_encoder/config.json", "\"projection_dim\": 32", "\"projection_dim\": 16");
    struct ebb_model *model = ebb_model_open(scratch, &error);
    printf("# %s\n", error.message);
    REQUIRE(!model && error.code == EBB_CORRUPT);
    scratch_remove();
}

// ---- what sounds were called ----

static char heard[1000];

static void hear(void *user, enum ebb_log_level level, const char *message)
{
    (void)user;
    if (level == EBB_LOG_WARNING)
        snprintf(heard, sizeof(heard), "%s", message);
}

static struct ebb_model *open_heard(void)
{
    static const struct ebb_log log = {.write = hear};
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("cpu", 1, &log, &error);
    struct ebb_model *model = device ? ebb_model_open(scratch, &error) : NULL;
    if (!model || ebb_model_load(model, device, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
    ebb_device_destroy(&device);
    return model;
}

static void name_prompts(void)
{
    scratch_replace("ebb.json", "\"name\": \"rain\",",
                    "\"name\": \"rain\", \"prompts\": [\"rain on a roof\", \"drizzle\"],");
    scratch_replace("ebb.json", "\"no_label\"", "\"prompts\": [\"typing on a keyboard\"], \"no_label\"");
}

static void listen_to(struct ebb_model *model, const char *prompt)
{
    float values[LATENTS];
    struct ebb_recipe *recipe = generating("steps=1");
    *heard = 0;
    REQUIRE_OK(ebb_recipe_set(recipe, "prompt", prompt, e));
    latents_of_recipe(model, recipe, values);
    ebb_recipe_destroy(&recipe);
}

TEST(an_unknown_word_is_told_with_the_nearest_prompt)
{
    make_folder();
    name_prompts();
    struct ebb_model *model = open_heard();
    const struct ebb_label *rain = ebb_model_label(model, 0);
    REQUIRE(rain->prompt_count == 2 && ebb_model_label(model, 1)->prompt_count == 0);
    REQUIRE_STRING(rain->prompts[1], "drizzle");
    listen_to(model, "A BELL on the Roof");
    REQUIRE(!*heard);
    listen_to(model, "typing on a trombone");
    printf("# %s\n", heard);
    REQUIRE(strstr(heard, "\"trombone\"") && strstr(heard, "likeness"));
    listen_to(model, "Drizzle, quick");
    REQUIRE(strstr(heard, "\"quick\""));
    listen_to(model, "br\xc3\xbcllen");
    REQUIRE(strstr(heard, "\"br\xc3\xbcllen\""));
    listen_to(model, "BR\xc3\x9cLLEN");
    REQUIRE(strstr(heard, "\"br\xc3\xbcllen\""));
    listen_to(model, "\xe2\x80\x9c"                              // the literal ends, as D would go on with it
                     "Drizzle\xe2\x80\x9d \xe2\x80\x94 a bell"); // quoted, and a dash
    REQUIRE(!*heard);
    ebb_model_close(&model);
    scratch_remove();
}

// Guidance and kind of a prompt are those of the label whose sounds were called so.
static bool is_event(struct ebb_model *model, const char *prompt, double *guidance)
{
    static struct ebb_settled settled;
    struct ebb_recipe *recipe = generating("");
    REQUIRE_OK(ebb_recipe_set(recipe, "prompt", prompt, e));
    REQUIRE_OK(ebb_settle_whole(model, recipe, &settled, e));
    ebb_recipe_destroy(&recipe);
    *guidance = settled.guidance.scale;
    return ebb_settled_is_event(model, &settled);
}

TEST(a_prompt_takes_after_the_label_that_it_speaks_of)
{
    double guidance;
    make_folder();
    name_prompts();
    scratch_replace("ebb.json", "\"kind\": \"texture\"", "\"guidance\": 5, \"kind\": \"texture\"");
    struct ebb_model *model = open_heard();
    REQUIRE(!is_event(model, "heavy drizzle", &guidance) && guidance == 5);
    REQUIRE(is_event(model, "a bell", &guidance) && guidance == 2);
    REQUIRE(is_event(model, "on the trombone", &guidance) && guidance == 2);
    REQUIRE(ebb_find_label_of_words(model, "rain, and a bell on a roof") == 0);
    REQUIRE(ebb_find_label_of_words(model, "") == -1);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(the_nearest_vector_is_seen_from_the_mean)
{
    static const float vectors[3][2] = {{101, 100}, {100, 101}, {99, 99}};
    const float asked[2] = {100.2F, 102};
    double cosine;
    REQUIRE(ebb_find_nearest(vectors[0], 3, 2, asked, &cosine) == 1);
    REQUIRE_NEAR(cosine, 2 / sqrt(0.04 + 4), 1e-5, "cosine");
}

TEST(lists_of_prompts_that_are_none)
{
    static const char *const lists[] = {"\"drizzle\"", "[1]", "[null]"};
    for (int i = 0; i < 3; i++) {
        char list[100];
        struct ebb_error error = {0};
        make_folder();
        snprintf(list, sizeof(list), "\"name\": \"rain\", \"prompts\": %s,", lists[i]);
        scratch_replace("ebb.json", "\"name\": \"rain\",", list);
        struct ebb_model *model = ebb_model_open(scratch, &error);
        printf("# %s\n", error.message);
        REQUIRE(!model && error.code == EBB_CORRUPT && strstr(error.message, "prompts"));
    }
    scratch_make("models/tiny-sfx");
    name_prompts();
    struct ebb_error error = {0};
    REQUIRE(!ebb_model_open(scratch, &error) && strstr(error.message, "no text encoder"));
    scratch_remove();
}

TEST_MAIN
