// SPDX-License-Identifier: LGPL-2.1-or-later
// Opens a tiny model on a device, for tests of whole calls.
#ifndef EBB_TEST_TINY_MODEL_H
#define EBB_TEST_TINY_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/ebb.h>
#include <ebb/lab.h>

#include "test.h"

static inline struct ebb_model *open_at(const char *path)
{
    const char *device_name = getenv("EBB_TEST_DEVICE");
    struct ebb_error error;
    struct ebb_device *device = ebb_device_create(device_name ? device_name : "cpu", 1, NULL, &error);
    if (!device)
        TEST_FAIL("%s", error.message);
    struct ebb_model *model = ebb_model_open(path, &error);
    if (!model)
        TEST_FAIL("%s", error.message);
    enum ebb_result result = ebb_model_load(model, device, &error);
    if (result != EBB_OK)
        TEST_FAIL("%s", error.message);
    ebb_device_destroy(&device);
    return model;
}

static inline struct ebb_model *open_tiny(const char *name)
{
    const char *data = getenv("EBB_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof(path), "%s/models/%s", data ? data : "tests", name);
    return open_at(path);
}

#define REQUIRE_OK(call)                                                                                     \
    do {                                                                                                     \
        struct ebb_error error_ = {EBB_OK, ""};                                                              \
        struct ebb_error *e = &error_;                                                                       \
        if ((call) != EBB_OK)                                                                                \
            TEST_FAIL("%s: %s", #call, error_.message);                                                      \
    } while (0)

// "label=kick seed=3" as a recipe, to be destroyed. NULL with the error filled where a word does not fit.
static inline struct ebb_recipe *read_words(enum ebb_verb verb, const char *words, struct ebb_error *error)
{
    struct ebb_recipe *recipe = ebb_recipe_create(verb);
    char copy[512], *rest = copy, *word;
    REQUIRE(recipe && strlen(words) < sizeof(copy));
    strcpy(copy, words);
    while (recipe && (word = strsep(&rest, " "))) {
        char *value = strchr(word, '=');
        if (!*word)
            continue;
        REQUIRE(value);
        *value = 0;
        if (ebb_recipe_set(recipe, word, value + 1, error) != EBB_OK)
            ebb_recipe_destroy(&recipe);
    }
    return recipe;
}

static inline struct ebb_recipe *recipe_of(enum ebb_verb verb, const char *words)
{
    struct ebb_error error;
    struct ebb_recipe *recipe = read_words(verb, words, &error);
    if (!recipe)
        TEST_FAIL("%s: %s", words, error.message);
    return recipe;
}

static inline struct ebb_recipe *generating(const char *words)
{
    return recipe_of(EBB_VERB_GENERATE, words);
}

// A sound, to be freed.
static inline float *make_heard(struct ebb_model *model, const char *words, const struct ebb_hooks *hooks,
                                size_t *count)
{
    struct ebb_recipe *recipe = generating(words);
    *count = ebb_generate_length(model, recipe, NULL);
    float *samples = calloc(*count + 1, sizeof(float));
    REQUIRE(samples);
    REQUIRE_OK(ebb_generate(model, recipe, samples, *count, hooks, e));
    ebb_recipe_destroy(&recipe);
    return samples;
}

static inline float *make(struct ebb_model *model, const char *words, size_t *count)
{
    return make_heard(model, words, NULL, count);
}

// Whether two recipes, perhaps of two models, give the same samples.
static inline bool same(struct ebb_model *one, const char *a, struct ebb_model *two, const char *b)
{
    size_t m, n;
    float *x = make(one, a, &m), *y = make(two, b, &n);
    bool equal = m == n && memcmp(x, y, n * sizeof(float)) == 0;
    free(x);
    free(y);
    return equal;
}

// The last state of the reverse process; returns its floats, at most `capacity`.
static inline size_t latents_of(struct ebb_model *model, const char *words, float *latents, size_t capacity)
{
    int shape[4];
    struct ebb_recipe *recipe = generating(words);
    REQUIRE_OK(ebb_generate_latents(model, recipe, NULL, 0, shape, NULL, e));
    size_t count = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
    REQUIRE(count <= capacity);
    REQUIRE_OK(ebb_generate_latents(model, recipe, latents, count, shape, NULL, e));
    ebb_recipe_destroy(&recipe);
    return count;
}

// What a model says of a recipe that does not fit it, or a word that does not fit the table.
static inline enum ebb_result refusal(struct ebb_model *model, const char *words, struct ebb_error *error)
{
    int shape[4];
    *error = (struct ebb_error){EBB_OK, ""};
    struct ebb_recipe *recipe = read_words(EBB_VERB_GENERATE, words, error);
    if (recipe)
        ebb_generate_latents(model, recipe, NULL, 0, shape, NULL, error);
    ebb_recipe_destroy(&recipe);
    return error->code;
}

// A progress callback that stops the call at call `stop_at`, if that is not 0.
struct count {
    int calls, stop_at;
    double last;
    bool falls;
};

static inline bool count_calls(void *user, double fraction)
{
    struct count *c = user;
    c->falls = c->falls || fraction < c->last;
    c->last = fraction;
    return ++c->calls != c->stop_at;
}

#endif
