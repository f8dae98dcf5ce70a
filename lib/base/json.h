// SPDX-License-Identifier: LGPL-2.1-or-later
// The reader of JSON files. A getter returns a key's value, or the fallback where the key is absent. A
// value of the wrong kind or out of range fails the file: the error names file, key, the value found and
// the value expected. Only the first failure is recorded, so a caller reads all keys and looks at `result`
// at the end.
//
// NaN and Infinity, which Python writes, are numbers. A getter accepts Infinity where its range includes
// it, and never NaN.
#ifndef EBB_BASE_JSON_H
#define EBB_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>
#include <jansson.h>

struct ebb_json_file {
    json_t *root; // an object
    char *path;
    enum ebb_result result;  // EBB_OK until the first failure
    struct ebb_error *error; // borrowed, may be NULL
};

// An object in a file; `object` NULL: absent, every getter returns its fallback.
struct ebb_json {
    struct ebb_json_file *file;
    json_t *object;
    bool null_is_absent; // a key with the value null counts as absent
    char prefix[48];     // "mel.": for messages
};

enum ebb_json_numbers {
    EBB_JSON_FINITE, // as the standard has them: no NaN and no Infinity
    EBB_JSON_PYTHON, // with NaN and Infinity
    EBB_JSON_REAL,   // finite, and all are read as real ones: whole numbers may be larger than 64 bits
};

// Parses an object. Duplicate keys, more than 32 levels and NUL in a string are refused. `text` ends with a
// 0; `path` is for messages. After a failure `file` needs no close.
enum ebb_result ebb_json_parse(struct ebb_json_file *file, const char *path, const char *text, size_t size,
                               enum ebb_json_numbers numbers, struct ebb_error *error);
// The file `name` in `folder`, of at most 1 MiB, with Python's numbers; `sum` (may be NULL) becomes the
// SHA-256 of the text.
enum ebb_result ebb_json_read_in(struct ebb_json_file *file, const char *folder, const char *name,
                                 char sum[65], struct ebb_error *error);
// A tokenizer's file, of at most 64 MiB, with real numbers.
enum ebb_result ebb_json_read_large(struct ebb_json_file *file, const char *folder, const char *name,
                                    struct ebb_error *error);
void ebb_json_close(struct ebb_json_file *file);
struct ebb_json ebb_json_root(struct ebb_json_file *file);

bool ebb_json_given(const struct ebb_json *j, const char *key); // the key is there, null or not
bool ebb_json_has(const struct ebb_json *j, const char *key);   // the key is there and not null
bool ebb_json_null(const struct ebb_json *j, const char *key);  // the key is there and null
bool ebb_json_is_list(const struct ebb_json *j, const char *key);
// The keys, one after the other: starts with `at` NULL, ends with NULL.
const char *ebb_json_next_key(const struct ebb_json *j, const char *at);

bool ebb_json_bool(const struct ebb_json *j, const char *key, bool fallback);
int ebb_json_int(const struct ebb_json *j, const char *key, int fallback, int low, int high);
double ebb_json_number(const struct ebb_json *j, const char *key, double fallback, double low, double high);
// The string belongs to the file.
const char *ebb_json_string(const struct ebb_json *j, const char *key, const char *fallback);
// Index of the string in `names` (ended by NULL). EBB_UNSUPPORTED: the string is none of them.
int ebb_json_choice(const struct ebb_json *j, const char *key, int fallback, const char *const *names);
// A list of such strings as indices; returns how many.
int ebb_json_choices(const struct ebb_json *j, const char *key, int *values, int capacity,
                     const char *const *names);
struct ebb_json ebb_json_object(const struct ebb_json *j, const char *key);

// Lists. The count is 0 when absent; more than `capacity` is a failure.
int ebb_json_ints(const struct ebb_json *j, const char *key, int *values, int capacity, int low, int high);
int ebb_json_ints_at(const struct ebb_json *j, const char *key, int index, int *values, int capacity, int low,
                     int high); // a list in a list
int ebb_json_numbers(const struct ebb_json *j, const char *key, double *values, int capacity, double low,
                     double high);
int ebb_json_pairs(const struct ebb_json *j, const char *key, double (*values)[2], int capacity);
int ebb_json_count(const struct ebb_json *j, const char *key);
// A value for each of `rows`: one integer for all of them, or a list with an entry each, which is an integer
// or a list of at most `columns` integers. Row i is written to values[i * columns] and on, and counts[i] is
// the length of its list, 0: one integer. Where `low` is 0, null is 0. Absent: nothing is written.
void ebb_json_rows(const struct ebb_json *j, const char *key, int rows, int columns, int *values, int *counts,
                   int low, int high);
// A flag for each of `rows`: one for all of them, or a list with an entry each. Absent: `fallback`.
void ebb_json_bools(const struct ebb_json *j, const char *key, bool *values, int rows, bool fallback);
struct ebb_json ebb_json_object_at(const struct ebb_json *j, const char *key, int index);
// One entry of a list; NULL where it is no string, which does not fail the file.
const char *ebb_json_string_at(const struct ebb_json *j, const char *key, int index);

// Fails the file with the message: FILE: "KEY" is FOUND, expected EXPECTED.
void ebb_json_refuse(const struct ebb_json *j, const char *key, enum ebb_result code, const char *expected,
                     ...) __attribute__((format(printf, 4, 5)));

#endif
