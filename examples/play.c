// SPDX-License-Identifier: LGPL-2.1-or-later
// Plays sound without end through a callback:  play [LABEL] | aplay -f FLOAT_LE -r 48000 -c 1
// With PLAY_SECONDS=3 in the environment it ends after three seconds.
#include <stdio.h>
#include <stdlib.h>

#include <ebb/ebb.h>

// The callback, as an audio library has one: it receives `count` samples. Here they go to standard output.
// It returns false to end.
static bool callback(void *user, const float *samples, size_t count)
{
    double *seconds = user;
    *seconds -= count / 48000.0;
    return fwrite(samples, sizeof(float), count, stdout) == count && *seconds > 0;
}

// A read that reaches a new clip computes the whole clip. A program that must not wait reads ahead, on a
// thread of its own.
static enum ebb_result play(struct ebb_stream *stream, bool (*deliver)(void *, const float *, size_t),
                            void *user, struct ebb_error *error)
{
    float block[480]; // 10 ms
    size_t got = 480;
    enum ebb_result result = EBB_OK;
    bool wanted = true;
    while (wanted && got == 480 && result == EBB_OK) {
        result = ebb_stream_read(stream, block, 480, &got, error);
        if (result == EBB_OK)
            wanted = deliver(user, block, got);
    }
    return result;
}

static enum ebb_result run(struct ebb_model *model, const char *label, double seconds,
                           struct ebb_error *error)
{
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_STREAM); // label open: the model's default
    struct ebb_stream *stream = NULL;
    if (!label || ebb_recipe_set(recipe, "label", label, error) == EBB_OK)
        stream = ebb_stream_create(model, recipe, NULL, error);
    ebb_recipe_destroy(&recipe);
    enum ebb_result result = stream ? play(stream, callback, &seconds, error) : error->code;
    ebb_stream_destroy(&stream);
    return result;
}

int main(int argc, char **argv)
{
    const char *name = getenv("EBB_MODEL"), *limit = getenv("PLAY_SECONDS");
    struct ebb_error error = {EBB_OUT_OF_MEMORY, "no memory"};
    struct ebb_model *model = ebb_model_open(name ? name : "sfx", &error); // loaded on first use, on the
                                                                           // default device
    enum ebb_result result = model ? run(model, argc > 1 ? argv[1] : NULL, limit ? atof(limit) : 1e9, &error)
                                   : error.code;
    if (result != EBB_OK)
        fprintf(stderr, "%s\n", error.message);
    ebb_model_close(&model);
    return result == EBB_OK ? 0 : 1;
}
