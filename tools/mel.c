// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb mel: a recording as a model sees it, for checking against other code and for feeding `ebb eval`.
#include <stdlib.h>
#include <string.h>

#include <ebb/lab.h>

#include "npy.h"

struct view {
    const char *input, *output, *model;
};

static int read_options(const struct tool_command *command, struct view *v, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"output", 'o', "Y.npy", TOOL_NAME, &v->output, 0, 0,
         "where the mel goes: (1, 1, bands, frames), float32, band 0 lowest"},
        {"model", 'm', "NAME", TOOL_NAME, &v->model, 0, 0,
         "whose mel: a model's name or folder (default denoise)"},
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
    code = npy_check_name(v->output);
    return code ? code : -1;
}

static int analyse(const struct view *v, const struct ebb_mel_params *params)
{
    struct ebb_error error = {0};
    struct ebb_mel_values values = {0};
    struct ebb_mel *mel = ebb_mel_create(params, &error);
    int code = TOOL_OK;
    if (!mel || ebb_mel_read(mel, v->input, &values, &error) != EBB_OK)
        code = tool_error(&error);
    if (!code && values.warning)
        tool_warn("%s", values.warning);
    size_t shape[4] = {1, 1, (size_t)params->n_mels, values.frames};
    if (!code)
        code = npy_write(v->output, values.values, 4, shape);
    ebb_mel_values_clear(&values);
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
    return analyse(&v, &params);
}

const struct tool_command tool_mel = {
    .name = "mel",
    .summary = "write a recording as a model sees it to a .npy file",
    .usage = "SOUND --output Y.npy [--model NAME]",
    .details = "Channels become their mean, at the model's rate.",
    .examples =
        "  ebb mel rain.wav -o mel.npy\n"
        "  ebb mel rain.wav -m sfx -o mel.npy && ebb eval models/sfx/vae --input mel.npy --encode --output latents.npy\n",
    .run = run,
};
