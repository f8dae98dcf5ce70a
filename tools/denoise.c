// ebb denoise: recordings cleaned, of any length in bounded memory.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tool.h"

enum { BLOCK = 8192, MAX_CHANNELS = 64 };

struct denoise {
    const char *out, *model, *device, *sampler, *t_text, *keep_noise, *format_name;
    double t, wet;
    int steps, threads;
    uint64_t seed;
    bool quiet, json;

    enum ebb_wav_format format;
    const char *const *inputs;
    int count;
    bool folder; // -o names a folder; otherwise there is one input
    struct tool_model m;
    struct tool_progress progress;
};

// One file under way.
struct pass {
    struct denoise *d;
    const char *input;
    size_t frames; // claimed by the input, SIZE_MAX: unknown
    size_t read, written;
    int channels;
    struct ebb_sound_reader *reader;
    struct ebb_denoise *cleaner;
    struct ebb_sound_writer *clean, *noise;
    float *block, *cleaned;
    float *waiting; // input not yet out, for the difference: frames written..read
    size_t capacity;
};

// ---- options ----

static int read_t(struct denoise *d)
{
    d->t = NAN; // the model's
    if (!d->t_text)
        return -1;
    if (strcmp(d->t_text, "auto") == 0) {
        d->t = EBB_T_AUTO;
        return -1;
    }
    return tool_real("--t (or \"auto\")", d->t_text, 0, 1, &d->t) ? -1 : TOOL_USAGE;
}

// -o is a folder, OUT a file.
static int check_output_names(const struct denoise *d)
{
    if (d->folder && strcmp(d->out, "-") == 0)
        return tool_fail(TOOL_USAGE, "-o names a folder; standard output is ebb denoise IN -");
    if (d->folder && tool_is_sound_name(d->out))
        return tool_fail(TOOL_USAGE, "-o names a folder; into a file goes ebb denoise IN %s", d->out);
    int code = d->folder ? TOOL_OK : tool_check_sound_name(d->out);
    return !code && d->keep_noise ? tool_check_sound_name(d->keep_noise) : code;
}

static int read_options(const struct tool_command *command, struct denoise *d, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"t", 't', "T", TOOL_TEXT, &d->t_text, 0, 0,
         "how much: 0 leaves the sound alone, bit for bit, 1 removes all the model can; or auto, which measures "
         "the noise (default: what the model recommends)"},
        {"wet", 'w', "X", TOOL_REAL, &d->wet, 0, 1, "mix of the input (0) and the cleaned sound (1, default)"},
        {"keep-noise", 'k', "FILE", TOOL_NAME, &d->keep_noise, 0, 0, "write what was removed (one input)"},
        {"output", 'o', "FOLDER", TOOL_NAME, &d->out, 0, 0,
         "clean many files into a folder, under their own names; a folder other than the recordings'"},
        {"format", 'f', "F", TOOL_TEXT, &d->format_name, 0, 0, "wav16, wav24 or wav32f (default: like the input)"},
        {"steps", 0, "N", TOOL_INT, &d->steps, 1, 1000, "network evaluations per window (default: recommended)"},
        {"sampler", 0, "NAME", TOOL_TEXT, &d->sampler, 0, 0,
         "default: what the model recommends. ebb samplers lists them"},
        {"seed", 's', "N", TOOL_SEED, &d->seed, 0, 0, "of the noise the recording is mixed with (default 0)"},
        {"model", 'm', "NAME", TOOL_NAME, &d->model, 0, 0, "a model's name or folder (default denoise)"},
        {"device", 'd', "NAME", TOOL_NAME, &d->device, 0, 0, TOOL_DEVICES},
        {"threads", 0, "N", TOOL_INT, &d->threads, 0, 1024, "CPU threads, 0 (default) = physical cores"},
        {"quiet", 'q', NULL, TOOL_FLAG, &d->quiet, 0, 0, "no progress, no summary"},
        {"json", 0, NULL, TOOL_FLAG, &d->json, 0, 0, "a line of JSON per file on standard output"},
        {0},
    };
    int first, code = tool_options(command, options, argc, argv, &first);
    if (code >= 0)
        return code;
    d->inputs = (const char *const *)argv + first;
    d->count = argc - first;
    d->folder = d->out != NULL;
    if (d->folder ? d->count < 1 : d->count != 2)
        return tool_fail(TOOL_USAGE,
                         d->folder
                             ? "name the files to clean"
                             : "name two files, in and out (- is standard input or output), or several and -o FOLDER");
    for (int i = 0; i < d->count; i++)
        if (!*d->inputs[i])
            return tool_fail(TOOL_USAGE, "a file's name is empty");
    if (d->folder && d->count > 1 && d->keep_noise)
        return tool_fail(TOOL_USAGE, "--keep-noise is for one input, not %d", d->count);
    if (!d->folder) {
        d->out = d->inputs[1];
        d->count = 1;
    }
    if (check_output_names(d))
        return TOOL_USAGE;
    if (d->json && strcmp(d->out, "-") == 0)
        return tool_fail(TOOL_USAGE, "--json and the sound cannot both go to standard output");
    if (d->keep_noise && strcmp(d->keep_noise, "-") == 0 && (d->json || strcmp(d->out, "-") == 0))
        return tool_fail(TOOL_USAGE, "--keep-noise -: standard output is taken already, by %s",
                         d->json ? "--json" : "the cleaned sound");
    if (d->sampler && !tool_sampler_known(d->sampler))
        return TOOL_NOT_FOUND;
    if (d->format_name && !tool_format("--format", d->format_name, &d->format))
        return TOOL_USAGE;
    return read_t(d);
}

