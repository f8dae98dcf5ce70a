// SPDX-License-Identifier: LGPL-2.1-or-later
#include "names.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONGEST_FIELD = 40,
    LONGEST_PART = 240, // bytes of a name of 255 at most; its claim adds the ending and 7 more
    MOST_DIGITS = 19,
};

// "{index:03}", taken apart.
struct name_field {
    char name[LONGEST_FIELD];
    int digits;    // at least; 0: as many as there are
    size_t length; // of all of it
};

// ---- fields ----

static bool read_digits(const char *text, size_t length, int *digits)
{
    char *end;
    if (length == 0 || !isdigit((unsigned char)*text))
        return false;
    long value = strtol(text, &end, 10);
    *digits = (int)value;
    return end == text + length && value >= 1 && value <= MOST_DIGITS;
}

// At a '{' of a template. Exit code.
static int read_field(const char *at, struct name_field *field, const char *what)
{
    size_t inside = strcspn(at + 1, "{}"), name = strcspn(at + 1, ":{}");
    *field = (struct name_field){.length = inside + 2};
    if (at[1 + inside] != '}' || name == 0 || name >= LONGEST_FIELD)
        return tool_fail(TOOL_USAGE, "%s: \"%.60s\": a field is {name} or {name:03}; {{ and }} are braces",
                         what, at);
    memcpy(field->name, at + 1, name);
    if (at[1 + name] == ':' && !read_digits(at + 2 + name, inside - name - 1, &field->digits))
        return tool_fail(TOOL_USAGE,
                         "%s: {%.*s}: expected digits behind the colon, 1 to %d, as in {index:03}", what,
                         (int)inside, at + 1, MOST_DIGITS);
    return TOOL_OK;
}

static int no_field(const char *name, const struct name_context *context)
{
    enum { MOST = 160 };
    const char *names[MOST] = {"name"};
    size_t count = 1;
    EBB_EACH_SETTING (row)
        if (tool_is_asked(row, ebb_recipe_verb(context->recipe)) && count < MOST)
            names[count++] = row->name;
    const char *near = ebb_near_name(name, names, count);
    if (near)
        return tool_fail(TOOL_USAGE, "%s: there is no field {%s} (did you mean {%s}?)", context->what, name,
                         near);
    return tool_fail(TOOL_USAGE,
                     "%s: there is no field {%s}; there are name, and what ebb settings generate "
                     "lists",
                     context->what, name);
}

static const struct ebb_setting *find_row(const char *name, const struct ebb_recipe *recipe)
{
    const struct ebb_setting *row = ebb_setting_find(ebb_recipe_verb(recipe), name, NULL);
    return row && tool_is_asked(row, ebb_recipe_verb(recipe)) ? row : NULL;
}

static const char *words_of(const struct ebb_setting *row, const struct ebb_recipe *recipe)
{
    const char *text = ebb_recipe_text(recipe, row->name);
    return *text || row->type != EBB_SETTING_TEXT ? text : strcmp(row->name, "label") == 0 ? "sound" : "none";
}

// What the field says, into `text`. Exit code.
static int field_text(const struct name_field *field, const struct name_context *context, char *text,
                      size_t size)
{
    const struct ebb_setting *row = find_row(field->name, context->recipe);
    bool own = strcmp(field->name, "name") == 0;
    if (!own && !row)
        return no_field(field->name, context);
    bool whole = row && (row->type == EBB_SETTING_SEED || row->type == EBB_SETTING_WHOLE);
    if (field->digits && !whole)
        return tool_fail(TOOL_USAGE, "%s: {%s}: only whole numbers have digits to fill up", context->what,
                         field->name);
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a field that is not {name} has a row
    if (!own && row->type != EBB_SETTING_TEXT && !*ebb_recipe_text(context->recipe, row->name))
        return tool_fail(TOOL_USAGE, "%s: {%s}: the model decides it; a name needs a value that is given",
                         context->what, field->name);
    if (row && row->type == EBB_SETTING_SEED)
        snprintf(text, size, "%0*llu", field->digits,
                 (unsigned long long)ebb_recipe_seed(context->recipe, row->name));
    else if (whole)
        snprintf(text, size, "%0*.0f", field->digits, ebb_recipe_number(context->recipe, row->name));
    else
        snprintf(text, size, "%s", own ? context->name : words_of(row, context->recipe));
    return TOOL_OK;
}

// ---- templates ----

// One part of a path. Of mixtures: rain-0.7+wind-0.3.
static void append_value(char *out, size_t size, const char *text)
{
    size_t used = strlen(out);
    for (; *text && used + 1 < size; text++)
        out[used++] = *text == '/' || (unsigned char)*text < 0x20 || *text == 0x7f ? '_'
                      : *text == ':'                                               ? '-'
                      : *text == ','                                               ? '+'
                                                                                   : *text;
    out[used] = 0;
}

static void append_char(char *out, size_t size, size_t *used, char c)
{
    if (*used + 1 < size) {
        out[(*used)++] = c;
        out[*used] = 0;
    }
}

static int append_field(char *out, size_t size, const char *at, const struct name_context *context,
                        size_t *used, size_t *length)
{
    char text[SOUND_NAME] = "";
    struct name_field field;
    int code = read_field(at, &field, context->what);
    if (!code)
        code = field_text(&field, context, text, sizeof(text));
    if (!code && strcmp(field.name, "name") == 0) // a name may have folders
        snprintf(out + strlen(out), size - strlen(out), "%s", text);
    else if (!code)
        append_value(out, size, text);
    *used = strlen(out);
    *length = field.length;
    return code;
}

int names_expand(char *out, size_t size, const char *pattern, const struct name_context *context)
{
    int code = TOOL_OK;
    size_t used = strlen(out);
    for (size_t step; *pattern && !code; pattern += step) {
        bool twice = (*pattern == '{' || *pattern == '}') && pattern[1] == *pattern;
        step = twice ? 2 : 1;
        if (!twice && *pattern == '{')
            code = append_field(out, size, pattern, context, &used, &step);
        else if (!twice && *pattern == '}')
            code = tool_fail(TOOL_USAGE, "%s: a } without its {; {{ and }} are braces", context->what);
        else
            append_char(out, size, &used, *pattern);
    }
    return code;
}

bool names_has(const char *pattern, const char *field)
{
    size_t length = strlen(field);
    for (const char *at = pattern; (at = strchr(at, '{')); at++)
        if (strncmp(at + 1, field, length) == 0 && (at[1 + length] == '}' || at[1 + length] == ':'))
            return true;
    return false;
}

// ---- what a name may be ----

static bool is_file_name(const char *text, size_t length)
{
    bool control = false;
    for (size_t i = 0; i < length; i++)
        control = control || (unsigned char)text[i] < 0x20 || text[i] == 0x7f;
    return length > 0 && length <= LONGEST_PART && text[0] != '.' && !control;
}

int names_check(const char *path, const char *what)
{
    for (const char *at = path;; at++) {
        size_t length = strcspn(at, "/");
        if (!is_file_name(at, length))
            return tool_fail(
                TOOL_USAGE,
                "%s: \"%.200s\" is not a file name in the output folder (no part of it is empty, "
                "begins with '.', has control characters or more than %d bytes)",
                what, path, LONGEST_PART);
        at += length;
        if (!*at)
            break;
    }
    if (strlen(path) < SOUND_NAME - 1)
        return TOOL_OK;
    return tool_fail(TOOL_USAGE, "%s: \"%.60s...\" is too long, %d bytes are the most", what, path,
                     SOUND_NAME - 2);
}
