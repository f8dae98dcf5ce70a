// SPDX-License-Identifier: LGPL-2.1-or-later
// Settling a recipe gives open settings the values with which the sound is made; a label's recommendation
// holds for that label.
#include <math.h>

#include "tiny_model.h"
#include "../model/scratch.h"

#define QUICK "phase-iterations=1 "

static struct ebb_model *with_guidance(void)
{
    scratch_make("models/tiny-sfx");
    scratch_replace("ebb.json", "\"name\": \"kick\",", "\"name\": \"kick\", \"guidance\": 3.5,");
    return open_at(scratch);
}

static struct ebb_recipe *settled(struct ebb_model *model, enum ebb_verb verb, const char *words)
{
    struct ebb_recipe *recipe = recipe_of(verb, words);
    REQUIRE_OK(ebb_model_settle(model, recipe, e));
    return recipe;
}

static void require_text(const struct ebb_recipe *recipe, const char *name, const char *want)
{
    if (!ebb_recipe_has(recipe, name) || strcmp(ebb_recipe_text(recipe, name), want) != 0)
        TEST_FAIL("%s is \"%s\", not \"%s\"", name, ebb_recipe_text(recipe, name), want);
}

TEST(a_label_has_its_own_guidance)
{
    struct ebb_model *model = with_guidance(), *plain = open_tiny("tiny-sfx");
    REQUIRE(ebb_model_label(model, 1)->guidance == 3.5 && ebb_model_label(model, 0)->guidance == 2);
    REQUIRE(ebb_model_label(plain, 1)->guidance == 2);
    REQUIRE(same(model, QUICK "label=rain", plain, QUICK "label=rain"));
    REQUIRE(same(model, QUICK "label=kick", plain, QUICK "label=kick guidance=3.5"));
    REQUIRE(!same(model, QUICK "label=kick", plain, QUICK "label=kick"));
    REQUIRE(same(model, QUICK "label=kick guidance=2", plain, QUICK "label=kick")); // what is asked for
                                                                                    // counts
    ebb_model_close(&plain);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(a_mixture_has_the_mean_of_its_labels)
{
    struct ebb_model *model = with_guidance();
    REQUIRE(same(model, QUICK "label=rain:1,kick:2", model, QUICK "label=rain:1,kick:2 guidance=3"));
    struct ebb_recipe *recipe = settled(model, EBB_VERB_GENERATE, "label=rain:1,kick:2");
    REQUIRE(ebb_recipe_number(recipe, "guidance") == 3);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
    scratch_remove();
}

// As people write them.
TEST(blanks_around_a_label_are_none_of_it)
{
    static const struct {
        const char *label, *negative;
        double guidance;
    } cases[] = {{"rain:1, kick:2 ", " wind", 3}, {"rain : 1 ,  kick: 2", "wind ", 3}, {" kick ", "", 3.5}};
    struct ebb_model *model = with_guidance();
    for (int i = 0; i < 3; i++) {
        struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
        REQUIRE_OK(ebb_recipe_set(recipe, "label", cases[i].label, e));
        REQUIRE_OK(ebb_recipe_set(recipe, "negative", cases[i].negative, e));
        REQUIRE_OK(ebb_model_settle(model, recipe, e));
        REQUIRE(ebb_recipe_number(recipe, "guidance") == cases[i].guidance);
        ebb_recipe_destroy(&recipe);
    }
    ebb_model_close(&model);
    scratch_remove();
}

TEST(a_settled_recipe_makes_the_same_sound)
{
    struct ebb_model *model = with_guidance();
    const struct ebb_model_info *info = ebb_model_info(model);
    struct ebb_recipe *recipe = settled(model, EBB_VERB_GENERATE, QUICK "label=kick");
    require_text(recipe, "guidance", "3.5");
    require_text(recipe, "sampler", info->sampler);
    REQUIRE(ebb_recipe_number(recipe, "steps") == info->steps && !ebb_recipe_has(recipe, "student"));
    REQUIRE(ebb_recipe_number(recipe, "guidance-from") == info->guidance_from);
    REQUIRE(ebb_recipe_number(recipe, "guidance-to") == info->guidance_to);
    require_text(recipe, "seed", "0");
    require_text(recipe, "model", "tiny-sfx");
    require_text(recipe, "model-sha256", info->hash);
    require_text(recipe, "noise-version", "2");
    require_text(recipe, "version", ebb_version());

    size_t count;
    float *want = make(model, QUICK "label=kick", &count), *got = calloc(count, sizeof(float));
    REQUIRE(got);
    REQUIRE_OK(ebb_generate(model, recipe, got, count, NULL, e));
    REQUIRE(memcmp(want, got, count * sizeof(float)) == 0);
    struct ebb_recipe *again = ebb_recipe_copy(recipe);
    REQUIRE_OK(ebb_model_settle(model, again, e)); // nothing is left to do
    REQUIRE(ebb_recipe_same(recipe, again));
    ebb_recipe_destroy(&again);
    ebb_recipe_destroy(&recipe);

    recipe = settled(model, EBB_VERB_GENERATE, ""); // nothing to be guided to
    require_text(recipe, "guidance", "1");
    ebb_recipe_destroy(&recipe);
    free(want);
    free(got);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(a_students_settings_are_its_own)
{
    scratch_student();
    struct ebb_model *model = open_at(scratch);
    struct ebb_recipe *recipe = settled(model, EBB_VERB_GENERATE, QUICK "label=rain");
    require_text(recipe, "student", "true");
    require_text(recipe, "steps", "3");
    require_text(recipe, "sampler", "ddim");
    REQUIRE(ebb_recipe_number(recipe, "guidance") == 1 && ebb_recipe_number(recipe, "guidance-to") == 1);
    REQUIRE_OK(ebb_model_settle(model, recipe, e)); // nothing is left to do
    ebb_recipe_destroy(&recipe);
    recipe = settled(model, EBB_VERB_GENERATE, QUICK "label=rain steps=4");
    REQUIRE(!ebb_recipe_has(recipe, "student"));
    require_text(recipe, "steps", "4");
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
    scratch_remove();
}

// The scheduler's "variance_type", unless the recipe says which; other samplers have no use for it.
TEST(a_recipes_variance_counts_over_the_schedulers)
{
    scratch_make("models/tiny-direct");
    scratch_replace("scheduler/scheduler_config.json", "fixed_small", "fixed_large");
    struct ebb_model *small = open_tiny("tiny-direct"), *large = open_at(scratch);
    REQUIRE(same(small, QUICK "variance=fixed-small", small, QUICK));
    REQUIRE(same(small, QUICK "variance=fixed-large", large, QUICK));
    REQUIRE(same(large, QUICK "variance=fixed-small", small, QUICK));
    REQUIRE(!same(large, QUICK, small, QUICK));
    REQUIRE(same(small, QUICK "variance=fixed-large sampler=ddim", small, QUICK "sampler=ddim"));
    struct ebb_recipe *recipe = settled(small, EBB_VERB_STREAM, "variance=fixed-large");
    require_text(recipe, "variance", "fixed-large");
    ebb_recipe_destroy(&recipe);
    struct ebb_error error = {0};
    REQUIRE(refusal(small, "variance=fixed-lage", &error) == EBB_NOT_FOUND &&
            strstr(error.message, "fixed-large"));
    ebb_model_close(&small);
    ebb_model_close(&large);
    scratch_remove();
}

static bool fades(struct ebb_model *model, const char *words, const char *fade)
{
    struct ebb_recipe *recipe = generating(words);
    REQUIRE_OK(ebb_model_settle(model, recipe, e));
    bool same = strcmp(ebb_recipe_has(recipe, "fade") ? ebb_recipe_text(recipe, "fade") : "", fade) == 0;
    REQUIRE_OK(ebb_model_settle(model, recipe, e)); // again: it is the same recipe
    same = same && strcmp(ebb_recipe_has(recipe, "fade") ? ebb_recipe_text(recipe, "fade") : "", fade) == 0;
    ebb_recipe_destroy(&recipe);
    return same;
}

TEST(an_event_that_is_cut_short_fades)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    REQUIRE(fades(model, "label=kick seconds=0.8", "0.1"));
    REQUIRE(fades(model, "label=kick seconds=0.2", "0.05"));
    REQUIRE(fades(model, "label=kick", "") && fades(model, "label=kick seconds=4", ""));
    REQUIRE(fades(model, "label=rain seconds=0.8", ""));
    REQUIRE(fades(model, "label=kick seconds=0.8 fade=0.01", "0.01"));
    REQUIRE(fades(model, "label=kick seconds=0.8 loop=true", ""));
    // A recipe from before there was a fade ends as it did.
    REQUIRE(fades(model, "label=kick seconds=0.8 noise-version=2", ""));
    REQUIRE(same(model, "label=kick seconds=0.8 noise-version=2", model, "label=kick seconds=0.8 fade=0.01"));
    REQUIRE(!same(model, "label=kick seconds=0.8", model, "label=kick seconds=0.8 fade=0.01"));
    REQUIRE(same(model, "label=kick seconds=0.8", model, "label=kick seconds=0.8 fade=0.1"));
    ebb_model_close(&model);
}

TEST(a_fade_is_a_raised_cosine_at_the_end)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    size_t count, same_count;
    float *plain = make(model, "label=rain seconds=1 fade=0", &count),
          *faded = make(model, "label=rain seconds=1 fade=0.25", &same_count);
    REQUIRE(count == 48000 && same_count == count);
    for (size_t i = 0; i < count; i++) {
        double left = (double)(count - 1 - i) + 0.5,
               want = left < 12000 ? 0.5 - 0.5 * cos(M_PI * left / 12000) : 1;
        REQUIRE(fabs(faded[i] - want * plain[i]) < 1e-6);
    }
    free(plain);
    free(faded);
    ebb_model_close(&model);
}

