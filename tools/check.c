// SPDX-License-Identifier: LGPL-2.1-or-later
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report.h"
#include "written.h"

enum { DEEPEST = 100 }; // folders in folders

// All that is held of a sound: sums of its file's path and of its recipe.
struct sound_sums {
    uint64_t sum;
    size_t i;
};

enum state { THERE, MISSING, DAMAGED, DIFFERS, DOUBLED, STATES };

struct checking {
    const struct check *c;
    struct sound_sums *paths, *recipes; // each ordered by its sum
    size_t count;
    size_t found[STATES];
    size_t others;  // sound files that nobody asked for
    size_t working; // claims, and files that are being written or were left so
    int code;       // of what keeps this from going on
};

// ---- telling ----

static void tell(struct checking *k, enum state state, const char *path, const char *detail)
{
    static const char *const words[] = {"there", "missing", "damaged", "differs", "doubled"};
    k->found[state]++;
    if (state == THERE)
        return;
    if (k->c->json) {
        json_t *o = report_of(path, words[state], 0, 0);
        if (*detail)
            json_object_set_new(o, "why", report_text(detail));
        report_print(o);
    } else {
        tool_print("%s: %s%s%s", words[state], path, *detail ? ": " : "", detail);
    }
}

static void sum_up(const struct checking *k)
{
    if (k->c->json || k->c->quiet)
        return;
    char others[64] = "", working[96] = "";
    if (k->others)
        snprintf(others, sizeof(others), ", %zu other sound file%s", k->others, k->others == 1 ? "" : "s");
    if (k->working)
        snprintf(working, sizeof(working), ", %zu claim%s or unfinished file%s", k->working,
                 k->working == 1 ? "" : "s", k->working == 1 ? "" : "s");
    tool_print("%s: %zu of %zu sound%s there, %zu missing, %zu damaged, %zu differ, %zu doubled%s%s",
               k->c->folder, k->found[THERE], k->count, k->count == 1 ? "" : "s", k->found[MISSING],
               k->found[DAMAGED], k->found[DIFFERS], k->found[DOUBLED], others, working);
}

// ---- the sounds that are asked for ----

// Whether the file has all that its header promises. Of a FLAC reading it through tells. `why`: otherwise.
static bool is_whole(const char *path, char *why, size_t size)
{
    float block[4096];
    struct ebb_error error = {0};
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, &error);
    const struct ebb_sound_info *info = reader ? ebb_sound_reader_info(reader) : NULL;
    bool through = info && tool_ends_in(path, ".flac") && info->channels <= 64;
    size_t frames = info ? sizeof(block) / sizeof(*block) / (size_t)info->channels : 0, got = frames;
    while (through && got == frames && error.code == EBB_OK)
        ebb_sound_reader_read(reader, block, frames, &got, &error);
    const char *warning = reader ? ebb_sound_reader_warning(reader) : NULL;
    const char *words = error.code ? error.message : warning ? warning : "";
    bool named = strncmp(words, path, strlen(path)) == 0 && words[strlen(path)] == ':';
    snprintf(why, size, "%.380s", named ? words + strlen(path) + 2 : words);
    ebb_sound_reader_close(&reader);
    return !*why;
}

static enum state look(const struct checking *k, const struct sound_job *job, const char *path, char *why,
                       size_t size)
{
    struct stat st;
    *why = 0;
    if (stat(path, &st) != 0)
        return MISSING;
    if (!is_whole(path, why, size))
        return DAMAGED;
    if (sound_is_there(path, job->recipe, k->c->m))
        return THERE;
    snprintf(why, size, "its recipe is another one");
    return DIFFERS;
}

static int look_at(struct checking *k, size_t i)
{
    char why[400];
    struct sound_job job;
    int code = sound_get(k->c->source, i, &job);
    if (!code)
        code = sound_job_settle(&job, k->c->m);
    char *path = code ? NULL : k->c->path(k->c->user, &job);
    if (!code && !path)
        code = tool_fail(TOOL_FAILED, "no memory");
    if (!code) {
        k->paths[i] = (struct sound_sums){sound_fingerprint(path, strlen(path)), i};
        k->recipes[i] = (struct sound_sums){sound_recipe_fingerprint(job.recipe), i};
        tell(k, look(k, &job, path, why, sizeof(why)), path, why);
    }
    free(path);
    sound_job_clear(&job);
    return code;
}

