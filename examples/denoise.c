// SPDX-License-Identifier: LGPL-2.1-or-later
// Cleans a sound file, a second at a time:  denoise IN.wav OUT.wav [T]
// T is 0 (nothing is removed) to 1 (all that the model can remove), or "auto".
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/ebb.h>

struct cleaning {
    struct ebb_sound_reader *in;
    struct ebb_sound_writer *out;
    struct ebb_denoise *denoise;
    float *block; // a second
    size_t frames;
};

// Writes the cleaned frames that are ready.
static enum ebb_result drain(struct cleaning *job, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    size_t got;
    while (result == EBB_OK && (got = ebb_denoise_read(job->denoise, job->block, NULL, job->frames)) > 0)
        result = ebb_sound_writer_write(job->out, job->block, got, error);
    return result;
}

static enum ebb_result clean(struct cleaning *job, struct ebb_error *error)
{
    size_t got = job->frames;
    enum ebb_result result = EBB_OK;
    while (result == EBB_OK && got == job->frames) {
        result = ebb_sound_reader_read(job->in, job->block, job->frames, &got, error);
        if (result == EBB_OK)
            result = ebb_denoise_write(job->denoise, job->block, got, error);
        if (result == EBB_OK)
            result = drain(job, error);
    }
    if (result == EBB_OK)
        result = ebb_denoise_finish(job->denoise, error);
    return result == EBB_OK ? drain(job, error) : result;
}

static enum ebb_result run(struct ebb_model *model, const struct ebb_recipe *recipe, char **argv,
                           struct ebb_error *error)
{
    struct cleaning job = {.in = ebb_sound_reader_open(argv[1], error)};
    if (job.in) {
        const struct ebb_sound_info *info = ebb_sound_reader_info(job.in);
        job.frames = info->rate;
        job.block = malloc(job.frames * info->channels * sizeof(float));
        job.denoise = ebb_denoise_create(model, recipe, info->rate, info->channels, NULL, error);
        if (job.denoise && job.block)
            job.out = ebb_sound_writer_create(argv[2], info->channels, info->rate, EBB_WAV_24, NULL, error);
    }

    enum ebb_result result = job.out ? clean(&job, error) : error->code;
    if (result == EBB_OK)
        result = ebb_sound_writer_finish(job.out, error);
    ebb_sound_writer_destroy(&job.out); // unfinished, it leaves no file
    ebb_sound_reader_close(&job.in);
    ebb_denoise_destroy(&job.denoise);
    free(job.block);
    return result;
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: %s IN OUT.wav [T|auto]\n", argv[0]);
        return 2;
    }

    bool automatic = argc < 4 || strcmp(argv[3], "auto") == 0;
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_DENOISE);
    const char *name = getenv("EBB_MODEL"); // a folder, or the name of an installed model
    struct ebb_error error = {EBB_OUT_OF_MEMORY, "no memory"};
    struct ebb_device *device = ebb_device_create("cpu", 0, NULL, &error);
    struct ebb_model *model = device ? ebb_model_open(name ? name : "denoise", &error) : NULL;
    enum ebb_result result = model ? ebb_model_load(model, device, &error) : error.code;
    if (result == EBB_OK)
        result = ebb_recipe_set(recipe, automatic ? "auto-t" : "t", automatic ? "true" : argv[3], &error);
    if (result == EBB_OK)
        result = run(model, recipe, argv, &error);
    if (result != EBB_OK)
        fprintf(stderr, "%s\n", error.message);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    return result == EBB_OK ? 0 : 1;
}
