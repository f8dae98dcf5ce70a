// What is left open is filled in as the sound itself is made, and what a model recommends for a label is for that label.
#include <math.h>

#include "engine.h"
#include "../model/scratch.h"

static struct ebb_model *with_guidance(void)
{
    scratch_make("models/tiny-sfx");
    scratch_replace("ebb.json", "\"name\": \"kick\",", "\"name\": \"kick\", \"guidance\": 3.5,");
    return open_at(scratch);
}

static struct ebb_generate_params of_label(int label)
{
    struct ebb_generate_params p;
    ebb_generate_params_default(&p);
    p.phase_iterations = 1;
    p.label = label;
    return p;
}

TEST(a_label_has_its_own_guidance)
{
    struct ebb_model *model = with_guidance(), *plain = open_tiny("tiny-sfx");
    REQUIRE(ebb_model_label(model, 1)->guidance == 3.5 && ebb_model_label(model, 0)->guidance == 2);
    REQUIRE(ebb_model_label(plain, 1)->guidance == 2);
    struct ebb_generate_params rain = of_label(0), kick = of_label(1), said = kick;
    said.guidance = 3.5;
    REQUIRE(same(model, &rain, plain, &rain));
    REQUIRE(same(model, &kick, plain, &said));
    REQUIRE(!same(model, &kick, plain, &kick));
    said.guidance = 2; // what is asked for counts
    REQUIRE(same(model, &said, plain, &kick));
    ebb_model_close(&plain);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(a_mixture_has_the_mean_of_its_labels)
{
    struct ebb_model *model = with_guidance();
    struct ebb_generate_params open = of_label(-1), said;
    open.mix_count = 2;
    open.mix[0] = (struct ebb_mix){.label = 0, .share = 1};
    open.mix[1] = (struct ebb_mix){.label = 1, .share = 2};
    said = open;
    said.guidance = 3;
    REQUIRE(same(model, &open, model, &said));
    REQUIRE_OK(ebb_generate_settle(model, &open, e));
    REQUIRE(open.guidance == 3);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(settled_params_make_the_same_sound)
{
    struct ebb_model *model = with_guidance();
    const struct ebb_model_info *info = ebb_model_info(model);
    struct ebb_generate_params open = of_label(1), settled;
    settled = open;
    settled.phase_iterations = -1;
    REQUIRE_OK(ebb_generate_settle(model, &settled, e));
    REQUIRE(settled.student == EBB_STUDENT_NO && settled.guidance == 3.5 && settled.steps == info->steps);
    REQUIRE(settled.guidance_from == info->guidance_from && settled.guidance_to == info->guidance_to);
    REQUIRE(strcmp(settled.sampler, info->sampler) == 0 && settled.phase_iterations == 16);
    settled.phase_iterations = open.phase_iterations;
    REQUIRE(same(model, &open, model, &settled));

    open = of_label(-1); // nothing to be guided to
    REQUIRE_OK(ebb_generate_settle(model, &open, e));
    REQUIRE(open.guidance == 1);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(a_students_settings_are_its_own)
{
    scratch_student();
    struct ebb_model *model = open_at(scratch);
    struct ebb_generate_params open = of_label(0), other = open, settled = open;
    REQUIRE_OK(ebb_generate_settle(model, &settled, e));
    REQUIRE(settled.student == EBB_STUDENT_YES && settled.steps == 3 && strcmp(settled.sampler, "ddim") == 0);
    REQUIRE(settled.guidance == 1 && settled.guidance_from == 0 && settled.guidance_to == 1);
    REQUIRE(same(model, &open, model, &settled));
    REQUIRE_OK(ebb_generate_settle(model, &settled, e)); // nothing is left to do
    other.steps = 4;
    REQUIRE_OK(ebb_generate_settle(model, &other, e));
    REQUIRE(other.student == EBB_STUDENT_NO && other.steps == 4);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(what_is_refused_stays_as_it_was)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_generate_params p = of_label(1), before;
    struct ebb_error error = {0};
    p.sampler = "eulre";
    before = p;
    REQUIRE(ebb_generate_settle(model, &p, &error) == EBB_NOT_FOUND && strstr(error.message, "eulre"));
    REQUIRE(p.steps == 0 && isnan(p.guidance) && p.student == before.student && p.sampler == before.sampler);
    p = of_label(9);
    REQUIRE(ebb_generate_settle(model, &p, &error) == EBB_INVALID && strstr(error.message, "label 9"));
    ebb_model_close(&model);
}

TEST_MAIN
