// Whole loops are those of diffusers, scheduler class by scheduler class: tests/golden/make_loops.py made the files.
#include <dirent.h>

#include "engine.h"
#include "../model/scratch.h"
#include "../nets/npy.h"

enum { CASES = 28 };

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

static struct ebb_generate_params as_diffusers(void)
{
    struct ebb_generate_params p;
    ebb_generate_params_default(&p);
    p.noise = EBB_NOISE_TORCH;
    p.seed = 42;
    p.steps = 10;
    return p;
}

// The largest difference, against the largest number.
static double error_of(const char *name)
{
    char path[1024];
    golden_path(path, sizeof(path), name, ".json");
    struct ebb_model *model = open_with(path);
    struct ebb_generate_params p = as_diffusers();
    int shape[4], wanted[4];
    size_t count = 0;
    golden_path(path, sizeof(path), name, ".npy");
    float *want = npy_read(path, wanted, &count), *got = calloc(count, sizeof(float));
    REQUIRE(want && got);
    REQUIRE_OK(ebb_generate_latents(model, &p, got, count, shape, e));
    REQUIRE(memcmp(shape, wanted, sizeof(shape)) == 0);

    double worst = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs((double)got[i] - want[i]));
        size = fmax(size, fabs(want[i]));
    }
    free(want);
    free(got);
    ebb_model_close(&model);
    return worst / size;
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
        double error = error_of(name);
        printf("# %s: %.1e\n", name, error);
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
    struct ebb_generate_params p = as_diffusers();
    struct ebb_error error;
    int shape[4];
    REQUIRE(ebb_generate_latents(model, &p, NULL, 0, shape, &error) == EBB_UNSUPPORTED);
    REQUIRE(strstr(error.message, "DPMSolverSDEScheduler"));
    p.noise = EBB_NOISE_PHILOX;
    REQUIRE_OK(ebb_generate_latents(model, &p, NULL, 0, shape, e));
    ebb_model_close(&model);
    scratch_remove();
}

TEST_MAIN