TEST(a_stream_has_the_models_label)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_recipe *recipe = settled(model, EBB_VERB_STREAM, "");
    require_text(recipe, "label", "rain");
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
}

TEST(an_edit_settles_where_it_starts)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_recipe *recipe = settled(model, EBB_VERB_EDIT, "from=1 to=2 label=rain");
    require_text(recipe, "t", "1");
    require_text(recipe, "resample", "4"); // the surroundings go on
    ebb_recipe_destroy(&recipe);
    recipe = settled(model, EBB_VERB_EDIT, "vary=30");
    require_text(recipe, "t", "0.9");
    require_text(recipe, "steps", "50");
    require_text(recipe, "sampler", "ddim");
    require_text(recipe, "guidance", "1");
    require_text(recipe, "resample", "1");
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
}

TEST(a_denoiser_settles_its_t)
{
    struct ebb_model *model = open_tiny("tiny-denoise");
    struct ebb_recipe *recipe = settled(model, EBB_VERB_DENOISE, "");
    require_text(recipe, "t", "0.4");
    require_text(recipe, "steps", "2");
    require_text(recipe, "sampler", "ddim");
    ebb_recipe_destroy(&recipe);
    recipe = settled(model, EBB_VERB_DENOISE, "auto-t=true");
    REQUIRE(!ebb_recipe_has(recipe, "t"));
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
}

