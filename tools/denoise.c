// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb denoise: recordings cleaned, of any length in bounded memory.
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "originals.h"
#include "report.h"
#include "sound.h"
#include "tree.h"
#include "written.h"

enum { BLOCK = 8192 };

struct denoise {
    const char *out, *model, *device, *t, *keep_noise;
    int threads;
    bool force, quiet, json, recursive;

    struct tree tree; // with --recursive, the inputs
    size_t root;      // bytes of each input's path that name the folder
    size_t made, kept, differ, failed;
    struct ebb_recipe *recipe; // given, later settled
    const char *const *inputs;
    int count;
    bool named;  // with -o
    bool folder; // `out` names a folder; otherwise there is one input
    struct tool_model m;
    struct tool_progress progress;
};

// One file under way.
struct file_cleaning {
    struct denoise *d;
    const char *input;
    size_t frames; // claimed by the input, SIZE_MAX: unknown
    size_t written;
    int channels;
    bool exact; // float32 is too little for the samples
    struct ebb_sound_reader *reader;
    struct ebb_denoise *denoiser;
    struct ebb_sound_writer *clean, *noise;
    float *block, *cleaned, *removed;
    double *wide;               // the block in double precision, where `exact`; otherwise NULL
    struct originals originals; // where `exact`: what has not come back yet
};

// ---- options ----

static int read_t(struct denoise *d)
{
    if (!d->t)
        return TOOL_OK;
    if (strcmp(d->t, "auto") == 0)
        return tool_set(d->recipe, "auto-t", "1", "--t");
    return tool_set(d->recipe, "t", d->t, "--t (or \"auto\")");
}

static bool is_folder(const char *path)
{
    struct stat st;
    size_t length = strlen(path);
    return length > 0 && (path[length - 1] == '/' || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)));
}

// Several files, or a folder named in the last place as cp and mv have it, mean a folder; a sound file's name
// or - after -o, with one input, means that file.
static void find_output(struct denoise *d)
{
    bool last = !d->out && d->count > 1 && is_folder(d->inputs[d->count - 1]);
    if (last)
        d->out = d->inputs[--d->count];
    d->folder = d->out != NULL;
    d->named = d->folder && !last;
    if (d->named && d->count == 1 && !is_folder(d->out) &&
        (strcmp(d->out, "-") == 0 || tool_is_sound_name(d->out)))
        d->folder = false;
}

// One folder's recordings, at the same places in another one.
static int find_tree(struct denoise *d)
{
    d->out = d->out ? d->out : d->count == 2 ? d->inputs[1] : NULL;
    if (!d->out || d->count < 1 || d->count > 2 || (d->count == 2 && d->out != d->inputs[1]))
        return tool_fail(TOOL_USAGE, "--recursive takes a folder of recordings, and -o FOLDER");
    if (d->keep_noise)
        return tool_fail(TOOL_USAGE, "--keep-noise is for one recording, not for a folder");
    const char *folder = d->inputs[0];
    if (!*folder || !*d->out || strcmp(d->out, "-") == 0 || tool_is_sound_name(d->out))
        return tool_fail(TOOL_USAGE, "--recursive takes a folder of recordings, and -o FOLDER");
    if (tree_overlaps(folder, d->out))
        return tool_fail(TOOL_USAGE,
                         "%s and %s lie in one another: cleaned recordings go into another folder", folder,
                         d->out);
    int code = tree_read(&d->tree, folder);
    if (!code && d->tree.count == 0)
        code = tool_fail(TOOL_NOT_FOUND, "%s: no sound files in it", folder);
    if (!code && d->tree.count > INT_MAX)
        code = tool_fail(TOOL_FAILED, "%s: more than %d sound files", folder, INT_MAX);
    d->root = strlen(folder);
    d->inputs = (const char *const *)d->tree.paths;
    d->count = (int)d->tree.count;
    d->folder = d->named = true;
    return code;
}

static int check_output_names(const struct denoise *d)
{
    if (d->folder && (strcmp(d->out, "-") == 0 || tool_is_sound_name(d->out)))
        return tool_fail(TOOL_USAGE, "%d recordings cannot all go into %s: -o takes a folder", d->count,
                         tool_shown_output(d->out));
    int given = sound_given_format(d->recipe);
    bool good = (d->folder || written_name_is_good(d->out, given)) &&
                (!d->keep_noise || written_name_is_good(d->keep_noise, given));
    return good ? TOOL_OK : TOOL_USAGE;
}

