// SPDX-License-Identifier: LGPL-2.1-or-later
// Lists of sounds: CSV as spreadsheets write it (RFC 4180 and their habits) or JSON Lines, a row per sound,
// columns strict.
//
// The text is held, and of each row where it begins. Rows are read when it is their turn, so that millions of
// them take little memory.
#include <ctype.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "names.h"

enum {
    MOST_BYTES = 64 << 20,
    MOST_ROWS = 10000000,
    MOST_COLUMNS = 160,
    LONGEST_CELL = 4200, // longer than any setting may be
};

struct row_place { // where a row begins
    uint32_t offset;
    int line;
};

enum column_kind {
    COLUMN_NAME,
    COLUMN_FOLDER,
    COLUMN_SETTING,
    COLUMN_EMPTY,   // without a name, as spreadsheets leave them behind the table: its cells are to be empty
    COLUMN_UNKNOWN, // said already
};
struct list_column {
    enum column_kind kind;
    const struct ebb_setting *row; // of a setting
};

struct sound_rows {
    const char *path;
    const struct ebb_recipe *base;
    const struct ebb_model *model;
    struct sound_naming naming;
    char *text;
    struct row_place *rows;
    size_t count, capacity;
    int code; // of what is wrong with the list itself

    bool json;
    char delimiter; // CSV
    struct list_column header[MOST_COLUMNS];
    int columns;
};

// A row under way.
struct list_row {
    const struct sound_rows *list;
    struct sound_job *job;
    struct ebb_recipe *given;                  // what the row says
    char name[SOUND_NAME], folder[SOUND_NAME]; // as the row says them; "": it does not
    int code;                                  // of its first mistake
};

static void note(struct list_row *row, int code)
{
    row->code = row->code ? row->code : code;
}

// ---- columns ----

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text); // takes nothing else
    bool valid = string != NULL;
    json_decref(string);
    return valid;
}

static void keep_text(struct list_row *row, char *out, const char *what, const char *text)
{
    size_t length = strlen(text);
    if (length >= SOUND_NAME) {
        note(row, tool_fail(TOOL_USAGE, "%s: \"%.60s...\" is too long, %d bytes are the most", what, text,
                            SOUND_NAME - 1));
        return;
    }
    if (!is_utf8(text)) { // a file under such a name is none that other programs can show
        note(row, tool_fail(TOOL_USAGE, "%s: \"%.60s\" is not UTF-8; spreadsheets save it as CSV UTF-8", what,
                            text));
        return;
    }
    memcpy(out, text, length + 1);
}

static const char *column_name(const struct list_column *column)
{
    return column->row ? column->row->name : column->kind == COLUMN_FOLDER ? "folder" : "name";
}

static void no_column(const char *where, const char *text, const char *name)
{
    const char *names[MOST_COLUMNS] = {"name", "folder"};
    size_t count = 2;
    EBB_EACH_SETTING (row)
        if (tool_is_asked(row, EBB_VERB_GENERATE) && count < MOST_COLUMNS)
            names[count++] = row->name;
    const char *near = ebb_near_name(name, names, count);
    if (near)
        tool_say("%sthere is no column \"%.200s\" (did you mean %s?)", where, text, near);
    else
        tool_say("%sthere is no column \"%.200s\"; there are name, folder, and what ebb settings generate "
                 "lists",
                 where, text);
}

// Headings are found whatever their case, with '_' or a space for '-'. What is not found is said.
static struct list_column find_column(const char *where, const char *text)
{
    char name[64];
    snprintf(name, sizeof(name), "%s", text);
    for (char *c = name; *c; c++)
        *c = *c == '_' || *c == ' ' ? '-' : (char)tolower((unsigned char)*c);
    if (strcmp(name, "name") == 0)
        return (struct list_column){COLUMN_NAME, NULL};
    if (strcmp(name, "folder") == 0)
        return (struct list_column){COLUMN_FOLDER, NULL};
    const struct ebb_setting *row = ebb_setting_find(EBB_VERB_GENERATE, name, NULL);
    if (row && tool_is_asked(row, EBB_VERB_GENERATE) && strlen(text) < sizeof(name))
        return (struct list_column){COLUMN_SETTING, row};
    no_column(where, text, name);
    return (struct list_column){COLUMN_UNKNOWN, NULL};
}

