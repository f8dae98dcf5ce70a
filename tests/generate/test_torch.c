// SPDX-License-Identifier: LGPL-2.1-or-later
// Whole runs equal those of diffusers, for every scheduler class: tests/golden/make_loops.py made the files.
#include <dirent.h>
#include <unistd.h>

#include "tiny_model.h"
#include "../model/scratch.h"
#include "../nets/npy.h"

enum { CASES = 59 };

static void golden_path(char *path, size_t size, const char *name, const char *end)
{
    snprintf(path, size, "%s/golden/loops/%s%s", getenv("EBB_TEST_DATA"), name, end);
}

// tiny-sfx under the scheduler of case `name`.
static struct ebb_model *open_with(const char *config)
{
    struct ebb_error error;
    const char *name = getenv("EBB_TEST_DEVICE");
    struct ebb_device *device = ebb_device_create(name ? name : "cpu", 1, NULL, &error);
    run("cp '%s' '%s'", config, scratch_path("scheduler/scheduler_config.json"));
    struct ebb_model *model = ebb_model_open(scratch, &error);
    if (!model || !device || ebb_model_load(model, device, &error) != EBB_OK)
        TEST_FAIL("%s: %s", config, error.message);
    ebb_device_destroy(&device);
    return model;
}

#define AS_DIFFUSERS "noise=torch seed=42 steps=10"

// The largest difference, against the largest number.
static double difference(const float *a, const float *b, size_t count)
{
    double worst = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        worst = larger(worst, fabs((double)a[i] - b[i]));
        size = larger(size, fabs(b[i]));
    }
    return isnan(worst) ? INFINITY : worst / size;
}

// Against diffusers' float32, less what that alone costs it: where there is NAME.exact.npy, its own
// arithmetic in float64, that is what we have to meet.
static double error_of(const char *name, double *rounding)
{
    char path[1024];
    golden_path(path, sizeof(path), name, ".json");
    struct ebb_model *model = open_with(path);
    int shape[4], wanted[4];
    size_t count = 0;
    golden_path(path, sizeof(path), name, ".npy");
    float *want = npy_read(path, wanted, &count), *got = calloc(count, sizeof(float));
    REQUIRE(want && got);
    struct ebb_recipe *recipe = generating(AS_DIFFUSERS);
    REQUIRE_OK(ebb_generate_latents(model, recipe, got, count, shape, NULL, e));
    ebb_recipe_destroy(&recipe);
    REQUIRE(memcmp(shape, wanted, sizeof(shape)) == 0);

    golden_path(path, sizeof(path), name, ".exact.npy");
    float *exact = access(path, R_OK) == 0 ? npy_read(path, wanted, &count) : NULL;
    *rounding = exact ? difference(want, exact, count) : 0;
    double error = difference(got, exact ? exact : want, count);
    free(exact);
    free(want);
    free(got);
    ebb_model_close(&model);
    return error;
}

TEST(every_class_ends_where_diffusers_ends)
{
    char folder[1024];
    golden_path(folder, sizeof(folder), "", "");
    DIR *dir = opendir(folder);
    REQUIRE(dir);
    scratch_make("models/tiny-sfx");
    int cases = 0, wrong = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char name[256];
        snprintf(name, sizeof(name), "%s", entry->d_name);
        char *end = strstr(name, ".json");
        if (!end)
            continue;
        *end = 0;
        double rounding, error = error_of(name, &rounding);
        printf("# %s: %.1e%s", name, error, rounding > 0 ? "" : "\n");
        if (rounding > 0)
            printf(", where diffusers' float32 alone costs %.1e\n", rounding);
        wrong += !(error <= 1e-3);
        cases++;
    }
    closedir(dir);
    scratch_remove();
    REQUIRE(wrong == 0);
    REQUIRE(cases == CASES);
}

TEST(a_brownian_tree_is_not_torch_noise)
{
    scratch_make("models/tiny-sfx");
    const char config[] = "{\"_class_name\": \"DPMSolverSDEScheduler\"}";
    scratch_write("sde.json", config, strlen(config));
    struct ebb_model *model = open_with(scratch_path("sde.json"));
    struct ebb_error error;
    REQUIRE(refusal(model, AS_DIFFUSERS, &error) == EBB_UNSUPPORTED &&
            strstr(error.message, "DPMSolverSDEScheduler"));
    REQUIRE(refusal(model, AS_DIFFUSERS " noise=philox", &error) == EBB_OK);
    ebb_model_close(&model);
    scratch_remove();
}

TEST_MAIN
