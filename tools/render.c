// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb render: sounds from a label or a list, resumable, each with its recipe inside.
#include "render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "npy.h"
#include "page.h"
#include "report.h"
#include "written.h"

// ---- what is asked for ----

// "3/8": the third of eight parts.
static int read_shard(struct render *r)
{
    int part = 1, parts = 1, end = 0;
    if (r->shard && (sscanf(r->shard, "%9d/%9d%n", &part, &parts, &end) != 2 || r->shard[end] ||
                     r->shard[0] == '+' || part < 1 || part > parts))
        return tool_fail(TOOL_USAGE, "--shard: \"%s\", expected I/N: part I of N, from 1 to N", r->shard);
    r->part = (size_t)part - 1;
    r->parts = (size_t)parts;
    return TOOL_OK;
}

// A word without an option is a label or a prompt, and several are a prompt.
static int refuse_words(char *const *words, int count)
{
    char prompt[256];
    size_t length = 0;
    for (int i = 0; i < count && length < sizeof(prompt); i++)
        length += (size_t)snprintf(prompt + length, sizeof(prompt) - length, "%s%s", i ? " " : "", words[i]);
    if (!*words[0])
        return tool_fail(TOOL_USAGE, "an empty argument is not expected here");
    if (count > 1)
        return tool_fail(TOOL_USAGE, "\"%s\" is not expected here; did you mean --prompt \"%s\"?", words[0],
                         prompt);
    return tool_fail(TOOL_USAGE, "\"%s\" is not expected here; did you mean --label %s, or --prompt \"%s\"?",
                     words[0], words[0], prompt);
}

static int check_options(struct render *r)
{
    if ((r->list != NULL) + (r->like != NULL) + (r->label != NULL) > 1 && !(r->like && r->label))
        return tool_fail(TOOL_USAGE, "--list and --label or --like exclude each other");
    if (r->list && r->count)
        return tool_fail(TOOL_USAGE, "--list and --count exclude each other");
    r->naming.seeds = r->seed_count ? (uint64_t)r->seed_count : 1;
    if (r->seed_count && r->to_seed != UINT64_MAX)
        return tool_fail(TOOL_USAGE, "--seed-count and --to-seed exclude each other");
    if (r->to_seed != UINT64_MAX && r->list)
        return tool_fail(TOOL_USAGE, "--list and --to-seed exclude each other");
    if (render_is_path(r) && r->count < 2)
        return tool_fail(TOOL_USAGE,
                         "--to-seed is the end of a path: --count says how many sounds it has, 2 or more");
    if (sound_check_level(r->given, ""))
        return TOOL_USAGE;
    if (r->together && !ebb_recipe_has(r->given, "lufs") && !ebb_recipe_has(r->given, "peak"))
        return tool_fail(TOOL_USAGE, "--together says how --lufs or --peak is meant: give one of them");
    if (r->page && page_check())
        return TOOL_FAILED;
    if (r->shard && (r->page || r->check))
        return tool_fail(TOOL_USAGE, "--shard makes a part, %s tells of all: run it without --shard",
                         r->page ? "--report" : "--check");
    if (read_shard(r))
        return TOOL_USAGE;
    r->out = tool_output_name(r->out);
    if (r->out && tool_is_sound_name(r->out) && written_format_of(r->out) < 0)
        return tool_fail(TOOL_USAGE, "%s: expected a name that ends in .wav, .flac or .ogg", r->out);
    if (npy_check_name(r->latents))
        return TOOL_USAGE;
    if (tool_check_stdout(r->out, r->json))
        return TOOL_USAGE;
    return sound_take_guidance_w(r->given, r->guidance_w);
}

