// SPDX-License-Identifier: LGPL-2.1-or-later
// How far two devices are apart after whole runs with a model's default sampler:
// bench-runs MODEL [SEEDS [DEVICE [OTHER]]], default 32 seeds, vulkan and cpu. A JSON line a seed: relative
// rms of the final state and of the log-mel made from it, each on its own device.
#include <ebb/ebb.h>
#include <ebb/lab.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct side {
    struct ebb_model *model;
    float *values; // the state, then the log-mel
    size_t state, mel;
};

static int fail(const struct ebb_error *error)
{
    fprintf(stderr, "bench-runs: %s\n", error->message);
    return 1;
}

static int open_side(struct side *side, const char *name, const char *device_name, struct ebb_error *error)
{
    struct ebb_device *device = ebb_device_create(device_name, 0, NULL, error);
    char path[4096];
    if (!device || ebb_model_find(name, path, sizeof(path), error) != EBB_OK ||
        !(side->model = ebb_model_open(path, error)) || ebb_model_load(side->model, device, error) != EBB_OK)
        return fail(error);
    fprintf(stderr, "%s\n", ebb_device_description(device));
    ebb_device_destroy(&device);

    const struct ebb_model_info *info = ebb_model_info(side->model);
    int shape[4];
    if (ebb_generate_latents(side->model, NULL, NULL, 0, shape, NULL, error) != EBB_OK)
        return fail(error);
    side->state = (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
    side->mel = (size_t)info->n_mels * (size_t)info->window_frames;
    side->values = calloc(side->state + side->mel, sizeof(float));
    return !side->values;
}

static int run(struct side *side, uint64_t seed, struct ebb_error *error)
{
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
    int shape[4];
    enum ebb_result result = ebb_recipe_set_seed(recipe, "seed", seed, error);
    if (result == EBB_OK)
        result = ebb_generate_latents(side->model, recipe, side->values, side->state, shape, NULL, error);
    ebb_recipe_destroy(&recipe);
    if (result != EBB_OK || ebb_generate_mel(side->model, side->values, side->state,
                                             side->values + side->state, side->mel, error) != EBB_OK)
        return fail(error);
    return 0;
}

static double relative_rms(const float *got, const float *want, size_t count)
{
    double difference = 0, power = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        power += (double)want[i] * want[i];
    }
    return sqrt(difference / power);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench-runs MODEL [SEEDS [DEVICE [OTHER]]]\n");
        return 2;
    }
    struct ebb_error error = {0};
    struct side a = {0}, b = {0};
    int seeds = argc > 2 ? atoi(argv[2]) : 32;
    if (open_side(&a, argv[1], argc > 3 ? argv[3] : "vulkan", &error) ||
        open_side(&b, argv[1], argc > 4 ? argv[4] : "cpu", &error))
        return 1;
    double worst = 0, sum = 0;
    for (int seed = 0; seed < seeds; seed++) {
        if (run(&a, (uint64_t)seed, &error) || run(&b, (uint64_t)seed, &error))
            return 1;
        double state = relative_rms(a.values, b.values, a.state),
               mel = relative_rms(a.values + a.state, b.values + b.state, a.mel);
        printf("{\"seed\": %d, \"state\": %.3g, \"log_mel\": %.3g}\n", seed, state, mel);
        fflush(stdout);
        worst = fmax(worst, mel);
        sum += mel;
    }
    printf("{\"seeds\": %d, \"log_mel_mean\": %.3g, \"log_mel_worst\": %.3g}\n", seeds, sum / seeds, worst);
    free(a.values);
    free(b.values);
    ebb_model_close(&a.model);
    ebb_model_close(&b.model);
    return 0;
}