// An empty text leaves what the command line said.
static void set_column(struct list_row *row, const struct list_column *column, const char *text)
{
    char what[400];
    snprintf(what, sizeof(what), "%s%s", sound_where(row->job), column_name(column));
    if (!*text || column->kind == COLUMN_UNKNOWN)
        return;
    if (column->kind == COLUMN_EMPTY)
        note(row, tool_fail(TOOL_USAGE, "%s\"%.60s\" stands in a column without a name",
                            sound_where(row->job), text));
    else if (column->kind == COLUMN_NAME || column->kind == COLUMN_FOLDER)
        keep_text(row, column->kind == COLUMN_NAME ? row->name : row->folder, what, text);
    else
        note(row, tool_set(row->given, column->row->name, text, what));
}

// ---- CSV ----

struct cursor {
    const char *at;
    int line;
    char delimiter;
};

enum cell_end { CELL_MORE, CELL_LINE, CELL_END, CELL_BAD };

struct cell {
    char text[LONGEST_CELL];
    size_t length; // the rest is cut off
};

static void put(struct cell *cell, char c)
{
    if (cell->length + 1 < sizeof(cell->text))
        cell->text[cell->length++] = c;
}

// Bytes of a blank at the cursor; cells copied from a web page have blanks that do not break.
static size_t blank_size(const struct cursor *c)
{
    bool unbroken = c->at[0] == '\xc2' && c->at[1] == '\xa0';
    bool tab = *c->at == '\t' && c->delimiter != '\t';
    return unbroken ? 2 : *c->at == ' ' || tab;
}

static void pass_blanks(struct cursor *c)
{
    for (size_t size; (size = blank_size(c)) > 0; c->at += size)
        ;
}

