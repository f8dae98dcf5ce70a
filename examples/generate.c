// One sound to a WAV file:  generate LABEL SEED FILE.wav
#include <stdio.h>
#include <stdlib.h>

#include <ebb/ebb.h>

static int generate(struct ebb_model *model, const char *label, uint64_t seed, const char *path, struct ebb_error *error)
{
    struct ebb_generate_params params;
    ebb_generate_params_default(&params);
    params.label = ebb_model_find_label(model, label, error);
    params.seed = seed;
    if (params.label < 0)
        return 0;

    size_t count = ebb_generate_length(model, &params);
    struct ebb_sound sound = {.samples = malloc(count * sizeof(float)), .frames = count, .channels = 1,
                              .rate = ebb_model_info(model)->sample_rate};
    int made = sound.samples && ebb_generate(model, &params, sound.samples, count, error) == EBB_OK &&
               ebb_sound_write(path, &sound, EBB_WAV_16, error) == EBB_OK;
    free(sound.samples);
    return made;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s LABEL SEED FILE.wav\n", argv[0]);
        return 2;
    }

    struct ebb_error error = {EBB_OUT_OF_MEMORY, "no memory"};
    const char *name = getenv("EBB_MODEL"); // a folder, or the name of an installed model
    struct ebb_device *device = ebb_device_create("cpu", 0, NULL, &error);
    struct ebb_model *model = device ? ebb_model_open(name ? name : "sfx", &error) : NULL;
    int made = model && ebb_model_load(model, device, &error) == EBB_OK &&
               generate(model, argv[1], strtoull(argv[2], NULL, 10), argv[3], &error);
    if (!made)
        fprintf(stderr, "%s\n", error.message);
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    return made ? 0 : 1;
}
