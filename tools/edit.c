// ebb edit: a recording changed under a generating model.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "how.h"

enum { EDIT_FORMAT = 1 };

struct edit {
    const char *input, *label, *band, *out, *model, *device, *format_name;
    double from, to, before, after, t, vary; // NAN: not given
    int resample, threads;
    uint64_t seed, index;
    struct how how;
    bool force, quiet, json;

    enum ebb_wav_format format;
    struct sound_settings settings;
    struct ebb_edit_params params;
    struct ebb_sound recording;
    struct tool_model m;
    struct tool_progress progress;
};

// ---- what is asked for ----

// "2000:8000", either side may be left out.
static int read_band(struct edit *e)
{
    char low[64];
    const char *colon = e->band ? strchr(e->band, ':') : NULL;
    if (!e->band)
        return -1;
    if (!colon || colon - e->band >= (int)sizeof(low) || strcmp(e->band, ":") == 0)
        return tool_fail(TOOL_USAGE, "--band: \"%s\" is not LOW:HIGH in Hz, such as 2000:8000, 2000: or :500", e->band);
    snprintf(low, sizeof(low), "%.*s", (int)(colon - e->band), e->band);
    if (low[0] && !tool_real("--band", low, 0, 384000, &e->params.low))
        return TOOL_USAGE;
    if (colon[1] && !tool_real("--band", colon + 1, 0, 384000, &e->params.high))
        return TOOL_USAGE;
    return -1;
}

static int check_options(struct edit *e)
{
    bool outside = e->before > 0 || e->after > 0, span = !isnan(e->from) || !isnan(e->to) || e->band;
    if (!outside && !span && isnan(e->t) && isnan(e->vary))
        return tool_fail(TOOL_USAGE, "say what to edit: --from and --to, --band, --before, --after, --t, or --vary");
    if (outside && (span || !isnan(e->t) || !isnan(e->vary)))
        return tool_fail(TOOL_USAGE, "--before and --after make new sound outside the recording; --from, --to, --band, --t "
                                     "and --vary change what is in it: one or the other");
    if (!e->out)
        return tool_fail(TOOL_USAGE, "say where it goes: -o OUT.wav, or - for standard output");
    if (tool_check_sound_name(e->out))
        return TOOL_USAGE;
    if (e->json && strcmp(e->out, "-") == 0)
        return tool_fail(TOOL_USAGE, "--json and the sound cannot both go to standard output");
    if (e->format_name && !tool_format("--format", e->format_name, &e->format))
        return TOOL_USAGE;
    int code = how_check(&e->how);
    return code >= 0 ? code : read_band(e);
}