static void drop_last_blanks(struct cell *cell)
{
    for (bool more = true; more && cell->length > 0;) {
        const char *end = cell->text + cell->length;
        bool unbroken = cell->length > 1 && end[-2] == '\xc2' && end[-1] == '\xa0';
        more = unbroken || end[-1] == ' ' || end[-1] == '\t';
        cell->length -= unbroken ? 2 : more;
    }
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

// "\r\n", "\n" or "\r".
static void pass_line_end(struct cursor *c)
{
    c->at += c->at[0] == '\r' && c->at[1] == '\n' ? 2 : 1;
    c->line++;
}

// What stands between quotes; false: they do not end.
static bool read_quoted(struct cursor *c, struct cell *cell)
{
    for (c->at++; *c->at; c->at++) {
        if (*c->at == '"' && *++c->at != '"')
            return true;
        c->line += *c->at == '\n';
        put(cell, *c->at);
    }
    return false;
}

static bool read_plain(struct cursor *c, struct cell *cell)
{
    for (; *c->at && *c->at != c->delimiter && !is_line_end(*c->at); c->at++) {
        if (*c->at == '"')
            return false;
        put(cell, *c->at);
    }
    drop_last_blanks(cell);
    return true;
}

// Takes a cell, without quotes or the blanks around it.
static enum cell_end next_cell(struct cursor *c, struct cell *cell)
{
    cell->length = 0;
    pass_blanks(c);
    bool ok = *c->at == '"' ? read_quoted(c, cell) : read_plain(c, cell);
    cell->text[cell->length] = 0;
    if (ok)
        pass_blanks(c);
    if (!ok || (*c->at && *c->at != c->delimiter && !is_line_end(*c->at)))
        return CELL_BAD;
    if (is_line_end(*c->at)) {
        pass_line_end(c);
        return CELL_LINE;
    }
    if (!*c->at) // also behind a last comma: one more cell, an empty one
        return CELL_END;
    c->at++;
    return CELL_MORE;
}

static int bad_quotes(const struct sound_rows *list, int line)
{
    return tool_fail(TOOL_USAGE, "%s:%d: the quotes do not match", list->path, line);
}

// What stands between the cells of the first line: the most frequent of comma, semicolon and tab.
static char find_delimiter(const char *text)
{
    size_t commas = 0, semicolons = 0, tabs = 0;
    for (; *text && !is_line_end(*text); text++) {
        commas += *text == ',';
        semicolons += *text == ';';
        tabs += *text == '\t';
    }
    return tabs > commas && tabs > semicolons ? '\t' : semicolons > commas ? ';' : ',';
}

// Rows of empty cells above the table, as a spreadsheet has them that begins further down.
static void pass_empty_rows(struct cursor *c)
{
    for (size_t size; is_line_end(c->at[size = strspn(c->at, " \t,;")]);) {
        c->at += size;
        pass_line_end(c);
    }
}

// A spreadsheet may begin with a line "sep=;".
static struct cursor begin_csv(const char *text)
{
    struct cursor c = {text, 1, 0};
    pass_empty_rows(&c);
    bool said = strncasecmp(c.at, "sep=", 4) == 0 && c.at[4] && is_line_end(c.at[5]);
    c.delimiter = said ? c.at[4] : find_delimiter(c.at);
    if (said) {
        c.at += 5;
        pass_line_end(&c);
    }
    return c;
}

static bool is_twice(const struct sound_rows *list, const struct list_column *column)
{
    bool twice = false;
    for (int i = 0; i < list->columns; i++)
        twice = twice || (list->header[i].kind == column->kind && list->header[i].row == column->row);
    return twice && column->kind <= COLUMN_SETTING;
}

// Exit code.
static int add_column(struct sound_rows *list, const char *where, const char *heading)
{
    struct list_column column = {COLUMN_EMPTY, NULL};
    if (list->columns == MOST_COLUMNS)
        return tool_fail(TOOL_USAGE, "%smore than %d columns", where, MOST_COLUMNS);
    if (*heading)
        column = find_column(where, heading);
    if (is_twice(list, &column)) {
        column.kind = COLUMN_UNKNOWN;
        tool_say("%scolumn \"%s\" is there twice", where, column_name(&column));
    }
    list->header[list->columns++] = column;
    return column.kind == COLUMN_UNKNOWN ? TOOL_USAGE : TOOL_OK;
}

// False: there is no reading on. What is wrong is said.
static bool read_header(struct sound_rows *list, struct cursor *c)
{
    struct cell cell;
    char where[300];
    bool known = false;
    snprintf(where, sizeof(where), "%s:%d: ", list->path, c->line);
    for (enum cell_end end = CELL_MORE; end == CELL_MORE;) {
        end = next_cell(c, &cell);
        if (end == CELL_BAD)
            return bad_quotes(list, c->line) == TOOL_OK;
        int code = add_column(list, where, cell.text);
        list->code = list->code ? list->code : code;
        known = known || list->header[list->columns - 1].kind <= COLUMN_SETTING;
        if (code && list->columns == MOST_COLUMNS)
            return false;
    }
    if (!known && !list->code)
        tool_say("%sno column has a name", where);
    return known;
}

// Passes a row; whether a cell says something, or cannot be read.
static bool pass_row(struct cursor *c, bool *readable)
{
    struct cell cell;
    bool says = false;
    for (enum cell_end end = CELL_MORE; end == CELL_MORE;) {
        end = next_cell(c, &cell);
        *readable = end != CELL_BAD;
        says = says || cell.length > 0 || !*readable;
    }
    return says;
}

// 0,5 for 0.5, where commas do not part the cells. In tables with tabs 1,000 may be a thousand: that stays as
// it is.
static void mend_decimal(const struct sound_rows *list, const struct list_column *column, char *text)
{
    char *comma = strchr(text, ',');
    bool real = column->kind == COLUMN_SETTING && column->row->type == EBB_SETTING_REAL;
    bool thousands = comma && list->delimiter == '\t' && strlen(comma) == 4 &&
                     text[strspn(text, "+-")] != '0';
    if (real && comma && list->delimiter != ',' && !thousands && !strchr(text, '.'))
        *comma = '.';
}

// 3.0 for 3, as tables write it whose column has empty cells too.
static void mend_whole(const struct list_column *column, char *text)
{
    bool whole = column->kind == COLUMN_SETTING &&
                 (column->row->type == EBB_SETTING_WHOLE || column->row->type == EBB_SETTING_SEED);
    char *point = whole ? strchr(text, '.') : NULL;
    if (point && point > text && point[1] && point[1 + strspn(point + 1, "0")] == 0)
        *point = 0;
}

static void read_cells(struct list_row *row, const struct row_place *place)
{
    const struct sound_rows *list = row->list;
    struct cursor c = {list->text + place->offset, place->line, list->delimiter};
    struct cell cell;
    int cells = 0, used = 0;
    for (enum cell_end end = CELL_MORE; end == CELL_MORE; cells++) {
        end = next_cell(&c, &cell);
        if (end == CELL_BAD) {
            note(row, bad_quotes(list, c.line));
            return;
        }
        used = cell.length > 0 ? cells + 1 : used;
        if (cells < list->columns) {
            mend_decimal(list, &list->header[cells], cell.text);
            mend_whole(&list->header[cells], cell.text);
            set_column(row, &list->header[cells], cell.text);
        }
    }
    if (cells < list->columns || used > list->columns)
        note(row, tool_fail(TOOL_USAGE, "%s%d cells, the first line has %d columns", sound_where(row->job),
                            used > list->columns ? used : cells, list->columns));
}

// ---- JSON Lines ----

static void set_json(struct list_row *row, const struct list_column *column, const json_t *value)
{
    if (json_is_null(value))
        return;
    if (json_is_string(value)) {
        set_column(row, column, json_string_value(value));
        return;
    }
    if (json_is_object(value) || json_is_array(value)) {
        note(row, tool_fail(TOOL_USAGE, "%s%s: expected a text, a number, true or false",
                            sound_where(row->job), column_name(column)));
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    if (text) {
        mend_whole(column, text);
        set_column(row, column, text);
    } else {
        note(row, tool_fail(TOOL_FAILED, "no memory"));
    }
    free(text);
}

static void read_object(struct list_row *row, const struct row_place *place)
{
    const char *line = row->list->text + place->offset;
    json_error_t problem;
    json_t *object = json_loadb(line, strcspn(line, "\n"), JSON_REJECT_DUPLICATES, &problem), *value;
    const char *key;
    if (!json_is_object(object))
        note(row, tool_fail(TOOL_USAGE, "%snot a JSON object (%s); expected an object on each line%s",
                            sound_where(row->job), object ? "it is a list" : problem.text,
                            *line == '[' ? ", as jq -c '.[]' writes those of a list" : ""));
    json_object_foreach(object, key, value)
    {
        struct list_column column = find_column(sound_where(row->job), key);
        note(row, column.kind == COLUMN_UNKNOWN ? TOOL_USAGE : TOOL_OK);
        if (column.kind != COLUMN_UNKNOWN)
            set_json(row, &column, value);
    }
    json_decref(object);
}

// ---- a row ----

static bool begin_row(struct list_row *row, int line)
{
    row->job->recipe = ebb_recipe_copy(row->list->base);
    row->given = ebb_recipe_create(EBB_VERB_GENERATE);
    if (asprintf(&row->job->where, "%s:%d: ", row->list->path, line) < 0)
        row->job->where = NULL;
    if (row->job->recipe && row->given && row->job->where)
        return true;
    note(row, tool_fail(TOOL_FAILED, "%s: no memory", row->list->path));
    return false;
}

// Rows that give neither seed nor index are numbered, so that no two come out alike.
static enum ebb_result number_row(struct list_row *row, size_t i, struct ebb_error *error)
{
    if (ebb_recipe_has(row->given, "seed") || ebb_recipe_has(row->given, "index"))
        return EBB_OK;
    return ebb_recipe_set_seed(row->given, "index", ebb_recipe_seed(row->list->base, "index") + i, error);
}

// One of several seeds, counted from the one that the row or the command line says.
static enum ebb_result move_seed(const struct list_row *row, uint64_t by, struct ebb_error *error)
{
    struct ebb_recipe *recipe = row->job->recipe;
    return by ? ebb_recipe_set_seed(recipe, "seed", ebb_recipe_seed(recipe, "seed") + by, error) : EBB_OK;
}

// Sounds of several seeds have the seed in their names, one way or another.
static int name_row(struct list_row *row)
{
    const struct sound_naming *naming = &row->list->naming;
    bool said = names_has(row->name, "seed") || names_has(row->folder, "seed") ||
                (naming->pattern && names_has(naming->pattern, "seed"));
    int code = sound_take_ending(row->job, row->name, "name");
    size_t length = strlen(row->name);
    if (*row->name && naming->seeds > 1 && !said)
        snprintf(row->name + length, sizeof(row->name) - length, "-s{seed}");
    return code ? code : sound_name(row->job, naming, row->folder, row->name);
}

// What the row gives, over what the command line says.
static void end_row(struct list_row *row, size_t i, uint64_t seed)
{
    struct ebb_error error = {0};
    struct sound_job *job = row->job;
    enum ebb_result result = number_row(row, i, &error);
    if (result == EBB_OK)
        result = ebb_recipe_merge(job->recipe, row->given, &error);
    if (result == EBB_OK)
        result = move_seed(row, seed, &error);
    if (result != EBB_OK) {
        note(row, tool_error_at(sound_where(job), &error));
        return;
    }
    if (strcmp(ebb_recipe_text(job->recipe, "label"), "none") == 0)
        ebb_recipe_open(job->recipe, "label");
    sound_spell_labels(job->recipe, row->list->model);
    note(row, sound_check_level(job->recipe, sound_where(job)));
    note(row, name_row(row));
}

static int get_row(const void *user, size_t i, struct sound_job *job)
{
    const struct sound_rows *list = user;
    struct list_row row = {.list = list, .job = job};
    uint64_t seed = i % list->naming.seeds;
    i /= list->naming.seeds;
    if (begin_row(&row, list->rows[i].line)) {
        (list->json ? read_object : read_cells)(&row, &list->rows[i]);
        end_row(&row, i, seed);
    }
    ebb_recipe_destroy(&row.given);
    return row.code;
}

// ---- where rows begin ----

static bool add_row(struct sound_rows *list, const char *at, int line)
{
    if (list->count == MOST_ROWS) {
        list->code = tool_fail(TOOL_USAGE, "%s:%d: more than %d rows", list->path, line, MOST_ROWS);
        return false;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        struct row_place *rows = reallocarray(list->rows, capacity, sizeof(*rows));
        if (!rows) {
            list->code = tool_fail(TOOL_FAILED, "%s: no memory", list->path);
            return false;
        }
        list->rows = rows;
        list->capacity = capacity;
    }
    list->rows[list->count++] = (struct row_place){(uint32_t)(at - list->text), line};
    return true;
}

// Rows without a filled cell are none.
static bool find_csv_rows(struct sound_rows *list, const char *text)
{
    struct cursor c = begin_csv(text);
    bool readable = true, ok = read_header(list, &c);
    list->delimiter = c.delimiter;
    while (ok && *c.at && readable) {
        struct cursor begin = c;
        if (pass_row(&c, &readable))
            ok = add_row(list, begin.at, begin.line);
    }
    return ok;
}

static bool find_json_rows(struct sound_rows *list, const char *text)
{
    bool ok = true;
    for (int line = 1; *text && ok; line++) {
        size_t length = strcspn(text, "\n");
        if (strspn(text, " \t\r") < length)
            ok = add_row(list, text, line);
        text += length + (text[length] == '\n');
    }
    return ok;
}

// By what is in it; a name may say so where the first row is damaged.
static bool is_json(const char *path, const char *text)
{
    char first = text[strspn(text, " \t\r\n")];
    return first == '{' || first == '[' || tool_ends_in(path, ".jsonl") || tool_ends_in(path, ".ndjson") ||
           tool_ends_in(path, ".json");
}

// ---- the file ----

// UTF-16, which some spreadsheets write, becomes UTF-8; frees `text` where it is no such text. NULL: it
// cannot be read.
static char *decode(char *text, size_t *used)
{
    bool marked = *used >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
    if (!marked)
        return text;
    size_t in = *used, room = 2 * in;
    char *wide = text, *plain = malloc(room + 1), *out = plain;
    iconv_t converter = iconv_open("UTF-8", "UTF-16");
    bool ok = plain && converter != (iconv_t)-1 && iconv(converter, &wide, &in, &out, &room) != (size_t)-1;
    if (converter != (iconv_t)-1)
        iconv_close(converter);
    *used = (size_t)(out - plain);
    free(text);
    if (!ok)
        free(plain);
    return ok ? plain : NULL;
}

// What `f` has, up to MOST_BYTES, with room for one byte more; malloc'd. NULL: no memory.
static char *read_bytes(FILE *f, size_t *used)
{
    size_t size = 1 << 16;
    char *text = malloc(size);
    *used = 0;
    while (text && *used < MOST_BYTES) {
        size_t got = fread(text + *used, 1, size - *used - 1, f);
        *used += got;
        if (got == 0)
            break;
        if (*used + 1 == size) {
            char *more = realloc(text, size *= 2);
            if (!more)
                free(text);
            text = more;
        }
    }
    return text;
}

// Why bytes that were read are no list. Exit code.
static int check_bytes(const char *path, FILE *f, const char *text, size_t used)
{
    if (!text)
        return tool_fail(TOOL_FAILED, "%s: no memory", path);
    if (used >= MOST_BYTES)
        return tool_fail(TOOL_UNREADABLE, "%s: too long, a list has at most %d MiB", path, MOST_BYTES >> 20);
    if (used >= 4 && memcmp(text, "PK\3\4", 4) == 0)
        return tool_fail(TOOL_UNREADABLE, "%s: a workbook, or another archive; save the list as CSV", path);
    return ferror(f) ? tool_file_error(path) : TOOL_OK;
}

// All of a text file, NUL-terminated; malloc'd. NULL after saying why, with the exit code.
static char *read_text(const char *path, int *code)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!f) {
        *code = tool_file_error(path);
        return NULL;
    }
    size_t used;
    char *text = read_bytes(f, &used);
    *code = check_bytes(path, f, text, used);
    if (!*code && (!(text = decode(text, &used)) || memchr(text, 0, used)))
        *code = tool_fail(TOOL_UNREADABLE, "%s: not a text file that can be read", path);
    if (f != stdin)
        fclose(f);
    if (*code) {
        free(text);
        return NULL;
    }
    text[used] = 0;
    return text;
}

