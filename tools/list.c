// Lists of sounds: CSV (RFC 4180) or JSON Lines, a row per sound, columns strict.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "sound.h"

// ---- columns ----

static bool set_text(char *out, size_t size, const char *what, const char *text)
{
    if (strlen(text) < size) {
        memcpy(out, text, strlen(text) + 1);
        return true;
    }
    tool_say("%s: \"%.20s...\" is too long (%zu characters at most)", what, text, size - 1);
    return false;
}

static bool set_name(struct sound_job *j, const char *what, const char *text)
{
    size_t length = strlen(text);
    if (tool_ends_in(text, ".wav"))
        length -= 4;
    if (length == 0 || length > SOUND_NAME - 20 || text[0] == '.' || memchr(text, '/', length)) {
        tool_say("%s: \"%s\" is not a file name (no '/', no '.' in front, %d characters at most)", what, text,
                 SOUND_NAME - 20);
        return false;
    }
    memcpy(j->name, text, length);
    j->name[length] = 0;
    return true;
}

static bool set_trim(struct sound_job *j, const char *what, const char *text)
{
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "1") == 0;
    if (!yes && strcmp(text, "false") != 0 && strcmp(text, "no") != 0 && strcmp(text, "0") != 0) {
        tool_say("%s: \"%s\" is not one of true, false, yes, no, 1, 0", what, text);
        return false;
    }
    j->settings.trim = yes;
    return true;
}

#define COLUMN(name, expression)                                                                                         \
    static bool set_##name(struct sound_job *j, const char *what, const char *text)                                      \
    {                                                                                                                    \
        struct sound_settings *s = &j->settings;                                                                         \
        return expression;                                                                                               \
    }
COLUMN(label, set_text(s->label, sizeof(s->label), what, text))
COLUMN(seed, tool_seed(what, text, &s->seed))
COLUMN(index, tool_seed(what, text, &s->index))
COLUMN(seconds, tool_real(what, text, 0, 3600, &s->seconds))
COLUMN(sampler, set_text(s->sampler, sizeof(s->sampler), what, text))
COLUMN(steps, tool_int(what, text, 1, 1000, &s->steps))
COLUMN(guidance, tool_real(what, text, 0, 100, &s->guidance))
COLUMN(eta, tool_real(what, text, 0, 1, &s->eta))
COLUMN(gain, tool_real(what, text, -120, 60, &s->gain_db))
COLUMN(lufs, tool_real(what, text, -70, 0, &s->lufs))
COLUMN(peak, tool_real(what, text, -70, 0, &s->peak_db))

static const struct column {
    const char *name;
    bool (*set)(struct sound_job *job, const char *what, const char *text);
} columns[] = {
    {"name", set_name},       {"label", set_label},   {"seed", set_seed},       {"index", set_index},
    {"seconds", set_seconds}, {"steps", set_steps},   {"guidance", set_guidance}, {"sampler", set_sampler},
    {"eta", set_eta},         {"gain", set_gain},     {"lufs", set_lufs},       {"peak", set_peak},
    {"trim", set_trim},
};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static const struct column *find_column(const char *where, const char *name)
{
    const char *names[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        if (strcmp(columns[i].name, name) == 0)
            return &columns[i];
        names[i] = columns[i].name;
    }
    char all[256];
    tool_join(all, sizeof(all), names, COLUMNS);
    const char *near = tool_near(name, names, COLUMNS);
    tool_say("%sthere is no column \"%s\"%s%s%s; there are: %s", where, name, near ? " (did you mean " : "",
             near ? near : "", near ? "?)" : "", all);
    return NULL;
}

// An empty text leaves what the command line said.
static bool set_column(struct sound_job *job, const struct column *column, const char *text)
{
    char what[300];
    snprintf(what, sizeof(what), "%s%s", job->where, column->name);
    return !*text || column->set(job, what, text);
}

// ---- rows ----