// ---- names ----

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static char *output_path(const struct denoise *d, const char *input)
{
    char *path = NULL;
    if (!d->folder)
        return strdup(d->out);
    const char *base = strcmp(input, "-") == 0 ? "cleaned" : base_name(input), *dot = strrchr(base, '.');
    const char *slash = d->out[0] && d->out[strlen(d->out) - 1] == '/' ? "" : "/";
    int n = asprintf(&path, "%s%s%.*s.wav", d->out, slash, dot && dot > base ? (int)(dot - base) : (int)strlen(base), base);
    return n < 0 ? NULL : path;
}

// What is read and what is written, in the order of the inputs.
struct names {
    char **path; // of the outputs
    struct tool_place *in, *out;
};

static void clear_names(struct names *n, int count)
{
    for (int i = 0; n->path && i < count; i++)
        free(n->path[i]);
    free(n->path);
    free(n->in);
    free(n->out);
}

static bool find_names(const struct denoise *d, struct names *n)
{
    size_t count = (size_t)d->count;
    n->path = calloc(count, sizeof(*n->path));
    n->in = calloc(count, sizeof(*n->in));
    n->out = calloc(count, sizeof(*n->out));
    bool ok = n->path && n->in && n->out;
    for (int i = 0; i < d->count && ok; i++) {
        n->path[i] = output_path(d, d->inputs[i]);
        ok = n->path[i] != NULL;
        n->in[i] = tool_place(d->inputs[i]);
        n->out[i] = tool_place(ok ? n->path[i] : "-");
    }
    return ok;
}

// Two outputs of one name would be one file, and a folder of recordings is not to be cleaned onto itself. One file is, where
// both its names were typed.
static int check_output(const struct denoise *d, const struct names *n, int i)
{
    for (int j = 0; j < i; j++)
        if (tool_same_place(&n->out[i], &n->out[j]))
            return tool_fail(TOOL_USAGE, "%s and %s would both become %s", d->inputs[j], d->inputs[i], n->path[i]);
    for (int j = 0; d->folder && j < d->count; j++)
        if (tool_same_place(&n->out[i], &n->in[j]))
            return tool_fail(TOOL_USAGE, "%s would replace the recording %s: -o takes a folder other than the recordings'",
                             n->path[i], d->inputs[j]);
    return TOOL_OK;
}

static int check_keep_noise(const struct denoise *d, const struct names *n)
{
    struct tool_place keep = tool_place(d->keep_noise);
    if (tool_same_place(&keep, &n->in[0]))
        return tool_fail(TOOL_USAGE, "--keep-noise %s would replace the recording", d->keep_noise);
    if (tool_same_place(&keep, &n->out[0]))
        return tool_fail(TOOL_USAGE, "--keep-noise %s is where the cleaned sound goes", d->keep_noise);
    return TOOL_OK;
}

static int check_names(const struct denoise *d)
{
    struct names n = {0};
    int code = find_names(d, &n) ? TOOL_OK : tool_fail(TOOL_FAILED, "out of memory");
    for (int i = 0; i < d->count && !code; i++)
        code = check_output(d, &n, i);
    if (!code && d->keep_noise)
        code = check_keep_noise(d, &n);
    clear_names(&n, d->count);
    return code;
}

