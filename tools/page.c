// SPDX-License-Identifier: LGPL-2.1-or-later
#include "page.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "plot.h"

extern const char page_template[]; // page.html

enum { PICTURE_WIDTH = 480, PICTURE_HEIGHT = 80, LONGEST = 3 * PATH_MAX };

struct writer {
    const struct page *page;
    struct ebb_output *output;
    struct ebb_error error;
    char to_sounds[LONGEST]; // from the page to the sounds' folder, "" or with a '/' behind
    char title[PATH_MAX];    // the name of that folder
    size_t sounds;
};

// ---- text ----

static void put(struct writer *w, const char *text, size_t size)
{
    if (w->error.code == EBB_OK)
        ebb_output_write(w->output, text, size, &w->error);
}

static void put_text(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_format(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put_format(struct writer *w, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_text(w, text);
}

// As text or in quotes.
static void put_escaped(struct writer *w, const char *text)
{
    static const struct {
        char letter;
        const char *entity;
    } marks[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    char plain[4 * SOUND_NAME];
    tool_printable(plain, sizeof(plain), text);
    for (const char *c = plain; *c; c++) {
        const char *entity = NULL;
        for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
            entity = *c == marks[i].letter ? marks[i].entity : entity;
        put(w, entity ? entity : c, entity ? strlen(entity) : 1);
    }
}

// A path as part of an address (RFC 3986).
static void put_address(struct writer *w, const char *path)
{
    for (; *path; path++)
        if (isalnum((unsigned char)*path) || strchr("-._~/", *path))
            put(w, path, 1);
        else
            put_format(w, "%%%02X", (unsigned char)*path);
}

// ---- paths ----

static size_t common_folders(const char *a, const char *b)
{
    size_t shared = 0;
    for (size_t i = 0;; i++) {
        bool end_a = a[i] == 0 || a[i] == '/', end_b = b[i] == 0 || b[i] == '/';
        if (end_a && end_b)
            shared = i;
        if (a[i] != b[i] || !a[i])
            return shared;
    }
}

// The way from one folder to the other.
static bool find_way(const char *from, const char *to, char out[LONGEST])
{
    char a[PATH_MAX], b[PATH_MAX];
    if (!realpath(from, a) || !realpath(to, b))
        return false;
    size_t shared = common_folders(a, b), used = 0;
    out[0] = 0;
    for (const char *c = a + shared; *c; c++)
        if (*c == '/' && c[1] && used + 4 < LONGEST)
            used += (size_t)snprintf(out + used, LONGEST - used, "../");
    const char *rest = b + shared + strspn(b + shared, "/");
    if (*rest)
        snprintf(out + used, LONGEST - used, "%s/", rest);
    return true;
}

// ---- a sound ----

#ifdef HAVE_CAIRO
static bool is_newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

// Drawn anew unless the picture is newer than the sound. Exit code.
static int draw(const char *sound, const char *picture)
{
    struct stat of_sound, of_picture;
    if (stat(picture, &of_picture) == 0 && stat(sound, &of_sound) == 0 &&
        is_newer(&of_picture.st_mtim, &of_sound.st_mtim))
        return TOOL_OK;
    char *folder = strndup(picture, (size_t)(strrchr(picture, '/') - picture));
    int code = folder ? tool_make_folder(folder) : tool_fail(TOOL_FAILED, "no memory");
    free(folder);
    return code ? code : plot_strip(sound, picture, PICTURE_WIDTH, PICTURE_HEIGHT);
}
#else
static int draw(const char *sound, const char *picture)
{
    (void)sound;
    (void)picture;
    return page_check();
}
#endif

static double to_db(double amplitude)
{
    return 20 * log10(fmax(amplitude, 1e-10));
}

static void put_number(struct writer *w, const char *kind, const char *unit, double value)
{
    put_format(w, "<div class=\"number %s\">", kind);
    if (isfinite(value))
        put_format(w, "%.*f", strcmp(kind, "seconds") == 0 ? 2 : 1, value);
    else
        put_text(w, "&ndash;");
    put_format(w, "<small>%s</small></div>", unit);
}

// In words: the label, or the prompt of a model that is asked so.
static const char *asked_for(const struct ebb_recipe *recipe)
{
    const char *label = ebb_recipe_text(recipe, "label"), *prompt = ebb_recipe_text(recipe, "prompt");
    return *label ? label : *prompt ? prompt : "no label";
}

static void put_data(struct writer *w, const char *name, const char *ending, const struct sound_job *job,
                     double lufs, double peak, double seconds)
{
    put_format(w, "<div class=\"row\" data-i=\"%zu\" data-name=\"", w->sounds);
    put_escaped(w, name);
    put_escaped(w, ending);
    put_text(w, "\" data-url=\"");
    put_address(w, w->to_sounds);
    put_address(w, name);
    put_text(w, ending);
    put_text(w, "\" data-label=\"");
    put_escaped(w, asked_for(job->recipe));
    put_format(w, "\" data-loop=\"%d\" data-seed=\"%llu\"", ebb_recipe_number(job->recipe, "loop") == 1,
               (unsigned long long)ebb_recipe_seed(job->recipe, "seed"));
    put_format(w, " data-lufs=\"%.1f\" data-peak=\"%.1f\" data-seconds=\"%.3f\">",
               isfinite(lufs) ? lufs : -200, peak, seconds);
}

static void put_what(struct writer *w, const struct sound_job *job)
{
    put_text(w, "<div class=\"what\">");
    put_escaped(w, asked_for(job->recipe));
    put_text(w, ebb_recipe_number(job->recipe, "loop") == 1 ? ", a loop" : "");
    put_format(w, ", seed %llu, index %llu</div>", (unsigned long long)ebb_recipe_seed(job->recipe, "seed"),
               (unsigned long long)ebb_recipe_seed(job->recipe, "index"));
}

static void put_row(struct writer *w, const struct sound_job *job, const char *ending,
                    const struct ebb_sound *sound, const struct sound_level *level)
{
    double lufs = level->lufs, peak = to_db(level->peak);
    double seconds = (double)sound->frames / sound->rate;
    put_data(w, job->name, ending, job, lufs, peak, seconds);
    put_text(
        w, "<input type=\"checkbox\" aria-label=\"tick\"><button class=\"play\" aria-label=\"play\"></button>"
           "<div class=\"picture\"><img loading=\"lazy\" alt=\"spectrogram\" width=\"480\" height=\"80\" "
           "src=\"pictures/");
    put_address(w, job->name);
    put_text(w, ending);
    put_text(w, ".png\"><i></i></div><div><div class=\"name\">");
    put_escaped(w, job->name);
    put_escaped(w, ending);
    put_text(w, "</div>");
    put_what(w, job);
    put_text(w, "</div>");
    put_number(w, "lufs", "LUFS", lufs);
    put_number(w, "peak", "dBFS peak", peak);
    put_number(w, "seconds", "s", seconds);
    put_text(w, "</div>\n");
    w->sounds++;
}

// Exit code. A sound that cannot be read is told, and has no row.
static int add_file(struct writer *w, const struct sound_job *job, const char *path)
{
    struct ebb_sound sound = {0};
    struct ebb_error error = {0};
    struct sound_level level;
    char *picture = NULL;
    const char *dot = strrchr(path, '.'), *ending = dot ? dot : "";
    if (ebb_sound_read(path, &sound, &error) != EBB_OK)
        return tool_error(&error);
    const char *slash = tool_base_name(w->page->folder)[0] ? "/" : "";
    int code = asprintf(&picture, "%s%spictures/%s%s.png", w->page->folder, slash, job->name, ending) < 0
                   ? tool_fail(TOOL_FAILED, "no memory")
                   : draw(path, picture);
    if (!code && sound_measure(&sound, &level, &error) != EBB_OK)
        code = tool_error(&error);
    if (!code)
        put_row(w, job, ending, &sound, &level);
    free(picture);
    ebb_sound_clear(&sound);
    return code;
}

static int add_sound(struct writer *w, size_t i)
{
    struct sound_job job;
    struct stat st;
    int code = sound_get(w->page->source, i, &job);
    if (!code)
        code = sound_job_settle(&job, w->page->m);
    char *path = code ? NULL : w->page->path(w->page->user, &job);
    if (!code && !path)
        code = tool_fail(TOOL_FAILED, "no memory");
    bool there = !code && stat(path, &st) == 0;
    if (!code && !there && errno != ENOENT)
        code = tool_fail(TOOL_UNREADABLE, "%s: %s", path, strerror(errno));
    if (there && S_ISREG(st.st_mode))
        code = add_file(w, &job, path);
    free(path);
    sound_job_clear(&job);
    return code;
}

// ---- the page ----

// Every sound is tried, unless the disk is full; the first failure is the exit code.
static int add_all(struct writer *w)
{
    size_t count = w->page->source->count;
    struct tool_progress progress = {.what = "page", .quiet = w->page->quiet};
    int first = TOOL_OK;
    for (size_t i = 0; i < count && w->error.code == EBB_OK && first != TOOL_UNWRITABLE; i++) {
        int code = add_sound(w, i);
        first = !first || code == TOOL_UNWRITABLE ? code : first;
        if (!tool_progress_show(&progress, (double)(i + 1) / (double)count))
            return tool_fail(TOOL_INTERRUPTED, "interrupted");
    }
    tool_progress_clear(&progress);
    return first;
}

// The template, with what stands between '@' put in.
static int put_page(struct writer *w)
{
    const char *at = page_template;
    int code = TOOL_OK;
    for (const char *mark; (mark = strchr(at, '@')) && !code;) {
        put(w, at, (size_t)(mark - at));
        bool title = strncmp(mark, "@TITLE@", 7) == 0, rows = strncmp(mark, "@ROWS@", 6) == 0;
        if (title)
            put_escaped(w, w->title);
        else if (rows)
            code = add_all(w);
        else
            put(w, mark, 1);
        at = mark + (title ? 7 : rows ? 6 : 1);
    }
    put_text(w, at);
    return code;
}

int page_check(void)
{
#ifdef HAVE_CAIRO
    return TOOL_OK;
#else
    return tool_fail(TOOL_FAILED, "--report: this ebb was built without cairo, which draws the pictures");
#endif
}

// Of the page; NULL: out of memory.
static char *page_path(const char *folder)
{
    char *path = NULL;
    return asprintf(&path, "%s%sindex.html", folder, tool_base_name(folder)[0] ? "/" : "") < 0 ? NULL : path;
}

int page_try(const char *folder)
{
    int code = tool_make_folder(folder);
    char *path = code ? NULL : page_path(folder);
    if (!code)
        code = path ? tool_try_output(path) : tool_fail(TOOL_FAILED, "no memory");
    free(path);
    return code;
}

int page_write(const struct page *page)
{
    struct writer w = {.page = page};
    char *path = NULL;
    int code = tool_make_folder(page->folder);
    if (!code && !find_way(page->folder, page->sounds, w.to_sounds))
        code = tool_fail(TOOL_UNREADABLE, "%s: there is no way to it from %s", page->sounds, page->folder);
    char real[PATH_MAX];
    if (!code)
        snprintf(w.title, sizeof(w.title), "%s",
                 tool_base_name(realpath(page->sounds, real) ? real : page->sounds));
    if (!code && !(path = page_path(page->folder)))
        code = tool_fail(TOOL_FAILED, "no memory");
    w.output = code ? NULL : ebb_output_create(path, &w.error);
    int rows = w.output ? put_page(&w) : TOOL_OK;
    if (w.output && w.error.code == EBB_OK && rows != TOOL_INTERRUPTED && rows != TOOL_UNWRITABLE)
        ebb_output_finish(w.output, &w.error);
    if (!code && w.error.code)
        code = tool_error(&w.error);
    if (!code && !rows && !page->quiet)
        tool_print("%s: a page of %zu sound%s", path, w.sounds, w.sounds == 1 ? "" : "s");
    ebb_output_destroy(&w.output);
    free(path);
    return code ? code : rows;
}
