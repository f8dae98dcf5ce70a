// Sound without end through your own callback:  play [LABEL] | aplay -f FLOAT_LE -r 48000 -c 1
// PLAY_SECONDS=3 in the environment ends it.
#include <stdio.h>
#include <stdlib.h>

#include <ebb/ebb.h>

// What an audio library would call: `count` samples are wanted now. Here they go to standard output. Return false to end.
static bool callback(void *user, const float *samples, size_t count)
{
    double *seconds = user;
    *seconds -= count / 48000.0;
    return fwrite(samples, sizeof(float), count, stdout) == count && *seconds > 0;
}

// A clip is computed when its first sample is asked for: ask ahead of time, on a thread of its own, where it matters.
static enum ebb_result play(struct ebb_stream *stream, bool (*deliver)(void *, const float *, size_t), void *user,
                            struct ebb_error *error)
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

static enum ebb_result run(struct ebb_model *model, const char *label, double seconds, struct ebb_error *error)
{
    struct ebb_stream_params params;
    ebb_stream_params_default(&params);
    params.label = label ? ebb_model_find_label(model, label, error) : -1; // -1: the model's own favourite
    if (label && params.label < 0)
        return error->code;

    struct ebb_stream *stream = ebb_stream_create(model, &params, error);
    enum ebb_result result = stream ? play(stream, callback, &seconds, error) : error->code;
    ebb_stream_destroy(&stream);
    return result;
}

int main(int argc, char **argv)
{
    const char *name = getenv("EBB_MODEL"), *limit = getenv("PLAY_SECONDS");
    struct ebb_error error = {EBB_OUT_OF_MEMORY, "no memory"};
    struct ebb_model *model = ebb_model_open(name ? name : "sfx", &error); // loaded on first use, on the default device
    enum ebb_result result = model ? run(model, argc > 1 ? argv[1] : NULL, limit ? atof(limit) : 1e9, &error) : error.code;
    if (result != EBB_OK)
        fprintf(stderr, "%s\n", error.message);
    ebb_model_close(&model);
    return result == EBB_OK ? 0 : 1;
}