// ---- the work ----

static bool on_progress(void *user, double fraction)
{
    struct pass *p = user;
    (void)fraction; // of the window; how far we are in the file says more
    double done = p->frames && p->frames != SIZE_MAX ? (double)p->written / (double)p->frames : 0;
    return tool_progress_show(&p->d->progress, done < 1 ? done : 1);
}

static char *describe(const struct denoise *d, const char *input)
{
    json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:f, s:I, s:s}", "ebb_denoise", 1, "model", d->m.info->name,
                          "model_sha256", d->m.info->hash, "source", strcmp(input, "-") == 0 ? "-" : base_name(input),
                          "wet", d->wet, "seed", (json_int_t)d->seed, "version", ebb_version());
    if (d->t == EBB_T_AUTO)
        json_object_set_new(o, "t", json_string("auto"));
    else
        json_object_set_new(o, "t", json_real(isnan(d->t) ? d->m.info->t_default : d->t));
    if (d->m.info->licence)
        json_object_set_new(o, "model_licence", json_string(d->m.info->licence));
    if (d->m.info->credit)
        json_object_set_new(o, "credit", json_string(d->m.info->credit));
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(o);
    return text;
}

static bool open_cleaner(struct pass *p, int rate, struct ebb_error *error)
{
    const struct denoise *d = p->d;
    struct ebb_denoise_params params;
    ebb_denoise_params_default(&params);
    params.t = isnan(d->t) ? d->m.info->t_default : d->t;
    params.wet = d->wet;
    params.steps = d->steps;
    params.sampler = d->sampler;
    params.seed = d->seed;
    params.progress = on_progress;
    params.user = p;
    p->cleaner = ebb_denoise_create(d->m.model, &params, rate, p->channels, error);
    return p->cleaner != NULL;
}

static bool open_pass(struct pass *p, const char *output, struct ebb_error *error)
{
    const struct denoise *d = p->d;
    p->reader = ebb_sound_reader_open(p->input, error);
    if (!p->reader)
        return false;
    const struct ebb_sound_info *info = ebb_sound_reader_info(p->reader);
    p->channels = info->channels;
    p->frames = info->frames;
    if (!open_cleaner(p, info->rate, error))
        return false;
    enum ebb_wav_format format = d->format_name ? d->format : info->format;
    char *comment = describe(d, p->input);
    p->clean = ebb_sound_writer_create(output, p->channels, info->rate, format, comment, error);
    if (p->clean && d->keep_noise)
        p->noise = ebb_sound_writer_create(d->keep_noise, p->channels, info->rate, format, comment, error);
    free(comment);
    p->block = calloc((size_t)BLOCK * (size_t)p->channels, sizeof(float));
    p->cleaned = calloc((size_t)BLOCK * (size_t)p->channels, sizeof(float));
    if (!p->block || !p->cleaned)
        error->code = EBB_OUT_OF_MEMORY;
    return p->clean && (p->noise || !d->keep_noise) && p->block && p->cleaned;
}

static void close_pass(struct pass *p)
{
    ebb_sound_writer_destroy(&p->clean);
    ebb_sound_writer_destroy(&p->noise);
    ebb_denoise_destroy(&p->cleaner);
    ebb_sound_reader_close(&p->reader);
    free(p->block);
    free(p->cleaned);
    free(p->waiting);
}

// Keeps the input until its cleaned twin is out.
static enum ebb_result wait_for(struct pass *p, size_t frames, struct ebb_error *error)
{
    size_t channels = (size_t)p->channels, held = p->read - p->written;
    if (held + frames > p->capacity) {
        size_t capacity = 2 * (held + frames);
        float *more = reallocarray(p->waiting, capacity, channels * sizeof(float));
        if (!more)
            return error->code = EBB_OUT_OF_MEMORY;
        p->waiting = more;
        p->capacity = capacity;
    }
    memcpy(p->waiting + held * channels, p->block, frames * channels * sizeof(float));
    return EBB_OK;
}

