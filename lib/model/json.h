// JSON from outside. Getters return the value or, when the key is absent, the fallback; a value of the wrong kind or
// outside its range is the file's failure, told once with file, key, what was found and what was expected. So a
// parser asks for everything it needs and looks at `result` at the end.
#ifndef EBB_MODEL_JSON_H
#define EBB_MODEL_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>
#include <jansson.h>

struct ebb_json_file {
    json_t *root; // an object
    char *path;
    enum ebb_result result; // EBB_OK until the first failure
    struct ebb_error *error; // borrowed, may be NULL
};

// An object in a file; `object` NULL: absent, every getter returns its fallback.
struct ebb_json {
    struct ebb_json_file *file;
    json_t *object;
    char prefix[48]; // "mel.": for messages
};

// Parses an object: duplicate keys, more than 1 MiB or 32 levels are refused; NaN and Infinity as Python writes them
// are read. `text` ends with a 0 and is changed; `path` is for messages. On failure `file` needs no close.
enum ebb_result ebb_json_parse(struct ebb_json_file *file, const char *path, char *text, size_t size,
                               struct ebb_error *error);
// The file `name` in `folder`; `sum` (may be NULL) becomes the SHA-256 of the text.
enum ebb_result ebb_json_read_in(struct ebb_json_file *file, const char *folder, const char *name, char sum[65],
                                 struct ebb_error *error);
void ebb_json_close(struct ebb_json_file *file);
struct ebb_json ebb_json_root(struct ebb_json_file *file);

bool ebb_json_has(const struct ebb_json *j, const char *key);  // there, and not null
bool ebb_json_null(const struct ebb_json *j, const char *key); // there, and null

bool ebb_json_bool(const struct ebb_json *j, const char *key, bool fallback);
int ebb_json_int(const struct ebb_json *j, const char *key, int fallback, int low, int high);
double ebb_json_number(const struct ebb_json *j, const char *key, double fallback, double low, double high);
const char *ebb_json_string(const struct ebb_json *j, const char *key, const char *fallback); // lives with the file
// Index of the string in `names` (ended by NULL); another one is EBB_UNSUPPORTED.
int ebb_json_choice(const struct ebb_json *j, const char *key, int fallback, const char *const *names);
// A list of such strings; how many.
int ebb_json_choices(const struct ebb_json *j, const char *key, int *values, int capacity, const char *const *names);
struct ebb_json ebb_json_object(const struct ebb_json *j, const char *key);

// Lists. The count is 0 when absent; more than `capacity` is a failure.
int ebb_json_ints(const struct ebb_json *j, const char *key, int *values, int capacity, int low, int high);
int ebb_json_numbers(const struct ebb_json *j, const char *key, double *values, int capacity);
int ebb_json_count(const struct ebb_json *j, const char *key);
struct ebb_json ebb_json_object_at(const struct ebb_json *j, const char *key, int index);
json_t *ebb_json_list(const struct ebb_json *j, const char *key); // NULL: absent, or not a list (told)

// Fails with: FILE: "KEY" is FOUND, expected EXPECTED. The first failure of a file counts.
void ebb_json_refuse(const struct ebb_json *j, const char *key, enum ebb_result code, const char *expected, ...)
    __attribute__((format(printf, 4, 5)));

#endif
