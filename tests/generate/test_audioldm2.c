// SPDX-License-Identifier: LGPL-2.1-or-later
// AudioLDM 2, against diffusers' pipeline (tests/golden/make_audioldm2.py).
#define GOLDEN "audioldm2"
#include "vocoder_pipeline.h"

TEST(latents_are_those_of_diffusers)
{
    compare_all("tiny-audioldm2");
}

TEST(the_sound_is_that_of_the_vocoder)
{
    json_t *cases = read_cases();
    struct ebb_model *model = open_tiny("tiny-audioldm2");
    struct sound_errors errors = {0};
    compare_sound(model, "longer", json_object_get(cases, "longer"), &errors);
    require_near(model, &errors);
    ebb_model_close(&model);
    json_decref(cases);
}

TEST(such_a_model_says_what_it_takes)
{
    struct ebb_model *model = open_tiny("tiny-audioldm2");
    const struct ebb_model_info *info = ebb_model_info(model);
    REQUIRE(info->prompt && info->latent && info->guidance == 3.5 && info->steps == 200);
    ebb_model_close(&model);
}

// ---- between two prompts ----

enum { LATENTS = 2 * 8 * 4 };

static void make_sound(struct ebb_model *model, const char *words, float *latents)
{
    int shape[4];
    struct ebb_recipe *recipe = generating("noise=torch seed=42 steps=2");
    char copy[200], *rest = copy, *setting;
    snprintf(copy, sizeof(copy), "%s", words);
    while ((setting = strsep(&rest, ";"))) {
        char *value = strchr(setting, '=');
        REQUIRE(value);
        *value = 0;
        REQUIRE_OK(ebb_recipe_set(recipe, setting, value + 1, e));
    }
    REQUIRE_OK(ebb_generate_latents(model, recipe, latents, LATENTS, shape, NULL, e));
    ebb_recipe_destroy(&recipe);
}

static double apart(struct ebb_model *model, const char *words, const char *others)
{
    float a[LATENTS], b[LATENTS];
    make_sound(model, words, a);
    make_sound(model, others, b);
    return difference_of(a, b, LATENTS);
}

// At its ends the way between two prompts is each of them, though their lengths differ.
TEST(the_way_between_prompts_has_the_prompts_at_its_ends)
{
    struct ebb_model *model = open_tiny("tiny-audioldm2");
    const char *to = "prompt=Rain on a tin roof;guidance=1";
    REQUIRE_NEAR(apart(model, "prompt=Glass;to-prompt=Rain on a tin roof;share=1;guidance=1", to), 0, 0, "1");
    REQUIRE_NEAR(apart(model, "prompt=Glass;to-prompt=Rain on a tin roof;share=0.999999;guidance=1", to), 0,
                 1e-4, "nearly 1");
    REQUIRE(apart(model, "prompt=Glass;to-prompt=Rain on a tin roof;share=0.5;guidance=1", to) > 0.01);
    ebb_model_close(&model);
}

// A prompt's own encoding does not depend on what was asked before.
TEST(prompts_do_not_remember_each_other)
{
    struct ebb_model *model = open_tiny("tiny-audioldm2"), *other = open_tiny("tiny-audioldm2");
    float a[LATENTS], b[LATENTS];
    make_sound(model, "prompt=a dog barks twice behind the closed door;negative-prompt=wind", a);
    make_sound(model, "prompt=wind;negative-prompt=a dog barks twice behind the closed door", a);
    make_sound(other, "prompt=wind;negative-prompt=a dog barks twice behind the closed door", b);
    REQUIRE(memcmp(a, b, sizeof(a)) == 0);
    ebb_model_close(&model);
    ebb_model_close(&other);
}

// ---- folders that do not fit ----

TEST(parts_that_are_missing)
{
    static const char *const parts[] = {"text_encoder",     "text_encoder_2", "tokenizer", "tokenizer_2",
                                        "projection_model", "language_model", "vocoder"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        scratch_make("models/tiny-audioldm2");
        run("rm -r '%s/%s'", scratch, parts[i]);
        refuse_folder(EBB_NOT_FOUND, parts[i], "folder");
    }
    scratch_remove();
}

TEST(parts_that_do_not_fit)
{
    char path[700];
    scratch_make("models/tiny-audioldm2");
    golden(path, "../text/language/projection_model");
    run("rm -r '%s/projection_model'%s", scratch, "");
    run("cp -r '%s' '%s/projection_model'", path, scratch);
    refuse_folder(EBB_CORRUPT, "text_encoder", "expected 6");
    scratch_make("models/tiny-audioldm2");
    scratch_replace("model_index.json", "AudioLDM2Pipeline", "AudioLDMPipeline");
    refuse_folder(EBB_UNSUPPORTED, "two texts", "AudioLDM2Pipeline");
    scratch_remove();
}

TEST_MAIN
