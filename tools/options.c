// SPDX-License-Identifier: LGPL-2.1-or-later
// Options as a table: parsing with getopt_long, help from the same rows.
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { MAX_OPTIONS = 160, HELP_COLUMN = 26, HELP_WIDTH = 96 };

// An option: the command's own, or a setting.
struct any_option {
    const char *name, *argument;
    char letter;
    const struct tool_option *own;
    const struct ebb_setting *row;
};

struct entries {
    struct any_option at[MAX_OPTIONS];
    int count, own; // the command's own come first
    struct ebb_recipe *recipe;
};

// ---- values ----

// "%g" turns 9223372036854775807 into something nobody recognises.
static void range_text(char *out, size_t size, double low, double high)
{
    if (isinf(high))
        snprintf(out, size, "%.15g or more", low);
    else
        snprintf(out, size, "%.15g to %.15g", low, high);
}

static bool refuse(const char *what, const char *text, const char *kind, double low, double high)
{
    char range[64];
    range_text(range, sizeof(range), low, high);
    tool_say("%s: \"%s\", expected %s, %s", what, text, kind, range);
    return false;
}

bool tool_real(const char *what, const char *text, double low, double high, double *value)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (end == text || *end || isspace((unsigned char)*text) || !isfinite(v) || v < low || v > high)
        return refuse(what, text, "a number", low, high);
    *value = v;
    return true;
}

bool tool_int(const char *what, const char *text, double low, double high, int *value)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (end == text || *end || isspace((unsigned char)*text) || errno || v < low || v > high)
        return refuse(what, text, "a whole number", low, high);
    *value = (int)v;
    return true;
}

bool tool_seed(const char *what, const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || v > INT64_MAX) {
        tool_say("%s: \"%s\", expected a whole number, 0 to 9223372036854775807", what, text);
        return false;
    }
    *value = v;
    return true;
}

static bool set_name(const struct tool_option *o, const char *text)
{
    if (!*text) {
        tool_say("--%s needs a value, %s, not an empty one", o->name, o->argument);
        return false;
    }
    *(const char **)o->value = text;
    return true;
}

static bool set_value(const struct tool_option *o, const char *text)
{
    char what[64];
    snprintf(what, sizeof(what), "--%s", o->name);
    switch (o->kind) {
    case TOOL_FLAG:
        *(bool *)o->value = true;
        if (strcmp(o->name, "quiet") == 0)
            tool_be_quiet();
        return true;
    case TOOL_TEXT: *(const char **)o->value = text; return true;
    case TOOL_NAME: return set_name(o, text);
    case TOOL_INT: return tool_int(what, text, o->low, o->high, o->value);
    case TOOL_REAL: return tool_real(what, text, o->low, o->high, o->value);
    case TOOL_SEED: return tool_seed(what, text, o->value);
    }
    return false;
}

// ---- settings ----

bool tool_is_asked(const struct ebb_setting *row, enum ebb_verb verb)
{
    return ebb_setting_applies(row, verb) && row->role != EBB_ROLE_RECORD;
}

int tool_set(struct ebb_recipe *recipe, const char *name, const char *text, const char *what)
{
    struct ebb_error error = {0};
    enum ebb_result result = ebb_recipe_set(recipe, name, text, &error);
    if (result == EBB_OK)
        return TOOL_OK;
    size_t length = strlen(name);
    bool named = strncmp(error.message, name, length) == 0 && strncmp(error.message + length, ": ", 2) == 0;
    tool_say("%s: %s", what, error.message + (named ? length + 2 : 0));
    if (result == EBB_OUT_OF_MEMORY)
        return TOOL_FAILED;
    bool sampler = strcmp(name, "sampler") == 0; // ebb(1): a sampler is looked for as a label is
    return result == EBB_NOT_FOUND && sampler ? TOOL_NOT_FOUND : TOOL_USAGE;
}

char *tool_setting_note(const struct ebb_setting *row, char *text, size_t size)
{
    enum { LONG_LIST = 80 };
    char range[1024];
    bool said = row->initial && strcmp(row->initial, "inf") == 0, flag = row->type == EBB_SETTING_FLAG;
    size_t length = strlen(ebb_setting_range(row, range, sizeof(range)));
    bool ranged = !flag && row->type != EBB_SETTING_SEED && length < LONG_LIST;
    const char *initial = flag && row->initial ? "" : row->initial;
    text[0] = 0;
    if (said)
        return text;
    size_t used = (size_t)snprintf(text, size, "%s", ranged ? range : "");
    const char *comma = used > 0 ? ", " : "";
    if (!initial && used < size)
        snprintf(text + used, size - used, "%sdefault: %s", comma,
                 row->open ? row->open : "as the model recommends");
    else if (initial && *initial && used < size)
        snprintf(text + used, size - used, "%sdefault %s", comma, initial);
    return text;
}

// ---- help ----

