// ebb info: a model, a sound's recipe, or the devices.
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "tool.h"

static bool as_json;

static int print_json(json_t *o)
{
    json_dumpf(o, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(o);
    return TOOL_OK;
}

static void row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void row(const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("  %-14s ", name);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
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
        return tool_fail(TOOL_FAILED, "out of memory");
    size_t now = ebb_device_list(devices, count);
    json_t *list = json_array();
    for (size_t i = 0; i < count && i < now; i++) {
        const struct ebb_device_info *d = &devices[i];
        json_array_append_new(list, device_json(d));
        if (as_json)
            continue;
        printf("  %-10s %s%s", d->name, d->description, d->usable ? "" : " (not usable)");
        if (d->memory)
            printf(", %.1f GiB", (double)d->memory / (1 << 30));
        printf("%s\n", d->software ? ", software: never picked by auto" : "");
    }
    free(devices);
    if (as_json)
        return print_json(list);
    json_decref(list);
    return TOOL_OK;
}

// ---- a sound ----

static json_t *recipe_of(const char *comment)
{
    json_t *o = comment ? json_loads(comment, 0, NULL) : NULL;
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}

// What a recipe writes as a number that is none.
static const char *words_for(const char *key, const json_t *value)
{
    if (strcmp(key, "eta") == 0 && json_is_number(value) && json_number_value(value) == EBB_ETA_OWN)
        return "the sampler's own";
    if (strcmp(key, "seconds") == 0 && json_is_number(value) && json_number_value(value) == 0)
        return "one window of the model";
    return json_string_value(value);
}

static void print_recipe(json_t *recipe)
{
    const char *key;
    json_t *value;
    json_object_foreach (recipe, key, value) {
        const char *words = words_for(key, value);
        char *text = words ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        if (!json_is_null(value))
            row(key, "%s", words ? words : text);
        free(text);
    }
}

static int info_sound(const char *path)
{
    struct ebb_error error = {0};
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, &error);
    if (!reader)
        return tool_error(&error);
    const struct ebb_sound_info *i = ebb_sound_reader_info(reader);
    json_t *recipe = recipe_of(i->comment);
    if (as_json) {
        json_t *o = json_pack("{s:s, s:I, s:i, s:i}", "file", path, "frames",
                              i->frames == SIZE_MAX ? (json_int_t)-1 : (json_int_t)i->frames, "channels", i->channels,
                              "rate", i->rate);
        json_object_set_new(o, "recipe", recipe ? recipe : json_null());
        json_object_set_new(o, "comment", recipe ? json_null() : text_or_null(i->comment));
        ebb_sound_reader_close(&reader);
        return print_json(o);
    }
    printf("%s\n", path);
    if (i->frames != SIZE_MAX)
        row("length", "%.3f s (%zu samples)", (double)i->frames / i->rate, i->frames);
    row("rate", "%d Hz", i->rate);
    row("channels", "%d", i->channels);
    if (recipe)
        print_recipe(recipe);
    else
        row("comment", "%s", i->comment ? i->comment : "none: no recipe in it");
    json_decref(recipe);
    ebb_sound_reader_close(&reader);
    return TOOL_OK;
}

// ---- a model ----

static json_t *model_json(const struct ebb_model_info *i)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:b, s:s, s:i, s:f, s:I}", "kind",
                          i->kind == EBB_MODEL_GENERATE ? "generate" : "denoise", "name", i->name, "path", i->path,
                          "sha256", i->hash, "sample_rate", i->sample_rate, "hop", i->hop, "n_mels", i->n_mels,
                          "window_frames", i->window_frames, "window_samples", i->window_samples, "labels",
                          i->label_count, "latent", i->latent, "classifier", i->classifier, "sampler", i->sampler, "steps",
                          i->steps, "guidance", i->guidance, "parameters", (json_int_t)i->parameters);
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
static void name_guidance(char *text, size_t size, const struct ebb_model *model, const struct ebb_model_info *i)
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

static void print_model(struct ebb_model *model, const struct ebb_model_info *i)
{
    printf("%s: %s\n", i->name, i->kind == EBB_MODEL_GENERATE ? "generates sounds" : "cleans recordings");
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
        row("student", "%d evaluations, guidance in them: makes what is asked for without other settings", i->student_steps);
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

static int info_model(const char *name)
{
    struct ebb_error error = {0};
    struct ebb_model *model = ebb_model_open(name, &error);
    if (!model)
        return tool_error(&error);
    int code = TOOL_OK;
    if (as_json)
        code = print_json(model_json(ebb_model_info(model)));
    else
        print_model(model, ebb_model_info(model));
    ebb_model_close(&model);
    return code;
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
    for (; first < argc && code <= TOOL_OK; first++) {
        struct stat st;
        bool file = stat(argv[first], &st) == 0 && !S_ISDIR(st.st_mode);
        if (strcmp(argv[first], "devices") == 0)
            code = info_devices();
        else
            code = file || tool_is_sound_name(argv[first]) ? info_sound(argv[first]) : info_model(argv[first]);
    }
    return code;
}

const struct tool_command tool_info = {
    .name = "info",
    .summary = "a model, the recipe of a sound, or the devices",
    .usage = "MODEL | FILE.wav | devices [--json]",
    .details = NULL,
    .examples = "  ebb info sfx\n"
                "  ebb info out/rain-s1-003.wav\n"
                "  ebb info devices\n",
    .run = run,
};
