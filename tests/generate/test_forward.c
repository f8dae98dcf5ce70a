// SPDX-License-Identifier: LGPL-2.1-or-later
// The forward process on tensors: the device applies the schedule's weights.
#include "tiny_model.h"

enum { COUNT = 1000 };

TEST(draws_are_the_weighted_sum)
{
    static float x[COUNT], x0[COUNT], noise[COUNT], out[COUNT];
    struct ebb_schedule *s = ebb_schedule_create(NULL, NULL);
    for (int i = 0; i < COUNT; i++) {
        x[i] = (float)sin(i);
        x0[i] = (float)cos(3 * i);
    }
    ebb_noise_normal(3, 1, 0, noise, COUNT);
    const char *const devices[] = {"ref", "cpu"};
    for (int d = 0; d < 2; d++) {
        struct ebb_error error;
        struct ebb_device *device = ebb_device_create(devices[d], 1, NULL, &error);
        REQUIRE(device);
        const struct ebb_gaussian all[] = {ebb_schedule_forward(s, 0.2, 0.6),
                                           ebb_schedule_forward(s, 0, 1),
                                           ebb_schedule_posterior(s, 0.6, 0.2),
                                           {0, 0, 0}};
        for (int k = 0; k < 4; k++) {
            const struct ebb_gaussian *g = &all[k];
            REQUIRE_OK(ebb_gaussian_draw(device, g, x, g->x0 != 0 ? x0 : NULL, noise, out, COUNT, e));
            for (int i = 0; i < COUNT; i++)
                REQUIRE_NEAR(out[i], g->x * x[i] + g->x0 * x0[i] + g->sd * noise[i], 1e-6, devices[d]);
        }
        REQUIRE_OK(ebb_gaussian_draw(device, &(struct ebb_gaussian){1, 0, 2}, x, NULL, noise, out, COUNT, e));
        REQUIRE_NEAR(out[5], x[5] + 2 * noise[5], 1e-6, "by hand");
        REQUIRE(ebb_gaussian_draw(device, &all[0], NULL, NULL, noise, out, COUNT, &error) == EBB_INVALID);
        REQUIRE(strstr(error.message, "x is missing"));
        REQUIRE(ebb_gaussian_draw(device, &(struct ebb_gaussian){NAN, 0, 1}, x, NULL, noise, out, COUNT,
                                  &error) == EBB_INVALID);
        ebb_device_destroy(&device);
    }
    ebb_schedule_destroy(&s);
}

enum { STATE = 4 * 16 * 32 };
static float start[STATE];

static bool keep_start(void *user, const struct ebb_generate_step *step)
{
    if (step->step == 0)
        memcpy(start, step->latents, sizeof(start));
    return true;
}

// A clip starts from draw 0: the state that is watched first is that noise, bit for bit.
TEST(noise_is_the_samplers)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    static float noise[STATE], result[STATE];
    int shape[4];
    struct ebb_recipe *recipe = generating("seed=9 index=2 steps=1");
    struct ebb_hooks hooks = {sizeof(hooks), .watch = keep_start};
    REQUIRE_OK(ebb_generate_latents(model, recipe, result, STATE, shape, &hooks, e));
    ebb_recipe_destroy(&recipe);
    ebb_noise_normal(9, 2, 0, noise, STATE);
    REQUIRE(memcmp(noise, start, sizeof(noise)) == 0);
    ebb_model_close(&model);
}

// FNV-1a, written out: the hash of "rain" with its ending zero.
static uint64_t hash_of_rain(void)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < 5; i++)
        hash = (hash ^ (uint64_t) "rain"[i]) * 0x100000001b3u;
    return hash;
}

static void start_of(struct ebb_model *model, const char *words, float *noise)
{
    static float result[STATE];
    int shape[4];
    struct ebb_recipe *recipe = generating(words);
    struct ebb_hooks hooks = {sizeof(hooks), .watch = keep_start};
    REQUIRE_OK(ebb_generate_latents(model, recipe, result, STATE, shape, &hooks, e));
    ebb_recipe_destroy(&recipe);
    memcpy(noise, start, sizeof(start));
}

// Two labels with one seed start from noise of their own; recipes of version 1 keep theirs.
TEST(the_label_is_part_of_the_noise_address)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    static float rain[STATE], wind[STATE], none[STATE], want[STATE];
    start_of(model, "seed=9 index=2 steps=1 label=rain", rain);
    start_of(model, "seed=9 index=2 steps=1 label=wind", wind);
    start_of(model, "seed=9 index=2 steps=1", none);
    REQUIRE(memcmp(rain, wind, sizeof(rain)) != 0 && memcmp(rain, none, sizeof(rain)) != 0);
    ebb_noise_normal(9 ^ hash_of_rain(), 2, 0, want, STATE);
    REQUIRE(memcmp(rain, want, sizeof(rain)) == 0);
    start_of(model, "seed=9 index=2 steps=1 label=rain noise-version=1", rain);
    start_of(model, "seed=9 index=2 steps=1 label=wind noise-version=1", wind);
    REQUIRE(memcmp(rain, none, sizeof(rain)) == 0 && memcmp(wind, none, sizeof(rain)) == 0);
    ebb_model_close(&model);
}

// A mixture has noise of its own, whatever its shares and their order; a mixture of one is that label.
TEST(a_mixture_has_its_labels_noise)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    static float a[STATE], b[STATE], rain[STATE];
    start_of(model, "steps=1 label=rain:0.7,wind:0.3", a);
    start_of(model, "steps=1 label=wind:9,rain:1", b);
    start_of(model, "steps=1 label=rain", rain);
    REQUIRE(memcmp(a, b, sizeof(a)) == 0 && memcmp(a, rain, sizeof(a)) != 0);
    start_of(model, "steps=1 label=rain:3,wind:0", a);
    REQUIRE(memcmp(a, rain, sizeof(a)) == 0);
    struct ebb_error error;
    REQUIRE(refusal(model, "noise-version=3", &error) == EBB_UNSUPPORTED &&
            strstr(error.message, "version 3"));
    ebb_model_close(&model);
}

TEST_MAIN
