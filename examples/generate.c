// SPDX-License-Identifier: LGPL-2.1-or-later
// Makes one sound and writes a WAV file:  generate LABEL SEED FILE.wav
#include <stdio.h>
#include <stdlib.h>

#include <ebb/ebb.h>

// A recipe has the settings of the sound. The model decides on every setting that the recipe leaves open.
static int generate(struct ebb_model *model, struct ebb_recipe *recipe, const char *path,
                    struct ebb_error *error)
{
    size_t count = ebb_generate_length(model, recipe, error);
    struct ebb_sound sound = {0};
    int made = count > 0 &&
               ebb_sound_alloc(&sound, count, 1, ebb_model_info(model)->sample_rate, error) == EBB_OK &&
               ebb_generate(model, recipe, sound.samples, count, NULL, error) == EBB_OK &&
               ebb_sound_write(path, &sound, EBB_WAV_16, error) == EBB_OK;
    ebb_sound_clear(&sound);
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
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
    int made = model && ebb_model_load(model, device, &error) == EBB_OK &&
               ebb_recipe_set(recipe, "label", argv[1], &error) == EBB_OK &&
               ebb_recipe_set(recipe, "seed", argv[2], &error) == EBB_OK &&
               generate(model, recipe, argv[3], &error);
    if (!made)
        fprintf(stderr, "%s\n", error.message);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    return made ? 0 : 1;
}
