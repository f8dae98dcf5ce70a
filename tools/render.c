// ebb render: sounds from a label or a list, resumable, each with its recipe inside.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "how.h"
#include "npy.h"

struct render {
    const char *label, *list, *like, *out, *model, *device, *format_name, *latents, *steps_folder;
    uint64_t seed, index, to_seed;
    int count, threads;
    double seconds, gain, lufs, peak;
    struct how how;
    bool trim, force, quiet, json;

    enum ebb_wav_format format;
    char like_model[512], like_hash[65];
    struct sound_list sounds;
    struct tool_model m;
    struct tool_progress progress;
    size_t made, kept, differ;
    struct ebb_counts counts; // of the last sound
    int step_code; // of --save-steps
};

// ---- what is asked for ----

static int read_options(const struct tool_command *command, struct render *r, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"label", 'l', "NAME", TOOL_NAME, &r->label, 0, 0,
         "what to make: a label, several with commas between, \"all\", \"none\" (default), or a mixture like "
         "rain:0.7,wind:0.3. ebb labels lists them"},
        {"count", 'n', "N", TOOL_INT, &r->count, 1, 1000000,
         "how many of each label, with index 0, 1, ... (default 1)"},
        {"seed", 's', "N", TOOL_SEED, &r->seed, 0, 0, "same seed and index, same sound (default 0)"},
        {"index", 'i', "N", TOOL_SEED, &r->index, 0, 0, "index of the first sound within its seed (default 0)"},
        {"to-seed", 0, "N", TOOL_SEED, &r->to_seed, 0, 0,
         "a path of --count sounds from --seed to this one; the first and the last are the plain seeds' own"},
        {"list", 0, "FILE", TOOL_NAME, &r->list, 0, 0,
         "CSV (first line: columns) or JSON Lines, a row per sound: name, label, seed, index, seconds, steps, "
         "guidance, sampler, eta, gain, lufs, peak, trim. An empty cell is what the command line says"},
        {"like", 0, "FILE", TOOL_NAME, &r->like, 0, 0,
         "make the sound of this WAV again; other options change its recipe"},
        {"output", 'o', "PATH", TOOL_NAME, &r->out, 0, 0,
         "a folder (default: this one), a .wav for one sound, or - for standard output"},
        {"format", 'f', "F", TOOL_TEXT, &r->format_name, 0, 0, "wav16 (default), wav24 or wav32f"},
        {"seconds", 0, "S", TOOL_REAL, &r->seconds, 0, 3600, "length; 0 (default) is one window of the model"},
        {"trim", 0, NULL, TOOL_FLAG, &r->trim, 0, 0, "cut the silence around each sound (60 dB below its peak)"},
        {"gain", 0, "DB", TOOL_REAL, &r->gain, -120, 60, "make it louder or softer"},
        {"lufs", 0, "L", TOOL_REAL, &r->lufs, -70, 0,
         "bring to this loudness (ITU-R BS.1770), as far as the peak allows"},
        {"peak", 0, "DB", TOOL_REAL, &r->peak, -70, 0, "bring the peak to this level, dBFS"},
        {"model", 'm', "NAME", TOOL_NAME, &r->model, 0, 0, "a model's name or folder (default sfx)"},
        HOW_OPTIONS(&r->how),
        {"noise", 0, "KIND", TOOL_TEXT, &r->how.noise, 0, 0,
         "philox (default), or torch: torch.Generator().manual_seed(seed)"},
        {"save-latents", 0, "X.npy", TOOL_NAME, &r->latents, 0, 0,
         "write the loop's last state, before decoding and clamping, of one sound; no WAV without -o"},
        {"save-steps", 0, "DIR", TOOL_NAME, &r->steps_folder, 0, 0,
         "write the loop's state after each step, of one sound, as DIR/step-000.npy (the noise), step-001.npy, ...; "
         "no WAV without -o"},
        {"device", 'd', "NAME", TOOL_NAME, &r->device, 0, 0, TOOL_DEVICES},
        {"threads", 't', "N", TOOL_INT, &r->threads, 0, 1024, "CPU threads, 0 (default) = physical cores"},
        {"force", 0, NULL, TOOL_FLAG, &r->force, 0, 0, "make sounds that are there already again"},
        {"quiet", 'q', NULL, TOOL_FLAG, &r->quiet, 0, 0, "no progress, no summary"},
        {"json", 0, NULL, TOOL_FLAG, &r->json, 0, 0, "a line of JSON per sound on standard output"},
        {0},
    };
    int first, code = tool_options(command, options, argc, argv, &first);
    if (code >= 0)
        return code;
    if (first < argc)
        return tool_fail(TOOL_USAGE, "\"%s\" is not expected here; did you mean --label %s?", argv[first], argv[first]);
    if ((r->list != NULL) + (r->like != NULL) + (r->label != NULL) > 1 && !(r->like && r->label))
        return tool_fail(TOOL_USAGE, "--list and --label or --like exclude each other");
    if (r->list && r->count)
        return tool_fail(TOOL_USAGE, "--list and --count exclude each other");
    if (r->to_seed != UINT64_MAX && r->list)
        return tool_fail(TOOL_USAGE, "--list and --to-seed exclude each other");
    if (r->to_seed != UINT64_MAX && r->count < 2)
        return tool_fail(TOOL_USAGE, "--to-seed is the end of a path: --count says how many sounds it has, 2 or more");
    if (!isnan(r->lufs) && !isnan(r->peak))
        return tool_fail(TOOL_USAGE, "--lufs and --peak exclude each other");
    if (r->out && tool_check_sound_name(r->out))
        return TOOL_USAGE;
    code = how_check(&r->how);
    if (code >= 0)
        return code;
    return !r->format_name || tool_format("--format", r->format_name, &r->format) ? -1 : TOOL_USAGE;
}