struct reading {
    struct sound_list *list;
    const char *path;
    const struct sound_settings *base;
    char *text;
    int line;
};

static struct sound_job *add_row(struct reading *r)
{
    struct sound_job *job = sound_list_add(r->list);
    char *place = NULL;
    if (!job || asprintf(&place, "%s:%d: ", r->path, r->line) < 0) {
        tool_say("%s: out of memory", r->path);
        return NULL;
    }
    r->list->places[r->list->count - 1] = place;
    job->where = place;
    job->settings = *r->base;
    job->settings.index = UINT64_MAX; // not given
    job->settings.seed = UINT64_MAX;
    return job;
}

// Rows that give neither seed nor index are numbered, so that no two come out alike.
static void finish_row(struct sound_job *job, const struct sound_settings *base, size_t number)
{
    struct sound_settings *s = &job->settings;
    bool seeded = s->seed != UINT64_MAX;
    if (!seeded)
        s->seed = base->seed;
    if (s->index == UINT64_MAX)
        s->index = seeded ? base->index : base->index + number;
    if (!job->name[0])
        sound_default_name(job);
}

// ---- CSV ----

enum cell_end { CELL_MORE, CELL_LINE, CELL_END, CELL_BAD };

// Takes one cell off *at, unquoting in place.
static enum cell_end next_cell(struct reading *r, char **at, char **cell)
{
    char *in = *at, *out = in;
    bool quoted = *in == '"', closed = !quoted;
    *cell = out;
    in += quoted;
    while (*in && (quoted || (*in != ',' && *in != '\n' && *in != '\r'))) {
        if (quoted && *in == '"') {
            closed = in[1] != '"';
            in++;
            if (closed)
                break;
        } else if (!quoted && *in == '"') {
            return CELL_BAD;
        }
        r->line += *in == '\n';
        *out++ = *in++;
    }
    if (!closed)
        return CELL_BAD;
    if (in[0] == '\r' && in[1] == '\n')
        in++;
    char end = *in;
    *at = in + (end != 0);
    if (end && end != ',' && end != '\n')
        return CELL_BAD;
    *out = 0;
    return end == ',' ? CELL_MORE : end ? CELL_LINE : CELL_END;
}

static bool bad_cell(const struct reading *r)
{
    tool_say("%s:%d: the quotes do not match", r->path, r->line);
    return false;
}

// The header row: which column each cell is.
static bool read_header(struct reading *r, char **at, const struct column **header, int *count)
{
    char where[300], *cell;
    snprintf(where, sizeof(where), "%s:1: ", r->path);
    for (enum cell_end end = CELL_MORE; end == CELL_MORE;) {
        end = next_cell(r, at, &cell);
        if (end == CELL_BAD)
            return bad_cell(r);
        const struct column *column = find_column(where, cell);
        if (!column)
            return false;
        for (int i = 0; i < *count; i++)
            if (header[i] == column) {
                tool_say("%scolumn \"%s\" is there twice", where, column->name);
                return false;
            }
        header[(*count)++] = column;
    }
    r->line++;
    return true;
}

static bool read_row(struct reading *r, char **at, const struct column *const *header, int count)
{
    struct sound_job *job = add_row(r);
    if (!job)
        return false;
    int cells = 0;
    for (enum cell_end end = CELL_MORE; end == CELL_MORE; cells++) {
        char *cell;
        end = next_cell(r, at, &cell);
        if (end == CELL_BAD)
            return bad_cell(r);
        if (cells < count && !set_column(job, header[cells], cell))
            return false;
    }
    r->line++;
    if (cells != count) {
        tool_say("%s%d cells, the first line has %d columns", job->where, cells, count);
        return false;
    }
    finish_row(job, r->base, r->list->count - 1);
    return true;
}

