// SPDX-License-Identifier: LGPL-2.1-or-later
// Writing and reading recipes as one line of JSON. A line may come from a stranger, so only flat objects
// with known keys are read.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/base.h"
#include "base/json.h"
#include "base/plain.h"
#include "diffusion/noise.h"
#include "recipe/table.h"

enum { LARGEST = 64 << 10 }; // bytes of a recipe that is read

// ---- keys ----

// A setting's name with '_' for '-'.
static void key_of(const char *name, char *key, size_t size)
{
    snprintf(key, size, "%s", name);
    for (char *c = key; *c; c++)
        *c = *c == '-' ? '_' : *c;
}

// Names of format 1 for some settings.
static const struct {
    const char *key, *name;
} old_keys[] = {
    {"gain_db", "gain"},
    {"peak_db", "peak"},
    {"rtol", "tolerance"},
    {"model_licence", "licence"},
};

static const struct ebb_setting *row_of(enum ebb_verb verb, int format, const char *key,
                                        struct ebb_error *error)
{
    char name[64];
    for (size_t i = 0; i < sizeof(old_keys) / sizeof(*old_keys); i++)
        if (format == 1 && strcmp(key, old_keys[i].key) == 0)
            return ebb_setting_look(verb, old_keys[i].name);
    snprintf(name, sizeof(name), "%s", key);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return ebb_setting_find(verb, name, error);
}

// ---- writing ----

static json_t *json_of(const struct ebb_setting *row, const struct ebb_value *value)
{
    switch (row->type) {
    case EBB_SETTING_FLAG: return json_boolean(value->number != 0);
    case EBB_SETTING_WHOLE: return json_integer((json_int_t)value->number);
    case EBB_SETTING_REAL: return json_real(value->number);
    case EBB_SETTING_SEED: return json_integer((json_int_t)value->seed);
    case EBB_SETTING_TEXT:
    case EBB_SETTING_CHOICE: break;
    }
    return json_string(value->text);
}

// The fewest digits that read back as the same number: 0.35, not 0.34999999999999998.
static size_t digits_of(double number)
{
    enum { FEWEST = 6, MOST = 17 };
    size_t digits = FEWEST;
    for (char text[40]; digits < MOST; digits++) {
        ebb_plain_print(text, sizeof(text), "%.*g", (int)digits, number);
        if (ebb_plain_number(text, NULL) == number)
            break;
    }
    return digits;
}

// `,"key":value`, each number with the digits that it needs. Takes the value.
static bool write_pair(FILE *f, const char *separator, const char *key, json_t *value)
{
    size_t flags = JSON_ENCODE_ANY |
                   (json_is_real(value) ? JSON_REAL_PRECISION(digits_of(json_real_value(value))) : 0);
    bool ok = value && fprintf(f, "%s\"%s\":", separator, key) > 0 && json_dumpf(value, f, flags) == 0;
    json_decref(value);
    return ok;
}

static bool write_object(const struct ebb_recipe *recipe, FILE *f)
{
    bool ok = write_pair(f, "{", "ebb", json_integer(EBB_RECIPE_FORMAT)) &&
              write_pair(f, ",", "verb", json_string(ebb_verb_name(recipe->verb)));
    EBB_EACH_SETTING (row) {
        const struct ebb_value *value = ebb_recipe_value(recipe, row);
        char key[64];
        key_of(row->name, key, sizeof(key));
        ok = ok && (!value->set || write_pair(f, ",", key, json_of(row, value)));
    }
    return ok && fputs("}", f) >= 0;
}

size_t ebb_recipe_write(const struct ebb_recipe *recipe, char *text, size_t size)
{
    char *line = NULL;
    size_t length = 0;
    FILE *f = open_memstream(&line, &length);
    bool ok = f && write_object(recipe, f);
    ok = f && fclose(f) == 0 && ok;
    if (size > 0)
        snprintf(text, size, "%s", ok ? line : "");
    free(line);
    return ok ? length : 0;
}

// ---- reading ----

// Reads verb and format; false: the text is no recipe of Ebb.
static bool find_verb(const json_t *o, enum ebb_verb *verb, json_int_t *format)
{
    static const char *const first_keys[] = {"ebb_edit", "ebb_denoise", "ebb"};
    static const enum ebb_verb first_verbs[] = {EBB_VERB_EDIT, EBB_VERB_DENOISE, EBB_VERB_GENERATE};
    const char *word = json_string_value(json_object_get(o, "verb"));
    for (int i = 0; i < 3 && !word; i++)
        if (json_is_integer(json_object_get(o, first_keys[i]))) {
            *verb = first_verbs[i];
            *format = json_integer_value(json_object_get(o, first_keys[i]));
            return true;
        }
    *format = json_integer_value(json_object_get(o, "ebb"));
    for (int i = 0; i < EBB_VERBS && word; i++)
        if (strcmp(word, ebb_verb_name((enum ebb_verb)i)) == 0) {
            *verb = (enum ebb_verb)i;
            return json_is_integer(json_object_get(o, "ebb"));
        }
    return false;
}

static enum ebb_result take_integer(struct ebb_recipe *recipe, const struct ebb_setting *row,
                                    json_int_t value, struct ebb_error *error)
{
    if (row->type != EBB_SETTING_SEED)
        return ebb_recipe_set_number(recipe, row->name, (double)value, error);
    if (value >= 0)
        return ebb_recipe_set_seed(recipe, row->name, (uint64_t)value, error);
    return ebb_fail(error, EBB_INVALID, "%s is %lld, below 0", row->name, (long long)value);
}