static int read_options(const struct tool_command *command, struct render *r, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"label", 'l', "NAME", TOOL_NAME, &r->label, 0, 0,
         "what to make: a label, several with commas between, \"all\", \"none\" (default), or a mixture like "
         "rain:0.7,wind:0.3. ebb labels lists them"},
        {"count", 'n', "N", TOOL_INT, &r->count, 1, 1000000,
         "how many of each label, with index 0, 1, ... (default 1)"},
        {"seed-count", 0, "N", TOOL_INT, &r->seed_count, 1, 1000000,
         "each sound with so many seeds: --seed, and those that follow (default 1)"},
        {"to-seed", 0, "N", TOOL_SEED, &r->to_seed, 0, 0,
         "a path of --count sounds from --seed to this one: the first and the last are those of the two "
         "seeds. With --share, the one sound at that place"},
        {"list", 0, "FILE", TOOL_NAME, &r->list, 0, 0,
         "CSV (first line: columns) or JSON Lines, a row per sound. Columns: name, folder, and the settings "
         "below. An empty cell has the value of the command line"},
        {"like", 0, "FILE", TOOL_NAME, &r->like, 0, 0,
         "make the sound of this file again; other options change its recipe"},
        {"output", 'o', "PATH", TOOL_NAME, &r->out, 0, 0,
         "a folder (default: this one), a .wav, .flac or .ogg for one sound, or - for standard output"},
        {"name", 0, "TEMPLATE", TOOL_NAME, &r->naming.pattern, 0, 0,
         "how files are named in the folder, such as {label}/{name}_{index:03}. Fields are name and the "
         "settings below"},
        {"shard", 0, "I/N", TOOL_NAME, &r->shard, 0, 0,
         "make part I of N, 1 to N: every Nth sound. All parts together are the files of one run"},
        {"stale", 0, "S", TOOL_REAL, &r->stale, 10, 86400,
         "make the sounds that another run began if it has given no sign for so long (default 120 seconds)"},
        {"check", 0, NULL, TOOL_FLAG, &r->check, 0, 0,
         "make nothing; say which files are missing, damaged, another sound, or there twice"},
        {"report", 0, "DIR", TOOL_NAME, &r->page, 0, 0,
         "write a page, DIR/index.html, to listen to the sounds, see them and choose some"},
        {"together", 0, NULL, TOOL_FLAG, &r->together, 0, 0,
         "with --lufs or --peak: one gain for all sounds, so that they stay as loud beside each other"},
        {"model", 'm', "NAME", TOOL_NAME, &r->model, 0, 0, "a model's name or folder (default sfx)"},
        SOUND_GUIDANCE_W(&r->guidance_w),
        {"save-latents", 0, "X.npy", TOOL_NAME, &r->latents, 0, 0,
         "write the last state of the process, before decoding and clamping, of one sound; no WAV without -o"},
        {"save-steps", 0, "DIR", TOOL_NAME, &r->steps_folder, 0, 0,
         "write the state after each step, of one sound, as DIR/step-000.npy (the noise), "
         "step-001.npy, ...; no WAV without -o"},
        {"device", 'd', "NAME", TOOL_NAME, &r->device, 0, 0, TOOL_DEVICES},
        {"threads", 't', "N", TOOL_INT, &r->threads, 0, 1024, "CPU threads, 0 (default) = physical cores"},
        {"force", 0, NULL, TOOL_FLAG, &r->force, 0, 0, "make sounds that are there already again"},
        {"quiet", 'q', NULL, TOOL_FLAG, &r->quiet, 0, 0, "no progress, no warnings, no summary"},
        {"json", 0, NULL, TOOL_FLAG, &r->json, 0, 0, "a line of JSON per sound on standard output"},
        {0},
    };
    int first, code = tool_recipe_options(command, options, r->given, argc, argv, &first);
    if (code >= 0)
        return code;
    if (first < argc)
        return refuse_words(argv + first, argc - first);
    code = check_options(r);
    return code ? code : -1;
}

// ---- where it goes ----

// A file for one sound; everything else is a folder. It is looked at once: another run may make the folder
// meanwhile.
bool render_is_file(const struct render *r)
{
    struct stat st;
    bool there = stat(r->out, &st) == 0, folder = there && S_ISDIR(st.st_mode);
    bool device = there && !S_ISREG(st.st_mode) && !folder;
    return strcmp(r->out, "-") == 0 || device || (written_format_of(r->out) >= 0 && !folder);
}