TEST(what_is_refused_stays_as_it_was)
{
    struct ebb_model *model = open_tiny("tiny-sfx"), *cleaner = open_tiny("tiny-denoise");
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = generating("label=snow");
    REQUIRE(ebb_model_settle(model, recipe, &error) == EBB_NOT_FOUND && strstr(error.message, "snow"));
    REQUIRE(!ebb_recipe_has(recipe, "steps") && !ebb_recipe_has(recipe, "guidance") &&
            !ebb_recipe_has(recipe, "model"));
    REQUIRE(ebb_model_settle(cleaner, recipe, &error) == EBB_WRONG_TYPE);
    ebb_recipe_destroy(&recipe);
    recipe = ebb_recipe_create(EBB_VERB_DENOISE);
    REQUIRE(ebb_model_settle(model, recipe, &error) == EBB_WRONG_TYPE && strstr(error.message, "tiny-sfx"));
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
    ebb_model_close(&cleaner);
}

// ---- precision ----

static char heard[8][256];
static int heard_count;

static void hear(void *user, enum ebb_log_level level, const char *message)
{
    (void)user;
    (void)level;
    if (strncmp(message, "precision", 9) == 0 && heard_count < 8)
        snprintf(heard[heard_count++], sizeof(heard[0]), "%s", message);
}

static struct ebb_model *on(const char *device)
{
    static const struct ebb_log log = {.write = hear};
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_device *there = ebb_device_create(device, 1, &log, NULL);
    REQUIRE(there);
    REQUIRE_OK(ebb_model_load(model, there, e));
    ebb_device_destroy(&there);
    heard_count = 0;
    return model;
}

// cpu:plain has the definition of bfloat16 on every machine.
TEST(bf16_is_asked_for_and_heard)
{
    struct ebb_model *model = on("cpu:plain");
    REQUIRE(same(model, QUICK "seed=1", model, QUICK "seed=1 precision=fp32"));
    REQUIRE(!same(model, QUICK "seed=1", model, QUICK "seed=1 precision=bf16"));
    REQUIRE(heard_count == 0);
    REQUIRE(same(model, QUICK "seed=1 precision=bf16", model, QUICK "seed=1 precision=auto"));
    REQUIRE(heard_count == 1 && strstr(heard[0], "bf16") && strstr(heard[0], "differs by"));
    ebb_model_close(&model);
}

TEST(a_device_without_bf16_says_so_and_makes_the_sound)
{
    struct ebb_model *model = on("ref");
    REQUIRE(same(model, QUICK "seed=1 steps=2", model, QUICK "seed=1 steps=2 precision=bf16"));
    REQUIRE(heard_count == 1 && strstr(heard[0], "float32"));
    ebb_model_close(&model);
    struct ebb_recipe *recipe = recipe_of(EBB_VERB_GENERATE, "");
    struct ebb_error error = {0};
    REQUIRE(ebb_recipe_set(recipe, "precision", "fp8", &error) != EBB_OK && strstr(error.message, "bf16"));
    ebb_recipe_destroy(&recipe);
}

TEST_MAIN