static enum ebb_result take_value(struct ebb_recipe *recipe, const struct ebb_setting *row,
                                  const json_t *value, struct ebb_error *error)
{
    if (json_is_integer(value))
        return take_integer(recipe, row, json_integer_value(value), error);
    if (json_is_real(value))
        return ebb_recipe_set_number(recipe, row->name, json_real_value(value), error);
    if (json_is_boolean(value) && row->type == EBB_SETTING_FLAG)
        return ebb_recipe_set_number(recipe, row->name, json_is_true(value), error);
    if (json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value))
        return ebb_recipe_set(recipe, row->name, json_string_value(value), error);
    return ebb_fail(error, EBB_CORRUPT, "%s is no text, number or truth value", row->name);
}

// Keys and values of format 1 that are no settings, or mean that a setting is open.
static bool is_left_out(int format, const char *key, const json_t *value)
{
    if (json_is_null(value) || strcmp(key, "ebb") == 0 || strcmp(key, "verb") == 0)
        return true;
    if (format != 1)
        return false;
    bool own_eta = strcmp(key, "eta") == 0 && json_is_number(value) && json_number_value(value) < 0;
    return own_eta || strcmp(key, "ebb_edit") == 0 || strcmp(key, "ebb_denoise") == 0 ||
           strcmp(key, "atol") == 0;
}

static enum ebb_result take_key(struct ebb_recipe *recipe, int format, const char *key, const json_t *value,
                                struct ebb_error *error)
{
    bool automatic = json_is_string(value) && strcmp(json_string_value(value), "auto") == 0;
    if (is_left_out(format, key, value))
        return EBB_OK;
    if (format == 1 && strcmp(key, "t") == 0 && automatic)
        return ebb_recipe_set_number(recipe, "auto-t", 1, error);
    if (format == 1 && strcmp(key, "noise") == 0 && !ebb_setting_look(recipe->verb, key))
        return EBB_OK; // edits of format 1 wrote it, always with the same value
    const struct ebb_setting *row = row_of(recipe->verb, format, key, error);
    // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.UndefReturn): row_of() has set it
    return row ? take_value(recipe, row, value, error) : error->code;
}

// A value that format 1 left out where it is the whole range.
static void fill_format_1(struct ebb_recipe *recipe)
{
    if (!ebb_setting_look(recipe->verb, "guidance-from"))
        return;
    if (!ebb_recipe_has(recipe, "guidance-from"))
        ebb_recipe_set_number(recipe, "guidance-from", 0, NULL);
    if (!ebb_recipe_has(recipe, "guidance-to"))
        ebb_recipe_set_number(recipe, "guidance-to", 1, NULL);
}

static enum ebb_result take_all(struct ebb_recipe *recipe, int format, json_t *o, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    const char *key;
    json_t *value;
    json_object_foreach(o, key, value) if (result == EBB_OK)
        result = take_key(recipe, format, key, value, error);
    if (result == EBB_OK && format == 1)
        fill_format_1(recipe);
    double version = ebb_recipe_number(recipe, "noise-version");
    if (result == EBB_OK && version > EBB_NOISE_VERSION)
        result = ebb_fail(error, EBB_UNSUPPORTED,
                          "the recipe has noise version %g, this Ebb knows versions up to %d", version,
                          EBB_NOISE_VERSION);
    return result;
}

static struct ebb_recipe *recipe_of(json_t *o, struct ebb_error *error)
{
    enum ebb_verb verb;
    json_int_t format;
    if (!find_verb(o, &verb, &format)) {
        ebb_fail(error, EBB_WRONG_TYPE, "the text is no recipe of Ebb");
        return NULL;
    }
    if (format < 1 || format > EBB_RECIPE_FORMAT) {
        ebb_fail(error, EBB_UNSUPPORTED, "the recipe has format %lld, this Ebb knows formats 1 to %d",
                 (long long)format, EBB_RECIPE_FORMAT);
        return NULL;
    }
    struct ebb_recipe *recipe = ebb_recipe_create(verb);
    if (!recipe)
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a recipe");
    else if (take_all(recipe, (int)format, o, error) != EBB_OK)
        ebb_recipe_destroy(&recipe);
    return recipe;
}

// What is no JSON object: a comment of somebody else's, or a recipe that was damaged.
static void refuse_text(const char *text, const struct ebb_error *why, struct ebb_error *error)
{
    if (why->code == EBB_OUT_OF_MEMORY)
        *error = *why;
    else if (strstr(text, "\"ebb"))
        ebb_fail(error, EBB_CORRUPT, "the recipe is damaged: %.400s", why->message);
    else
        ebb_fail(error, EBB_WRONG_TYPE, "the text is no recipe of Ebb");
}

struct ebb_recipe *ebb_recipe_read(const char *text, struct ebb_error *error)
{
    struct ebb_error why = {0};
    struct ebb_json_file file;
    error = EBB_ERROR(error);
    size_t length = strnlen(text, LARGEST + 1);
    if (length > LARGEST) {
        ebb_fail(error, EBB_WRONG_TYPE, "the text has over %d bytes: no recipe of Ebb is so long", LARGEST);
        return NULL;
    }
    if (ebb_json_parse(&file, "recipe", text, length, EBB_JSON_FINITE, &why) != EBB_OK) {
        refuse_text(text, &why, error);
        return NULL;
    }
    struct ebb_recipe *recipe = recipe_of(file.root, error);
    ebb_json_close(&file);
    return recipe;
}
