// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb info: a model, a sound's recipe, or the devices.
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "report.h"
#include "sound.h"

static bool as_json;

static int print_json(json_t *o)
{
    report_print_tree(o, REPORT_FLOAT);
    return TOOL_OK;
}

static void row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void row(const char *name, const char *format, ...)
{
    va_list args;
    char *value = NULL;
    va_start(args, format);
    int length = vasprintf(&value, format, args);
    va_end(args);
    if (length < 0) {
        tool_lose_line();
        return;
    }
    tool_print("  %-20s %s", name, value);
    free(value);
}

static json_t *text_or_null(const char *text)
{
    return text ? report_text(text) : json_null();
}

// ---- devices ----

static json_t *device_json(const struct ebb_device_info *d)
{
    return json_pack("{s:s, s:s, s:I, s:b, s:b}", "name", d->name, "description", d->description, "memory",
                     (json_int_t)d->memory, "usable", d->usable, "software", d->software);
}

static int info_devices(void)
{
    size_t count = ebb_device_list(NULL, 0);
    struct ebb_device_info *devices = calloc(count, sizeof(*devices));
    if (!devices)
        return tool_fail(TOOL_FAILED, "no memory");
    size_t now = ebb_device_list(devices, count);
    json_t *list = json_array();
    for (size_t i = 0; i < count && i < now; i++) {
        const struct ebb_device_info *d = &devices[i];
        json_array_append_new(list, device_json(d));
        if (as_json)
            continue;
        char memory[32] = "";
        if (d->memory)
            snprintf(memory, sizeof(memory), ", %.1f GiB", (double)d->memory / (1 << 30));
        tool_print("  %-10s %s%s%s%s", d->name, d->description, d->usable ? "" : " (not usable)", memory,
                   d->software ? ", software: never picked by auto" : "");
    }
    free(devices);
    if (as_json)
        return print_json(list);
    json_decref(list);
    return TOOL_OK;
}

// ---- a sound ----

// NULL: there is none, or after saying why it cannot be read.
static struct ebb_recipe *recipe_of(const char *path, const char *text)
{
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = text ? ebb_recipe_read(text, &error) : NULL;
    if (text && !recipe && error.code != EBB_WRONG_TYPE)
        tool_say("%s: %s", path, error.message);
    return recipe;
}

static json_t *recipe_json(const struct ebb_recipe *recipe)
{
    char *text = recipe ? sound_comment(recipe) : NULL;
    json_t *o = text ? json_loads(text, 0, NULL) : json_null();
    free(text);
    return o;
}

static void print_recipe(const struct ebb_recipe *recipe)
{
    row("verb", "%s", ebb_verb_name(ebb_recipe_verb(recipe)));
    EBB_EACH_SETTING (setting)
        if (ebb_recipe_has(recipe, setting->name) && ebb_setting_applies(setting, ebb_recipe_verb(recipe)))
            row(setting->name, "%s%s%s", ebb_recipe_text(recipe, setting->name), setting->unit ? " " : "",
                setting->unit ? setting->unit : "");
}

// Somebody's comment; NULL where there is none, or it is the recipe.
static const char *own_comment(const struct ebb_sound_info *i, const struct ebb_recipe *recipe)
{
    return recipe && i->recipe == i->comment ? NULL : i->comment;
}

static void add_loop(json_t *o, const struct ebb_sound_metadata *metadata)
{
    uint64_t first, end;
    if (ebb_sound_metadata_loop(metadata, &first, &end))
        json_object_set_new(o, "loop", json_pack("[I, I]", (json_int_t)first, (json_int_t)end));
}

static void print_loop(const struct ebb_sound_info *i, const struct ebb_sound_metadata *metadata)
{
    uint64_t first, end;
    if (ebb_sound_metadata_loop(metadata, &first, &end))
        row("loop", "samples %llu to %llu (%.3f s)", (unsigned long long)first, (unsigned long long)end - 1,
            (double)(end - first) / i->rate);
}

static int print_sound_json(const char *path, const struct ebb_sound_reader *reader,
                            const struct ebb_recipe *recipe)
{
    const struct ebb_sound_info *i = ebb_sound_reader_info(reader);
    json_t *o = json_pack("{s:o, s:I, s:i, s:i}", "file", report_text(path), "frames",
                          i->frames == SIZE_MAX ? (json_int_t)-1 : (json_int_t)i->frames, "channels",
                          i->channels, "rate", i->rate);
    json_object_set_new(o, "recipe", recipe_json(recipe));
    json_object_set_new(o, "comment", text_or_null(own_comment(i, recipe)));
    add_loop(o, ebb_sound_reader_metadata(reader));
    return print_json(o);
}

