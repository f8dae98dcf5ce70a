// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb edit: a recording changed under a generating model.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report.h"
#include "sound.h"
#include "written.h"

struct edit {
    const char *input, *band, *out, *model, *device;
    int threads;
    double guidance_w;
    bool force, quiet, json;

    struct ebb_recipe *given, *settled;
    struct ebb_sound recording;
    double *exact; // the recording's samples, where float32 is too little for them; otherwise NULL
    struct ebb_sound_metadata *metadata;
    enum ebb_wav_format format;
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
        return TOOL_OK;
    if (!colon || colon - e->band >= (int)sizeof(low) || strcmp(e->band, ":") == 0)
        return tool_fail(TOOL_USAGE, "--band: \"%s\" is not LOW:HIGH in Hz, such as 2000:8000, 2000: or :500",
                         e->band);
    snprintf(low, sizeof(low), "%.*s", (int)(colon - e->band), e->band);
    int code = low[0] ? tool_set(e->given, "low", low, "--band") : TOOL_OK;
    return !code && colon[1] ? tool_set(e->given, "high", colon + 1, "--band") : code;
}

static bool has_any(const struct ebb_recipe *recipe, const char *const *names, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any = any || ebb_recipe_has(recipe, names[i]);
    return any;
}

static int check_options(struct edit *e)
{
    static const char *const inside_names[] = {"from", "to", "low", "high", "t", "vary"};
    bool loop = ebb_recipe_number(e->given, "loop") == 1;
    bool outside = ebb_recipe_number(e->given, "before") > 0 || ebb_recipe_number(e->given, "after") > 0;
    int code = read_band(e);
    if (code)
        return code;
    bool inside = has_any(e->given, inside_names, sizeof(inside_names) / sizeof(*inside_names));
    if (!outside && !inside && !loop)
        return tool_fail(
            TOOL_USAGE,
            "say what to edit: --from and --to, --band, --before, --after, --t, --vary, or --loop");
    if (loop && (outside || inside))
        return tool_fail(TOOL_USAGE,
                         "--loop makes the join of the end with the start anew, and nothing else: it goes "
                         "with none of --from, --to, --band, --before, --after, --t and --vary");
    if (outside && inside)
        return tool_fail(
            TOOL_USAGE,
            "--before and --after make new sound outside the recording; --from, --to, --band, --t "
            "and --vary change what is in it: one or the other");
    if (!e->out)
        return tool_fail(TOOL_USAGE, "say where it goes: -o OUT.wav, or - for standard output");
    e->out = tool_output_name(e->out);
    if (!written_name_is_good(e->out, sound_given_format(e->given)))
        return TOOL_USAGE;
    if (tool_check_stdout(e->out, e->json))
        return TOOL_USAGE;
    return sound_take_guidance_w(e->given, e->guidance_w);
}

static int read_options(const struct tool_command *command, struct edit *e, int argc, char **argv)
{
    const struct tool_option options[] = {
        {"output", 'o', "OUT", TOOL_NAME, &e->out, 0, 0, "the edited WAV, or - for standard output"},
        {"band", 'b', "LOW:HIGH", TOOL_TEXT, &e->band, 0, 0,
         "--low and --high in one: edit only between these frequencies, Hz; 2000: is all above 2000"},
        SOUND_GUIDANCE_W(&e->guidance_w),
        {"model", 'm', "NAME", TOOL_NAME, &e->model, 0, 0, "a model's name or folder (default sfx)"},
        {"device", 'd', "NAME", TOOL_NAME, &e->device, 0, 0, TOOL_DEVICES},
        {"threads", 0, "N", TOOL_INT, &e->threads, 0, 1024, "CPU threads, 0 (default) = physical cores"},
        {"force", 0, NULL, TOOL_FLAG, &e->force, 0, 0, "replace a file that is there already"},
        {"quiet", 'q', NULL, TOOL_FLAG, &e->quiet, 0, 0, "no progress, no warnings, no summary"},
        {"json", 0, NULL, TOOL_FLAG, &e->json, 0, 0, "a line of JSON on standard output"},
        {0},
    };
    int first, code = tool_recipe_options(command, options, e->given, argc, argv, &first);
    if (code >= 0)
        return code;
    if (argc - first == 2 && !e->out && *argv[first + 1]) // edit IN OUT, as ebb denoise has it
        e->out = argv[--argc];
    if (argc - first != 1)
        return tool_fail(TOOL_USAGE,
                         argc == first ? "name the recording to edit"
                                       : "\"%s\" is not expected here: one recording is edited at a time",
                         argv[argc - 1]);
    e->input = argv[first];
    if (!*e->input)
        return tool_fail(TOOL_USAGE, "the recording's name is empty");
    code = check_options(e);
    return code ? code : -1;
}

