// SPDX-License-Identifier: LGPL-2.1-or-later
// Recipes: a value for every setting of the verb, open until it is set.
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/base.h"
#include "base/plain.h"
#include "recipe/table.h"

enum { LONGEST_TEXT = 4095 };

// ---- life ----

struct ebb_recipe *ebb_recipe_create(enum ebb_verb verb)
{
    if ((unsigned)verb >= EBB_VERBS)
        return NULL;
    struct ebb_recipe *recipe = ebb_alloc(1, sizeof(*recipe));
    if (!recipe)
        return NULL;
    recipe->verb = verb;
    recipe->value = ebb_alloc(ebb_setting_count(), sizeof(*recipe->value));
    if (!recipe->value)
        ebb_recipe_destroy(&recipe);
    return recipe;
}

void ebb_recipe_destroy(struct ebb_recipe **recipe)
{
    struct ebb_recipe *r = recipe ? *recipe : NULL;
    if (!r)
        return;
    for (size_t i = 0; r->value && i < ebb_setting_count(); i++)
        free(r->value[i].text);
    free(r->value);
    free(r);
    *recipe = NULL;
}

struct ebb_recipe *ebb_recipe_copy(const struct ebb_recipe *recipe)
{
    struct ebb_recipe *copy = ebb_recipe_create(recipe->verb);
    for (size_t i = 0; copy && i < ebb_setting_count(); i++) {
        copy->value[i] = recipe->value[i];
        copy->value[i].text = recipe->value[i].text ? strdup(recipe->value[i].text) : NULL;
        if (recipe->value[i].text && !copy->value[i].text)
            ebb_recipe_destroy(&copy);
    }
    return copy;
}

enum ebb_verb ebb_recipe_verb(const struct ebb_recipe *recipe)
{
    return recipe->verb;
}

// ---- setting ----

// Reads a number without the locale: the decimal point is always a point.
static bool read_number(const char *text, double *number)
{
    char *end;
    if (strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    *number = ebb_plain_number(text, &end);
    return end != text && !*end;
}

// Writes a number with as few digits as give the same number back.
static void spell(double number, char *text, size_t size)
{
    for (int digits = 6; digits <= 17; digits++) {
        double back;
        ebb_plain_print(text, size, "%.*g", digits, number);
        if (read_number(text, &back) && back == number)
            return;
    }
}

static enum ebb_result put(struct ebb_value *value, double number, uint64_t seed, const char *text,
                           struct ebb_error *error)
{
    char *copy = strdup(text);
    if (!copy)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a setting");
    free(value->text);
    *value = (struct ebb_value){.set = true, .number = number, .seed = seed, .text = copy};
    return EBB_OK;
}

static enum ebb_result put_number(const struct ebb_setting *row, struct ebb_value *value, double number,
                                  struct ebb_error *error)
{
    char text[40];
    spell(number, text, sizeof(text));
    bool flag = row->type == EBB_SETTING_FLAG;
    return put(value, number, 0, flag ? number != 0 ? "true" : "false" : text, error);
}

static enum ebb_result put_seed(struct ebb_value *value, uint64_t seed, struct ebb_error *error)
{
    char text[40];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
    return put(value, NAN, seed, text, error);
}

static struct ebb_value *value_of(struct ebb_recipe *recipe, const struct ebb_setting *row)
{
    return &recipe->value[ebb_setting_index(row)];
}

static enum ebb_result refuse(const struct ebb_setting *row, const char *text, const char *kind,
                              struct ebb_error *error)
{
    char range[400];
    return ebb_fail(error, EBB_INVALID, "%s: \"%.60s\", expected %s, %s", row->name, text, kind,
                    ebb_setting_range(row, range, sizeof(range)));
}

static bool is_control(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7f;
}

// Whether jansson, which writes recipes, takes the text: UTF-8 alone.
static bool can_be_written(const char *text, size_t length)
{
    json_t *written = json_stringn(text, length);
    json_decref(written);
    return written != NULL;
}

static enum ebb_result set_text(const struct ebb_setting *row, struct ebb_value *value, const char *text,
                                struct ebb_error *error)
{
    size_t length = strnlen(text, LONGEST_TEXT + 1);
    if (length > LONGEST_TEXT)
        return ebb_fail(error, EBB_INVALID, "%s: \"%.20s...\" is too long (%d bytes at most)", row->name,
                        text, LONGEST_TEXT);
    for (size_t i = 0; i < length; i++)
        if (is_control((unsigned char)text[i]))
            return ebb_fail(error, EBB_INVALID, "%s: byte %zu is a control character (0x%02x)", row->name, i,
                            (unsigned char)text[i]);
    if (row->role != EBB_ROLE_RECORD && !can_be_written(text, length))
        return ebb_fail(error, EBB_INVALID, "%s: not UTF-8", row->name);
    return put(value, NAN, 0, text, error);
}

static enum ebb_result set_choice(const struct ebb_setting *row, struct ebb_value *value, const char *text,
                                  struct ebb_error *error)
{
    const char *name = ebb_setting_choose(row, text, error);
    return name ? put(value, NAN, 0, name, error) : error ? error->code : EBB_NOT_FOUND;
}

static enum ebb_result set_flag(const struct ebb_setting *row, struct ebb_value *value, const char *text,
                                struct ebb_error *error)
{
    static const char *const words[] = {"false", "no", "0", "true", "yes", "1"};
    for (int i = 0; i < 6; i++)
        if (strcmp(text, words[i]) == 0)
            return put_number(row, value, i >= 3, error);
    return ebb_fail(error, EBB_INVALID, "%s: \"%.60s\" is not one of true, false, yes, no, 1, 0", row->name,
                    text);
}

static enum ebb_result set_seed(const struct ebb_setting *row, struct ebb_value *value, const char *text,
                                struct ebb_error *error)
{
    char *end;
    errno = 0;
    unsigned long long seed = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || seed > INT64_MAX)
        return refuse(row, text, "a whole number", error);
    return put_seed(value, seed, error);
}