// `text` wrapped at HELP_WIDTH, each line after the first indented.
static void print_wrapped(const char *text, int indent)
{
    int column = indent;
    while (*text) {
        size_t word = strcspn(text, " \n");
        bool begins = column == indent, full = !begins && column + 1 + (int)word >= HELP_WIDTH;
        if (full)
            printf("\n%*s", indent, "");
        printf("%s%.*s", begins || full ? "" : " ", (int)word, text);
        column = (full ? indent : column + !begins) + (int)word;
        text += word;
        if (*text == '\n') {
            printf("\n%*s", indent, "");
            column = indent;
        }
        text += *text != 0;
    }
    putchar('\n');
}

static void print_option(const struct any_option *e)
{
    char left[64], letter[8] = "    ", note[200], help[500];
    if (e->letter)
        snprintf(letter, sizeof(letter), "-%c, ", e->letter);
    snprintf(left, sizeof(left), "  %s--%s%s%s", letter, e->name, e->argument ? " " : "",
             e->argument ? e->argument : "");
    printf("%-*s", HELP_COLUMN, left);
    if (strlen(left) >= HELP_COLUMN)
        printf("\n%*s", HELP_COLUMN, "");
    if (e->own) {
        print_wrapped(e->own->help, HELP_COLUMN);
        return;
    }
    tool_setting_note(e->row, note, sizeof(note));
    snprintf(help, sizeof(help), "%s%s%s%s", e->row->help, *note ? " (" : "", note, *note ? ")" : "");
    print_wrapped(help, HELP_COLUMN);
}

static void print_help(const struct tool_command *c, const struct entries *entries)
{
    printf("%s\n\nusage: ebb %s %s\n\n", c->summary, c->name, c->usage);
    if (c->details) {
        print_wrapped(c->details, 0);
        putchar('\n');
    }
    for (int i = 0; i < entries->own; i++)
        print_option(&entries->at[i]);
    printf("  -h, --help              this text\n");
    if (entries->own < entries->count)
        printf("\nsettings of the sound:\n");
    for (int i = entries->own; i < entries->count; i++)
        print_option(&entries->at[i]);
    printf("\nexamples:\n%s", c->examples);
}

// ---- the table of options ----

static const struct any_option *by_name(const struct entries *entries, const char *name)
{
    for (int i = 0; i < entries->count; i++)
        if (strcmp(entries->at[i].name, name) == 0)
            return &entries->at[i];
    return NULL;
}

static const struct any_option *by_letter(const struct entries *entries, int letter)
{
    for (int i = 0; i < entries->count; i++)
        if (entries->at[i].letter == letter)
            return &entries->at[i];
    return NULL;
}

static void collect(struct entries *entries, const struct tool_option *options, struct ebb_recipe *recipe)
{
    *entries = (struct entries){.recipe = recipe};
    for (const struct tool_option *o = options; o->name && entries->count < MAX_OPTIONS; o++)
        entries->at[entries->count++] = (struct any_option){o->name, o->argument, o->letter, o, NULL};
    entries->own = entries->count;
    EBB_EACH_SETTING (row) {
        bool mine = recipe && tool_is_asked(row, ebb_recipe_verb(recipe)) && !by_name(entries, row->name);
        char letter = by_letter(entries, row->letter) ? 0 : row->letter;
        if (mine && entries->count < MAX_OPTIONS)
            entries->at[entries->count++] = (struct any_option){row->name, row->argument, letter, NULL, row};
    }
}

// What other programs call some options; the command has to have the one that is meant.
static const struct {
    const char *name, *ours;
} other_names[] = {
    {"length", "seconds"},  {"duration", "seconds"},  {"text", "prompt"},        {"to-text", "to-prompt"},
    {"class", "label"},     {"cfg", "guidance"},      {"cfg-scale", "guidance"}, {"scale", "guidance"},
    {"out", "output"},      {"number", "count"},      {"batch", "count"},        {"strength", "t"},
    {"gpu", "device"},      {"scheduler", "sampler"}, {"normalize", "peak"},     {"volume", "gain"},
    {"overwrite", "force"}, {"silent", "quiet"},      {"jobs", "threads"},
};

enum { OTHER_NAMES = sizeof(other_names) / sizeof(other_names[0]) };

// Misspelt, but no other word.
static bool is_like(const char *name, const char *other)
{
    size_t a = strlen(name), b = strlen(other);
    return name[0] == other[0] && (a > b ? a - b : b - a) <= 1;
}

static const char *find_other_name(const struct entries *entries, const char *name)
{
    const char *names[OTHER_NAMES];
    for (size_t i = 0; i < OTHER_NAMES; i++)
        names[i] = other_names[i].name;
    const char *near = ebb_near_name(name, names, OTHER_NAMES);
    for (size_t i = 0; near && i < OTHER_NAMES; i++)
        if (names[i] == near && is_like(name, near) && by_name(entries, other_names[i].ours))
            return other_names[i].ours;
    return NULL;
}

