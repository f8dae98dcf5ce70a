// SPDX-License-Identifier: LGPL-2.1-or-later
// Models that are told an encoding of sound, against diffusers (tests/golden/make_encoded.py).
#include <math.h>

#include "../model/scratch.h"
#include "../nets/npy.h"
#include "tiny_model.h"

enum { LATENTS = 16 * 16, WIDTH = 5 };

static const char *golden(const char *name)
{
    static char path[700];
    snprintf(path, sizeof(path), "%s/golden/encoded/%s", getenv("EBB_TEST_DATA"), name);
    return path;
}

static struct ebb_recipe *asking(const char *words, const char *path)
{
    struct ebb_recipe *recipe = generating(words);
    REQUIRE_OK(ebb_recipe_set(recipe, "encoding", path, e));
    return recipe;
}

static void make_state(struct ebb_model *model, const char *path, float latents[LATENTS])
{
    int shape[4];
    struct ebb_recipe *recipe = asking("noise=torch seed=42 steps=6", path);
    REQUIRE_OK(ebb_generate_latents(model, recipe, latents, LATENTS, shape, NULL, e));
    ebb_recipe_destroy(&recipe);
}

static void compare(struct ebb_model *model, const char *encoding, const char *latents)
{
    int shape[4];
    size_t count = 0;
    float got[LATENTS], *want = npy_read(golden(latents), shape, &count);
    double difference = 0, reference = 0;
    REQUIRE(want && count == LATENTS);
    make_state(model, golden(encoding), got);
    for (int i = 0; i < LATENTS; i++) {
        difference = larger(difference, isfinite(got[i]) ? fabs((double)got[i] - want[i]) : INFINITY);
        reference = larger(reference, fabs(want[i]));
    }
    free(want);
    printf("# %s: %.2e\n", encoding, difference / reference);
    REQUIRE_NEAR(difference / reference, 0, 1e-5, encoding);
}

TEST(latents_are_those_of_diffusers)
{
    static const char *const devices[] = {"cpu", "ref"};
    for (int i = 0; i < 2; i++) {
        struct ebb_model *model = open_tiny("tiny-encoded");
        struct ebb_device *device = ebb_device_create(devices[i], 1, NULL, NULL);
        REQUIRE(device != NULL);
        REQUIRE_OK(ebb_model_load(model, device, e));
        compare(model, "one.npy", "one-latents.npy");
        compare(model, "three.npy", "three-latents.npy");
        ebb_model_close(&model);
        ebb_device_destroy(&device);
    }
}

// ---- files ----

static void write_npy(const char *type, const char *shape, const void *data, size_t size)
{
    char header[200];
    int length = snprintf(header, sizeof(header), "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n",
                          type, shape);
    FILE *file = fopen(scratch_path("x.npy"), "wb");
    REQUIRE(file != NULL);
    REQUIRE(fwrite("\x93NUMPY\x01", 1, 7, file) == 7 && fputc(0, file) == 0);
    REQUIRE(fputc(length & 255, file) >= 0 && fputc(length >> 8, file) >= 0);
    REQUIRE(fwrite(header, 1, (size_t)length, file) == (size_t)length);
    REQUIRE(fwrite(data, 1, size, file) == size);
    REQUIRE(fclose(file) == 0);
}

// The same numbers in other shapes and in double precision are the same encoding.
TEST(shapes_and_types_of_an_encoding)
{
    double twice[WIDTH];
    float want[LATENTS], got[LATENTS], values[WIDTH];
    struct ebb_model *model = open_tiny("tiny-encoded");
    FILE *file = fopen(golden("one.npy"), "rb");
    REQUIRE(file && fseek(file, -(long)sizeof(values), SEEK_END) == 0);
    REQUIRE(fread(values, sizeof(float), WIDTH, file) == WIDTH && fclose(file) == 0);
    for (int i = 0; i < WIDTH; i++)
        twice[i] = values[i];
    make_state(model, golden("one.npy"), want);
    scratch_make(NULL);
    static const char *const shapes[] = {"(5,)", "(1, 5)", "(1, 1, 5)"};
    for (int i = 0; i < 3; i++) {
        write_npy("<f4", shapes[i], values, sizeof(values));
        make_state(model, scratch_path("x.npy"), got);
        REQUIRE(memcmp(got, want, sizeof(got)) == 0);
        write_npy("<f8", shapes[i], twice, sizeof(twice));
        make_state(model, scratch_path("x.npy"), got);
        REQUIRE(memcmp(got, want, sizeof(got)) == 0);
    }
    ebb_model_close(&model);
    scratch_remove();
}

