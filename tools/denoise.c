// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb denoise: recordings cleaned, of any length in bounded memory.
#include "denoise.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report.h"
#include "sound.h"

// ---- options ----

static int read_t(struct denoise *d)
{
    if (!d->t)
        return TOOL_OK;
    if (strcmp(d->t, "auto") == 0)
        return tool_set(d->recipe, "auto-t", "1", "--t");
    return tool_set(d->recipe, "t", d->t, "--t (or \"auto\")");
}

static int read_options(const struct tool_command *command, struct denoise *d, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"t", 't', "T", TOOL_TEXT, &d->t, 0, 0,
         "how much: 0 leaves the sound alone, bit for bit, 1 removes all the model can; or auto, which "
         "measures the noise (default: what the model recommends)"},
        {"keep-noise", 'k', "FILE", TOOL_NAME, &d->keep_noise, 0, 0, "write what was removed (one input)"},
        {"recursive", 'r', NULL, TOOL_FLAG, &d->recursive, 0, 0,
         "clean all recordings in the folder IN and in its folders, to the same places in -o FOLDER; what is "
         "there already is kept, so that a second run does what is left"},
        {"output", 'o', "FOLDER", TOOL_NAME, &d->out, 0, 0,
         "clean many files into a folder, under their own names; a folder other than the recordings'. Of one file: "
         "a .wav, or - for standard output"},
        {"model", 'm', "NAME", TOOL_NAME, &d->model, 0, 0, "a model's name or folder (default denoise)"},
        {"device", 'd', "NAME", TOOL_NAME, &d->device, 0, 0, TOOL_DEVICES},
        {"threads", 0, "N", TOOL_INT, &d->threads, 0, 1024, "CPU threads, 0 (default) = physical cores"},
        {"force", 0, NULL, TOOL_FLAG, &d->force, 0, 0, "replace files that are there already"},
        {"quiet", 'q', NULL, TOOL_FLAG, &d->quiet, 0, 0, "no progress, no warnings, no summary"},
        {"json", 0, NULL, TOOL_FLAG, &d->json, 0, 0, "a line of JSON per file on standard output"},
        {0},
    };
    int first, code = tool_recipe_options(command, options, d->recipe, argc, argv, &first);
    if (code >= 0)
        return code;
    d->inputs = (const char *const *)argv + first;
    d->count = argc - first;
    code = denoise_find_recordings(d);
    if (code)
        return code;
    code = read_t(d);
    return code ? code : -1;
}

// ---- the recordings ----

// Of a folder: whether the file is left as it is. Exit code of what is to be said of it.
static int keep(struct denoise *d, const char *input, const char *output, bool *kept)
{
    struct stat st;
    *kept = d->recursive && !d->force && stat(output, &st) == 0;
    if (!*kept)
        return TOOL_OK;
    bool same = denoise_is_cleaned(d, input, output);
    d->kept += same;
    d->differ += !same;
    if (d->json) {
        json_t *o = json_pack("{s:o, s:o, s:s}", "input", report_text(input), "output", report_text(output),
                              "status", same ? "kept" : "differs");
        report_print(o);
    }
    return same ? TOOL_OK
                : tool_fail(
                      TOOL_FAILED,
                      "%s is there, but was cleaned otherwise or before %s changed; kept (--force replaces "
                      "it)",
                      output, input);
}

static int make_parents(const struct denoise *d, const char *output)
{
    if (!d->recursive)
        return TOOL_OK;
    char *folder = strndup(output, (size_t)(strrchr(output, '/') - output));
    int code = folder ? tool_make_folder(folder) : tool_fail(TOOL_FAILED, "no memory");
    free(folder);
    return code;
}

static int clean(struct denoise *d, const char *input, const char *output)
{
    int code = denoise_recording(d, input, output);
    if (code && denoise_is_folder(input))
        tool_say("with -r, what is in it: ebb denoise -r FOLDER -o CLEANED");
    if (code && d->json)
        report_print(report_failure("input", input));
    d->made += !code;
    d->failed += code && code != TOOL_INTERRUPTED;
    return code;
}

