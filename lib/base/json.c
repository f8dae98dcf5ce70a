// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/json.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/file.h"
#include "base/plain.h"
#include "base/text_file.h"

enum { MAX_SIZE = 1 << 20, MAX_DEPTH = 32 };

// ---- Python's numbers ----

// Python writes NaN, Infinity and -Infinity, which JSON does not have and Jansson cannot hold. In a parsed
// file they are strings that begin with a NUL. No other string does: a NUL in one is refused.
static const struct python_number {
    const char *word, *string;
    double value;
} python_numbers[] = {
    {"NaN", "\"\\u0000NaN\"", NAN},
    {"Infinity", "\"\\u0000Infinity\"", INFINITY},
    {"-Infinity", "\"\\u0000-Infinity\"", -INFINITY},
};
enum {
    PYTHON_NUMBERS = sizeof(python_numbers) / sizeof(python_numbers[0]),
    GROWTH = 4
}; // 11 characters for 3 at most

static const struct python_number *python_number_at(const char *text)
{
    if (*text != 'N' && *text != 'I' && *text != '-') // asked at every byte of a file
        return NULL;
    for (int i = 0; i < PYTHON_NUMBERS; i++)
        if (strncmp(text, python_numbers[i].word, strlen(python_numbers[i].word)) == 0)
            return &python_numbers[i];
    return NULL;
}

static bool is_python_number(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) > 0 && !json_string_value(value)[0];
}

static bool is_string(const json_t *value)
{
    return json_is_string(value) && !is_python_number(value);
}

static bool to_number(const json_t *value, double *out)
{
    if (is_python_number(value)) {
        *out = python_number_at(json_string_value(value) + 1)->value;
        return true;
    }
    *out = json_number_value(value);
    return json_is_number(value);
}

// Text as json_dumps() makes it, with Python's numbers as they stood in the file.
static void show_python_numbers(char *text)
{
    static const char mark[] = "\"\\u0000";
    for (char *at; (at = strstr(text, mark));) {
        char *word = at + strlen(mark), *end = word + strcspn(word, "\"");
        size_t length = (size_t)(end - word);
        memmove(at, word, length);
        memmove(at + length, end + 1, strlen(end + 1) + 1);
    }
}

// ---- parsing ----

// Copies `text`, which ends with a 0; with `python` its numbers become strings, so that `out` needs GROWTH
// times the room. The parser recurses, so the depth is looked at here. `used` becomes the length of the copy.
static enum ebb_result prepare(const char *path, const char *text, size_t size, bool python, char *out,
                               size_t *used, struct ebb_error *error)
{
    const char *begin = out;
    int depth = 0;
    bool string = false;
    for (size_t i = 0; i < size;) {
        size_t plain = strcspn(text + i, "\"\\{}[]NI-"); // all that is looked at here
        memcpy(out, text + i, plain);
        out += plain;
        i += plain;
        if (i >= size)
            break;
        const struct python_number *number = python && !string ? python_number_at(text + i) : NULL;
        if (number) {
            out = stpcpy(out, number->string);
            i += strlen(number->word);
            continue;
        }
        if (string && text[i] == '\\' && strncmp(text + i, "\\u0000", 6) == 0)
            return ebb_fail(error, EBB_CORRUPT, "%s: a string with a NUL in it", path);
        depth += string ? 0 : (text[i] == '{' || text[i] == '[') - (text[i] == '}' || text[i] == ']');
        if (depth > MAX_DEPTH)
            return ebb_fail(error, EBB_CORRUPT, "%s: nested deeper than %d levels", path, MAX_DEPTH);
        string = text[i] == '"' ? !string : string;
        size_t length = string && text[i] == '\\' && i + 1 < size ? 2 : 1; // an escape as a whole: it may be
                                                                           // of a quote
        memcpy(out, text + i, length);
        out += length;
        i += length;
    }
    *used = (size_t)(out - begin);
    return EBB_OK;
}

static enum ebb_result load(struct ebb_json_file *file, const char *path, const char *text, size_t size,
                            enum ebb_json_numbers numbers, struct ebb_error *error)
{
    size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_error_t why;
    file->root = json_loadb(text, size, numbers == EBB_JSON_REAL ? flags | JSON_DECODE_INT_AS_REAL : flags,
                            &why);
    if (!file->root) {
        for (char *c = why.text; *c; c++) // it quotes the file, whatever is in it
            *c = *c < 0x20 || *c > 0x7e ? '?' : *c;
        return ebb_fail(error, EBB_CORRUPT, "%s: line %d: %s", path, why.line, why.text);
    }
    if (json_is_object(file->root))
        return EBB_OK;
    return ebb_fail(error, EBB_CORRUPT, "%s: expected a JSON object, {...}", path);
}