// ---- the recording, the model, and what goes with what ----

static size_t frames_before(const struct edit *e)
{
    return (size_t)round(ebb_recipe_number(e->settled, "before") * e->recording.rate);
}

// All of it; a pipe can be opened only once, so that format, samples and metadata come from one reader.
static enum ebb_result read_recording(struct edit *e, struct ebb_error *error)
{
    struct ebb_sound_reader *reader = ebb_sound_reader_open(e->input, error);
    if (!reader)
        return error->code;
    enum ebb_wav_format format = ebb_sound_reader_info(reader)->format;
    e->format = (enum ebb_wav_format)written_format_for(e->out, sound_given_format(e->given), format);
    bool exact = written_needs_double(format) && written_needs_double(e->format);
    enum ebb_result result = exact ? ebb_sound_reader_read_all_double(reader, &e->recording, &e->exact, error)
                                   : ebb_sound_reader_read_all(reader, &e->recording, error);
    if (result == EBB_OK)
        e->metadata = ebb_sound_metadata_copy(ebb_sound_reader_metadata(reader), frames_before(e));
    if (result == EBB_OK && !e->metadata)
        result = error->code = EBB_OUT_OF_MEMORY;
    if (result == EBB_OK && ebb_recipe_number(e->settled, "loop") == 1)
        result = ebb_sound_metadata_set_loop(e->metadata, e->recording.rate, 0, e->recording.frames, error);
    ebb_sound_reader_close(&reader);
    if (result == EBB_OK && e->recording.warning)
        tool_warn("%s", e->recording.warning);
    return result;
}

// Which recording it was. 53 bits, which every reader of JSON holds.
static uint64_t fingerprint_of(const struct ebb_sound *sound)
{
    return sound_fingerprint(sound->samples, sound->frames * (size_t)sound->channels * sizeof(float)) >> 11;
}

static int record_source(struct edit *e)
{
    struct ebb_error error = {0};
    char source[1200];
    tool_printable(source, sizeof(source), strcmp(e->input, "-") == 0 ? "-" : tool_base_name(e->input));
    enum ebb_result result = ebb_recipe_set(e->settled, "source", source, &error);
    if (result == EBB_OK)
        result = ebb_recipe_set_seed(e->settled, "source-print", fingerprint_of(&e->recording), &error);
    return result == EBB_OK ? sound_set_format(e->settled, e->format) : tool_error(&error);
}

// Everything that can be wrong is said here, before the weights are read.
static int prepare(struct edit *e)
{
    struct ebb_error error = {0};
    int code = tool_model_open(&e->m, e->model ? e->model : "sfx", EBB_MODEL_GENERATE);
    if (code)
        return code;
    e->settled = ebb_recipe_copy(e->given);
    code = e->settled ? sound_settle(e->settled, &e->m, "") : tool_fail(TOOL_FAILED, "no memory");
    if (!code && read_recording(e, &error) != EBB_OK)
        code = tool_input_error(e->input, &error);
    if (!code)
        code = record_source(e);
    if (code)
        return code;
    sound_warn(e->given, e->settled);
    return ebb_edit_frames(e->m.model, e->settled, &e->recording, &error) ? TOOL_OK
                                                                          : tool_error_of(e->input, &error);
}

// ---- the work ----

static int report(const struct edit *e, const char *status, double seconds, double took)
{
    if (e->json)
        report_print(report_of(e->out, status, seconds, took));
    else if (!e->quiet && seconds > 0)
        tool_print_beside(e->out, "%s: %.2f s, edited in %.1f s", tool_shown_output(e->out), seconds, took);
    else if (!e->quiet)
        tool_print("%s: there already", e->out);
    return TOOL_OK;
}

static enum ebb_result make_sound(struct edit *e, struct ebb_sound *sound, struct ebb_error *error)
{
    struct ebb_hooks hooks = EBB_HOOKS;
    hooks.progress = tool_on_progress;
    hooks.user = &e->progress;
    enum ebb_result result = ebb_edit(e->m.model, e->settled, &e->recording, sound, &hooks, error);
    tool_progress_clear(&e->progress);
    if (result != EBB_OK)
        return result;
    if (tool_interrupted())
        return error->code = EBB_CANCELLED;
    sound->comment = sound_comment(e->settled);
    return sound->comment ? EBB_OK : (error->code = EBB_OUT_OF_MEMORY);
}

