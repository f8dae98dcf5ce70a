#include "model/json.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/file.h"
#include "model/sha256.h"

enum { MAX_SIZE = 1 << 20, MAX_DEPTH = 32 };

// Python writes NaN, Infinity and -Infinity, which JSON does not know: put numbers of the same length in their place,
// and an empty string for NaN, which no getter of numbers takes. `p` is outside strings. Returns the characters passed.
static size_t replace_python_number(char *p)
{
    static const struct { const char *from, *to; } words[] = {
        {"-Infinity", "-1e308   "}, {"Infinity", "1e308   "}, {"NaN", "\"\" "},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strncmp(p, words[i].from, strlen(words[i].from)) == 0) {
            memcpy(p, words[i].to, strlen(words[i].to));
            return strlen(words[i].to);
        }
    return 1;
}

// False when nested too deep. The parser recurses, so this comes first.
static bool prepare(char *text, size_t size)
{
    int depth = 0;
    bool string = false;
    for (size_t i = 0; i < size;) {
        char c = text[i];
        if (string) {
            i += c == '\\' ? 2 : 1;
            string = c != '"';
            continue;
        }
        string = c == '"';
        if ((c == '{' || c == '[') && ++depth > MAX_DEPTH)
            return false;
        depth -= c == '}' || c == ']';
        i += c == '-' || c == 'I' || c == 'N' ? replace_python_number(text + i) : 1;
    }
    return true;
}

enum ebb_result ebb_json_parse(struct ebb_json_file *file, const char *path, char *text, size_t size,
                               struct ebb_error *error)
{
    *file = (struct ebb_json_file){.error = error};
    if (!prepare(text, size))
        return ebb_fail(error, EBB_CORRUPT, "%s: nested deeper than %d levels", path, MAX_DEPTH);

    json_error_t why;
    file->root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!file->root) {
        for (char *c = why.text; *c; c++) // it quotes the file, whatever is in it
            *c = *c < 0x20 || *c > 0x7e ? '?' : *c;
        return ebb_fail(error, EBB_CORRUPT, "%s: line %d: %s", path, why.line, why.text);
    }
    file->path = strdup(path);
    if (!file->path) {
        ebb_json_close(file);
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    }
    if (!json_is_object(file->root)) {
        ebb_json_close(file);
        return ebb_fail(error, EBB_CORRUPT, "%s: expected a JSON object, {...}", path);
    }
    return EBB_OK;
}