enum ebb_result ebb_json_parse(struct ebb_json_file *file, const char *path, const char *text, size_t size,
                               enum ebb_json_numbers numbers, struct ebb_error *error)
{
    bool python = numbers == EBB_JSON_PYTHON;
    size_t used = 0;
    char *copy = malloc((python ? GROWTH * size : size) + 1);
    *file = (struct ebb_json_file){.path = strdup(path), .error = error};
    enum ebb_result result = copy && file->path ? prepare(path, text, size, python, copy, &used, error)
                                                : ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    if (result == EBB_OK)
        result = load(file, path, copy, used, numbers, error);
    free(copy);
    if (result != EBB_OK)
        ebb_json_close(file);
    return result;
}

// A file may be of at most `most` bytes.
static enum ebb_result read_file(struct ebb_json_file *file, const char *folder, const char *name,
                                 size_t most, char sum[65], enum ebb_json_numbers numbers,
                                 struct ebb_error *error)
{
    size_t size = 0;
    error = EBB_ERROR(error);
    char *path = ebb_path_join(folder, name);
    if (!path)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", folder);
    char *text = ebb_text_file_load(folder, name, most, "JSON in UTF-8", sum, &size, error);
    enum ebb_result result = text ? ebb_json_parse(file, path, text, size, numbers, error) : error->code;
    free(text);
    free(path);
    return result;
}

enum ebb_result ebb_json_read_in(struct ebb_json_file *file, const char *folder, const char *name,
                                 char sum[65], struct ebb_error *error)
{
    return read_file(file, folder, name, MAX_SIZE, sum, EBB_JSON_PYTHON, error);
}

enum ebb_result ebb_json_read_large(struct ebb_json_file *file, const char *folder, const char *name,
                                    struct ebb_error *error)
{
    const size_t most = 64 << 20;
    return read_file(file, folder, name, most, NULL, EBB_JSON_REAL, error);
}

void ebb_json_close(struct ebb_json_file *file)
{
    json_decref(file->root);
    free(file->path);
    *file = (struct ebb_json_file){0};
}

struct ebb_json ebb_json_root(struct ebb_json_file *file)
{
    return (struct ebb_json){.file = file, .object = file->root};
}

static void refuse(const struct ebb_json *j, const char *key, json_t *value, enum ebb_result code,
                   const char *expected)
{
    if (j->file->result != EBB_OK)
        return;
    char *found = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    const char *text = found ? found : value ? "unreadable" : "missing";
    if (found)
        show_python_numbers(found);
    j->file->result = ebb_fail(j->file->error, code, "%s: \"%s%s\" is %.60s%s, expected %s", j->file->path,
                               j->prefix, key, text, strlen(text) > 60 ? "..." : "", expected);
    free(found);
}

void ebb_json_refuse(const struct ebb_json *j, const char *key, enum ebb_result code, const char *expected,
                     ...)
{
    char words[256];
    va_list args;
    va_start(args, expected);
    vsnprintf(words, sizeof(words), expected, args);
    va_end(args);
    refuse(j, key, json_object_get(j->object, key), code, words);
}

static json_t *look(const struct ebb_json *j, const char *key)
{
    json_t *value = json_object_get(j->object, key);
    return j->null_is_absent && json_is_null(value) ? NULL : value;
}

bool ebb_json_given(const struct ebb_json *j, const char *key)
{
    return look(j, key) != NULL;
}

bool ebb_json_has(const struct ebb_json *j, const char *key)
{
    json_t *value = look(j, key);
    return value && !json_is_null(value);
}

bool ebb_json_null(const struct ebb_json *j, const char *key)
{
    json_t *value = look(j, key);
    // NOLINTNEXTLINE(misc-redundant-expression): json_is_null() tests for NULL too
    return value && json_is_null(value);
}

bool ebb_json_is_list(const struct ebb_json *j, const char *key)
{
    return json_is_array(look(j, key));
}

const char *ebb_json_next_key(const struct ebb_json *j, const char *at)
{
    void *iterator = at ? json_object_iter_next(j->object, json_object_key_to_iter(at))
                        : json_object_iter(j->object);
    return iterator ? json_object_iter_key(iterator) : NULL;
}

bool ebb_json_bool(const struct ebb_json *j, const char *key, bool fallback)
{
    json_t *value = look(j, key);
    if (!value)
        return fallback;
    if (!json_is_boolean(value))
        ebb_json_refuse(j, key, EBB_CORRUPT, "true or false");
    return json_is_true(value);
}

