// SPDX-License-Identifier: LGPL-2.1-or-later
// Classifier guidance equals PyTorch's, leads to the label, and changes nothing at scale 0.
#include "tiny_model.h"

#include "backend/buffer.h"
#include "graph/plan.h"
#include "model/model.h"
#include "model/scratch.h"

enum { ROOM = 1 << 16 };

static bool same_latents(struct ebb_model *a, const char *p, struct ebb_model *b, const char *q)
{
    static float x[ROOM], y[ROOM];
    size_t m = latents_of(a, p, x, ROOM), n = latents_of(b, q, y, ROOM);
    return m == n && memcmp(x, y, n * sizeof(float)) == 0;
}

// tiny-sfx with the classifier of tiny-led: a network that knows labels beside one that leads to them.
static struct ebb_model *open_both(void)
{
    struct ebb_error error = {0};
    scratch_make("models/tiny-sfx");
    run("cp -r '%s/models/tiny-led/classifier' '%s/classifier'", getenv("EBB_TEST_DATA"), scratch);
    struct ebb_device *device = ebb_device_create("cpu", 1, NULL, &error);
    struct ebb_model *model = ebb_model_open(scratch, &error);
    if (!device || !model || ebb_model_load(model, device, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
    ebb_device_destroy(&device);
    scratch_remove();
    return model;
}

// ---- PyTorch's loop ----

static void compare(struct ebb_model *model, const char *golden, const char *words)
{
    static float got[ROOM], want[ROOM];
    char path[600], all[200];
    snprintf(all, sizeof(all), "noise=torch seed=42 sampler=ddim steps=10 %s", words);
    size_t count = latents_of(model, all, got, ROOM);
    snprintf(path, sizeof(path), "%s/golden/%s", getenv("EBB_TEST_DATA"), golden);
    FILE *file = fopen(path, "rb");
    REQUIRE(file && fread(want, sizeof(float), count, file) == count && fgetc(file) == EOF);
    fclose(file);
    double worst = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        worst = larger(worst, fabs((double)got[i] - want[i]));
        size = larger(size, fabs(want[i]));
    }
    printf("# %s: %.1e of %.2f\n", golden, worst / size, size);
    REQUIRE_NEAR(worst / size, 0, 1e-4, golden);
}

TEST(alone_it_is_the_loop_of_pytorch)
{
    struct ebb_model *model = open_tiny("tiny-led");
    compare(model, "latents-led.f32", "label=kick classifier-guidance=5");
    ebb_model_close(&model);
}

TEST(beside_classifier_free_guidance_it_is_the_loop_of_pytorch)
{
    struct ebb_model *model = open_both();
    compare(model, "latents-led-guided.f32", "label=wind classifier-guidance=5 guidance=2");
    ebb_model_close(&model);
}

// ---- what it does ----

// log p(label) of a state (1, c, h, w), at little noise.
static double log_probability(struct ebb_model *model, const float *x, int label)
{
    struct ebb_error error = {0};
    const struct ebb_classifier *c = model->classifier;
    size_t channels = (size_t)model->state[0], pixels = (size_t)model->state[1] * (size_t)model->state[2];
    int labels = ebb_classifier_labels(c);
    float *turned = calloc(channels * pixels, sizeof(float)),
          *time = calloc((size_t)ebb_classifier_time_input(c), sizeof(float));
    float scores[16], target[16] = {0};
    for (size_t k = 0; k < channels; k++)
        for (size_t i = 0; i < pixels; i++)
            turned[i * channels + k] = x[k * pixels + i];
    struct ebb_graph *graph = ebb_graph_create();
    REQUIRE(labels <= 16 &&
            ebb_classifier_build(c, graph, 1, model->state[1], model->state[2], &error) == EBB_OK);
    struct ebb_plan *plan = ebb_plan_create(model->device, graph, &error);
    struct ebb_buffer *in = ebb_buffer_create(model->device, channels * pixels, &error);
    struct ebb_buffer *out[] = {ebb_buffer_create(model->device, channels * pixels, &error),
                                ebb_buffer_create(model->device, (size_t)labels, &error)};
    ebb_classifier_embed(c, 50, time);
    REQUIRE(plan && ebb_plan_steps(plan, 1, (const float *const[]){time, target}, &error) == EBB_OK);
    REQUIRE(ebb_buffer_write(in, 0, turned, channels * pixels, &error) == EBB_OK);
    REQUIRE(ebb_plan_run(plan, 0, &in, out, &error) == EBB_OK);
    REQUIRE(ebb_buffer_read(out[1], 0, scores, (size_t)labels, &error) == EBB_OK);
    double total = 0;
    for (int i = 0; i < labels; i++)
        total += exp(scores[i]);
    ebb_buffer_destroy(&in);
    ebb_buffer_destroy(&out[0]);
    ebb_buffer_destroy(&out[1]);
    ebb_plan_destroy(&plan);
    free(turned);
    free(time);
    return scores[label] - log(total);
}

static double led_to(struct ebb_model *model, int label, double scale, int steps, const char *more)
{
    static float x[ROOM];
    char words[200];
    bool none = scale == 0 && !model->classes;
    snprintf(words, sizeof(words), "steps=%d noise-version=1 label=%s classifier-guidance=%g %s", steps,
             none ? "none" : ebb_model_label(model, label)->name, scale, more);
    latents_of(model, words, x, ROOM);
    return log_probability(model, x, label);
}

TEST(the_label_becomes_likelier)
{
    struct ebb_model *models[] = {open_tiny("tiny-led"), open_both()};
    for (int i = 0; i < 2; i++) {
        for (int label = 0; label < 4; label++) {
            double off = led_to(models[i], label, 0, 10, ""), some = led_to(models[i], label, 3, 10, "");
            double more = led_to(models[i], label, 30, 10, "");
            printf("# log p(%d): %.3f, guided by 3: %.3f, by 30: %.3f\n", label, off, some, more);
            REQUIRE(some > off && more > off);
        }
        ebb_model_close(&models[i]);
    }
}

TEST(every_sampler_is_led)
{
    struct ebb_model *model = open_tiny("tiny-led");
    int led_count = 0;
    EBB_EACH_SAMPLER (sampler) {
        struct ebb_error error;
        char words[100];
        snprintf(words, sizeof(words), "sampler=%s steps=1", sampler->name);
        struct ebb_recipe *recipe = generating(words);
        int shape[4];
        static float x[4 * 32 * 64];
        enum ebb_result result = ebb_generate_latents(model, recipe, x, 4 * 32 * 64, shape, NULL, &error);
        ebb_recipe_destroy(&recipe);
        if (result == EBB_UNSUPPORTED)
            continue; // one for consistency models
        snprintf(words, sizeof(words), "sampler=%s", sampler->name);
        double off = led_to(model, 1, 0, 3, words), on = led_to(model, 1, 10, 3, words);
        printf("# %-20s %.3f -> %.3f\n", sampler->name, off, on);
        REQUIRE(on > off);
        led_count++;
    }
    REQUIRE(led_count >= 20);
    ebb_model_close(&model);
}

TEST(a_mixture_is_led_by_its_shares)
{
    struct ebb_model *model = open_tiny("tiny-led");
    const char *one = "steps=10 classifier-guidance=5 label=kick";
    REQUIRE(same_latents(model, one, model, "steps=10 classifier-guidance=5 label=kick:3"));
    REQUIRE(!same_latents(model, one, model, "steps=10 classifier-guidance=5 label=kick:1,wind:1"));
    ebb_model_close(&model);
}

TEST(it_acts_within_its_times_only)
{
    struct ebb_model *model = open_both();
    const char *off = "steps=10 label=kick guidance=1",
               *always = "steps=10 label=kick guidance=1 classifier-guidance=8";
    const char *never = "steps=10 label=kick guidance=1 classifier-guidance=8 guidance-to=0";
    const char *late = "steps=10 label=kick guidance=1 classifier-guidance=8 guidance-to=0.5";
    REQUIRE(same_latents(model, never, model, off));
    REQUIRE(!same_latents(model, late, model, off));
    REQUIRE(!same_latents(model, late, model, always));
    ebb_model_close(&model);
}

TEST(off_it_is_nothing)
{
    struct ebb_model *with = open_both(), *without = open_tiny("tiny-sfx");
    const char *off = "steps=10 label=kick", *on = "steps=10 label=kick classifier-guidance=4";
    REQUIRE(ebb_model_info(with)->classifier && !ebb_model_info(without)->classifier);
    REQUIRE(strcmp(ebb_model_info(with)->hash, ebb_model_info(without)->hash) != 0);
    REQUIRE(same_latents(with, off, without, off));
    REQUIRE(!same_latents(with, on, without, off));
    REQUIRE(same_latents(with, off, without, off)); // and leaves nothing behind
    REQUIRE(same_latents(with, on, with, on));
    ebb_model_close(&with);
    ebb_model_close(&without);
}

TEST(a_stream_is_led_too)
{
    struct ebb_model *model = open_both();
    struct ebb_error error = {0};
    float *made[2] = {NULL, NULL};
    size_t count = 0;
    for (int i = 0; i < 2; i++) {
        // A texture: windows held to their neighbours.
        struct ebb_recipe *recipe = recipe_of(EBB_VERB_STREAM, i ? "label=rain steps=2 classifier-guidance=10"
                                                                 : "label=rain steps=2");
        struct ebb_stream *stream = ebb_stream_create(model, recipe, NULL, &error);
        ebb_recipe_destroy(&recipe);
        if (!stream)
            TEST_FAIL("%s", error.message);
        count = ebb_stream_clip_length(stream);
        made[i] = calloc(count, sizeof(float));
        REQUIRE(made[i] && ebb_stream_clip(stream, 1, made[i], count, &error) == EBB_OK);
        ebb_stream_destroy(&stream);
    }
    REQUIRE(memcmp(made[0], made[1], count * sizeof(float)) != 0);
    free(made[0]);
    free(made[1]);
    ebb_model_close(&model);
}

// ---- what makes no sense ----

static void refuse(struct ebb_model *model, const char *words, enum ebb_result code, const char *named)
{
    struct ebb_error error;
    if (refusal(model, words, &error) != code || !strstr(error.message, named))
        TEST_FAIL("%s: %s \"%s\", expected %s \"%s\"", words, ebb_result_name(error.code), error.message,
                  ebb_result_name(code), named);
}

TEST(what_makes_no_sense_is_refused)
{
    struct ebb_model *led = open_tiny("tiny-led"), *plain = open_tiny("tiny-sfx");
    const char *const wrong[] = {"-1", "nan", "inf", "1001"};
    for (int i = 0; i < 4; i++) {
        char words[100];
        snprintf(words, sizeof(words), "label=kick classifier-guidance=%s", wrong[i]);
        refuse(led, words, EBB_INVALID, "0 to 1000");
    }
    refuse(plain, "label=kick classifier-guidance=2", EBB_UNSUPPORTED, "has no classifier");
    refuse(led, "classifier-guidance=2", EBB_INVALID, "leads to a label");
    refuse(led, "label=snow classifier-guidance=2", EBB_NOT_FOUND, "4 labels");
    refuse(led, "label=kick", EBB_UNSUPPORTED, "only classifier guidance leads to one"); // its network knows
                                                                                         // no labels
    refuse(led, "label=kick classifier-guidance=2 guidance=3", EBB_UNSUPPORTED, "no class for \"no label\"");
    ebb_model_close(&led);
    ebb_model_close(&plain);
}

TEST_MAIN