static int check_inputs(struct denoise *d)
{
    if (d->out ? d->count < 1 : d->count != 2)
        return tool_fail(
            TOOL_USAGE,
            d->out ? "name the files to clean"
                   : "name two files, in and out (- is standard input or output), or several and -o FOLDER");
    for (int i = 0; i < d->count; i++)
        if (!*d->inputs[i])
            return tool_fail(TOOL_USAGE, "a file's name is empty");
    if (d->folder && d->count > 1 && d->keep_noise)
        return tool_fail(TOOL_USAGE, "--keep-noise is for one input, not %d", d->count);
    if (!d->out) {
        d->out = d->inputs[1];
        d->count = 1;
    }
    d->out = tool_output_name(d->out);
    d->keep_noise = tool_output_name(d->keep_noise);
    if (check_output_names(d))
        return TOOL_USAGE;
    if (tool_check_stdout(d->out, d->json) || tool_check_stdout(d->keep_noise, false))
        return TOOL_USAGE;
    if (d->keep_noise && strcmp(d->keep_noise, "-") == 0 && (d->json || strcmp(d->out, "-") == 0))
        return tool_fail(TOOL_USAGE, "--keep-noise -: standard output is taken already, by %s",
                         d->json ? "--json" : "the cleaned sound");
    return TOOL_OK;
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
    if (!d->recursive)
        find_output(d);
    code = d->recursive ? find_tree(d) : check_inputs(d);
    if (code)
        return code;
    code = read_t(d);
    return code ? code : -1;
}

// ---- names ----