// Integers may have been stored as floats: 80.0.
static bool to_int(const json_t *value, int low, int high, int *out)
{
    double number;
    if (!to_number(value, &number) || !(number >= low && number <= high) || number != floor(number))
        return false;
    *out = (int)number;
    return true;
}

int ebb_json_int(const struct ebb_json *j, const char *key, int fallback, int low, int high)
{
    json_t *value = look(j, key);
    int number = fallback;
    if (value && !to_int(value, low, high, &number))
        ebb_json_refuse(j, key, EBB_CORRUPT, "an integer from %d to %d", low, high);
    return number;
}

double ebb_json_number(const struct ebb_json *j, const char *key, double fallback, double low, double high)
{
    json_t *value = look(j, key);
    if (!value)
        return fallback;
    double number;
    if (to_number(value, &number) && number >= low && number <= high)
        return number;
    ebb_json_refuse(j, key, EBB_CORRUPT, "a number from %g to %g", low, high);
    return fallback;
}

const char *ebb_json_string(const struct ebb_json *j, const char *key, const char *fallback)
{
    json_t *value = look(j, key);
    if (!value)
        return fallback;
    if (!is_string(value)) {
        ebb_json_refuse(j, key, EBB_CORRUPT, "a string");
        return fallback;
    }
    return json_string_value(value);
}

static int choose(const struct ebb_json *j, const char *key, json_t *value, int fallback,
                  const char *const *names)
{
    char all[200] = "one of ";
    for (int i = 0; names[i]; i++) {
        if (is_string(value) && strcmp(names[i], json_string_value(value)) == 0)
            return i;
        size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", names[i]);
    }
    refuse(j, key, value, is_string(value) ? EBB_UNSUPPORTED : EBB_CORRUPT, names[1] ? all : names[0]);
    return fallback;
}

int ebb_json_choice(const struct ebb_json *j, const char *key, int fallback, const char *const *names)
{
    json_t *value = look(j, key);
    return value ? choose(j, key, value, fallback, names) : fallback;
}

static json_t *list_of(const struct ebb_json *j, const char *key)
{
    json_t *value = look(j, key);
    if (!value || json_is_array(value))
        return value;
    ebb_json_refuse(j, key, EBB_CORRUPT, "a list, [...]");
    return NULL;
}

int ebb_json_choices(const struct ebb_json *j, const char *key, int *values, int capacity,
                     const char *const *names)
{
    json_t *list = list_of(j, key);
    size_t count = json_array_size(list);
    if (count > (size_t)capacity) {
        ebb_json_refuse(j, key, EBB_UNSUPPORTED, "at most %d", capacity);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        char place[64];
        snprintf(place, sizeof(place), "%s[%zu]", key, i);
        values[i] = choose(j, place, json_array_get(list, i), 0, names);
    }
    return (int)count;
}

struct ebb_json ebb_json_object(const struct ebb_json *j, const char *key)
{
    struct ebb_json sub = {.file = j->file, .null_is_absent = j->null_is_absent};
    snprintf(sub.prefix, sizeof(sub.prefix), "%.20s%.24s.", j->prefix, key);
    json_t *value = look(j, key);
    if (value && !json_is_object(value))
        ebb_json_refuse(j, key, EBB_CORRUPT, "an object, {...}");
    else
        sub.object = value;
    return sub;
}

int ebb_json_ints(const struct ebb_json *j, const char *key, int *values, int capacity, int low, int high)
{
    json_t *list = list_of(j, key);
    size_t count = json_array_size(list);
    bool good = count <= (size_t)capacity;
    for (size_t i = 0; good && i < count; i++)
        good = to_int(json_array_get(list, i), low, high, &values[i]);
    if (!good)
        ebb_json_refuse(j, key, EBB_CORRUPT, "at most %d integers from %d to %d", capacity, low, high);
    return good ? (int)count : 0;
}

// The list, where it holds at most `capacity`; NULL: there is none, or it is refused.
static json_t *short_list(const struct ebb_json *j, const char *key, int capacity, const char *what)
{
    json_t *list = list_of(j, key);
    if (json_array_size(list) <= (size_t)capacity)
        return list;
    ebb_json_refuse(j, key, EBB_CORRUPT, "at most %d %s", capacity, what);
    return NULL;
}

static void refuse_entry(const struct ebb_json *j, const char *key, size_t index, json_t *value,
                         const char *expected)
{
    char place[64];
    snprintf(place, sizeof(place), "%s[%zu]", key, index);
    refuse(j, place, value, EBB_CORRUPT, expected);
}

