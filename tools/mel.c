// ebb mel: a recording as a model sees it, for checking against other code and for feeding `ebb eval`.
#include <stdlib.h>
#include <string.h>

#include "npy.h"

struct view {
    const char *input, *output, *model;
    struct ebb_sound sound;
    float *values;
};

static int read_options(const struct tool_command *command, struct view *v, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"output", 'o', "Y.npy", TOOL_NAME, &v->output, 0, 0, "where the mel goes: (1, 1, bands, frames), float32, band 0 lowest"},
        {"model", 'm', "NAME", TOOL_NAME, &v->model, 0, 0, "whose mel: a model's name or folder (default denoise)"},
        {0},
    };
    int first, code = tool_options(command, options, argc, argv, &first);
    if (code >= 0)
        return code;
    if (argc - first != 1 || !v->output)
        return tool_fail(TOOL_USAGE, "name one sound file, and with --output where its mel goes");
    v->input = argv[first];
    struct tool_place in = tool_place(v->input), out = tool_place(v->output);
    if (tool_same_place(&in, &out))
        return tool_fail(TOOL_USAGE, "--output %s would replace the recording", v->output);
    return -1;
}

// Channels become their mean, at the model's rate: a model hears mono.
static int read_sound(struct view *v, int rate)
{
    struct ebb_error error = {0};
    struct ebb_sound *s = &v->sound;
    if (ebb_sound_read(v->input, s, &error) != EBB_OK)
        return tool_error(&error);
    for (size_t i = 0; i < s->frames; i++) {
        double sum = 0;
        for (int c = 0; c < s->channels; c++)
            sum += (double)s->samples[i * (size_t)s->channels + (size_t)c];
        s->samples[i] = (float)(sum / s->channels);
    }
    s->channels = 1;
    return s->rate == rate || ebb_sound_resample(s, rate, &error) == EBB_OK ? TOOL_OK : tool_error(&error);
}

static int analyse(struct view *v, const struct ebb_mel_params *params)
{
    struct ebb_error error = {0};
    struct ebb_mel *mel = ebb_mel_create(params, &error);
    if (!mel)
        return tool_error(&error);
    size_t shape[4] = {1, 1, (size_t)params->n_mels, ebb_mel_frames(mel, v->sound.frames)};
    int code = TOOL_OK;
    v->values = calloc(shape[2] * shape[3], sizeof(float));
    if (!v->values)
        code = tool_fail(TOOL_FAILED, "out of memory for %zu frames", shape[3]);
    else if (ebb_mel_analyse(mel, v->sound.samples, v->sound.frames, v->values, &error) != EBB_OK)
        code = tool_error(&error);
    else
        code = npy_write(v->output, v->values, 4, shape);
    ebb_mel_destroy(&mel);
    return code;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct view v = {.model = "denoise"};
    int code = read_options(command, &v, argc, argv);
    if (code >= 0)
        return code;
    struct ebb_error error = {0};
    struct ebb_mel_params params;
    struct ebb_model *model = ebb_model_open(v.model, &error);
    if (!model)
        return tool_error(&error);
    ebb_model_mel(model, &params);
    ebb_model_close(&model);
    code = read_sound(&v, params.sample_rate);
    if (!code)
        code = analyse(&v, &params);
    free(v.values);
    ebb_sound_clear(&v.sound);
    return code;
}

const struct tool_command tool_mel = {
    .name = "mel",
    .summary = "write a recording as a model sees it to a .npy file",
    .usage = "SOUND --output Y.npy [--model NAME]",
    .details = "Channels become their mean, at the model's rate.\n",
    .examples = "  ebb mel rain.wav -o mel.npy\n"
                "  ebb mel rain.wav -m sfx -o mel.npy && ebb eval models/sfx/vae --input mel.npy --encode --output latents.npy\n",
    .run = run,
};
