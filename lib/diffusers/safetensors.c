// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/byte_order.h"
#include "base/file.h"
#include "base/json.h"

// Real headers are a few hundred kB; a larger one would only cost time and memory before it is refused.
enum { MAX_HEADER = 4 << 20 };

static const struct {
    const char *name;
    unsigned bits;
} dtypes[] = {
    {"F32", 32},        {"F16", 16},    {"BF16", 16},   {"F64", 64},    {"I64", 64},    {"I32", 32},
    {"I16", 16},        {"I8", 8},      {"U64", 64},    {"U32", 32},    {"U16", 16},    {"U8", 8},
    {"BOOL", 8},        {"C64", 64},    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4},
};

// "PATH: tensor "NAME": WHAT"
static enum ebb_result refuse(const struct ebb_tensor_file *file, const char *name, const char *what,
                              struct ebb_error *error)
{
    char shown[96];
    return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\": %s", file->path,
                    ebb_stored_tensor_printable(name, shown), what);
}

static bool count_value(const json_t *value, uint64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_shape(const json_t *list, struct ebb_stored_tensor *tensor)
{
    if (!json_is_array(list) || json_array_size(list) > EBB_STORED_TENSOR_RANK)
        return false;
    tensor->rank = (int)json_array_size(list);
    for (int i = 0; i < tensor->rank; i++)
        if (!count_value(json_array_get(list, (size_t)i), &tensor->shape[i]))
            return false;
    return true;
}

static enum ebb_result read_entry(const struct ebb_tensor_file *file, const char *name, json_t *entry,
                                  struct ebb_stored_tensor *tensor, struct ebb_error *error)
{
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    json_t *offsets = json_object_get(entry, "data_offsets");
    if (json_object_size(entry) != 3 || !type || !offsets)
        return refuse(file, name, "expected exactly dtype, shape and data_offsets", error);

    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
        if (strcmp(dtypes[i].name, type) == 0) {
            tensor->dtype = dtypes[i].name;
            tensor->bits = dtypes[i].bits;
        }
    if (!tensor->bits)
        return refuse(file, name, "an unknown dtype", error);
    if (!read_shape(json_object_get(entry, "shape"), tensor))
        return refuse(file, name, "the shape is not a list of at most 8 counts", error);
    if (json_array_size(offsets) != 2 || !count_value(json_array_get(offsets, 0), &tensor->begin) ||
        !count_value(json_array_get(offsets, 1), &tensor->end) || tensor->end < tensor->begin)
        return refuse(file, name, "data_offsets are not a begin and an end", error);

    uint64_t bytes = 0;
    if (!ebb_stored_tensor_size(tensor, &bytes) || bytes != tensor->end - tensor->begin)
        return refuse(file, name, "shape and dtype do not give the bytes that data_offsets span", error);
    tensor->name = strdup(name);
    return tensor->name ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", file->path);
}

static enum ebb_result check_metadata(const struct ebb_tensor_file *file, json_t *metadata,
                                      struct ebb_error *error)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return refuse(file, "__metadata__", "expected an object of strings", error);
    json_object_foreach(metadata, key,
                        value) if (!json_is_string(value)) return refuse(file, "__metadata__",
                                                                         "expected an object of strings",
                                                                         error);
    return EBB_OK;
}

static int by_begin(const void *a, const void *b)
{
    const struct ebb_stored_tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end); // empty tensors first
}

static enum ebb_result read_entries(struct ebb_tensor_file *file, json_t *root, struct ebb_error *error)
{
    if (json_object_size(root) > EBB_MOST_TENSORS)
        return ebb_fail(error, EBB_CORRUPT, "%s: %zu tensors, expected at most %d", file->path,
                        json_object_size(root), EBB_MOST_TENSORS);
    file->tensors = ebb_alloc(json_object_size(root), sizeof(*file->tensors));
    if (!file->tensors)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", file->path);

    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry)
    {
        bool metadata = strcmp(name, "__metadata__") == 0;
        enum ebb_result result = metadata ? check_metadata(file, entry, error)
                                          : read_entry(file, name, entry, &file->tensors[file->count], error);
        if (result != EBB_OK)
            return result;
        file->count += !metadata;
    }
    qsort(file->tensors, (size_t)file->count, sizeof(*file->tensors), by_begin);
    return EBB_OK;
}

// No holes, no overlaps, and the last tensor ends where the file does.
static enum ebb_result check_places(const struct ebb_tensor_file *file, struct ebb_error *error)
{
    uint64_t place = 0, size = (uint64_t)file->info.st_size - file->data_start;
    for (int i = 0; i < file->count; i++) {
        if (file->tensors[i].begin != place)
            return refuse(file, file->tensors[i].name,
                          file->tensors[i].begin < place ? "overlaps the one before it"
                                                         : "leaves a hole before it",
                          error);
        place = file->tensors[i].end;
    }
    if (place == size)
        return EBB_OK;
    return ebb_fail(error, EBB_CORRUPT, "%s: the tensors have %llu bytes, the file has %llu for them%s",
                    file->path, (unsigned long long)place, (unsigned long long)size,
                    place > size ? ": it was cut short" : "");
}

enum ebb_result ebb_safetensors_read(struct ebb_tensor_file *file, int fd, struct ebb_error *error)
{
    uint8_t head[8];
    uint64_t total = (uint64_t)file->info.st_size;
    if (total < sizeof(head))
        return ebb_fail(error, EBB_CORRUPT, "%s: %llu bytes, too short for a safetensors file", file->path,
                        (unsigned long long)total);
    enum ebb_result result = ebb_file_read(fd, head, sizeof(head), file->path, error);
    if (result != EBB_OK)
        return result;
    uint64_t size = ebb_little(head, sizeof(head));
    if (size > total - sizeof(head) || size > MAX_HEADER)
        return ebb_fail(error, EBB_CORRUPT,
                        "%s: a header of %llu bytes in a file of %llu: cut short, or not safetensors",
                        file->path, (unsigned long long)size, (unsigned long long)total);

    char *text = malloc((size_t)size + 1);
    if (!text)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory for its header", file->path);
    file->data_start = sizeof(head) + size;
    text[size] = 0;
    struct ebb_json_file json = {0};
    result = ebb_file_read(fd, text, (size_t)size, file->path, error);
    if (result == EBB_OK)
        result = ebb_json_parse(&json, file->path, text, (size_t)size, EBB_JSON_FINITE, error);
    free(text);
    if (result == EBB_OK)
        result = read_entries(file, json.root, error);
    ebb_json_close(&json);
    file->packed = true;
    return result == EBB_OK ? check_places(file, error) : result;
}