int ebb_json_ints_at(const struct ebb_json *j, const char *key, int index, int *values, int capacity, int low,
                     int high)
{
    json_t *list = json_array_get(list_of(j, key), (size_t)index);
    size_t count = json_array_size(list);
    bool good = json_is_array(list) && count <= (size_t)capacity;
    for (size_t i = 0; good && i < count; i++)
        good = to_int(json_array_get(list, i), low, high, &values[i]);
    char expected[80];
    snprintf(expected, sizeof(expected), "at most %d integers from %d to %d", capacity, low, high);
    if (!good)
        refuse_entry(j, key, (size_t)index, list, expected);
    return good ? (int)count : 0;
}

int ebb_json_numbers(const struct ebb_json *j, const char *key, double *values, int capacity, double low,
                     double high)
{
    json_t *list = short_list(j, key, capacity, "numbers");
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_array_get(list, i);
        if (to_number(entry, &values[i]) && values[i] >= low && values[i] <= high)
            continue;
        char expected[80];
        ebb_plain_print(expected, sizeof(expected), "a number from %g to %g", low, high);
        refuse_entry(j, key, i, entry, expected);
        return 0;
    }
    return (int)count;
}

int ebb_json_pairs(const struct ebb_json *j, const char *key, double (*values)[2], int capacity)
{
    json_t *list = short_list(j, key, capacity, "pairs");
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++) {
        json_t *pair = json_array_get(list, i);
        bool good = json_array_size(pair) == 2;
        for (size_t k = 0; good && k < 2; k++)
            good = to_number(json_array_get(pair, k), &values[i][k]) && isfinite(values[i][k]);
        if (good)
            continue;
        refuse_entry(j, key, i, pair, "a pair of numbers");
        return 0;
    }
    return (int)count;
}

// One row of ebb_json_rows(): whether `entry` is one.
static bool to_row(json_t *entry, int columns, int *values, int *count, int low, int high)
{
    *count = (int)json_array_size(entry);
    bool good = !json_is_array(entry) || (*count > 0 && *count <= columns);
    for (int i = 0; good && i < (*count ? *count : 1); i++) {
        json_t *value = *count ? json_array_get(entry, (size_t)i) : entry;
        values[i] = 0;
        good = (low == 0 && json_is_null(value)) || to_int(value, low, high, &values[i]);
    }
    return good;
}

void ebb_json_rows(const struct ebb_json *j, const char *key, int rows, int columns, int *values, int *counts,
                   int low, int high)
{
    json_t *value = look(j, key);
    bool list = json_is_array(value), good = !list || json_array_size(value) == (size_t)rows;
    for (int i = 0; value && good && i < rows; i++)
        good = to_row(list ? json_array_get(value, (size_t)i) : value, columns, values + i * columns,
                      &counts[i], low, high);
    if (!good)
        ebb_json_refuse(j, key, EBB_CORRUPT, "integers from %d to %d, one for all or %d in a list", low, high,
                        rows);
}

void ebb_json_bools(const struct ebb_json *j, const char *key, bool *values, int rows, bool fallback)
{
    json_t *value = look(j, key);
    bool list = json_is_array(value), good = !list || json_array_size(value) == (size_t)rows;
    for (int i = 0; good && i < rows; i++) {
        json_t *entry = list ? json_array_get(value, (size_t)i) : value;
        good = !entry || json_is_boolean(entry);
        values[i] = entry ? json_is_true(entry) : fallback;
    }
    if (!good)
        ebb_json_refuse(j, key, EBB_CORRUPT, "true or false, one for all or %d in a list", rows);
}

const char *ebb_json_string_at(const struct ebb_json *j, const char *key, int index)
{
    json_t *entry = json_array_get(look(j, key), (size_t)index);
    return is_string(entry) ? json_string_value(entry) : NULL;
}

int ebb_json_count(const struct ebb_json *j, const char *key)
{
    size_t count = json_array_size(list_of(j, key));
    return count > INT_MAX ? INT_MAX : (int)count;
}

struct ebb_json ebb_json_object_at(const struct ebb_json *j, const char *key, int index)
{
    struct ebb_json sub = {.file = j->file, .null_is_absent = j->null_is_absent};
    snprintf(sub.prefix, sizeof(sub.prefix), "%.10s%.22s[%d].", j->prefix, key, index);
    json_t *value = json_array_get(list_of(j, key), (size_t)index);
    if (json_is_object(value))
        sub.object = value;
    else
        ebb_json_refuse(j, key, EBB_CORRUPT, "a list of objects");
    return sub;
}