char *render_output_path(const struct render *r, const struct sound_job *job)
{
    char *path = NULL;
    const char *ending = written_ending(sound_format(job->recipe, EBB_WAV_16));
    if (render_is_file(r))
        return strdup(r->out);
    const char *folder = strcmp(r->out, ".") == 0 ? "" : r->out;
    const char *slash = *folder && folder[strlen(folder) - 1] != '/' ? "/" : "";
    return asprintf(&path, "%s%s%s%s", folder, slash, job->name, ending) < 0 ? NULL : path;
}

// The folders that a name has in it. Exit code.
int render_make_folders(const char *path, const struct sound_job *job)
{
    const char *slash = strrchr(path, '/');
    if (!slash || !strchr(job->name, '/'))
        return TOOL_OK;
    char *folder = strndup(path, (size_t)(slash - path));
    int code = folder ? tool_make_folder(folder) : tool_fail(TOOL_FAILED, "no memory");
    free(folder);
    return code;
}

static int try_output(const struct render *r)
{
    struct sound_job job;
    int code = sound_get(&r->sounds, 0, &job);
    char *path = code ? NULL : render_output_path(r, &job);
    if (!code && !path)
        code = tool_fail(TOOL_FAILED, "no memory");
    if (!code)
        code = render_make_folders(path, &job);
    if (!code)
        code = tool_try_output(path);
    free(path);
    sound_job_clear(&job);
    return code;
}

// Makes the folder, its parents included.
static int prepare_output(const struct render *r)
{
    if (render_is_file(r) && r->sounds.count > 1)
        return tool_fail(TOOL_USAGE, "-o %s is one file, but there are %zu sounds: give a folder", r->out,
                         r->sounds.count);
    if (render_is_file(r) && (r->page || r->check))
        return tool_fail(TOOL_USAGE, "%s is for sounds in a folder, not for %s alone",
                         r->page ? "--report" : "--check", tool_shown_output(r->out));
    if (r->check)
        return TOOL_OK;
    if (render_is_file(r))
        return try_output(r);
    int code = tool_make_folder(r->out);
    return code ? code : try_output(r);
}

// ---- making ----

enum there { THERE_NOT, THERE_SAME, THERE_OTHER, THERE_CLAIMED };

