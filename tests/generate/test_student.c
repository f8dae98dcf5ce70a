// SPDX-License-Identifier: LGPL-2.1-or-later
// A model with a student: when the student makes a sound, and that the teacher makes the joining windows.
#include <string.h>

#include "tiny_model.h"
#include "../model/scratch.h"

// Noise of version 1 is the same for all labels, so that one label's sound can be compared with another's.
#define RAIN "phase-iterations=1 noise-version=1 label=rain "

static struct ebb_model *with_student(void)
{
    scratch_student();
    return open_at(scratch);
}

TEST(left_open_it_is_the_student)
{
    struct ebb_model *model = with_student(), *plain = open_tiny("tiny-sfx");
    // Class 2 without guidance, in the student's steps of DDIM, is what the student does.
    const char *third = RAIN "label=wind sampler=ddim steps=3 guidance=1";
    REQUIRE(ebb_model_info(model)->student_steps == 3 && ebb_model_info(plain)->student_steps == 0);
    REQUIRE(same(model, RAIN, plain, third));
    REQUIRE(same(model, RAIN "student=true", plain, third));
    REQUIRE(same(model, RAIN "student=true sampler=ddim steps=3 guidance=1", plain, third)); // which it does
                                                                                             // anyway
    ebb_model_close(&plain);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(other_settings_are_the_teachers)
{
    struct ebb_model *model = with_student(), *plain = open_tiny("tiny-sfx");
    // With two labels and no class for none there is nothing to guide away from.
    REQUIRE(same(model, RAIN "steps=5", plain, RAIN "steps=5 guidance=1"));
    REQUIRE(same(model, RAIN "student=false", plain, RAIN "guidance=1"));
    ebb_model_close(&plain);
    ebb_model_close(&model);
    scratch_remove();
}

TEST(what_a_student_does_not_know_is_refused)
{
    struct ebb_model *model = with_student(), *plain = open_tiny("tiny-sfx");
    struct ebb_error error;
    REQUIRE(refusal(plain, RAIN "student=true", &error) == EBB_UNSUPPORTED &&
            strstr(error.message, "no student"));
    REQUIRE(refusal(model, RAIN "student=true steps=4", &error) == EBB_INVALID &&
            strstr(error.message, "3 steps of ddim"));
    REQUIRE(refusal(model, RAIN "student=true sampler=euler", &error) == EBB_INVALID);
    REQUIRE(refusal(model, "student=true", &error) == EBB_INVALID); // no class for no label
    ebb_model_close(&plain);
    ebb_model_close(&model);
    scratch_remove();
}

// The first window of a long sound is the student's own; the second is held to its neighbours, and the
// teacher's.
TEST(joins_are_the_teachers)
{
    struct ebb_model *model = with_student();
    const char *open = RAIN "seconds=4";
    REQUIRE(same(model, open, model, RAIN "seconds=4 student=true"));
    REQUIRE(same(model, open, model, RAIN "seconds=4 student=true sampler=ddim steps=3 guidance=1")); // not
                                                                                                      // of
                                                                                                      // the
                                                                                                      // joins
    REQUIRE(!same(model, open, model, RAIN "seconds=4 student=false"));
    ebb_model_close(&model);
    scratch_remove();
}

static struct ebb_model *with_times(void)
{
    scratch_make("models/tiny-sfx");
    scratch_replace("ebb.json", "\"guidance\": 2.0",
                    "\"guidance\": 2.0, \"guidance_from\": 0.4, \"guidance_to\": 0.8");
    return open_at(scratch);
}

TEST(guidance_acts_when_the_model_recommends)
{
    struct ebb_model *model = with_times(), *plain = open_tiny("tiny-sfx");
    REQUIRE(same(model, RAIN, plain, RAIN "guidance-from=0.4 guidance-to=0.8"));
    REQUIRE(!same(model, RAIN, plain, RAIN));
    REQUIRE(same(model, RAIN "guidance-from=0.4", plain, RAIN "guidance-from=0.4 guidance-to=1")); // to the
                                                                                                   // end
    ebb_model_close(&plain);
    ebb_model_close(&model);
    scratch_remove();
}

TEST_MAIN
