// A model that holds its student: who makes a sound, and that joins are the teacher's.
#include <string.h>

#include "engine.h"
#include "../model/scratch.h"

static struct ebb_model *with_student(void)
{
    scratch_student();
    return open_at(scratch);
}

static struct ebb_generate_params defaults(void)
{
    struct ebb_generate_params p;
    ebb_generate_params_default(&p);
    p.phase_iterations = 1;
    p.label = 0;
    return p;
}

TEST(left_open_it_is_the_student)
{
    struct ebb_model *model = with_student(), *plain = open_tiny("tiny-sfx");
    struct ebb_generate_params open = defaults(), student = open, third = open;
    student.student = EBB_STUDENT_YES;
    third.label = 2; // class 2, and what the student is: so many steps of DDIM without guidance
    third.sampler = "ddim";
    third.steps = 3;
    third.guidance = 1;
    REQUIRE(ebb_model_info(model)->student_steps == 3 && ebb_model_info(plain)->student_steps == 0);
    REQUIRE(same(model, &open, plain, &third));
    REQUIRE(same(model, &student, plain, &third));
    student.sampler = "ddim"; // what it does anyway may be said
    student.steps = 3;
    student.guidance = 1;
    REQUIRE(same(model, &student, plain, &third));
    ebb_model_close(&plain);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(other_settings_are_the_teachers)
{
    struct ebb_model *model = with_student(), *plain = open_tiny("tiny-sfx");
    struct ebb_generate_params a = defaults(), b = a;
    a.steps = b.steps = 5;
    b.guidance = 1; // with two labels and no class for none there is nothing to guide away from
    REQUIRE(same(model, &a, plain, &b));
    a = b = defaults();
    a.student = EBB_STUDENT_NO;
    b.guidance = 1;
    REQUIRE(same(model, &a, plain, &b));
    ebb_model_close(&plain);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(what_a_student_does_not_know_is_refused)
{
    struct ebb_model *model = with_student(), *plain = open_tiny("tiny-sfx");
    struct ebb_generate_params p = defaults();
    struct ebb_error error;
    int shape[4];
    p.student = EBB_STUDENT_YES;
    REQUIRE(ebb_generate_latents(plain, &p, NULL, 0, shape, &error) == EBB_UNSUPPORTED);
    REQUIRE(strstr(error.message, "no student"));
    p.steps = 4;
    REQUIRE(ebb_generate_latents(model, &p, NULL, 0, shape, &error) == EBB_INVALID);
    REQUIRE(strstr(error.message, "3 steps of ddim"));
    p = defaults();
    p.student = EBB_STUDENT_YES;
    p.sampler = "euler";
    REQUIRE(ebb_generate_latents(model, &p, NULL, 0, shape, &error) == EBB_INVALID);
    p = defaults();
    p.label = -1; // no class for that
    p.student = EBB_STUDENT_YES;
    REQUIRE(ebb_generate_latents(model, &p, NULL, 0, shape, &error) == EBB_INVALID);
    ebb_model_close(&plain);
    ebb_model_close(&model);
    scratch_remove();
}

// The first window of a long sound is the student's own; the second is held to its neighbours, and the teacher's.
TEST(joins_are_the_teachers)
{
    struct ebb_model *model = with_student();
    struct ebb_generate_params a = defaults(), b;
    a.seconds = 4;
    b = a;
    b.student = EBB_STUDENT_YES;
    REQUIRE(same(model, &a, model, &b));
    b.sampler = "ddim"; // not a setting of the joins
    b.steps = 3;
    b.guidance = 1;
    REQUIRE(same(model, &a, model, &b));
    b = a;
    b.student = EBB_STUDENT_NO;
    REQUIRE(!same(model, &a, model, &b));
    ebb_model_close(&model);
    scratch_remove();
}

static struct ebb_model *with_times(void)
{
    scratch_make("models/tiny-sfx");
    scratch_replace("ebb.json", "\"guidance\": 2.0", "\"guidance\": 2.0, \"guidance_from\": 0.4, \"guidance_to\": 0.8");
    return open_at(scratch);
}

TEST(guidance_acts_when_the_model_recommends)
{
    struct ebb_model *model = with_times(), *plain = open_tiny("tiny-sfx");
    struct ebb_generate_params open = defaults(), times = open, from = open, both = open;
    times.guidance_from = 0.4;
    times.guidance_to = 0.8;
    REQUIRE(same(model, &open, plain, &times));
    REQUIRE(!same(model, &open, plain, &open));
    from.guidance_from = 0.4; // next to a number: to the end
    both.guidance_from = 0.4;
    both.guidance_to = 1;
    REQUIRE(same(model, &from, plain, &both));
    ebb_model_close(&plain);
    ebb_model_close(&model);
    scratch_remove();
}

TEST_MAIN