static bool is_in_range(const struct ebb_setting *row, double number)
{
    return isfinite(number) && number >= row->low && number <= row->high &&
           (row->type == EBB_SETTING_REAL || number == floor(number));
}

static enum ebb_result set_number(const struct ebb_setting *row, struct ebb_value *value, const char *text,
                                  struct ebb_error *error)
{
    double number;
    bool written = row->type == EBB_SETTING_REAL || !strpbrk(text, ".eE"); // a whole number is in digits, 1e3
                                                                           // is none
    if (!written || !read_number(text, &number) || !is_in_range(row, number))
        return refuse(row, text, row->type == EBB_SETTING_REAL ? "a number" : "a whole number", error);
    return put_number(row, value, number, error);
}

enum ebb_result ebb_recipe_set(struct ebb_recipe *recipe, const char *name, const char *text,
                               struct ebb_error *error)
{
    error = EBB_ERROR(error);
    const struct ebb_setting *row = ebb_setting_find(recipe->verb, name, error);
    if (!row)
        return error->code;
    struct ebb_value *value = value_of(recipe, row);
    switch (row->type) {
    case EBB_SETTING_FLAG: return set_flag(row, value, text, error);
    case EBB_SETTING_WHOLE:
    case EBB_SETTING_REAL: return set_number(row, value, text, error);
    case EBB_SETTING_SEED: return set_seed(row, value, text, error);
    case EBB_SETTING_TEXT: return set_text(row, value, text, error);
    case EBB_SETTING_CHOICE: return set_choice(row, value, text, error);
    }
    return EBB_OK;
}

enum ebb_result ebb_recipe_set_number(struct ebb_recipe *recipe, const char *name, double number,
                                      struct ebb_error *error)
{
    error = EBB_ERROR(error);
    const struct ebb_setting *row = ebb_setting_find(recipe->verb, name, error);
    if (!row)
        return error->code;
    char text[40];
    ebb_plain_print(text, sizeof(text), "%.15g", number);
    if (row->type == EBB_SETTING_TEXT || row->type == EBB_SETTING_CHOICE)
        return ebb_fail(error, EBB_INVALID, "%s takes a text, not the number %s", row->name, text);
    if (row->type == EBB_SETTING_SEED) {
        bool whole = number >= 0 && number < 0x1p53 && number == floor(number);
        return whole ? ebb_recipe_set_seed(recipe, name, (uint64_t)number, error)
                     : refuse(row, text, "a whole number", error);
    }
    if (!is_in_range(row, number))
        return refuse(row, text, row->type == EBB_SETTING_REAL ? "a number" : "a whole number", error);
    return put_number(row, value_of(recipe, row), number, error);
}

enum ebb_result ebb_recipe_set_seed(struct ebb_recipe *recipe, const char *name, uint64_t seed,
                                    struct ebb_error *error)
{
    error = EBB_ERROR(error);
    const struct ebb_setting *row = ebb_setting_find(recipe->verb, name, error);
    if (!row)
        return error->code;
    char text[40];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
    if (row->type != EBB_SETTING_SEED || seed > INT64_MAX)
        return refuse(row, text, row->type == EBB_SETTING_SEED ? "a whole number" : "a value", error);
    return put_seed(value_of(recipe, row), seed, error);
}

void ebb_recipe_open(struct ebb_recipe *recipe, const char *name)
{
    const struct ebb_setting *row = ebb_setting_look(recipe->verb, name);
    if (!row)
        return;
    struct ebb_value *value = value_of(recipe, row);
    free(value->text);
    *value = (struct ebb_value){0};
}

