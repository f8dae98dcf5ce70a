// Options as a table: parsing with getopt_long, help from the same rows.
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { MAX_OPTIONS = 60, HELP_COLUMN = 26, HELP_WIDTH = 96 };

const char *const tool_format_names[] = {
    [EBB_WAV_16] = "wav16", [EBB_WAV_24] = "wav24", [EBB_WAV_32F] = "wav32f", NULL};

// ---- values ----

// "%g" turns 9223372036854775807 into something nobody recognises.
static void range_text(char *out, size_t size, double low, double high)
{
    if (isinf(high))
        snprintf(out, size, "%.15g or more", low);
    else
        snprintf(out, size, "%.15g..%.15g", low, high);
}

static bool refuse(const char *what, const char *text, const char *kind, double low, double high)
{
    char range[64];
    range_text(range, sizeof(range), low, high);
    tool_say("%s: \"%s\" is not %s in %s", what, text, kind, range);
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
        tool_say("%s: \"%s\" is not a whole number in 0..9223372036854775807", what, text);
        return false;
    }
    *value = v;
    return true;
}

bool tool_format(const char *what, const char *text, enum ebb_wav_format *format)
{
    for (int i = 0; tool_format_names[i]; i++)
        if (strcmp(text, tool_format_names[i]) == 0) {
            *format = (enum ebb_wav_format)i;
            return true;
        }
    tool_say("%s: there is no \"%s\"; there are wav16, wav24, wav32f", what, text);
    return false;
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
        return true;
    case TOOL_TEXT:
        *(const char **)o->value = text;
        return true;
    case TOOL_NAME:
        return set_name(o, text);
    case TOOL_INT:
        return tool_int(what, text, o->low, o->high, o->value);
    case TOOL_REAL:
        return tool_real(what, text, o->low, o->high, o->value);
    case TOOL_SEED:
        return tool_seed(what, text, o->value);
    }
    return false;
}

// ---- help ----

// `text` wrapped at HELP_WIDTH, each line after the first indented.
static void print_wrapped(const char *text, int indent)
{
    int column = indent;
    while (*text) {
        size_t word = strcspn(text, " \n");
        if (column > indent && column + (int)word >= HELP_WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        printf("%.*s", (int)word, text);
        column += (int)word;
        text += word;
        if (*text == '\n') {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (*text && column + 1 < HELP_WIDTH) {
            putchar(' ');
            column++;
        }
        text += *text != 0;
    }
    putchar('\n');
}

static void print_option(const struct tool_option *o)
{
    char left[64], letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    snprintf(left, sizeof(left), "  %s--%s%s%s", letter, o->name, o->argument ? " " : "",
             o->argument ? o->argument : "");
    printf("%-*s", HELP_COLUMN, left);
    if (strlen(left) >= HELP_COLUMN)
        printf("\n%*s", HELP_COLUMN, "");
    print_wrapped(o->help, HELP_COLUMN);
}

static void print_help(const struct tool_command *c, const struct tool_option *options)
{
    printf("%s\n\nusage: ebb %s %s\n\n", c->summary, c->name, c->usage);
    if (c->details) {
        print_wrapped(c->details, 0);
        putchar('\n');
    }
    for (const struct tool_option *o = options; o->name; o++)
        print_option(o);
    printf("  -h, --help              this text\n");
    printf("\nexamples:\n%s", c->examples);
}

// ---- parsing ----

static const struct tool_option *by_letter(const struct tool_option *options, int letter)
{
    while (options->name && options->letter != letter)
        options++;
    return options->name ? options : NULL;
}

static int complain(const struct tool_command *c, const struct tool_option *options, int problem, const char *argument)
{
    if (problem == ':')
        return tool_fail(TOOL_USAGE, "%s needs a value; see ebb %s --help", argument, c->name);

    const char *names[MAX_OPTIONS];
    size_t count = 0;
    for (; options->name; options++)
        names[count++] = options->name;
    char all[1024], bare[64];
    tool_join(all, sizeof(all), names, count);
    snprintf(bare, sizeof(bare), "%s", argument + strspn(argument, "-"));
    bare[strcspn(bare, "=")] = 0;
    const char *near = tool_near(bare, names, count);
    if (near && strcmp(near, bare) == 0)
        return tool_fail(TOOL_USAGE, "--%s takes no value", bare);
    return tool_fail(TOOL_USAGE, "there is no option %s%s%s%s; there are: %s, help", argument,
                     near ? " (did you mean --" : "", near ? near : "", near ? "?)" : "", all);
}

int tool_options(const struct tool_command *command, const struct tool_option *options, int argc, char **argv,
                 int *first)
{
    struct option table[MAX_OPTIONS + 2] = {{0}};
    char letters[2 * MAX_OPTIONS + 4] = ":h", *end = letters + 2;
    int count = 0;
    for (const struct tool_option *o = options; o->name && count < MAX_OPTIONS; o++) {
        table[count++] =
            (struct option){o->name, o->argument ? required_argument : no_argument, NULL, 256 + (int)(o - options)};
        if (o->letter)
            *end++ = o->letter;
        if (o->letter && o->argument)
            *end++ = ':';
    }
    table[count] = (struct option){"help", no_argument, NULL, 'h'};

    opterr = 0;
    optind = 1;
    int got;
    while ((got = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        if (got == 'h') {
            print_help(command, options);
            return TOOL_OK;
        }
        if (got == '?' || got == ':')
            return complain(command, options, got, argv[optind - 1]);
        const struct tool_option *o = got >= 256 ? &options[got - 256] : by_letter(options, got);
        if (!o || !set_value(o, optarg))
            return TOOL_USAGE;
    }
    *first = optind;
    return -1;
}