static enum there look(const struct render *r, const struct sound_job *job, const char *path)
{
    struct stat st;
    if (r->force || strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return THERE_NOT;
    return sound_is_there(path, job->recipe, &r->m) ? THERE_SAME : THERE_OTHER;
}

// To be looked at again when everything else is made.
static int leave_to_others(struct render *r, const char *path, size_t i)
{
    if (r->claimed == r->passed_room) {
        size_t room = 2 * r->passed_room + 8, *passed = reallocarray(r->passed, room, sizeof(*passed));
        if (!passed)
            return tool_fail(TOOL_FAILED, "no memory");
        r->passed = passed;
        r->passed_room = room;
    }
    r->passed[r->claimed++] = i;
    if (!r->waits)
        render_report(r, path, "claimed", 0, 0);
    return TOOL_OK;
}

// Claims the file, where others may make it too; then it may be there after all. Exit code.
static int claim(struct render *r, const struct sound_job *job, const char *path, enum there *there)
{
    int code = render_make_folders(path, job);
    if (code || !r->claimer)
        return code;
    switch (claim_take(r->claimer, path, &code)) {
    case CLAIM_FAILED: return code;
    case CLAIM_OTHERS: *there = THERE_CLAIMED; return TOOL_OK;
    case CLAIM_OURS: *there = look(r, job, path); return TOOL_OK;
    }
    return TOOL_OK;
}

// What is to be done about a sound. Exit code.
static int settle_there(struct render *r, struct sound_job *job, size_t i, const char *path, enum there there)
{
    int code = TOOL_OK;
    r->lost = false;
    switch (there) {
    case THERE_SAME:
        r->kept++;
        if (r->claimer)
            claim_clear(r->claimer, path);
        render_report(r, path, "kept", 0, 0);
        break;
    case THERE_OTHER:
        r->differ++;
        tool_progress_clear(&r->progress);
        tool_say("%s is there, but is another sound; kept (--force replaces it)", path);
        render_report(r, path, "differs", 0, 0);
        break;
    case THERE_CLAIMED: code = leave_to_others(r, path, i); break;
    case THERE_NOT:
        code = render_make_job(r, job, path);
        r->made += !code && !r->lost;
        if (!code && r->lost) // this run stood still for long, and another one took the sound over
            code = leave_to_others(r, path, i);
        break;
    }
    return code;
}

static int render_job(struct render *r, struct sound_job *job, size_t i)
{
    int code = sound_job_settle(job, &r->m);
    if (code)
        return code;
    char *path = render_output_path(r, job);
    if (!path)
        return tool_fail(TOOL_FAILED, "no memory");
    enum there there = look(r, job, path);
    if (there == THERE_NOT)
        code = claim(r, job, path, &there);
    if (!code)
        code = settle_there(r, job, i, path, there);
    if (r->claimer)
        claim_give_up(r->claimer);
    if (code && r->json)
        report_print(report_failure("file", path));
    r->reported = true;
    if (r->sounds.count == 1)
        r->last = path;
    else
        free(path);
    return code;
}

// Sounds of this run's part.
static size_t count_part(const struct render *r)
{
    return r->sounds.count > r->part ? (r->sounds.count - r->part - 1) / r->parts + 1 : 0;
}

// `code`: how it ended. The same command goes on after an interruption. With --force it begins again, and
// sounds that failed would fail again.
static void summarise(const struct render *r, int code)
{
    size_t all = count_part(r), done = r->made + r->kept + r->differ + r->claimed;
    bool nothing = done == 0, failed = code && code != TOOL_INTERRUPTED;
    if (r->quiet || r->json || (nothing && failed && r->failed < 2))
        return;
    char kept[64] = "", differ[64] = "", claimed[64] = "", wrong[64] = "", rest[96] = "";
    if (r->kept)
        snprintf(kept, sizeof(kept), ", %zu %s there already", r->kept, r->kept == 1 ? "was" : "were");
    if (r->differ)
        snprintf(differ, sizeof(differ), ", %zu kept that differ%s", r->differ, r->differ == 1 ? "s" : "");
    if (r->claimed)
        snprintf(claimed, sizeof(claimed), ", %zu left to other runs", r->claimed);
    if (r->failed)
        snprintf(wrong, sizeof(wrong), ", %zu failed", r->failed);
    size_t left = all - done - r->failed;
    if (left)
        snprintf(rest, sizeof(rest), ", %zu left%s", left,
                 failed || r->force ? "" : ": the same command goes on");
    const char *what = r->last ? r->last : r->out;
    tool_print_beside(r->piped ? "-" : r->out, "%s: %zu of %zu sound%s made%s%s%s%s%s",
                      tool_shown_output(what), r->made, all, all == 1 ? "" : "s", kept, differ, claimed,
                      wrong, rest);
}

// `ebb render --label rain | aplay`: a single sound without a place goes down the pipe too, if nothing else
// does.
static bool goes_down_a_pipe(const struct render *r)
{
    struct stat st;
    return !r->out && !r->json && !r->quiet && r->sounds.count == 1 && fstat(STDOUT_FILENO, &st) == 0 &&
           S_ISFIFO(st.st_mode);
}

static enum ebb_result copy(FILE *file, struct ebb_output *output, struct ebb_error *error)
{
    char block[1 << 14];
    enum ebb_result result = EBB_OK;
    for (size_t n; result == EBB_OK && (n = fread(block, 1, sizeof(block), file)) > 0;)
        result = ebb_output_write(output, block, n, error);
    return result;
}

static int send_down_the_pipe(const struct render *r)
{
    struct ebb_error error = {0};
    struct sound_job job;
    int code = sound_get(&r->sounds, 0, &job);
    code = code ? code : sound_job_settle(&job, &r->m);
    char *path = code ? NULL : render_output_path(r, &job);
    FILE *file = path ? fopen(path, "rb") : NULL;
    struct ebb_output *output = file ? ebb_output_create("-", &error) : NULL;
    sound_job_clear(&job);
    if (code)
        return code;
    if (!file)
        code = tool_fail(TOOL_UNREADABLE, "%s cannot be read again", path ? path : "the sound");
    else if (!output || copy(file, output, &error) != EBB_OK)
        code = tool_error(&error);
    ebb_output_destroy(&output);
    if (file)
        fclose(file);
    free(path);
    return code;
}

static char *path_of(const void *r, const struct sound_job *job)
{
    return render_output_path(r, job);
}

static int write_page(const struct render *r)
{
    const struct page page = {
        .folder = r->page,
        .sounds = r->out,
        .source = &r->sounds,
        .m = &r->m,
        .path = path_of,
        .user = r,
        .quiet = r->quiet || r->json,
    };
    return page_write(&page);
}

static int check(const struct render *r)
{
    const struct check all = {
        .folder = r->out,
        .source = &r->sounds,
        .m = &r->m,
        .path = path_of,
        .user = r,
        .quiet = r->quiet,
        .json = r->json,
    };
    return check_sounds(&all);
}

static int render_sound(struct render *r, size_t i)
{
    struct sound_job job;
    if (tool_interrupted())
        return tool_fail(TOOL_INTERRUPTED, "interrupted");
    int code = sound_get(&r->sounds, i, &job);
    r->progress.item = (int)(i / r->parts) + 1;
    if (!code)
        code = render_job(r, &job, i);
    r->progress.what = NULL; // it was the job's
    sound_job_clear(&job);
    return code;
}

// Whether the folder takes no more files, because the disk is full for instance.
static bool takes_no_more(const struct render *r)
{
    enum { PROBE = 1 << 20 }; // a few seconds of sound
    static const char zeros[PROBE];
    struct ebb_error error = {0};
    char *path = NULL;
    if (render_is_file(r) || asprintf(&path, "%s/room", r->out) < 0)
        return true;
    struct ebb_output *output = ebb_output_create(path, &error); // never finished: it leaves no file
    bool full = !output || ebb_output_write(output, zeros, PROBE, &error) != EBB_OK;
    ebb_output_destroy(&output);
    free(path);
    return full;
}

// Whether a failure would meet the sounds that are left too.
static bool concerns_all(const struct render *r, int code)
{
    return code == TOOL_INTERRUPTED || code == TOOL_NO_DEVICE || !r->m.device ||
           (code == TOOL_UNWRITABLE && takes_no_more(r));
}

// Makes a sound; a failure is noted, the first one is the exit code. Whether the others are to be made.
static bool note_sound(struct render *r, size_t i, int *first)
{
    int code = render_sound(r, i);
    *first = code == TOOL_INTERRUPTED || !*first ? code : *first;
    r->failed += code && code != TOOL_INTERRUPTED;
    return !code || !concerns_all(r, code);
}

// What others were making is there by now, or they are lost and it is for this run to make.
static bool look_again(struct render *r, int *first)
{
    size_t count = r->claimed;
    bool on = true;
    r->claimed = 0;
    for (size_t k = 0; k < count && on; k++)
        on = note_sound(r, r->passed[k], first); // what is passed again comes to stand before it
    return on;
}

static bool wait_seconds(int seconds)
{
    static const struct timespec step = {0, 250000000};
    for (int k = 0; k < 4 * seconds && !tool_interrupted(); k++)
        nanosleep(&step, NULL);
    return !tool_interrupted();
}

// A run ends when its sounds are there, whoever makes them.
static void wait_for_others(struct render *r, int *first)
{
    enum { LONGEST_WAIT = 4 }; // seconds
    bool on = true;
    r->waits = true;
    if (r->claimed && !r->quiet)
        tool_say("%zu sound%s begun by other runs: waiting for %s", r->claimed,
                 r->claimed == 1 ? " was" : "s were", r->claimed == 1 ? "it" : "them");
    for (int seconds = 1; r->claimed && on; seconds += seconds < LONGEST_WAIT) {
        on = wait_seconds(seconds) && look_again(r, first);
        if (tool_interrupted())
            *first = tool_fail(TOOL_INTERRUPTED, "interrupted");
    }
}

// A sound that fails does not keep the others from being made. The first failure is the exit code.
static int render_each(struct render *r)
{
    int first = TOOL_OK;
    bool on = true;
    for (size_t i = r->part; i < r->sounds.count && on; i += r->parts)
        on = note_sound(r, i, &first);
    if (on)
        wait_for_others(r, &first);
    return first;
}

static int render_all(struct render *r)
{
    int code = (r->latents || r->steps_folder) && !r->m.device
                   ? tool_model_load(&r->m, r->device, r->threads, r->quiet)
                   : TOOL_OK;
    if (!code && (r->latents || r->steps_folder))
        code = render_save_latents(r);
    if (code || ((r->latents || r->steps_folder) && !r->out))
        return code;
    r->piped = goes_down_a_pipe(r);
    if (!r->out)
        r->out = ".";
    code = prepare_output(r);
    if (code)
        return code;
    if (r->check) {
        r->reported = true;
        return check(r);
    }
    if (!render_is_file(r) && !(r->claimer = claimer_create(r->stale)))
        return TOOL_FAILED;
    if (r->page && (code = page_try(r->page)))
        return code;
    r->progress.items = (int)count_part(r);
    code = render_each(r);
    tool_progress_clear(&r->progress);
    summarise(r, code);
    if (!code && r->piped)
        code = send_down_the_pipe(r);
    if (!code && r->page)
        code = write_page(r);
    return code ? code : r->differ ? TOOL_FAILED : TOOL_OK;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct render r = {.to_seed = UINT64_MAX,
                       .stale = CLAIM_STALE,
                       .guidance_w = NAN,
                       .given = ebb_recipe_create(EBB_VERB_GENERATE)};
    int code = r.given ? read_options(command, &r, argc, argv) : tool_fail(TOOL_FAILED, "no memory");
    r.progress.quiet = r.quiet;
    if (code < 0) {
        tool_catch_interrupts();
        code = render_collect(&r);
        if (!code && r.together)
            code = render_level_together(&r);
        if (!code)
            code = render_all(&r);
        if (code && r.json && !r.reported) // before the first sound
            report_print(report_failure("file", r.list ? r.list : r.out ? r.out : "."));
    }
    claimer_destroy(&r.claimer);
    free(r.passed);
    free(r.last);
    sound_rows_destroy(&r.rows);
    sound_survey_clear(&r.survey);
    sound_origin_clear(&r.origin);
    ebb_recipe_destroy(&r.base);
    ebb_recipe_destroy(&r.given);
    tool_model_close(&r.m);
    return code;
}

const struct tool_command tool_render = {
    .name = "render",
    .summary = "make sounds",
    .usage = "[--label NAME] [OPTION...]",
    .details =
        "A file has its name only when it is complete. Files that are there already are kept, so that a "
        "second run makes the sounds that are missing. Each file has its recipe in it: ebb info FILE.wav "
        "shows it.",
    .examples = "  ebb render --label rain -o rain.wav\n"
                "  ebb render --label rain --count 8 --seed 1 -o out/\n"
                "  ebb render --label bird --seed 1 --to-seed 2 --count 8 -o path/\n"
                "  ebb render --label rain:0.7,wind:0.3 --guidance 3.5 --rescale 0.7 -o storm.wav\n"
                "  ebb render --label all --lufs -23 --trim -o everything/\n"
                "  ebb render --label footstep --count 8 --lufs -23 --together -o steps/\n"
                "  ebb render --list sounds.csv -o out/\n"
                "  ebb render --label wind --channels 2 --width 0.8 --seconds 10 -o wind.wav\n"
                "  ebb render --label fire --loop --seconds 8 -o fire.wav\n"
                "  ebb render --like out/rain-s1-003.wav --steps 50 -o better.wav\n"
                "  ebb render --label thunder -o - | aplay\n",
    .run = run,
};