static char *output_path(const struct denoise *d, const char *input)
{
    char *path = NULL;
    if (!d->folder)
        return strdup(d->out);
    const char *base = strcmp(input, "-") == 0 ? "cleaned" : tool_base_name(input), *dot = strrchr(base, '.');
    const char *slash = d->out[0] && d->out[strlen(d->out) - 1] == '/' ? "" : "/";
    const char *from = d->recursive ? input + d->root + strspn(input + d->root, "/") : base;
    int n = asprintf(&path, "%s%s%.*s%s", d->out, slash,
                     dot && dot > base ? (int)(dot - from) : (int)strlen(from), from,
                     written_ending(sound_format(d->recipe, EBB_WAV_16)));
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

// Two outputs of one name would be one file, and a folder of recordings is not to be cleaned onto itself. One
// file is, where both its names were typed.
static int check_output(const struct denoise *d, const struct names *n, int i)
{
    for (int j = 0; j < i; j++)
        if (tool_same_place(&n->out[i], &n->out[j]))
            return tool_fail(TOOL_USAGE, "%s and %s would both become %s", d->inputs[j], d->inputs[i],
                             n->path[i]);
    for (int j = 0; (d->folder || d->named) && j < d->count; j++)
        if (tool_same_place(&n->out[i], &n->in[j]))
            return tool_fail(TOOL_USAGE, "%s would replace the recording %s: %s", n->path[i], d->inputs[j],
                             d->folder ? "the folder must be another than the recordings'"
                                       : "name it twice, without -o, if that is meant");
    return TOOL_OK;
}

// A file that is there is replaced when it was asked for: by --force, or as the recording itself, cleaned in
// place.
static int check_unasked(const struct denoise *d, const char *path, bool in_place)
{
    struct stat st;
    bool there = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    if (!there || d->force || in_place)
        return TOOL_OK;
    return tool_fail(TOOL_FAILED, "%s is there already; kept (--force replaces it)", path);
}

static int check_keep_noise(const struct denoise *d, const struct names *n)
{
    struct tool_place keep = tool_place(d->keep_noise);
    if (tool_same_place(&keep, &n->in[0]))
        return tool_fail(TOOL_USAGE, "--keep-noise %s would replace the recording", d->keep_noise);
    if (tool_same_place(&keep, &n->out[0]))
        return tool_fail(TOOL_USAGE, "--keep-noise %s is the file of the cleaned sound", d->keep_noise);
    return TOOL_OK;
}

struct clean_file {
    char *path;
    int input;
};

static int by_path(const void *a, const void *b)
{
    const struct clean_file *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : (x->input > y->input) - (x->input < y->input);
}

static int compare_targets(const struct denoise *d, const struct clean_file *targets)
{
    for (int i = 1; i < d->count; i++)
        if (strcmp(targets[i - 1].path, targets[i].path) == 0)
            return tool_fail(TOOL_USAGE, "%s and %s would both become %s", d->inputs[targets[i - 1].input],
                             d->inputs[targets[i].input], targets[i].path);
    return TOOL_OK;
}

// take.wav and take.flac would be one file.
static int check_tree(const struct denoise *d)
{
    struct clean_file *targets = calloc((size_t)d->count, sizeof(*targets));
    int code = targets ? TOOL_OK : tool_fail(TOOL_FAILED, "out of memory");
    for (int i = 0; i < d->count && !code; i++) {
        targets[i] = (struct clean_file){output_path(d, d->inputs[i]), i};
        if (!targets[i].path)
            code = tool_fail(TOOL_FAILED, "out of memory");
    }
    if (!code) {
        qsort(targets, (size_t)d->count, sizeof(*targets), by_path);
        code = compare_targets(d, targets);
    }
    for (int i = 0; targets && i < d->count; i++)
        free(targets[i].path);
    free(targets);
    return code;
}

static int check_names(const struct denoise *d)
{
    if (d->recursive)
        return check_tree(d);
    struct names n = {0};
    int code = find_names(d, &n) ? TOOL_OK : tool_fail(TOOL_FAILED, "out of memory");
    for (int i = 0; i < d->count && !code; i++)
        code = check_output(d, &n, i);
    if (!code && d->keep_noise)
        code = check_keep_noise(d, &n);
    for (int i = 0; i < d->count && !code; i++)
        code = check_unasked(d, n.path[i], tool_same_place(&n.out[i], &n.in[i]));
    if (!code && d->keep_noise)
        code = check_unasked(d, d->keep_noise, false);
    clear_names(&n, d->count);
    return code;
}

// ---- the work ----

static bool on_progress(void *user, double fraction)
{
    struct file_cleaning *p = user;
    (void)fraction; // of the window; how far we are in the file says more
    double done = p->frames && p->frames != SIZE_MAX ? (double)p->written / (double)p->frames : 0;
    return tool_progress_show(&p->d->progress, done < 1 ? done : 1);
}

// The recipe with what it is made from; NULL after saying why.
static struct ebb_recipe *recipe_of(const struct denoise *d, const char *input)
{
    char source[1200];
    struct ebb_recipe *recipe = ebb_recipe_copy(d->recipe);
    tool_printable(source, sizeof(source), strcmp(input, "-") == 0 ? "-" : tool_base_name(input));
    if (!recipe || tool_set(recipe, "source", source, "source") != TOOL_OK)
        ebb_recipe_destroy(&recipe);
    return recipe;
}

// The same as text, with the format.
static char *describe(const struct denoise *d, const char *input, enum ebb_wav_format format)
{
    struct ebb_recipe *recipe = recipe_of(d, input);
    bool ok = recipe && sound_set_format(recipe, format) == TOOL_OK;
    char *text = ok ? sound_comment(recipe) : NULL;
    ebb_recipe_destroy(&recipe);
    return text;
}

static bool open_denoiser(struct file_cleaning *p, int rate, struct ebb_error *error)
{
    struct ebb_hooks hooks = EBB_HOOKS;
    hooks.progress = on_progress;
    hooks.user = p;
    p->denoiser = ebb_denoise_create(p->d->m.model, p->d->recipe, rate, p->channels, &hooks, error);
    return p->denoiser != NULL;
}

// What was removed belongs to the recording, too: its marks and times hold for both.
static bool begin_writer(const struct file_cleaning *p, struct ebb_sound_writer *writer,
                         struct ebb_error *error)
{
    const struct ebb_sound_metadata *metadata = ebb_sound_reader_metadata(p->reader);
    return writer && written_begin(writer, metadata, p->frames, error) == EBB_OK;
}

static struct ebb_sound_writer *open_writer(const struct file_cleaning *p, const char *path,
                                            enum ebb_wav_format format, struct ebb_error *error)
{
    char *comment = describe(p->d, p->input, format);
    struct ebb_sound_writer *writer = NULL;
    if (comment)
        writer = ebb_sound_writer_create(path, p->channels, ebb_sound_reader_info(p->reader)->rate, format,
                                         comment, error);
    else
        error->code = EBB_OUT_OF_MEMORY;
    free(comment);
    return writer;
}

static bool open_writers(struct file_cleaning *p, const char *output, const struct ebb_sound_info *info,
                         struct ebb_error *error)
{
    const struct denoise *d = p->d;
    int given = sound_given_format(d->recipe), clean = written_format_for(output, given, info->format);
    p->clean = open_writer(p, output, (enum ebb_wav_format)clean, error);
    p->exact = written_needs_double(info->format) && written_needs_double((enum ebb_wav_format)clean);
    if (!begin_writer(p, p->clean, error) || !d->keep_noise)
        return p->clean && !error->code;
    int noise = written_format_for(d->keep_noise, given, info->format);
    p->noise = open_writer(p, d->keep_noise, (enum ebb_wav_format)noise, error);
    return begin_writer(p, p->noise, error);
}

static bool make_room(struct file_cleaning *p, struct ebb_error *error)
{
    size_t count = (size_t)BLOCK * (size_t)p->channels;
    p->block = calloc(count, sizeof(float));
    p->cleaned = calloc(count, sizeof(float));
    p->removed = calloc(count, sizeof(float));
    p->wide = p->exact ? calloc(count, sizeof(double)) : NULL;
    bool ok = p->block && p->cleaned && p->removed && (p->wide || !p->exact);
    if (!ok)
        error->code = EBB_OUT_OF_MEMORY;
    return ok;
}

static bool open_pass(struct file_cleaning *p, const char *output, struct ebb_error *error)
{
    p->reader = ebb_sound_reader_open(p->input, error);
    if (!p->reader)
        return false;
    const struct ebb_sound_info *info = ebb_sound_reader_info(p->reader);
    p->channels = info->channels;
    p->frames = info->frames;
    return open_denoiser(p, info->rate, error) && open_writers(p, output, info, error) && make_room(p, error);
}

static void close_pass(struct file_cleaning *p)
{
    ebb_sound_writer_destroy(&p->clean);
    ebb_sound_writer_destroy(&p->noise);
    ebb_denoise_destroy(&p->denoiser);
    ebb_sound_reader_close(&p->reader);
    free(p->block);
    free(p->cleaned);
    free(p->removed);
    free(p->wide);
    originals_clear(&p->originals);
}

static enum ebb_result write_clean(struct file_cleaning *p, size_t frames, struct ebb_error *error)
{
    if (!p->exact)
        return ebb_sound_writer_write(p->clean, p->cleaned, frames, error);
    size_t count = frames * (size_t)p->channels;
    const double *cleaned = originals_less(&p->originals, p->removed, count);
    enum ebb_result result = ebb_sound_writer_write_double(p->clean, cleaned, frames, error);
    originals_drop(&p->originals, count);
    return result;
}

// What is ready goes out.
static enum ebb_result write_ready(struct file_cleaning *p, struct ebb_error *error)
{
    size_t got;
    while ((got = ebb_denoise_read(p->denoiser, p->cleaned, p->removed, BLOCK)) > 0) {
        enum ebb_result result = write_clean(p, got, error);
        if (result == EBB_OK && p->noise)
            result = ebb_sound_writer_write(p->noise, p->removed, got, error);
        if (result != EBB_OK)
            return result;
        p->written += got;
    }
    return EBB_OK;
}

static enum ebb_result read_block(struct file_cleaning *p, size_t *got, struct ebb_error *error)
{
    if (!p->exact)
        return ebb_sound_reader_read(p->reader, p->block, BLOCK, got, error);
    enum ebb_result result = ebb_sound_reader_read_double(p->reader, p->wide, BLOCK, got, error);
    size_t count = *got * (size_t)p->channels;
    for (size_t i = 0; i < count; i++)
        p->block[i] = (float)p->wide[i];
    if (result == EBB_OK && !originals_push(&p->originals, p->wide, count))
        result = error->code = EBB_OUT_OF_MEMORY;
    return result;
}

static enum ebb_result run_pass(struct file_cleaning *p, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (size_t got = BLOCK; got == BLOCK && result == EBB_OK;) {
        if (tool_interrupted())
            return error->code = EBB_CANCELLED;
        result = read_block(p, &got, error);
        if (result == EBB_OK)
            result = ebb_denoise_write(p->denoiser, p->block, got, error);
        if (result == EBB_OK)
            result = write_ready(p, error);
        on_progress(p, 0);
    }
    if (result == EBB_OK)
        result = ebb_denoise_finish(p->denoiser, error);
    if (result == EBB_OK)
        result = write_ready(p, error);
    if (result == EBB_OK && p->noise)
        result = ebb_sound_writer_finish(p->noise, error);
    return result == EBB_OK ? ebb_sound_writer_finish(p->clean, error) : result;
}

static void report(const struct file_cleaning *p, const char *output, double took)
{
    const struct denoise *d = p->d;
    double seconds = (double)p->written / ebb_sound_reader_info(p->reader)->rate;
    double t, least, most, snr = ebb_denoise_snr(p->denoiser);
    if (!ebb_denoise_t_range(p->denoiser, &least, &t, &most)) // nothing was heard
        t = least = most = ebb_denoise_t(p->denoiser);
    if (d->json) {
        json_t *o = json_pack("{s:o, s:o, s:f, s:f, s:f, s:f, s:f}", "input", report_text(p->input), "output",
                              report_text(output), "seconds", seconds, "took", took, "t", t, "t_least", least,
                              "t_most", most);
        json_object_set_new(o, "snr_db", isfinite(snr) ? json_real(snr) : json_null());
        report_print(o);
    } else if (!d->quiet) {
        char ratio[64] = "", range[64] = "";
        if (most - least >= 0.01)
            snprintf(range, sizeof(range), ", from %.2f to %.2f", least, most);
        if (isfinite(snr))
            snprintf(ratio, sizeof(ratio), " (signal to noise: %.0f dB by a rough estimate)", snr);
        bool noise_is_out = d->keep_noise && tool_is_stdout(d->keep_noise);
        tool_print_beside(noise_is_out ? d->keep_noise : output,
                          "%s: %.2f s cleaned at t = %.2f%s%s in %.1f s", tool_shown_output(output), seconds,
                          t, range, ratio, took);
    }
}

// Of a recording that was cut off, what there is was cleaned.
static void warn(const struct file_cleaning *p)
{
    const char *warning = ebb_sound_reader_warning(p->reader);
    if (warning)
        tool_warn("%s", warning);
}

// Whether the file is this recording, cleaned as it is asked for now.
static bool is_cleaned(const struct denoise *d, const char *input, const char *output)
{
    struct stat in, out;
    struct ebb_sound_reader *reader = ebb_sound_reader_open(output, NULL);
    const char *text = reader ? ebb_sound_reader_info(reader)->recipe : NULL;
    struct ebb_recipe *there = text ? ebb_recipe_read(text, NULL) : NULL, *asked = recipe_of(d, input);
    ebb_sound_reader_close(&reader);
    bool open = there && asked && !ebb_recipe_has(asked, "format"), same = there && asked;
    if (open) // it follows from the recording
        same = ebb_recipe_set(asked, "format", ebb_recipe_text(there, "format"), NULL) == EBB_OK;
    same = same && sound_is_there(output, asked, &d->m) && stat(input, &in) == 0 && stat(output, &out) == 0 &&
           in.st_mtime <= out.st_mtime;
    ebb_recipe_destroy(&there);
    ebb_recipe_destroy(&asked);
    return same;
}

// Of a folder: whether the file is left as it is. Exit code of what is to be said of it.
static int keep(struct denoise *d, const char *input, const char *output, bool *kept)
{
    struct stat st;
    *kept = d->recursive && !d->force && stat(output, &st) == 0;
    if (!*kept)
        return TOOL_OK;
    bool same = is_cleaned(d, input, output);
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
    int code = folder ? tool_make_folder(folder) : tool_fail(TOOL_FAILED, "out of memory");
    free(folder);
    return code;
}

static int input_error(const struct file_cleaning *p, struct ebb_error *error)
{
    if (!p->reader || p->denoiser || error->code != EBB_INVALID)
        return tool_input_error(p->input, error);
    error->code = EBB_UNSUPPORTED; // the settings are settled: it is the recording's rate or channels
    return tool_error_of(p->input, error);
}

static int clean_into(struct denoise *d, const char *input, const char *output)
{
    struct ebb_error error = {0};
    struct file_cleaning p = {.d = d, .input = input};
    double start = tool_now();
    d->progress.what = tool_base_name(input);
    bool ok = open_pass(&p, output, &error) && run_pass(&p, &error) == EBB_OK;
    tool_progress_clear(&d->progress);
    if (ok) {
        warn(&p);
        written_clipped(output, p.clean);
        if (p.noise)
            written_clipped(d->keep_noise, p.noise);
        written_lost(output, ebb_sound_reader_metadata(p.reader));
        report(&p, output, tool_now() - start);
    }
    int code = ok ? TOOL_OK : input_error(&p, &error);
    close_pass(&p);
    if (!ok && is_folder(input))
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
    char *output = output_path(d, input);
    int code = output ? keep(d, input, output, &kept) : tool_fail(TOOL_FAILED, "out of memory");
    if (!code && !kept)
        code = make_parents(d, output);
    if (!code && !kept)
        code = clean_into(d, input, output);
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
    int code = d.recipe ? read_options(command, &d, argc, argv) : tool_fail(TOOL_FAILED, "out of memory");
    d.progress.quiet = d.quiet;
    if (code < 0) {
        tool_catch_interrupts();
        code = check_names(&d);
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