enum ebb_result ebb_json_read_in(struct ebb_json_file *file, const char *folder, const char *name, char sum[65],
                                 struct ebb_error *error)
{
    size_t size = 0;
    char *path = ebb_path_join(folder, name);
    struct ebb_error local = {.code = EBB_OUT_OF_MEMORY, .message = "no memory"};
    char *text = path ? ebb_file_load(path, MAX_SIZE, &size, &local) : NULL;
    if (text && sum) {
        struct ebb_sha256 sha;
        ebb_sha256_start(&sha);
        ebb_sha256_add(&sha, text, size);
        ebb_sha256_finish(&sha, sum);
    }
    enum ebb_result result = text ? ebb_json_parse(file, path, text, size, error)
                                  : ebb_fail(error, local.code, "%s", local.message);
    free(text);
    free(path);
    return result;
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

static void refuse(const struct ebb_json *j, const char *key, json_t *value, enum ebb_result code, const char *expected)
{
    if (j->file->result != EBB_OK)
        return;
    char *found = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    const char *text = found ? found : value ? "unreadable" : "missing";
    j->file->result = ebb_fail(j->file->error, code, "%s: \"%s%s\" is %.60s%s, expected %s", j->file->path, j->prefix,
                               key, text, strlen(text) > 60 ? "..." : "", expected);
    free(found);
}

void ebb_json_refuse(const struct ebb_json *j, const char *key, enum ebb_result code, const char *expected, ...)
{
    char words[256];
    va_list args;
    va_start(args, expected);
    vsnprintf(words, sizeof(words), expected, args);
    va_end(args);
    refuse(j, key, json_object_get(j->object, key), code, words);
}

bool ebb_json_has(const struct ebb_json *j, const char *key)
{
    json_t *value = json_object_get(j->object, key);
    return value && !json_is_null(value);
}

bool ebb_json_null(const struct ebb_json *j, const char *key)
{
    json_t *value = json_object_get(j->object, key);
    return value && json_is_null(value);
}

bool ebb_json_bool(const struct ebb_json *j, const char *key, bool fallback)
{
    json_t *value = json_object_get(j->object, key);
    if (!value)
        return fallback;
    if (!json_is_boolean(value))
        ebb_json_refuse(j, key, EBB_CORRUPT, "true or false");
    return json_is_true(value);
}

// Integers may have been stored as floats: 80.0.
static bool to_int(const json_t *value, int low, int high, int *out)
{
    if (!json_is_number(value))
        return false;
    double number = json_number_value(value);
    if (!(number >= low && number <= high) || number != floor(number))
        return false;
    *out = (int)number;
    return true;
}

int ebb_json_int(const struct ebb_json *j, const char *key, int fallback, int low, int high)
{
    json_t *value = json_object_get(j->object, key);
    int number = fallback;
    if (value && !to_int(value, low, high, &number))
        ebb_json_refuse(j, key, EBB_CORRUPT, "an integer from %d to %d", low, high);
    return number;
}

double ebb_json_number(const struct ebb_json *j, const char *key, double fallback, double low, double high)
{
    json_t *value = json_object_get(j->object, key);
    if (!value)
        return fallback;
    double number = json_number_value(value);
    if (json_is_number(value) && number >= low && number <= high)
        return number;
    ebb_json_refuse(j, key, EBB_CORRUPT, "a number from %g to %g", low, high);
    return fallback;
}

const char *ebb_json_string(const struct ebb_json *j, const char *key, const char *fallback)
{
    json_t *value = json_object_get(j->object, key);
    if (!value)
        return fallback;
    if (!json_is_string(value)) {
        ebb_json_refuse(j, key, EBB_CORRUPT, "a string");
        return fallback;
    }
    return json_string_value(value);
}

static int choose(const struct ebb_json *j, const char *key, json_t *value, int fallback, const char *const *names)
{
    char all[200] = "one of ";
    for (int i = 0; names[i]; i++) {
        if (json_is_string(value) && strcmp(names[i], json_string_value(value)) == 0)
            return i;
        size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", names[i]);
    }
    refuse(j, key, value, json_is_string(value) ? EBB_UNSUPPORTED : EBB_CORRUPT, names[1] ? all : names[0]);
    return fallback;
}

int ebb_json_choice(const struct ebb_json *j, const char *key, int fallback, const char *const *names)
{
    json_t *value = json_object_get(j->object, key);
    return value ? choose(j, key, value, fallback, names) : fallback;
}

int ebb_json_choices(const struct ebb_json *j, const char *key, int *values, int capacity, const char *const *names)
{
    json_t *list = ebb_json_list(j, key);
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
    struct ebb_json sub = {.file = j->file};
    snprintf(sub.prefix, sizeof(sub.prefix), "%.20s%.24s.", j->prefix, key);
    json_t *value = json_object_get(j->object, key);
    if (value && !json_is_object(value))
        ebb_json_refuse(j, key, EBB_CORRUPT, "an object, {...}");
    else
        sub.object = value;
    return sub;
}

json_t *ebb_json_list(const struct ebb_json *j, const char *key)
{
    json_t *value = json_object_get(j->object, key);
    if (!value || json_is_array(value))
        return value;
    ebb_json_refuse(j, key, EBB_CORRUPT, "a list, [...]");
    return NULL;
}

int ebb_json_ints(const struct ebb_json *j, const char *key, int *values, int capacity, int low, int high)
{
    json_t *list = ebb_json_list(j, key);
    size_t count = json_array_size(list);
    bool good = count <= (size_t)capacity;
    for (size_t i = 0; good && i < count; i++)
        good = to_int(json_array_get(list, i), low, high, &values[i]);
    if (!good)
        ebb_json_refuse(j, key, EBB_CORRUPT, "at most %d integers from %d to %d", capacity, low, high);
    return good ? (int)count : 0;
}

int ebb_json_numbers(const struct ebb_json *j, const char *key, double *values, int capacity)
{
    json_t *list = ebb_json_list(j, key);
    size_t count = json_array_size(list);
    if (count > (size_t)capacity) {
        ebb_json_refuse(j, key, EBB_CORRUPT, "at most %d numbers", capacity);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get(list, i);
        if (!json_is_number(item)) {
            char place[64];
            snprintf(place, sizeof(place), "%s[%zu]", key, i);
            refuse(j, place, item, EBB_CORRUPT, "a number");
            return 0;
        }
        values[i] = json_number_value(item);
    }
    return (int)count;
}

int ebb_json_count(const struct ebb_json *j, const char *key)
{
    size_t count = json_array_size(ebb_json_list(j, key));
    return count > INT_MAX ? INT_MAX : (int)count;
}

struct ebb_json ebb_json_object_at(const struct ebb_json *j, const char *key, int index)
{
    struct ebb_json sub = {.file = j->file};
    snprintf(sub.prefix, sizeof(sub.prefix), "%.10s%.22s[%d].", j->prefix, key, index);
    json_t *value = json_array_get(ebb_json_list(j, key), (size_t)index);
    if (json_is_object(value))
        sub.object = value;
    else
        ebb_json_refuse(j, key, EBB_CORRUPT, "a list of objects");
    return sub;
}
