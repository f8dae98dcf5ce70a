// SPDX-License-Identifier: LGPL-2.1-or-later
// Sounds of models with a vocoder against those of diffusers' pipelines. GOLDEN is the folder of golden
// files, which a test defines before it includes this.
#ifndef EBB_TEST_VOCODER_PIPELINE_H
#define EBB_TEST_VOCODER_PIPELINE_H

#include <jansson.h>
#include <math.h>

#include "../model/scratch.h"
#include "../nets/npy.h"
#include "prompt_cases.h"
#include "tiny_model.h"

enum { MOST = 2048 };

static void golden(char path[700], const char *name)
{
    snprintf(path, 700, "%s/golden/" GOLDEN "/%s", getenv("EBB_TEST_DATA"), name);
}

static json_t *read_cases(void)
{
    char path[700];
    golden(path, "cases.json");
    json_t *root = json_load_file(path, 0, NULL);
    if (!root)
        TEST_FAIL("%s", path);
    return root;
}

static float *read_golden(const char *name, const char *suffix, int shape[4], size_t *count)
{
    char file[100], path[700];
    snprintf(file, sizeof(file), "%s%s", name, suffix);
    golden(path, file);
    return npy_read(path, shape, count);
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

// In 16 bits, 10 of a number are kept.
static double tolerance(const struct ebb_model *model, double bound)
{
    return strstr(ebb_device_description(ebb_model_device(model)), "16-bit") ? 1e-2 : bound;
}

// Latents have diffusers' shape, in which time goes down.
static void compare(struct ebb_model *model, const char *name, json_t *settings)
{
    int shape[4], want_shape[4];
    size_t count = 0;
    float values[MOST], *want = read_golden(name, ".npy", want_shape, &count);
    REQUIRE(want && count <= MOST);
    struct ebb_recipe *recipe = recipe_of_case("noise=torch seed=42 steps=6", settings);
    REQUIRE_OK(ebb_generate_latents(model, recipe, NULL, 0, shape, NULL, e));
    REQUIRE(memcmp(shape, want_shape, sizeof(shape)) == 0);
    REQUIRE_OK(ebb_generate_latents(model, recipe, values, count, shape, NULL, e));
    double wrong = difference_of(values, want, count);
    printf("# %s, %d columns: %.2e\n", name, shape[2], wrong);
    REQUIRE_NEAR(wrong, 0, tolerance(model, 1e-5), name);
    ebb_recipe_destroy(&recipe);
    free(want);
}

static void compare_on(const char *folder, const char *backend)
{
    struct ebb_error error = {0};
    json_t *cases = read_cases(), *settings;
    const char *name;
    struct ebb_device *device = ebb_device_create(backend, 1, NULL, &error);
    if (!device && strcmp(backend, "vulkan") == 0 && !getenv("EBB_REQUIRE_VULKAN"))
        SKIP("%s", error.message);
    if (!device)
        TEST_FAIL("%s", error.message);
    struct ebb_model *model = open_tiny(folder);
    REQUIRE_OK(ebb_model_load(model, device, e));
    json_object_foreach(cases, name, settings) compare(model, name, settings);
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    json_decref(cases);
}

// On the device of EBB_TEST_DEVICE, or on those without a driver.
static void compare_all(const char *folder)
{
    const char *asked = getenv("EBB_TEST_DEVICE");
    compare_on(folder, asked ? asked : "cpu");
    if (!asked)
        compare_on(folder, "ref");
}

// A sound of diffusers as ours is: below full scale.
static float *read_sound(const char *name, const char *suffix, size_t *count)
{
    const float most = 0.89f;
    int shape[4];
    float *sound = read_golden(name, suffix, shape, count), peak = 0;
    REQUIRE(sound && *count > 0 && *count <= MOST);
    for (size_t i = 0; i < *count; i++)
        peak = fabsf(sound[i]) > peak ? fabsf(sound[i]) : peak;
    for (size_t i = 0; i < *count && peak > most; i++)
        sound[i] *= most / peak;
    return sound;
}

// The largest difference of ours and diffusers' sounds; and of both from the exact ones, as the root of the
// sum of squares over the sounds.
struct sound_errors {
    double apart, ours, theirs;
};

// diffusers' sound, cut to the length that was asked for. Ours has its ends faded.
static void compare_sound(struct ebb_model *model, const char *name, json_t *settings,
                          struct sound_errors *errors)
{
    enum { FADE = 10 }; // samples
    size_t count = 0, exact_count = 0;
    float *want = read_sound(name, ".wave.npy", &count),
          *exact = read_sound(name, ".exact.npy", &exact_count);
    float got[MOST];
    struct ebb_recipe *recipe = recipe_of_case("noise=torch seed=42 steps=6", settings);
    REQUIRE(exact_count == count && count > 2 * FADE && ebb_generate_length(model, recipe, NULL) == count);
    REQUIRE_OK(ebb_generate(model, recipe, got, count, NULL, e));
    size_t inner = count - 2 * FADE;
    double apart = difference_of(got + FADE, want + FADE, inner),
           ours = difference_of(got + FADE, exact + FADE, inner),
           theirs = difference_of(want + FADE, exact + FADE, inner);
    printf("# %s: %zu samples, from PyTorch's %.2e; from the exact %.2e, PyTorch's %.2e\n", name, count,
           apart, ours, theirs);
    ebb_recipe_destroy(&recipe);
    free(want);
    free(exact);
    *errors = (struct sound_errors){fmax(errors->apart, apart), hypot(errors->ours, ours),
                                    hypot(errors->theirs, theirs)};
}

// Guidance and a vocoder at full scale make much of a rounding, in PyTorch as here: where the two are further
// apart than 1e-5, ours must be about as near to the sounds in double precision as PyTorch's own in single.
// That is asked of all sounds together: how near a single one comes is chance, and differs by a fifth between
// two builds of the same code.
static void require_near(struct ebb_model *model, const struct sound_errors *errors)
{
    if (errors->apart > tolerance(model, 1e-5))
        REQUIRE_NEAR(errors->ours, 0, 1.5 * errors->theirs, "all sounds");
}

#endif