// Options that were given, over what is there.
static void override(const struct render *r, struct sound_settings *s)
{
    bool other = how_given(&r->how) || (r->label && strchr(r->label, ':'));
    if (s->student && other) { // the teacher's business, then, as if nothing had been said
        s->student = false;
        s->sampler[0] = 0;
        s->steps = 0;
        s->guidance = s->guidance_from = s->guidance_to = NAN;
    }
    if (r->seed != UINT64_MAX)
        s->seed = r->seed;
    if (r->index != UINT64_MAX)
        s->index = r->index;
    if (r->seconds >= 0)
        s->seconds = r->seconds;
    how_override(&r->how, s);
    if (!isnan(r->gain))
        s->gain_db = r->gain;
    if (!isnan(r->lufs) || !isnan(r->peak)) {
        s->lufs = r->lufs;
        s->peak_db = r->peak;
    }
    s->trim |= r->trim;
    if (r->format_name)
        s->format = r->format;
}

// Sound i of `count` on the way from one seed to the other. The ends are plain sounds, their recipes too.
static void put_on_path(const struct render *r, struct sound_job *job, int i)
{
    struct sound_settings *s = &job->settings;
    uint64_t from = s->seed;
    s->share = (double)i / (r->count - 1);
    s->to_seed = r->to_seed;
    if (i == r->count - 1)
        s->seed = r->to_seed;
    if (i == 0 || i == r->count - 1)
        s->share = 0;
    sound_path_name(job, from, r->to_seed, i);
}

static int add_label(struct render *r, const struct sound_settings *base, const char *label, size_t length)
{
    if (length == 0)
        return tool_fail(TOOL_USAGE, "--label: \"%s\" names an empty label; \"none\" is no label", r->label);
    if (length >= SOUND_LABEL)
        return tool_fail(TOOL_NOT_FOUND, "--label: no label is as long as \"%.20s...\"", label);
    for (int i = 0; i < (r->count ? r->count : 1); i++) {
        struct sound_job *job = sound_list_add(&r->sounds);
        if (!job)
            return tool_fail(TOOL_FAILED, "out of memory");
        job->settings = *base;
        job->settings.index += r->to_seed == UINT64_MAX ? (uint64_t)i : 0;
        if (strncmp(label, "none", length) != 0 || length != 4)
            memcpy(job->settings.label, label, length);
        else
            job->settings.label[0] = 0;
        job->settings.label[length] = 0;
        if (r->to_seed == UINT64_MAX)
            sound_default_name(job);
        else
            put_on_path(r, job, i);
    }
    return TOOL_OK;
}