static bool read_csv(struct reading *r)
{
    const struct column *header[COLUMNS];
    int count = 0;
    char *at = r->text;
    r->line = 1;
    if (!read_header(r, &at, header, &count))
        return false;
    while (*at) {
        size_t blank = strspn(at, "\r\n");
        for (size_t i = 0; i < blank; i++)
            r->line += at[i] == '\n';
        at += blank;
        if (*at && !read_row(r, &at, header, count))
            return false;
    }
    return true;
}

// ---- JSON Lines ----

static bool set_json(struct sound_job *job, const struct column *column, const json_t *value)
{
    if (json_is_null(value))
        return true;
    if (json_is_string(value))
        return set_column(job, column, json_string_value(value));
    if (json_is_object(value) || json_is_array(value)) {
        tool_say("%s%s: a text, a number, true or false is needed", job->where, column->name);
        return false;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    bool ok = text && set_column(job, column, text);
    free(text);
    return ok;
}

static bool read_object(struct reading *r, json_t *object)
{
    struct sound_job *job = add_row(r);
    const char *key;
    json_t *value;
    if (!job)
        return false;
    json_object_foreach (object, key, value) {
        const struct column *column = find_column(job->where, key);
        if (!column || !set_json(job, column, value))
            return false;
    }
    finish_row(job, r->base, r->list->count - 1);
    return true;
}

static bool read_json_lines(struct reading *r)
{
    char *rest = r->text, *line;
    for (r->line = 1; (line = strsep(&rest, "\n")); r->line++) {
        if (line[strspn(line, " \t\r")] == 0)
            continue;
        json_error_t problem;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &problem);
        bool ok = json_is_object(object);
        if (!ok)
            tool_say("%s:%d: not a JSON object (%s)", r->path, r->line, object ? "it is a list" : problem.text);
        ok = ok && read_object(r, object);
        json_decref(object);
        if (!ok)
            return false;
    }
    return true;
}

// ---- the file ----

// All of a text file, NUL-terminated; malloc'd.
static char *read_text(const char *path, int *code)
{
    enum { LIMIT = 64 << 20 };
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!f) {
        *code = tool_fail(errno == ENOENT ? TOOL_NOT_FOUND : TOOL_UNREADABLE, "%s: %s", path, strerror(errno));
        return NULL;
    }
    size_t used = 0, size = 1 << 16;
    char *text = malloc(size);
    while (text && used < LIMIT) {
        size_t got = fread(text + used, 1, size - used - 1, f);
        used += got;
        if (got == 0)
            break;
        if (used + 1 == size) {
            char *more = realloc(text, size *= 2);
            if (!more)
                free(text);
            text = more;
        }
    }
    if (!text)
        *code = tool_fail(TOOL_FAILED, "%s: out of memory", path);
    else if (ferror(f) || used >= LIMIT || memchr(text, 0, used))
        *code = tool_fail(TOOL_UNREADABLE, "%s: not a text file that can be read", path);
    else
        text[used] = 0;
    if (f != stdin)
        fclose(f);
    if (*code) {
        free(text);
        text = NULL;
    }
    return text;
}

int sound_list_read(struct sound_list *list, const char *path, const struct sound_settings *base)
{
    int code = TOOL_OK;
    char *text = read_text(path, &code);
    if (!text)
        return code;
    size_t mark = strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; // what some spreadsheets put in front
    struct reading r = {.list = list, .path = path, .base = base, .text = text + mark};
    const char *dot = strrchr(path, '.');
    if (r.text[strspn(r.text, " \t\r\n")] == 0) {
        free(text);
        return tool_fail(TOOL_USAGE, "%s: no sounds in it", path);
    }
    bool csv = dot ? strcmp(dot, ".csv") == 0 : r.text[strspn(r.text, " \t\r\n")] != '{';
    bool ok = csv ? read_csv(&r) : read_json_lines(&r);
    free(text);
    if (!ok)
        return TOOL_USAGE;
    return list->count ? TOOL_OK : tool_fail(TOOL_USAGE, "%s: no sounds in it", path);
}