static void print_sound(const char *path, const struct ebb_sound_reader *reader,
                        const struct ebb_recipe *recipe)
{
    const struct ebb_sound_info *i = ebb_sound_reader_info(reader);
    tool_print("%s", strcmp(path, "-") == 0 ? "standard input" : path);
    if (i->frames != SIZE_MAX)
        row("length", "%.3f s (%zu samples)", (double)i->frames / i->rate, i->frames);
    else
        row("length", "the file does not tell it");
    row("rate", "%d Hz", i->rate);
    row("channels", "%d", i->channels);
    print_loop(i, ebb_sound_reader_metadata(reader));
    const char *comment = own_comment(i, recipe);
    if (comment || !recipe)
        row("comment", "%s", comment ? comment : "none: no recipe in it");
    if (recipe)
        print_recipe(recipe);
}

static int info_sound(const char *path)
{
    struct ebb_error error = {0};
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, &error);
    if (!reader)
        return tool_input_error(path, &error);
    struct ebb_recipe *recipe = recipe_of(path, ebb_sound_reader_info(reader)->recipe);
    int code = as_json ? print_sound_json(path, reader, recipe) : TOOL_OK;
    if (!as_json)
        print_sound(path, reader, recipe);
    if (ebb_sound_reader_warning(reader))
        tool_say("%s", ebb_sound_reader_warning(reader));
    ebb_recipe_destroy(&recipe);
    ebb_sound_reader_close(&reader);
    return code;
}

// ---- a model ----

// False: it cannot be told. Want of memory is no reason to leave it out.
static bool cost_of(const struct ebb_model *model, struct ebb_model_cost *cost)
{
    struct ebb_error error = {0};
    enum ebb_result result = ebb_model_cost(model, cost, &error);
    if (result == EBB_OUT_OF_MEMORY)
        tool_lose_line();
    return result == EBB_OK;
}

static json_t *model_json(const struct ebb_model *model, const struct ebb_model_info *i)
{
    struct ebb_model_cost cost = {0};
    json_t *o = json_pack("{s:s, s:s, s:o, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:b, s:s, s:i, s:f, s:I}",
                          "kind", i->kind == EBB_MODEL_GENERATE ? "generate" : "denoise", "name", i->name,
                          "path", report_text(i->path), "sha256", i->hash, "sample_rate", i->sample_rate,
                          "hop", i->hop, "n_mels", i->n_mels, "window_frames", i->window_frames,
                          "window_samples", i->window_samples, "labels", i->label_count, "latent", i->latent,
                          "classifier", i->classifier, "sampler", i->sampler, "steps", i->steps, "guidance",
                          i->guidance, "parameters", (json_int_t)i->parameters);
    json_object_set_new(o, "prompt", json_boolean(i->prompt));
    json_object_set_new(o, "encoding", json_integer(i->encoding));
    if (cost_of(model, &cost))
        json_object_set_new(o, "cost",
                            json_pack("{s:f, s:f, s:f, s:f}", "multiply_adds_of_evaluation", cost.evaluation,
                                      "multiply_adds_after", cost.after, "weight_bytes", cost.weight_bytes,
                                      "working_bytes", cost.working_bytes));
    if (i->kind == EBB_MODEL_DENOISE)
        json_object_set_new(o, "t", json_real(i->t_default));
    if (i->student_steps)
        json_object_set_new(o, "student_steps", json_integer(i->student_steps));
    json_object_set_new(o, "licence", text_or_null(i->licence));
    json_object_set_new(o, "credit", text_or_null(i->credit));
    json_object_set_new(o, "provenance", text_or_null(i->provenance));
    return o;
}

// "2", or "1.5 to 4.5 by label".
static void name_guidance(char *text, size_t size, const struct ebb_model *model,
                          const struct ebb_model_info *i)
{
    const struct ebb_label *first = ebb_model_label(model, 0);
    double low = first ? first->guidance : i->guidance, high = low;
    for (int k = 1; k < i->label_count; k++) {
        low = fmin(low, ebb_model_label(model, k)->guidance);
        high = fmax(high, ebb_model_label(model, k)->guidance);
    }
    if (low < high)
        snprintf(text, size, "guidance %g to %g by label", low, high);
    else
        snprintf(text, size, "guidance %g", low);
}

// What the model is asked by.
static void print_takes(const struct ebb_model_info *i)
{
    if (i->kind != EBB_MODEL_GENERATE)
        row("takes", "a recording");
    else if (i->encoding)
        row("takes", "--encoding FILE.npy: %d numbers, or tokens of so many", i->encoding);
    else
        row("takes", "%s",
            i->prompt && i->label_count ? "--prompt, in words, or a label"
            : i->prompt                 ? "--prompt, in words; --negative-prompt, --to-prompt"
            : i->label_count            ? "--label"
                                        : "nothing: it makes what it makes");
}

