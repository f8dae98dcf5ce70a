// Classifier guidance: that it is PyTorch's loop, that it leads to the label, and that it is nothing when it is off.
#include "engine.h"

#include "backend/buffer.h"
#include "graph/plan.h"
#include "model/folder.h"
#include "model/scratch.h"

static struct ebb_generate_params led(int label, double scale)
{
    struct ebb_generate_params p;
    ebb_generate_params_default(&p);
    p.label = label;
    p.steps = 10;
    p.classifier_guidance = scale;
    return p;
}

static float *latents(struct ebb_model *model, const struct ebb_generate_params *p, size_t *count)
{
    int shape[4];
    REQUIRE_OK(ebb_generate_latents(model, p, NULL, 0, shape, e));
    *count = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
    float *x = calloc(*count, sizeof(float));
    REQUIRE(x);
    REQUIRE_OK(ebb_generate_latents(model, p, x, *count, shape, e));
    return x;
}

static bool same_latents(struct ebb_model *a, const struct ebb_generate_params *p, struct ebb_model *b, const struct ebb_generate_params *q)
{
    size_t m, n;
    float *x = latents(a, p, &m), *y = latents(b, q, &n);
    bool equal = m == n && memcmp(x, y, n * sizeof(float)) == 0;
    free(x);
    free(y);
    return equal;
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

static void compare(struct ebb_model *model, const char *golden, struct ebb_generate_params p)
{
    char path[600];
    size_t count;
    p.noise = EBB_NOISE_TORCH;
    p.seed = 42;
    p.sampler = "ddim";
    float *got = latents(model, &p, &count), *want = calloc(count, sizeof(float));
    snprintf(path, sizeof(path), "%s/golden/%s", getenv("EBB_TEST_DATA"), golden);
    FILE *file = fopen(path, "rb");
    REQUIRE(file && want && fread(want, sizeof(float), count, file) == count && fgetc(file) == EOF);
    fclose(file);
    double worst = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs((double)got[i] - want[i]));
        size = fmax(size, fabs(want[i]));
    }
    printf("# %s: %.1e of %.2f\n", golden, worst / size, size);
    REQUIRE_NEAR(worst / size, 0, 1e-4, golden);
    free(got);
    free(want);
}

TEST(alone_it_is_the_loop_of_pytorch)
{
    struct ebb_model *model = open_tiny("tiny-led");
    compare(model, "latents-led.f32", led(1, 5));
    ebb_model_close(&model);
}