// What is ready goes out; what was removed is the input that waited, less that.
static enum ebb_result write_ready(struct pass *p, struct ebb_error *error)
{
    size_t channels = (size_t)p->channels, got;
    while ((got = ebb_denoise_read(p->cleaner, p->cleaned, BLOCK)) > 0) {
        enum ebb_result result = ebb_sound_writer_write(p->clean, p->cleaned, got, error);
        if (result == EBB_OK && p->noise) {
            for (size_t i = 0; i < got * channels; i++)
                p->cleaned[i] = p->waiting[i] - p->cleaned[i];
            memmove(p->waiting, p->waiting + got * channels, (p->read - p->written - got) * channels * sizeof(float));
            result = ebb_sound_writer_write(p->noise, p->cleaned, got, error);
        }
        if (result != EBB_OK)
            return result;
        p->written += got;
    }
    return EBB_OK;
}

static enum ebb_result run_pass(struct pass *p, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (size_t got = BLOCK; got == BLOCK && result == EBB_OK;) {
        if (tool_interrupted())
            return error->code = EBB_CANCELLED;
        result = ebb_sound_reader_read(p->reader, p->block, BLOCK, &got, error);
        if (result == EBB_OK && p->noise)
            result = wait_for(p, got, error);
        if (result == EBB_OK)
            result = ebb_denoise_write(p->cleaner, p->block, got, error);
        p->read += result == EBB_OK ? got : 0;
        if (result == EBB_OK)
            result = write_ready(p, error);
        on_progress(p, 0);
    }
    if (result == EBB_OK)
        result = ebb_denoise_finish(p->cleaner, error);
    if (result == EBB_OK)
        result = write_ready(p, error);
    if (result == EBB_OK && p->noise)
        result = ebb_sound_writer_finish(p->noise, error);
    return result == EBB_OK ? ebb_sound_writer_finish(p->clean, error) : result;
}

static void report(const struct pass *p, const char *output, double took)
{
    const struct denoise *d = p->d;
    double seconds = (double)p->written / ebb_sound_reader_info(p->reader)->rate;
    double t = ebb_denoise_t(p->cleaner), snr = ebb_denoise_snr(p->cleaner);
    if (d->json) {
        json_t *o = json_pack("{s:s, s:s, s:f, s:f, s:f}", "input", p->input, "output", output, "seconds", seconds,
                              "took", took, "t", t);
        json_object_set_new(o, "snr_db", isfinite(snr) ? json_real(snr) : json_null());
        json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        putchar('\n');
        fflush(stdout);
        json_decref(o);
    } else if (!d->quiet && strcmp(output, "-") != 0 && !(d->keep_noise && strcmp(d->keep_noise, "-") == 0)) {
        printf("%s: %.2f s cleaned at t = %.2f", output, seconds, t);
        if (isfinite(snr))
            printf(" (signal to noise was about %.0f dB)", snr);
        printf(" in %.1f s\n", took);
    }
}

static int clean_file(struct denoise *d, const char *input)
{
    struct ebb_error error = {0};
    struct pass p = {.d = d, .input = input};
    char *output = output_path(d, input);
    if (!output)
        return tool_fail(TOOL_FAILED, "out of memory");
    double start = tool_now();
    d->progress.what = base_name(input);
    bool ok = open_pass(&p, output, &error) && run_pass(&p, &error) == EBB_OK;
    tool_progress_clear(&d->progress);
    if (ok)
        report(&p, output, tool_now() - start);
    close_pass(&p);
    free(output);
    return ok ? TOOL_OK : tool_error(&error);
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
    return worst;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct denoise d = {.wet = 1};
    int code = read_options(command, &d, argc, argv);
    if (code >= 0)
        return code;
    d.progress.quiet = d.quiet;
    tool_catch_interrupts();
    code = check_names(&d);
    if (!code)
        code = tool_model_open(&d.m, d.model ? d.model : "denoise", EBB_MODEL_DENOISE);
    if (!code)
        code = tool_model_load(&d.m, d.device, d.threads);
    if (!code)
        code = clean_all(&d);
    tool_model_close(&d.m);
    return code;
}

const struct tool_command tool_denoise = {
    .name = "denoise",
    .summary = "clean recordings",
    .usage = "IN OUT [OPTION...], or IN... -o FOLDER",
    .details =
        "Any length, rate and channel count; the output has exactly as many samples as the input, in the same place. A file "
        "that has the output's name is replaced. IN and OUT may be one file; -o and -k never replace a recording that is read.",
    .examples = "  ebb denoise noisy.wav clean.wav\n"
                "  ebb denoise --t 0.3 noisy.wav clean.wav --keep-noise noise.wav\n"
                "  ebb denoise --t auto take*.wav -o cleaned/\n"
                "  arecord -f dat | ebb denoise - - | aplay\n",
    .run = run,
};