// Of a window, by the recommended settings.
static void print_cost(const struct ebb_model *model, const struct ebb_model_info *i)
{
    struct ebb_model_cost cost;
    if (!cost_of(model, &cost))
        return;
    int evaluations = i->guidance != 1 ? 2 : 1;
    double step = 1e-9 * cost.evaluation * evaluations, all = i->steps * step + 1e-9 * cost.after;
    row("computing", "%.3g thousand million multiply-adds a step%s, %.3g in all", step,
        evaluations > 1 ? ", guided" : "", all);
    row("memory", "%.0f MB of weights, %.0f MB of work; in all more, by the device", 1e-6 * cost.weight_bytes,
        1e-6 * cost.working_bytes * evaluations);
}

static void print_model(struct ebb_model *model, const struct ebb_model_info *i)
{
    tool_print("%s: %s", i->name, i->kind == EBB_MODEL_GENERATE ? "generates sounds" : "cleans recordings");
    row("folder", "%s", i->path);
    row("weights", "%.2f million%s", 1e-6 * (double)i->parameters,
        i->latent ? ", diffusion in an autoencoder's space" : "");
    row("sound", "%d Hz, %d mel bands every %d samples", i->sample_rate, i->n_mels, i->hop);
    row("window", "%.2f s (%d frames)", (double)i->window_samples / i->sample_rate, i->window_frames);
    if (i->label_count) {
        const struct ebb_label *label = ebb_model_label(model, i->default_label);
        row("labels", "%d%s%s (ebb labels lists them)", i->label_count, label ? ", default " : "",
            label ? label->name : "");
    }
    print_takes(i);
    print_cost(model, i);
    char times[64] = "";
    if (i->guidance_from > 0 || i->guidance_to < 1)
        snprintf(times, sizeof(times), " at times %g to %g", i->guidance_from, i->guidance_to);
    char how[64];
    if (i->kind == EBB_MODEL_DENOISE)
        snprintf(how, sizeof(how), "t %g", i->t_default);
    else
        name_guidance(how, sizeof(how), model, i);
    row("recommended", "%s, %d steps, %s%s", i->sampler, i->steps, how, times);
    if (i->student_steps)
        row("student", "%d evaluations, guidance in them: makes what is asked for without other settings",
            i->student_steps);
    if (i->classifier)
        row("classifier", "for --classifier-guidance");
    row("sha256", "%s", i->hash);
    if (i->licence)
        row("licence", "%s", i->licence);
    if (i->credit)
        row("credit", "%s", i->credit);
    if (i->provenance)
        row("provenance", "%s", i->provenance);
}

// `name` is no model: it may be a label of the one that comes with Ebb. Exit code.
static int info_label(const char *name, const struct ebb_error *no_model)
{
    struct ebb_model *model = no_model->code == EBB_NOT_FOUND && !as_json ? ebb_model_open("sfx", NULL)
                                                                          : NULL;
    bool label = model && ebb_model_find_label(model, name, NULL) >= 0;
    if (label) {
        tool_print("%s is a label of %s (kind, share of its clips a judge recognises):", name, "sfx");
        tool_print_labels(model, name);
        tool_print("  ebb render --label %s -o %s.wav", name, name);
    }
    ebb_model_close(&model);
    return label ? TOOL_OK : tool_error(no_model);
}

static int info_model(const char *name)
{
    struct ebb_error error = {0};
    struct ebb_model *model = ebb_model_open(name, &error);
    if (!model)
        return info_label(name, &error);
    int code = TOOL_OK;
    if (as_json)
        code = print_json(model_json(model, ebb_model_info(model)));
    else
        print_model(model, ebb_model_info(model));
    ebb_model_close(&model);
    return code;
}

static int info_of(const char *name)
{
    struct stat st;
    bool file = strcmp(name, "-") == 0 || (stat(name, &st) == 0 && !S_ISDIR(st.st_mode));
    if (strcmp(name, "devices") == 0)
        return info_devices();
    return file || tool_is_sound_name(name) ? info_sound(name) : info_model(name);
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"json", 0, NULL, TOOL_FLAG, &as_json, 0, 0, "as JSON"},
        {0},
    };
    int first, code = tool_options(command, options, argc, argv, &first);
    if (code >= 0)
        return code;
    if (first == argc)
        return tool_fail(TOOL_USAGE, "name a model, a sound file, or \"devices\"");
    code = TOOL_OK;
    for (; first < argc; first++) {
        int one = info_of(argv[first]);
        if (one && as_json)
            print_json(report_failure("file", argv[first]));
        code = code ? code : one;
    }
    return code;
}

const struct tool_command tool_info = {
    .name = "info",
    .summary = "a model, the recipe of a sound, or the devices",
    .usage = "MODEL | FILE.wav | LABEL | devices [--json]",
    .details = NULL,
    .examples = "  ebb info sfx\n"
                "  ebb info out/rain-s1-003.wav\n"
                "  ebb info devices\n",
    .run = run,
};
