// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb settings: the table of settings, for people, for programs and for documents.
#include <math.h>
#include <string.h>

#include "report.h"
#include "sound.h"

enum { LONG_LIST = 80 }; // characters; more choices than that have a list of their own

struct settings_listing {
    bool json, markdown;
    int verb; // -1: all
};

static bool is_listed(const struct ebb_setting *row, int verb)
{
    return row->role != EBB_ROLE_RECORD && (verb < 0 || ebb_setting_applies(row, (enum ebb_verb)verb));
}

// ---- words ----

static char *name_verbs(const struct ebb_setting *row, char *text, size_t size)
{
    const char *names[EBB_VERBS];
    size_t count = 0;
    for (int i = 0; i < EBB_VERBS; i++)
        if (ebb_setting_applies(row, (enum ebb_verb)i))
            names[count++] = ebb_verb_name((enum ebb_verb)i);
    tool_join(text, size, names, count);
    return text;
}

static char *name_values(const struct ebb_setting *row, char *text, size_t size)
{
    char range[1024];
    ebb_setting_range(row, range, sizeof(range));
    bool word = row->type == EBB_SETTING_TEXT || strlen(range) >= LONG_LIST;
    const char *kind = strcmp(row->argument ? row->argument : "", "TEXT") == 0 ? "words" : "a name";
    snprintf(text, size, "%s%s%s", word ? kind : range, row->unit ? " " : "", row->unit ? row->unit : "");
    return text;
}

static const char *name_default(const struct ebb_setting *row)
{
    if (!row->initial)
        return row->open ? row->open : "the model's";
    if (strcmp(row->initial, "inf") == 0 || !*row->initial)
        return "-"; // the help says it
    return row->type != EBB_SETTING_FLAG ? row->initial : strcmp(row->initial, "0") == 0 ? "false" : "true";
}

// ---- JSON ----

static const char *type_name(enum ebb_setting_type type)
{
    static const char *const names[] = {"flag", "whole", "real", "seed", "text", "choice"};
    return names[type];
}

static json_t *list_verbs(const struct ebb_setting *row)
{
    json_t *list = json_array();
    for (int i = 0; i < EBB_VERBS; i++)
        if (ebb_setting_applies(row, (enum ebb_verb)i))
            json_array_append_new(list, json_string(ebb_verb_name((enum ebb_verb)i)));
    return list;
}

static json_t *setting_json(const struct ebb_setting *row)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:o}", "name", row->name, "type", type_name(row->type), "help",
                          row->help, "verbs", list_verbs(row));
    json_object_set_new(o, "unit", row->unit ? json_string(row->unit) : json_null());
    json_object_set_new(o, "default", row->initial ? json_string(row->initial) : json_null());
    json_object_set_new(o, "open", row->open ? json_string(row->open) : json_null());
    if (row->type == EBB_SETTING_WHOLE || row->type == EBB_SETTING_REAL) {
        json_object_set_new(o, "low", json_real(row->low));
        json_object_set_new(o, "high", json_real(row->high));
    }
    json_t *choices = row->choice ? json_array() : NULL;
    const char *name;
    for (size_t i = 0; row->choice && (name = row->choice(i)); i++)
        json_array_append_new(choices, json_string(name));
    if (choices)
        json_object_set_new(o, "choices", choices);
    return o;
}

static void print_json(int verb)
{
    json_t *list = json_array();
    EBB_EACH_SETTING (row)
        if (is_listed(row, verb))
            json_array_append_new(list, setting_json(row));
    report_print_tree(list, REPORT_DOUBLE);
}

// ---- tables ----

static void print_markdown(int verb)
{
    char values[200];
    puts("| setting | values | default | meaning |\n|---|---|---|---|");
    EBB_EACH_SETTING (row)
        if (is_listed(row, verb))
            printf("| `%s` | %s | %s | %s |\n", row->name, name_values(row, values, sizeof(values)),
                   name_default(row), row->help);
}

static void print_table(int verb)
{
    char values[200], verbs[64];
    EBB_EACH_SETTING (row) {
        if (!is_listed(row, verb))
            continue;
        printf("  %-20s %s", row->name, name_values(row, values, sizeof(values)));
        if (strcmp(name_default(row), "-") != 0)
            printf("; default: %s", name_default(row));
        if (verb < 0)
            printf("; %s", name_verbs(row, verbs, sizeof(verbs)));
        printf("\n  %-20s   %s\n", "", row->help);
    }
}

// ---- the command ----

static int find_verb(const char *name, int *verb)
{
    const char *names[EBB_VERBS];
    for (int i = 0; i < EBB_VERBS; i++) {
        names[i] = ebb_verb_name((enum ebb_verb)i);
        if (strcmp(names[i], name) == 0) {
            *verb = i;
            return TOOL_OK;
        }
    }
    char all[128];
    tool_join(all, sizeof(all), names, EBB_VERBS);
    return tool_fail(TOOL_USAGE, "there is no verb \"%s\"; there are: %s", name, all);
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct settings_listing l = {.verb = -1};
    const struct tool_option options[] = {
        {"json", 0, NULL, TOOL_FLAG, &l.json, 0, 0, "as JSON"},
        {"markdown", 0, NULL, TOOL_FLAG, &l.markdown, 0, 0, "as a table in Markdown"},
        {0},
    };
    int first, code = tool_options(command, options, argc, argv, &first);
    if (code >= 0)
        return code;
    if (l.json && l.markdown)
        return tool_fail(TOOL_USAGE, "--json and --markdown exclude each other");
    if (argc - first > 1)
        return tool_fail(TOOL_USAGE, "name one verb");
    code = first < argc ? find_verb(argv[first], &l.verb) : TOOL_OK;
    if (code)
        return code;
    (l.json ? print_json : l.markdown ? print_markdown : print_table)(l.verb);
    return TOOL_OK;
}

const struct tool_command tool_settings = {
    .name = "settings",
    .summary = "how a sound can be asked for: every setting, its values and default",
    .usage = "[generate | stream | edit | denoise] [--json | --markdown]",
    .details = "Settings are options of ebb render (generate), ebb edit and ebb denoise, columns of lists, "
               "properties of the GStreamer elements (stream, denoise) and lines of recipes, by one name.",
    .examples = "  ebb settings generate\n"
                "  ebb settings stream --markdown\n"
                "  ebb settings --json\n",
    .run = run,
};