static bool find_rows(struct sound_rows *list)
{
    const char *text = list->text;
    text += strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; // what some spreadsheets put in front
    text += strspn(text, " \t\r\n") == strlen(text) ? strlen(text) : 0;
    list->json = is_json(list->path, text);
    if (*text && !(list->json ? find_json_rows : find_csv_rows)(list, text)) {
        list->code = list->code ? list->code : TOOL_USAGE;
        return false;
    }
    if (list->count == 0)
        list->code = list->code ? list->code : tool_fail(TOOL_USAGE, "%s: no sounds in it", list->path);
    return list->count > 0;
}

struct sound_rows *sound_rows_read(const char *path, const struct ebb_recipe *base,
                                   const struct ebb_model *model, const struct sound_naming *naming,
                                   int *code)
{
    struct sound_rows *list = calloc(1, sizeof(*list));
    if (!list) {
        *code = tool_fail(TOOL_FAILED, "no memory");
        return NULL;
    }
    list->path = path;
    list->base = base;
    list->model = model;
    list->naming = *naming;
    list->text = read_text(path, code);
    if (!*code && !find_rows(list))
        *code = list->code;
    if (*code)
        sound_rows_destroy(&list);
    return list;
}

void sound_rows_destroy(struct sound_rows **rows)
{
    struct sound_rows *list = *rows;
    if (!list)
        return;
    free(list->text);
    free(list->rows);
    free(list);
    *rows = NULL;
}

struct sound_source sound_rows_source(const struct sound_rows *rows)
{
    return (struct sound_source){rows->count * rows->naming.seeds, get_row, rows, true, rows->code};
}