enum ebb_result ebb_recipe_merge(struct ebb_recipe *recipe, const struct ebb_recipe *from,
                                 struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    EBB_EACH_SETTING (row) {
        const struct ebb_value *value = ebb_recipe_value(from, row);
        if (result == EBB_OK && value->set && ebb_setting_look(recipe->verb, row->name) == row)
            result = put(value_of(recipe, row), value->number, value->seed, value->text, error);
    }
    return result;
}

// ---- asking ----

const struct ebb_value *ebb_recipe_value(const struct ebb_recipe *recipe, const struct ebb_setting *row)
{
    return &recipe->value[ebb_setting_index(row)];
}

bool ebb_recipe_has(const struct ebb_recipe *recipe, const char *name)
{
    const struct ebb_setting *row = ebb_setting_look(recipe->verb, name);
    return row && ebb_recipe_value(recipe, row)->set;
}

static double initial_number(const struct ebb_setting *row)
{
    if (!row->initial || !*row->initial)
        return NAN;
    double number = NAN;
    return strcmp(row->initial, "inf") == 0 ? INFINITY : read_number(row->initial, &number) ? number : NAN;
}

double ebb_recipe_number(const struct ebb_recipe *recipe, const char *name)
{
    const struct ebb_setting *row = ebb_setting_look(recipe->verb, name);
    if (!row)
        return NAN;
    const struct ebb_value *value = ebb_recipe_value(recipe, row);
    if (row->type == EBB_SETTING_SEED)
        return (double)value->seed;
    return value->set ? value->number : initial_number(row);
}

uint64_t ebb_recipe_seed(const struct ebb_recipe *recipe, const char *name)
{
    const struct ebb_setting *row = ebb_setting_look(recipe->verb, name);
    return row ? ebb_recipe_value(recipe, row)->seed : 0;
}

static bool is_text(const struct ebb_setting *row)
{
    return row->type == EBB_SETTING_TEXT || row->type == EBB_SETTING_CHOICE;
}

const char *ebb_recipe_text(const struct ebb_recipe *recipe, const char *name)
{
    const struct ebb_setting *row = ebb_setting_look(recipe->verb, name);
    if (!row)
        return "";
    const struct ebb_value *value = ebb_recipe_value(recipe, row);
    return value->set ? value->text : row->initial ? row->initial : "";
}

const char *ebb_recipe_choice(const struct ebb_recipe *recipe, const char *name)
{
    const struct ebb_setting *row = ebb_setting_look(recipe->verb, name);
    bool set = row && row->choice && ebb_recipe_value(recipe, row)->set;
    return set ? ebb_setting_choose(row, ebb_recipe_value(recipe, row)->text, NULL) : NULL;
}

void ebb_recipe_swap(struct ebb_recipe *a, struct ebb_recipe *b)
{
    struct ebb_recipe kept = *a;
    *a = *b;
    *b = kept;
}

// ---- comparing ----

static bool counts(const struct ebb_setting *row)
{
    static const char *const of_record[] = {"model", "model-sha256", "noise-version", "source",
                                            "source-print"};
    bool does = row->role != EBB_ROLE_RECORD;
    for (size_t i = 0; i < sizeof(of_record) / sizeof(*of_record) && !does; i++)
        does = strcmp(row->name, of_record[i]) == 0;
    return does;
}

// Prints of recordings have 53 bits; the first ones had ten more below them.
static uint64_t print_of(const struct ebb_recipe *recipe, const char *name)
{
    uint64_t print = ebb_recipe_seed(recipe, name);
    return print >> 53 ? print >> 10 : print;
}

static bool same_value(const struct ebb_recipe *a, const struct ebb_recipe *b, const struct ebb_setting *row)
{
    if (is_text(row))
        return strcmp(ebb_recipe_text(a, row->name), ebb_recipe_text(b, row->name)) == 0;
    if (strcmp(row->name, "source-print") == 0)
        return print_of(a, row->name) == print_of(b, row->name);
    if (row->type == EBB_SETTING_SEED)
        return ebb_recipe_seed(a, row->name) == ebb_recipe_seed(b, row->name);
    double x = ebb_recipe_number(a, row->name), y = ebb_recipe_number(b, row->name);
    return x == y || (isnan(x) && isnan(y));
}

bool ebb_recipe_same(const struct ebb_recipe *a, const struct ebb_recipe *b)
{
    bool same = a->verb == b->verb;
    EBB_EACH_SETTING (row)
        same = same && (!ebb_setting_applies(row, a->verb) || !counts(row) || same_value(a, b, row));
    return same;
}