static int add_labels(struct render *r, const struct sound_settings *base)
{
    int code = TOOL_OK;
    if (strchr(r->label, ':'))
        code = add_label(r, base, r->label, strlen(r->label));
    else if (strcmp(r->label, "all") == 0)
        for (int i = 0; i < r->m.info->label_count && !code; i++) {
            const char *name = ebb_model_label(r->m.model, i)->name;
            code = add_label(r, base, name, strlen(name));
        }
    else
        for (const char *at = r->label; at && !code; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
            code = add_label(r, base, at, strcspn(at, ","));
    return code;
}

// Not where a list names several samplers: one of them may have a use for what was given.
static void warn(const struct render *r)
{
    const struct sound_job *jobs = r->sounds.jobs;
    for (size_t i = 1; i < r->sounds.count; i++)
        if (strcmp(jobs[i].settings.sampler, jobs[0].settings.sampler) != 0)
            return;
    if (r->sounds.count)
        how_warn(&r->how, &jobs[0].settings);
}

// Opens the model and collects the sounds. Exit code.
static int collect(struct render *r)
{
    struct sound_settings base;
    sound_settings_default(&base);
    int code = r->like ? sound_recipe_read(r->like, &base, r->like_model, r->like_hash) : TOOL_OK;
    if (code)
        return code;
    override(r, &base);
    code = tool_model_open(&r->m, r->model ? r->model : r->like ? r->like_model : "sfx", EBB_MODEL_GENERATE);
    if (code)
        return code;
    if (!r->m.info->hash[0]) // without stated sums it takes reading the weights
        code = tool_model_load(&r->m, r->device, r->threads);
    if (code)
        return code;
    if (r->like && strcmp(r->like_hash, r->m.info->hash) != 0)
        tool_say("%s was made with another version of model %s: the sound will differ", r->like, r->m.info->name);
    if (r->list)
        code = sound_list_read(&r->sounds, r->list, &base);
    else if (r->label)
        code = add_labels(r, &base);
    else
        code = add_label(r, &base, base.label[0] ? base.label : "none", strlen(base.label[0] ? base.label : "none"));
    if (!code)
        code = sound_list_resolve(&r->sounds, &r->m);
    if (!code && (r->latents || r->steps_folder) && r->sounds.count > 1)
        code = tool_fail(TOOL_USAGE, "%s is for one sound, not %zu", r->latents ? "--save-latents" : "--save-steps",
                         r->sounds.count);
    if (!code)
        warn(r);
    return code;
}

// ---- where it goes ----

// A file for one sound; everything else is a folder.
static bool is_file(const struct render *r)
{
    struct stat st;
    bool folder = stat(r->out, &st) == 0 && S_ISDIR(st.st_mode);
    bool device = stat(r->out, &st) == 0 && !S_ISREG(st.st_mode) && !folder;
    return strcmp(r->out, "-") == 0 || device || (tool_ends_in(r->out, ".wav") && !folder);
}

static char *output_path(const struct render *r, const struct sound_job *job)
{
    char *path = NULL;
    int n = is_file(r) ? asprintf(&path, "%s", r->out)
                       : asprintf(&path, "%s%s%s.wav", r->out, r->out[strlen(r->out) - 1] == '/' ? "" : "/", job->name);
    return n < 0 ? NULL : path;
}

// Starts a file and takes it back: nobody should wait for a sound that has nowhere to go.
static int try_output(const struct render *r)
{
    struct ebb_error error = {0};
    struct stat st;
    char *path = output_path(r, &r->sounds.jobs[0]);
    if (!path)
        return tool_fail(TOOL_FAILED, "out of memory");
    bool new = strcmp(path, "-") != 0 && stat(path, &st) != 0;
    struct ebb_sound_writer *w = new ? ebb_sound_writer_create(path, 1, 48000, EBB_WAV_16, NULL, &error) : NULL;
    ebb_sound_writer_destroy(&w);
    free(path);
    return error.code ? tool_error(&error) : TOOL_OK;
}

// Makes the folder, its parents included.
static int prepare_output(const struct render *r)
{
    if (is_file(r) && r->sounds.count > 1)
        return tool_fail(TOOL_USAGE, "-o %s is one file, but there are %zu sounds: give a folder", r->out,
                         r->sounds.count);
    if (is_file(r))
        return try_output(r);
    int code = tool_make_folder(r->out);
    return code ? code : try_output(r);
}

// ---- making ----

static bool on_progress(void *user, double fraction)
{
    return tool_progress_show(user, fraction);
}

static void fill_params(struct render *r, const struct sound_settings *s, struct ebb_generate_params *p)
{
    sound_params(s, &r->m, p);
    p->counts = &r->counts;
    p->progress = on_progress;
    p->user = &r->progress;
}

static bool save_step(void *user, const struct ebb_generate_step *step)
{
    struct render *r = user;
    char path[4096];
    size_t sizes[4];
    for (int i = 0; i < 4; i++)
        sizes[i] = (size_t)step->shape[i];
    snprintf(path, sizeof(path), "%s/step-%03d.npy", r->steps_folder, step->step);
    r->step_code = npy_write(path, step->latents, 4, sizes);
    return r->step_code == TOOL_OK && !tool_interrupted();
}

static int save_latents(struct render *r, const struct sound_settings *s)
{
    struct ebb_error error = {0};
    struct ebb_generate_params params;
    int shape[4];
    fill_params(r, s, &params);
    if (r->steps_folder) {
        int made = tool_make_folder(r->steps_folder);
        if (made)
            return made;
        params.watch = save_step;
        params.progress = NULL;
        params.user = r;
    }
    if (ebb_generate_latents(r->m.model, &params, NULL, 0, shape, &error) != EBB_OK)
        return tool_error(&error);
    size_t sizes[4], count = 1;
    for (int i = 0; i < 4; i++)
        count *= sizes[i] = (size_t)shape[i];
    float *x = calloc(count, sizeof(*x));
    int code = x ? TOOL_OK : tool_fail(TOOL_FAILED, "out of memory");
    if (x && ebb_generate_latents(r->m.model, &params, x, count, shape, &error) != EBB_OK) {
        tool_progress_clear(&r->progress);
        code = r->step_code ? r->step_code : tool_error(&error);
    } else if (x && r->latents) {
        tool_progress_clear(&r->progress);
        code = npy_write(r->latents, x, 4, sizes);
    }
    free(x);
    return code;
}

static enum ebb_result write_sound(const struct ebb_sound *sound, enum ebb_wav_format format, const char *path,
                                   struct ebb_error *error)
{
    struct ebb_sound_writer *w =
        ebb_sound_writer_create(path, sound->channels, sound->rate, format, sound->comment, error);
    enum ebb_result result = w ? ebb_sound_writer_write(w, sound->samples, sound->frames, error) : error->code;
    if (result == EBB_OK)
        result = ebb_sound_writer_finish(w, error);
    ebb_sound_writer_destroy(&w);
    return result;
}

static void report(const struct render *r, const char *path, const char *status, double seconds, double took)
{
    if (!r->json)
        return;
    json_t *o = json_pack("{s:s, s:s}", "file", path, "status", status);
    if (seconds > 0) {
        json_object_set_new(o, "seconds", json_real(seconds));
        json_object_set_new(o, "took", json_real(took));
        json_object_set_new(o, "evaluations", json_integer(r->counts.evals)); // of its last window
        if (r->counts.rejected > 0)
            json_object_set_new(o, "rejected_steps", json_integer(r->counts.rejected));
    }
    json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    fflush(stdout);
    json_decref(o);
}

static int make(struct render *r, const struct sound_job *job, const char *path)
{
    struct ebb_error error = {0};
    struct ebb_generate_params params;
    fill_params(r, &job->settings, &params);
    double start = tool_now();
    size_t count = ebb_generate_length(r->m.model, &params);
    struct ebb_sound sound = {calloc(count ? count : 1, sizeof(float)), count, 1, r->m.info->sample_rate,
                              sound_recipe(&job->settings, &r->m)};
    enum ebb_result result = sound.samples && sound.comment ? EBB_OK : (error.code = EBB_OUT_OF_MEMORY);
    if (result == EBB_OK)
        result = ebb_generate(r->m.model, &params, sound.samples, count, &error);
    tool_progress_clear(&r->progress);
    if (result == EBB_OK)
        sound_finish(&job->settings, job->name, &sound);
    if (result == EBB_OK && tool_interrupted())
        result = error.code = EBB_CANCELLED;
    if (result == EBB_OK)
        result = write_sound(&sound, job->settings.format, path, &error);
    if (result == EBB_OK)
        report(r, path, "made", (double)sound.frames / sound.rate, tool_now() - start);
    free(sound.samples);
    free(sound.comment);
    return result == EBB_OK ? TOOL_OK : tool_error(&error);
}

// 1: there already, 0: to be made, -1: there, but another sound.
static int already_there(struct render *r, const struct sound_job *job, const char *path)
{
    struct stat st;
    if (r->force || strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    char *recipe = sound_recipe(&job->settings, &(struct tool_model){NULL, r->m.model, r->m.info});
    int matches = recipe ? sound_recipe_matches(path, recipe) : -1;
    free(recipe);
    return matches == 1 ? 1 : -1;
}

static int render_job(struct render *r, const struct sound_job *job)
{
    char *path = output_path(r, job);
    if (!path)
        return tool_fail(TOOL_FAILED, "out of memory");
    int there = already_there(r, job, path), code = TOOL_OK;
    if (there == 1) {
        r->kept++;
        report(r, path, "kept", 0, 0);
    } else if (there == -1) {
        r->differ++;
        tool_progress_clear(&r->progress);
        tool_say("%s is there, but is another sound; kept (--force replaces it)", path);
        report(r, path, "differs", 0, 0);
    } else {
        if (!r->m.device)
            code = tool_model_load(&r->m, r->device, r->threads);
        r->progress.what = job->name;
        if (!code)
            code = make(r, job, path);
        r->made += !code;
    }
    free(path);
    return code;
}

// `code`: how it ended. What an error kept from being made, the same command need not make; with --force it begins again.
static void summarise(const struct render *r, int code)
{
    bool nothing = r->made + r->kept + r->differ == 0, failed = code && code != TOOL_INTERRUPTED;
    if (r->quiet || r->json || strcmp(r->out, "-") == 0 || (nothing && failed))
        return;
    printf("%s: %zu of %zu sound%s made", r->out, r->made, r->sounds.count, r->sounds.count == 1 ? "" : "s");
    if (r->kept)
        printf(", %zu %s there already", r->kept, r->kept == 1 ? "was" : "were");
    if (r->differ)
        printf(", %zu kept that differ%s", r->differ, r->differ == 1 ? "s" : "");
    size_t left = r->sounds.count - r->made - r->kept - r->differ;
    if (left)
        printf(", %zu left%s", left, failed || r->force ? "" : ": the same command goes on");
    putchar('\n');
}

static int render_all(struct render *r)
{
    int code = (r->latents || r->steps_folder) && !r->m.device ? tool_model_load(&r->m, r->device, r->threads) : TOOL_OK;
    if (!code && (r->latents || r->steps_folder))
        code = save_latents(r, &r->sounds.jobs[0].settings);
    if (code || ((r->latents || r->steps_folder) && !r->out))
        return code;
    if (!r->out)
        r->out = ".";
    code = prepare_output(r);
    if (code)
        return code;
    r->progress.items = (int)r->sounds.count;
    for (size_t i = 0; i < r->sounds.count && !code; i++) {
        r->progress.item = (int)i + 1;
        code = tool_interrupted() ? tool_fail(TOOL_INTERRUPTED, "interrupted") : render_job(r, &r->sounds.jobs[i]);
    }
    tool_progress_clear(&r->progress);
    summarise(r, code);
    return code ? code : r->differ ? TOOL_FAILED : TOOL_OK;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct render r = {.seed = UINT64_MAX, .index = UINT64_MAX, .to_seed = UINT64_MAX, .seconds = -1, .gain = NAN,
                       .lufs = NAN, .peak = NAN};
    how_default(&r.how);
    int code = read_options(command, &r, argc, argv);
    if (code >= 0)
        return code;
    r.progress.quiet = r.quiet;
    tool_catch_interrupts();
    code = collect(&r);
    if (!code)
        code = render_all(&r);
    sound_list_clear(&r.sounds);
    tool_model_close(&r.m);
    return code;
}

const struct tool_command tool_render = {
    .name = "render",
    .summary = "make sounds",
    .usage = "[--label NAME] [OPTION...]",
    .details =
        "Each sound is written under a temporary name and renamed when complete; what is there already is kept, so a "
        "second run does what is left. The recipe is in the WAV's comment: ebb info FILE.wav shows it.",
    .examples = "  ebb render --label rain -o rain.wav\n"
                "  ebb render --label rain --count 8 --seed 1 -o out/\n"
                "  ebb render --label bird --seed 1 --to-seed 2 --count 8 -o path/\n"
                "  ebb render --label rain:0.7,wind:0.3 --guidance 3.5 --rescale 0.7 -o storm.wav\n"
                "  ebb render --label all --lufs -23 --trim -o everything/\n"
                "  ebb render --list sounds.csv -o out/\n"
                "  ebb render --like out/rain-s1-003.wav --steps 50 -o better.wav\n"
                "  ebb render --label thunder -o - | aplay\n",
    .run = run,
};
