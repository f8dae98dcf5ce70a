// SPDX-License-Identifier: LGPL-2.1-or-later
// Which recordings `ebb denoise` cleans, and where each goes.
#include "denoise.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sound.h"
#include "written.h"

// ---- which recordings ----

bool denoise_is_folder(const char *path)
{
    struct stat st;
    size_t length = strlen(path);
    return length > 0 && (path[length - 1] == '/' || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)));
}

// Several files, or a folder named in the last place as cp and mv have it, mean a folder; a sound file's name
// or - after -o, with one input, means that file.
static void find_output(struct denoise *d)
{
    bool last = !d->out && d->count > 1 && denoise_is_folder(d->inputs[d->count - 1]);
    if (last)
        d->out = d->inputs[--d->count];
    d->folder = d->out != NULL;
    d->named = d->folder && !last;
    if (d->named && d->count == 1 && !denoise_is_folder(d->out) &&
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

int denoise_find_recordings(struct denoise *d)
{
    if (d->recursive)
        return find_tree(d);
    find_output(d);
    return check_inputs(d);
}

// ---- where each goes ----

char *denoise_output_path(const struct denoise *d, const char *input)
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
        n->path[i] = denoise_output_path(d, d->inputs[i]);
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
    int code = targets ? TOOL_OK : tool_fail(TOOL_FAILED, "no memory");
    for (int i = 0; i < d->count && !code; i++) {
        targets[i] = (struct clean_file){denoise_output_path(d, d->inputs[i]), i};
        if (!targets[i].path)
            code = tool_fail(TOOL_FAILED, "no memory");
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

int denoise_check_outputs(const struct denoise *d)
{
    if (d->recursive)
        return check_tree(d);
    struct names n = {0};
    int code = find_names(d, &n) ? TOOL_OK : tool_fail(TOOL_FAILED, "no memory");
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