// The commands that have a setting of this name, where this one has not.
static char *find_elsewhere(const char *name, char *text, size_t size)
{
    static const struct {
        enum ebb_verb verb;
        const char *command;
    } verbs[] = {{EBB_VERB_GENERATE, "ebb render"},
                 {EBB_VERB_EDIT, "ebb edit"},
                 {EBB_VERB_DENOISE, "ebb denoise"}};
    const char *found[3];
    size_t count = 0;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        bool has = false;
        EBB_EACH_SETTING (row)
            has = has || (tool_is_asked(row, verbs[i].verb) && strcmp(row->name, name) == 0);
        if (has)
            found[count++] = verbs[i].command;
    }
    tool_join(text, size, found, count);
    return text;
}

// ---- parsing ----

static int complain(const struct tool_command *c, const struct entries *entries, int problem,
                    const char *argument)
{
    if (problem == ':')
        return tool_fail(TOOL_USAGE, "%s needs a value; see ebb %s --help", argument, c->name);

    const char *names[MAX_OPTIONS];
    char bare[64];
    for (int i = 0; i < entries->count; i++)
        names[i] = entries->at[i].name;
    snprintf(bare, sizeof(bare), "%s", argument + strspn(argument, "-"));
    bare[strcspn(bare, "=")] = 0;
    const char *own = ebb_near_name(bare, names, (size_t)entries->count);
    const char *meant = own && strcmp(own, bare) == 0 ? own : find_other_name(entries, bare);
    const char *near = meant ? meant : own;
    if (near && strcmp(near, bare) == 0)
        return tool_fail(TOOL_USAGE, "--%s takes no value", bare);
    char elsewhere[64];
    if (*find_elsewhere(bare, elsewhere, sizeof(elsewhere)))
        return tool_fail(TOOL_USAGE, "there is no option %s here; it belongs to %s", argument, elsewhere);
    if (near)
        return tool_fail(TOOL_USAGE, "there is no option %s (did you mean --%s?)", argument, near);
    return tool_fail(TOOL_USAGE, "there is no option %s; see ebb %s --help", argument, c->name);
}

// Among several letters behind one dash, getopt does not tell where it is.
static int refuse_letter(const struct tool_command *c, int letter)
{
    char text[2] = {(char)letter, 0};
    return tool_fail(
        TOOL_USAGE,
        "there is no option -%s; see ebb %s --help. A file's name that begins with - goes behind --", text,
        c->name);
}

static bool set_setting(const struct any_option *e, struct ebb_recipe *recipe, const char *text, int *code)
{
    char what[64];
    snprintf(what, sizeof(what), "--%s", e->name);
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): an entry without a variable of its own has a row
    bool word = e->row->type == EBB_SETTING_TEXT || e->row->type == EBB_SETTING_CHOICE;
    if (word && !*text)
        *code = tool_fail(TOOL_USAGE, "--%s needs a value, %s, not an empty one", e->name, e->argument);
    else
        *code = tool_set(recipe, e->name, e->argument ? text : "1", what);
    return *code == TOOL_OK;
}

// What getopt_long() is to know. `letters` has room for two characters per option and the first two.
static void make_tables(const struct entries *entries, struct option *table, char *letters)
{
    char *end = stpcpy(letters, ":h");
    for (int i = 0; i < entries->count; i++) {
        const struct any_option *e = &entries->at[i];
        table[i] = (struct option){e->name, e->argument ? required_argument : no_argument, NULL, 256 + i};
        if (e->letter)
            *end++ = e->letter;
        if (e->letter && e->argument)
            *end++ = ':';
    }
    *end = 0;
    table[entries->count] = (struct option){"help", no_argument, NULL, 'h'};
}

int tool_recipe_options(const struct tool_command *command, const struct tool_option *options,
                        struct ebb_recipe *recipe, int argc, char **argv, int *first)
{
    struct entries entries;
    struct option table[MAX_OPTIONS + 2] = {{0}};
    char letters[2 * MAX_OPTIONS + 4];
    collect(&entries, options, recipe);
    make_tables(&entries, table, letters);
    opterr = 0;
    optind = 1;
    int got;
    while ((got = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        if (got == 'h') {
            print_help(command, &entries);
            return TOOL_OK;
        }
        if (got == '?' && optopt != 0 && optopt <= UCHAR_MAX) // a char, which may be negative
            return refuse_letter(command, optopt);
        if (got == '?' || got == ':')
            return complain(command, &entries, got, argv[optind - 1]);
        const struct any_option *e = got >= 256 ? &entries.at[got - 256] : by_letter(&entries, got);
        int code = TOOL_USAGE;
        if (!e || !(e->own ? set_value(e->own, optarg) : set_setting(e, recipe, optarg ? optarg : "", &code)))
            return code;
    }
    *first = optind;
    return -1;
}

int tool_options(const struct tool_command *command, const struct tool_option *options, int argc, char **argv,
                 int *first)
{
    return tool_recipe_options(command, options, NULL, argc, argv, first);
}