static int clean_file(struct denoise *d, const char *input)
{
    bool kept = false;
    char *output = denoise_output_path(d, input);
    int code = output ? keep(d, input, output, &kept) : tool_fail(TOOL_FAILED, "no memory");
    if (!code && !kept)
        code = make_parents(d, output);
    if (!code && !kept)
        code = clean(d, input, output);
    free(output);
    return code;
}

static void summarise(const struct denoise *d, int code)
{
    char kept[64] = "", differ[64] = "", failed[64] = "", left[64] = "";
    size_t rest = (size_t)d->count - d->made - d->kept - d->differ - d->failed;
    if (d->quiet || d->json)
        return;
    if (d->kept)
        snprintf(kept, sizeof(kept), ", %zu %s there already", d->kept, d->kept == 1 ? "was" : "were");
    if (d->differ)
        snprintf(differ, sizeof(differ), ", %zu kept that differ%s", d->differ, d->differ == 1 ? "s" : "");
    if (d->failed)
        snprintf(failed, sizeof(failed), ", %zu failed", d->failed);
    if (rest)
        snprintf(left, sizeof(left), ", %zu left%s", rest,
                 code == TOOL_INTERRUPTED && !d->force ? ": the same command goes on" : "");
    tool_print("%s: %zu of %d recording%s cleaned%s%s%s%s", d->out, d->made, d->count,
               d->count == 1 ? "" : "s", kept, differ, failed, left);
}

// Every file is tried; the first failure is the exit code.
static int clean_all(struct denoise *d)
{
    int worst = d->folder ? tool_make_folder(d->out) : TOOL_OK;
    if (worst)
        return worst;
    d->progress.items = d->count;
    for (int i = 0; i < d->count && worst != TOOL_INTERRUPTED; i++) {
        d->progress.item = i + 1;
        int code = clean_file(d, d->inputs[i]);
        worst = code == TOOL_INTERRUPTED || !worst ? code : worst;
    }
    if (d->recursive)
        summarise(d, worst);
    return worst;
}

static void report_all_failed(const struct denoise *d)
{
    for (int i = 0; i < d->count; i++)
        report_print(report_failure("input", d->inputs[i]));
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct denoise d = {.recipe = ebb_recipe_create(EBB_VERB_DENOISE)};
    int code = d.recipe ? read_options(command, &d, argc, argv) : tool_fail(TOOL_FAILED, "no memory");
    d.progress.quiet = d.quiet;
    if (code < 0) {
        tool_catch_interrupts();
        code = denoise_check_outputs(&d);
        if (!code)
            code = tool_model_open(&d.m, d.model ? d.model : "denoise", EBB_MODEL_DENOISE);
        if (!code)
            code = tool_model_load(&d.m, d.device, d.threads, d.quiet);
        if (!code)
            code = sound_settle(d.recipe, &d.m, "");
        if (code && d.json)
            report_all_failed(&d);
        else if (!code)
            code = clean_all(&d);
    }
    tree_clear(&d.tree);
    ebb_recipe_destroy(&d.recipe);
    tool_model_close(&d.m);
    return code;
}

const struct tool_command tool_denoise = {
    .name = "denoise",
    .summary = "clean recordings",
    .usage = "IN OUT [OPTION...], IN... -o FOLDER, or -r FOLDER -o FOLDER",
    .details =
        "Recordings may have any length, rate and number of channels. The output has as many samples as the "
        "input, in the same places, and keeps the metadata. IN and OUT may be one file. Another file that is "
        "there already is replaced only with --force. -o and -k never replace a recording that is read.",
    .examples = "  ebb denoise noisy.wav clean.wav\n"
                "  ebb denoise --t 0.3 noisy.wav clean.wav --keep-noise noise.wav\n"
                "  ebb denoise --t auto take*.wav -o cleaned/\n"
                "  ebb denoise -r archive/ -o cleaned/\n"
                "  arecord -f dat | ebb denoise - - | aplay\n",
    .run = run,
};