static int read_options(const struct tool_command *command, struct edit *e, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"output", 'o', "OUT", TOOL_NAME, &e->out, 0, 0, "the edited WAV, or - for standard output"},
        {"label", 'l', "NAME", TOOL_NAME, &e->label, 0, 0,
         "what it becomes: a label or a mixture like rain:0.7,wind:0.3 (default: whatever fits). ebb labels lists them"},
        {"from", 0, "S", TOOL_REAL, &e->from, 0, 86400, "edit from this second (default: the start)"},
        {"to", 0, "S", TOOL_REAL, &e->to, 0, 86400, "... to this one (default: the end)"},
        {"band", 'b', "LOW:HIGH", TOOL_TEXT, &e->band, 0, 0, "edit only between these frequencies, Hz; 2000: is all above 2000"},
        {"before", 0, "S", TOOL_REAL, &e->before, 0, 600, "so many seconds of new sound in front of the recording"},
        {"after", 0, "S", TOOL_REAL, &e->after, 0, 600, "... and behind it"},
        {"t", 't', "T", TOOL_REAL, &e->t, 0, 1,
         "how far from the recording: small changes near 0, 1 (default) makes it anew, whatever was there"},
        {"vary", 'v', "DEG", TOOL_REAL, &e->vary, 0, 90,
         "a variation: turn the recording's own noise by 0 (itself) to 90 degrees (unlike it)"},
        {"resample", 'r', "N", TOOL_INT, &e->resample, 1, 100,
         "do each step so often, that new and old agree better (RePaint; default: 4 where the surroundings go on, "
         "otherwise 1)"},
        {"seed", 's', "N", TOOL_SEED, &e->seed, 0, 0, "another seed, another take (default 0)"},
        {"index", 'i', "N", TOOL_SEED, &e->index, 0, 0, "which take of that seed (default 0)"},
        HOW_OPTIONS(&e->how),
        {"format", 'f', "F", TOOL_TEXT, &e->format_name, 0, 0, "wav16, wav24 or wav32f (default: like the input)"},
        {"model", 'm', "NAME", TOOL_NAME, &e->model, 0, 0, "a model's name or folder (default sfx)"},
        {"device", 'd', "NAME", TOOL_NAME, &e->device, 0, 0, TOOL_DEVICES},
        {"threads", 0, "N", TOOL_INT, &e->threads, 0, 1024, "CPU threads, 0 (default) = physical cores"},
        {"force", 0, NULL, TOOL_FLAG, &e->force, 0, 0, "replace a file that is there already"},
        {"quiet", 'q', NULL, TOOL_FLAG, &e->quiet, 0, 0, "no progress, no summary"},
        {"json", 0, NULL, TOOL_FLAG, &e->json, 0, 0, "a line of JSON on standard output"},
        {0},
    };
    int first, code = tool_options(command, options, argc, argv, &first);
    if (code >= 0)
        return code;
    if (argc - first != 1)
        return tool_fail(TOOL_USAGE, argc == first ? "name the recording to edit" : "\"%s\" is not expected here: one "
                                                                                     "recording is edited at a time",
                         argv[argc - 1]);
    e->input = argv[first];
    if (!*e->input)
        return tool_fail(TOOL_USAGE, "the recording's name is empty");
    return check_options(e);
}

// ---- the recording, the model, and what goes with what ----

// All of it; a pipe can be opened only once, so that format and samples come from one reader.
static enum ebb_result read_recording(struct edit *e, struct ebb_error *error)
{
    enum { BLOCK = 1 << 16 };
    struct ebb_sound *s = &e->recording;
    struct ebb_sound_reader *reader = ebb_sound_reader_open(e->input, error);
    if (!reader)
        return error->code;
    const struct ebb_sound_info *info = ebb_sound_reader_info(reader);
    *s = (struct ebb_sound){.channels = info->channels, .rate = info->rate};
    e->format = e->format_name ? e->format : info->format;
    enum ebb_result result = EBB_OK;
    size_t capacity = 0;
    for (size_t got = BLOCK; got == BLOCK && result == EBB_OK; s->frames += got) {
        if (s->frames + BLOCK > capacity) {
            capacity = 2 * capacity + BLOCK;
            float *more = reallocarray(s->samples, capacity, (size_t)s->channels * sizeof(float));
            if (!more) {
                result = error->code = EBB_OUT_OF_MEMORY;
                break;
            }
            s->samples = more;
        }
        result = ebb_sound_reader_read(reader, s->samples + s->frames * (size_t)s->channels, BLOCK, &got, error);
    }
    ebb_sound_reader_close(&reader);
    return result;
}