TEST(beside_classifier_free_guidance_it_is_the_loop_of_pytorch)
{
    struct ebb_model *model = open_both();
    struct ebb_generate_params p = led(2, 5);
    p.guidance = 2;
    compare(model, "latents-led-guided.f32", p);
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
    float *turned = calloc(channels * pixels, sizeof(float)), *time = calloc((size_t)ebb_classifier_time_input(c), sizeof(float));
    float scores[16], target[16] = {0};
    for (size_t k = 0; k < channels; k++)
        for (size_t i = 0; i < pixels; i++)
            turned[i * channels + k] = x[k * pixels + i];
    struct ebb_graph *graph = ebb_graph_create();
    REQUIRE(labels <= 16 && ebb_classifier_build(c, graph, 1, model->state[1], model->state[2], &error) == EBB_OK);
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

static double led_to(struct ebb_model *model, int label, double scale, const char *sampler)
{
    size_t count;
    struct ebb_generate_params p = led(label, scale);
    p.sampler = sampler;
    if (scale == 0 && !model->classes)
        p.label = -1;
    float *x = latents(model, &p, &count);
    double value = log_probability(model, x, label);
    free(x);
    return value;
}

TEST(the_label_becomes_likelier)
{
    struct ebb_model *models[] = {open_tiny("tiny-led"), open_both()};
    for (int i = 0; i < 2; i++) {
        for (int label = 0; label < 4; label++) {
            double off = led_to(models[i], label, 0, NULL), some = led_to(models[i], label, 3, NULL);
            double more = led_to(models[i], label, 30, NULL);
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
    EBB_EACH_SAMPLER(sampler) {
        struct ebb_generate_params p = led(1, 0);
        struct ebb_error error = {0};
        int shape[4];
        float x[4 * 32 * 64];
        p.sampler = sampler->name;
        p.label = -1;
        if (ebb_generate_latents(model, &p, x, 4 * 32 * 64, shape, &error) == EBB_UNSUPPORTED)
            continue; // one for consistency models
        double off = led_to(model, 1, 0, p.sampler), on = led_to(model, 1, 10, p.sampler);
        printf("# %-20s %.3f -> %.3f\n", p.sampler, off, on);
        REQUIRE(on > off);
        led_count++;
    }
    REQUIRE(led_count >= 20);
    ebb_model_close(&model);
}

TEST(a_mixture_is_led_by_its_shares)
{
    struct ebb_model *model = open_tiny("tiny-led");
    struct ebb_generate_params one = led(1, 5), mixed = led(-1, 5), both = mixed;
    mixed.mix_count = 1;
    mixed.mix[0] = (struct ebb_mix){1, 3};
    REQUIRE(same_latents(model, &one, model, &mixed));
    both.mix_count = 2;
    both.mix[0] = (struct ebb_mix){1, 1};
    both.mix[1] = (struct ebb_mix){2, 1};
    REQUIRE(!same_latents(model, &one, model, &both));
    ebb_model_close(&model);
}

TEST(it_acts_within_its_times_only)
{
    struct ebb_model *model = open_both();
    struct ebb_generate_params never = led(1, 8), off = led(1, 0), late = led(1, 8), always = late;
    off.guidance = never.guidance = late.guidance = always.guidance = 1;
    never.guidance_to = 0;
    late.guidance_to = 0.5;
    REQUIRE(same_latents(model, &never, model, &off));
    REQUIRE(!same_latents(model, &late, model, &off));
    REQUIRE(!same_latents(model, &late, model, &always));
    ebb_model_close(&model);
}

TEST(off_it_is_nothing)
{
    struct ebb_model *with = open_both(), *without = open_tiny("tiny-sfx");
    struct ebb_generate_params p = led(1, 0), on = led(1, 4), defaults;
    ebb_generate_params_default(&defaults);
    REQUIRE(defaults.classifier_guidance == 0);
    REQUIRE(ebb_model_info(with)->classifier && !ebb_model_info(without)->classifier);
    REQUIRE(strcmp(ebb_model_info(with)->hash, ebb_model_info(without)->hash) != 0);
    REQUIRE(same_latents(with, &p, without, &p));
    REQUIRE(!same_latents(with, &on, without, &p));
    REQUIRE(same_latents(with, &p, without, &p)); // and leaves nothing behind
    REQUIRE(same_latents(with, &on, with, &on));
    ebb_model_close(&with);
    ebb_model_close(&without);
}

TEST(a_stream_is_led_too)
{
    struct ebb_model *model = open_both();
    struct ebb_stream_params p;
    struct ebb_error error = {0};
    float *made[2] = {NULL, NULL};
    size_t count = 0;
    for (int i = 0; i < 2; i++) {
        ebb_stream_params_default(&p);
        p.label = 0; // a texture: windows held to their neighbours
        p.steps = 2;
        p.classifier_guidance = i ? 10 : 0;
        struct ebb_stream *stream = ebb_stream_create(model, &p, &error);
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

static void refuse(struct ebb_model *model, const struct ebb_generate_params *p, enum ebb_result code, const char *words)
{
    struct ebb_error error = {0};
    int shape[4];
    float x;
    if (ebb_generate_latents(model, p, &x, 1, shape, &error) != code || !strstr(error.message, words))
        TEST_FAIL("%d \"%s\", expected %d \"%s\"", (int)error.code, error.message, (int)code, words);
    REQUIRE(ebb_generate_length(model, p) == 0);
}

TEST(what_makes_no_sense_is_refused)
{
    struct ebb_model *led_model = open_tiny("tiny-led"), *plain = open_tiny("tiny-sfx");
    const double wrong[] = {-1, NAN, INFINITY, 1001};
    for (int i = 0; i < 4; i++) {
        struct ebb_generate_params p = led(1, wrong[i]);
        refuse(led_model, &p, EBB_INVALID, "classifier guidance is");
        refuse(plain, &p, EBB_INVALID, "classifier guidance is");
    }
    struct ebb_generate_params p = led(1, 2);
    refuse(plain, &p, EBB_UNSUPPORTED, "has no classifier");
    p = led(-1, 2);
    refuse(led_model, &p, EBB_INVALID, "to which label");
    p = led(4, 2);
    refuse(led_model, &p, EBB_INVALID, "4 labels");
    p = led(1, 0); // its network knows no labels
    refuse(led_model, &p, EBB_UNSUPPORTED, "only classifier guidance leads to one");
    p = led(1, 2);
    p.guidance = 3;
    refuse(led_model, &p, EBB_UNSUPPORTED, "no class for \"no label\"");
    ebb_model_close(&led_model);
    ebb_model_close(&plain);
}

TEST_MAIN