// The edited sound in double precision: what no edit touched is the recording's. NULL: out of memory.
static double *restore(const struct edit *e, const struct ebb_sound *sound)
{
    size_t channels = (size_t)sound->channels, before = frames_before(e) * channels;
    size_t count = sound->frames * channels, old = e->recording.frames * channels;
    double *exact = reallocarray(NULL, count, sizeof(*exact));
    for (size_t i = 0; i < count && exact; i++) {
        bool kept = i >= before && i - before < old && sound->samples[i] == e->recording.samples[i - before];
        exact[i] = kept ? e->exact[i - before] : (double)sound->samples[i];
    }
    return exact;
}

static enum ebb_result write_sound(struct edit *e, const struct ebb_sound *sound, struct ebb_error *error)
{
    double *exact = e->exact ? restore(e, sound) : NULL;
    if (e->exact && !exact)
        return error->code = EBB_OUT_OF_MEMORY;
    enum ebb_result result = written_sound(e->out, sound, exact, e->metadata, e->format, error);
    free(exact);
    if (result == EBB_OK)
        written_lost(e->out, e->metadata);
    return result;
}

static int make(struct edit *e)
{
    struct ebb_error error = {0};
    struct ebb_sound sound = {0};
    double start = tool_now();
    enum ebb_result result = make_sound(e, &sound, &error);
    if (result == EBB_OK)
        result = write_sound(e, &sound, &error);
    double seconds = sound.rate ? (double)sound.frames / sound.rate : 0;
    ebb_sound_clear(&sound);
    return result == EBB_OK ? report(e, "made", seconds, tool_now() - start) : tool_error(&error);
}

static int edit(struct edit *e)
{
    struct stat st;
    int code = tool_try_output(e->out);
    if (!code && !e->m.info->hash[0]) // without stated sums it takes reading the weights
        code = tool_model_load(&e->m, e->device, e->threads, e->quiet);
    if (!code)
        code = sound_settle(e->settled, &e->m, "");
    if (!code && !e->force && strcmp(e->out, "-") != 0 && stat(e->out, &st) == 0 && S_ISREG(st.st_mode))
        return sound_is_there(e->out, e->settled, &e->m)
                   ? report(e, "kept", 0, 0)
                   : tool_fail(TOOL_FAILED, "%s is there, but is another sound; kept (--force replaces it)",
                               e->out);
    if (!code && !e->m.device)
        code = tool_model_load(&e->m, e->device, e->threads, e->quiet);
    if (!code)
        code = sound_settle(e->settled, &e->m, ""); // again, now with the device
    return code ? code : make(e);
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct edit e = {.guidance_w = NAN, .given = ebb_recipe_create(EBB_VERB_EDIT)};
    int code = e.given ? read_options(command, &e, argc, argv) : tool_fail(TOOL_FAILED, "no memory");
    if (code < 0) {
        e.progress = (struct tool_progress){.what = tool_base_name(e.input), .quiet = e.quiet};
        tool_catch_interrupts();
        code = prepare(&e);
        if (!code)
            code = edit(&e);
        if (code && e.json)
            report_print(report_failure("file", e.out));
    }
    ebb_sound_clear(&e.recording);
    ebb_sound_metadata_destroy(&e.metadata);
    free(e.exact);
    ebb_recipe_destroy(&e.given);
    ebb_recipe_destroy(&e.settled);
    tool_model_close(&e.m);
    return code;
}

const struct tool_command tool_edit = {
    .name = "edit",
    .summary = "change a span, a band or all of a recording",
    .usage = "IN -o OUT.wav [--from S] [--to S] [--band LOW:HIGH] [--loop] [OPTION...]",
    .details =
        "Makes a part of a recording anew, so that it goes on from what stays; or adds new sound before or "
        "after it; or, with --t below 1 or --vary, keeps it near to what it was. Outside the part and 5 ms "
        "on either side of it no sample changes. Any rate, length and channel count.",
    .examples = "  ebb edit take.wav --from 1.2 --to 2.0 --label glass -o fixed.wav\n"
                "  ebb edit take.wav --from 1.2 --to 2.0 --band 2000:8000 -o fixed.wav\n"
                "  ebb edit rain.wav --after 5 --label rain -o longer.wav\n"
                "  ebb edit rain.wav --loop --label rain -o loop.wav\n"
                "  ebb edit rain.wav --t 0.5 --label fire -o burning.wav\n"
                "  ebb edit step.wav --vary 30 --seed 2 -o another-step.wav\n",
    .run = run,
};