// Everything that can be wrong is said here, before the weights are read.
static int prepare(struct edit *e)
{
    struct ebb_error error = {0};
    sound_settings_default(&e->settings);
    if (e->label && strcmp(e->label, "none") != 0 && strlen(e->label) >= sizeof(e->settings.label))
        return tool_fail(TOOL_NOT_FOUND, "--label: no label is as long as \"%.20s...\"", e->label);
    if (e->label && strcmp(e->label, "none") != 0)
        strcpy(e->settings.label, e->label);
    e->settings.seed = e->seed;
    e->settings.index = e->index;
    how_override(&e->how, &e->settings);

    int code = tool_model_open(&e->m, e->model ? e->model : "sfx", EBB_MODEL_GENERATE);
    if (!code)
        code = sound_labels(&e->settings, &e->m, "", NULL);
    if (!code && read_recording(e, &error) != EBB_OK)
        code = tool_error(&error);
    if (code)
        return code;

    struct ebb_edit_params *p = &e->params;
    p->from = isnan(e->from) ? p->from : e->from;
    p->to = isnan(e->to) ? p->to : e->to;
    p->before = e->before;
    p->after = e->after;
    p->t = isnan(e->t) ? p->t : e->t;
    p->angle = isnan(e->vary) ? p->angle : e->vary;
    p->resample = e->resample;
    if (p->angle < 90) { // the library's own choices, for the recipe
        e->settings.steps = e->settings.steps ? e->settings.steps : EBB_EDIT_INVERSION_STEPS;
        e->settings.guidance = isnan(e->settings.guidance) ? 1 : e->settings.guidance;
        if (!e->settings.sampler[0])
            strcpy(e->settings.sampler, "ddim");
    }
    code = sound_resolve(&e->settings, &e->m, "", false);
    if (code)
        return code;
    how_warn(&e->how, &e->settings);
    sound_params(&e->settings, &e->m, &p->generate);
    return ebb_edit_frames(e->m.model, p, &e->recording, &error) ? TOOL_OK : tool_error(&error);
}

// ---- the recipe ----

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// FNV-1a over the samples: which recording it was. Positive, as JSON's integers are read.
static json_int_t print_of(const struct ebb_sound *sound)
{
    const unsigned char *bytes = (const unsigned char *)sound->samples;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sound->frames * (size_t)sound->channels * sizeof(float); i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return (json_int_t)(hash >> 1);
}

static void set_if(json_t *o, const char *key, bool given, double value)
{
    if (given)
        json_object_set_new(o, key, json_real(value));
}

static char *describe(const struct edit *e)
{
    const struct ebb_edit_params *p = &e->params;
    char *how = sound_recipe(&e->settings, &e->m);
    json_t *all = how ? json_loads(how, 0, NULL) : NULL, *o = json_object();
    free(how);
    json_object_set_new(o, "ebb_edit", json_integer(EDIT_FORMAT));
    json_object_set_new(o, "source", json_string(strcmp(e->input, "-") == 0 ? "-" : base_name(e->input)));
    json_object_set_new(o, "source_print", json_integer(print_of(&e->recording)));
    set_if(o, "from", !isnan(e->from), p->from);
    set_if(o, "to", !isnan(e->to), p->to);
    set_if(o, "low", p->low > 0, p->low);
    set_if(o, "high", !isinf(p->high), p->high);
    set_if(o, "before", p->before > 0, p->before);
    set_if(o, "after", p->after > 0, p->after);
    json_object_set_new(o, "t", json_real(!isnan(p->t) ? p->t : p->angle < 90 ? EBB_EDIT_INVERSION_T : 1));
    set_if(o, "vary", p->angle < 90, p->angle);
    if (p->resample)
        json_object_set_new(o, "resample", json_integer(p->resample));
    static const char *const of_whole_sounds[] = {"ebb", "seconds", "trim", "gain_db", "lufs", "peak_db"};
    for (size_t i = 0; i < sizeof(of_whole_sounds) / sizeof(*of_whole_sounds); i++)
        json_object_del(all, of_whole_sounds[i]);
    json_object_update(o, all);
    json_decref(all);
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(o);
    return text;
}

// ---- the work ----

static bool on_progress(void *user, double fraction)
{
    return tool_progress_show(user, fraction);
}

static int report(const struct edit *e, const char *status, double seconds, double took)
{
    if (e->json) {
        json_t *o = json_pack("{s:s, s:s}", "file", e->out, "status", status);
        set_if(o, "seconds", seconds > 0, seconds);
        set_if(o, "took", seconds > 0, took);
        json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(o);
    } else if (!e->quiet && strcmp(e->out, "-") != 0) {
        if (seconds > 0)
            printf("%s: %.2f s, edited in %.1f s\n", e->out, seconds, took);
        else
            printf("%s: there already\n", e->out);
    }
    return TOOL_OK;
}