static void refused(struct ebb_model *model, const char *path, enum ebb_result code, const char *word)
{
    int shape[4];
    float latents[LATENTS];
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = asking("seed=1 steps=1", path);
    if (ebb_generate_latents(model, recipe, latents, LATENTS, shape, NULL, &error) == EBB_OK)
        TEST_FAIL("%s: accepted, expected \"%s\"", path, word);
    printf("# %s\n", error.message);
    if (error.code != code || !strstr(error.message, word))
        TEST_FAIL("expected %s with \"%s\"", ebb_result_name(code), word);
    ebb_recipe_destroy(&recipe);
}

static void refused_file(struct ebb_model *model, const char *type, const char *shape, const void *data,
                         size_t size, enum ebb_result code, const char *word)
{
    write_npy(type, shape, data, size);
    refused(model, scratch_path("x.npy"), code, word);
}

TEST(files_that_are_no_encoding)
{
    const float numbers[12] = {0}, infinite[5] = {0, INFINITY};
    struct ebb_model *model = open_tiny("tiny-encoded");
    scratch_make(NULL);
    refused(model, scratch_path("none.npy"), EBB_NOT_FOUND, "none.npy");
    refused(model, scratch_path("."), EBB_WRONG_TYPE, "folder");
    refused_file(model, "<f4", "(1, 2, 6)", numbers, 48, EBB_INVALID, "(tokens, 5)");
    refused_file(model, "<f4", "(2, 1, 5)", numbers, 40, EBB_INVALID, "(tokens, 5)");
    refused_file(model, "<f4", "(2, 5)", numbers, 39, EBB_CORRUPT, "cut short");
    refused_file(model, "<f4", "(5,)", infinite, 20, EBB_CORRUPT, "not finite");
    refused_file(model, "<i4", "(5,)", numbers, 20, EBB_UNSUPPORTED, "float32");
    refused_file(model, "<f4", "()", numbers, 20, EBB_INVALID, "(tokens, 5)");
    refused_file(model, "<f4", "(0, 5)", numbers, 20, EBB_UNSUPPORTED, "shape");
    refused_file(model, "<f4", "(-1, 5)", numbers, 20, EBB_UNSUPPORTED, "shape");
    refused_file(model, "<f4", "(99999999999, 99999999999, 5)", numbers, 20, EBB_UNSUPPORTED, "shape");
    refused_file(model, "<f4", "(1, 1, 1, 1, 5)", numbers, 20, EBB_UNSUPPORTED, "shape");
    refused_file(model, "<f4", "(5", numbers, 20, EBB_UNSUPPORTED, "shape");
    FILE *file = fopen(scratch_path("x.npy"), "wb");
    REQUIRE(file && fputs("hello, this is a text", file) >= 0 && fclose(file) == 0);
    refused(model, scratch_path("x.npy"), EBB_WRONG_TYPE, "not a .npy");
    ebb_model_close(&model);
    scratch_remove();
}

// ---- what such a model takes ----

static void unsettled(struct ebb_model *model, const char *words, enum ebb_result code, const char *word)
{
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = generating(words);
    if (ebb_model_settle(model, recipe, &error) == EBB_OK)
        TEST_FAIL("%s: accepted", words);
    printf("# %s\n", error.message);
    if (error.code != code || !strstr(error.message, word))
        TEST_FAIL("%s: expected %s with \"%s\"", words, ebb_result_name(code), word);
    ebb_recipe_destroy(&recipe);
}

TEST(such_a_model_says_what_it_takes)
{
    struct ebb_model *model = open_tiny("tiny-encoded"), *other = open_tiny("tiny-sfx"),
                     *words = open_tiny("tiny-riffusion");
    REQUIRE(ebb_model_info(model)->encoding == WIDTH && !ebb_model_info(model)->prompt);
    REQUIRE(ebb_model_info(other)->encoding == 0 && ebb_model_info(words)->encoding == 0);
    unsettled(model, "seed=1", EBB_INVALID, "5 numbers");
    unsettled(model, "prompt=rain", EBB_INVALID, "not asked in words");
    unsettled(model, "encoding=x.npy guidance=2", EBB_UNSUPPORTED, "guide away");
    unsettled(other, "encoding=x.npy", EBB_INVALID, "by labels");
    unsettled(words, "encoding=x.npy", EBB_INVALID, "use prompt");
    ebb_model_close(&model);
    ebb_model_close(&other);
    ebb_model_close(&words);
}

TEST_MAIN