// ---- what else is in the folder ----

static int by_sum(const void *a, const void *b)
{
    const struct sound_sums *x = a, *y = b;
    return (x->sum > y->sum) - (x->sum < y->sum);
}

static const struct sound_sums *find(const struct sound_sums *fingerprints, size_t count, uint64_t sum)
{
    const struct sound_sums key = {sum, 0};
    return bsearch(&key, fingerprints, count, sizeof(*fingerprints), by_sum);
}

static char *path_of(const struct checking *k, size_t i)
{
    struct sound_job job;
    int code = sound_get(k->c->source, i, &job);
    if (!code)
        code = sound_job_settle(&job, k->c->m);
    char *path = code ? NULL : k->c->path(k->c->user, &job);
    sound_job_clear(&job);
    return path;
}

// A file that nobody asked for may be a sound that somebody did ask for, under another name.
static void look_at_other(struct checking *k, const char *path)
{
    char why[400];
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, NULL);
    const char *text = reader ? ebb_sound_reader_info(reader)->recipe : NULL;
    struct ebb_recipe *recipe = text ? ebb_recipe_read(text, NULL) : NULL;
    const struct sound_sums *same = recipe ? find(k->recipes, k->count, sound_recipe_fingerprint(recipe))
                                           : NULL;
    char *twin = same ? path_of(k, same->i) : NULL;
    ebb_sound_reader_close(&reader);
    ebb_recipe_destroy(&recipe);
    snprintf(why, sizeof(why), "the sound of %.300s", twin ? twin : "");
    if (twin)
        tell(k, DOUBLED, path, why);
    k->others += !twin;
    free(twin);
}

static void walk(struct checking *k, const char *folder, int depth);

static void look_at_entry(struct checking *k, const char *folder, const char *name, int depth)
{
    struct stat st;
    char *path = NULL;
    bool end = folder[strlen(folder) - 1] == '/', here = strcmp(folder, ".") == 0;
    if (asprintf(&path, "%s%s%s", here ? "" : folder, end || here ? "" : "/", name) < 0)
        return;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && name[0] != '.')
        walk(k, path, depth + 1);
    else if (name[0] == '.')
        k->working += tool_ends_in(name, ".claim") || tool_ends_in(name, ".tmp");
    else if (written_format_of(name) >= 0 && !find(k->paths, k->count, sound_fingerprint(path, strlen(path))))
        look_at_other(k, path);
    free(path);
}

// An entry at a time: a folder of a million files takes no memory.
static void walk(struct checking *k, const char *folder, int depth)
{
    DIR *directory = depth <= DEEPEST ? opendir(folder) : NULL;
    if (!directory && errno != ENOENT)
        k->code = tool_fail(TOOL_UNREADABLE, "%s: %s", folder,
                            depth > DEEPEST ? "too many folders in folders" : strerror(errno));
    for (struct dirent *entry; directory && !k->code && (entry = readdir(directory));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            look_at_entry(k, folder, entry->d_name, depth);
    if (directory)
        closedir(directory);
}

// ---- all ----

static int check_all(struct checking *k)
{
    struct tool_progress progress = {.what = "checking", .quiet = k->c->quiet};
    for (size_t i = 0; i < k->count && !k->code; i++) {
        k->code = look_at(k, i);
        if (!k->code && !tool_progress_show(&progress, (double)(i + 1) / (double)k->count))
            k->code = tool_fail(TOOL_INTERRUPTED, "interrupted");
    }
    tool_progress_clear(&progress);
    if (k->code)
        return k->code;
    qsort(k->paths, k->count, sizeof(*k->paths), by_sum);
    qsort(k->recipes, k->count, sizeof(*k->recipes), by_sum);
    walk(k, k->c->folder, 0);
    if (k->code)
        return k->code;
    sum_up(k);
    return k->found[THERE] == k->count && !k->found[DOUBLED] ? TOOL_OK : TOOL_FAILED;
}

int check_sounds(const struct check *check)
{
    struct checking k = {.c = check, .count = check->source->count};
    k.paths = reallocarray(NULL, k.count, sizeof(*k.paths));
    k.recipes = reallocarray(NULL, k.count, sizeof(*k.recipes));
    int code = k.paths && k.recipes ? check_all(&k) : tool_fail(TOOL_FAILED, "no memory");
    free(k.paths);
    free(k.recipes);
    return code;
}