static int make(struct edit *e)
{
    struct ebb_error error = {0};
    struct ebb_sound sound = {0};
    char *recipe = describe(e); // again, now with the device
    double start = tool_now();
    e->params.generate.progress = on_progress;
    e->params.generate.user = &e->progress;
    enum ebb_result result = ebb_edit(e->m.model, &e->params, &e->recording, &sound, &error);
    tool_progress_clear(&e->progress);
    if (result == EBB_OK && tool_interrupted())
        result = error.code = EBB_CANCELLED;
    sound.comment = recipe;
    if (result == EBB_OK && !recipe)
        result = error.code = EBB_OUT_OF_MEMORY;
    if (result == EBB_OK)
        result = ebb_sound_write(e->out, &sound, e->format, &error);
    double seconds = sound.rate ? (double)sound.frames / sound.rate : 0;
    ebb_sound_clear(&sound);
    return result == EBB_OK ? report(e, "made", seconds, tool_now() - start) : tool_error(&error);
}

// Starts a file and takes it back: nobody should wait for a sound that has nowhere to go.
static int try_output(const struct edit *e)
{
    struct ebb_error error = {0};
    struct stat st;
    if (strcmp(e->out, "-") == 0 || stat(e->out, &st) == 0)
        return TOOL_OK;
    struct ebb_sound_writer *w = ebb_sound_writer_create(e->out, 1, 48000, EBB_WAV_16, NULL, &error);
    ebb_sound_writer_destroy(&w);
    return error.code ? tool_error(&error) : TOOL_OK;
}

static int edit(struct edit *e)
{
    struct stat st;
    int code = try_output(e);
    if (!code && !e->m.info->hash[0]) // without stated sums it takes reading the weights
        code = tool_model_load(&e->m, e->device, e->threads);
    if (!code && !e->force && strcmp(e->out, "-") != 0 && stat(e->out, &st) == 0 && S_ISREG(st.st_mode)) {
        char *recipe = describe(e);
        bool same = recipe && sound_recipe_matches(e->out, recipe) == 1;
        free(recipe);
        return same ? report(e, "kept", 0, 0)
                    : tool_fail(TOOL_FAILED, "%s is there, but is another sound; kept (--force replaces it)", e->out);
    }
    if (!code && !e->m.device)
        code = tool_model_load(&e->m, e->device, e->threads);
    return code ? code : make(e);
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct edit e = {.from = NAN, .to = NAN, .t = NAN, .vary = NAN};
    how_default(&e.how);
    ebb_edit_params_default(&e.params);
    int code = read_options(command, &e, argc, argv);
    if (code >= 0)
        return code;
    e.progress = (struct tool_progress){.what = base_name(e.input), .quiet = e.quiet};
    tool_catch_interrupts();
    code = prepare(&e);
    if (!code)
        code = edit(&e);
    ebb_sound_clear(&e.recording);
    tool_model_close(&e.m);
    return code;
}

const struct tool_command tool_edit = {
    .name = "edit",
    .summary = "change a span, a band or all of a recording",
    .usage = "IN -o OUT.wav [--from S] [--to S] [--band LOW:HIGH] [OPTION...]",
    .details =
        "Makes a part of a recording anew, so that it goes on from what stays; or adds new sound before or after it; or, with "
        "--t below 1 or --vary, keeps it near to what it was. Outside the part and 5 ms on either side of it no sample changes. "
        "Any rate, length and channel count.",
    .examples = "  ebb edit take.wav --from 1.2 --to 2.0 --label glass -o fixed.wav\n"
                "  ebb edit take.wav --from 1.2 --to 2.0 --band 2000:8000 -o fixed.wav\n"
                "  ebb edit rain.wav --after 5 --label rain -o longer.wav\n"
                "  ebb edit rain.wav --t 0.5 --label fire -o burning.wav\n"
                "  ebb edit step.wav --vary 30 --seed 2 -o another-step.wav\n",
    .run = run,
};
