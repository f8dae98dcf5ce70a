// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/torch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/file.h"
#include "diffusers/pickle.h"
#include "diffusers/zip.h"

enum { MOST_PICKLE = 16 << 20 }; // bytes: that of a thousand tensors has a hundred kB

// All names in the zip begin with one folder, whose name is the file's as it was saved.
struct torch_reading {
    struct ebb_tensor_file *file;
    int fd;
    struct ebb_zip zip;
    const char *root;
    size_t root_length;
    struct ebb_error *error;
};

static bool ends_with(const struct ebb_zip_entry *entry, const char *end)
{
    size_t tail = strlen(end);
    return entry->name_length >= tail && memcmp(entry->name + entry->name_length - tail, end, tail) == 0;
}

static const struct ebb_zip_entry *find(const struct torch_reading *r, const char *name, size_t length)
{
    char full[600];
    if (length > sizeof(full) || r->root_length > sizeof(full) - length)
        return NULL;
    memcpy(full, r->root, r->root_length);
    memcpy(full + r->root_length, name, length);
    return ebb_zip_find(&r->zip, full, r->root_length + length);
}

static enum ebb_result refuse(const struct torch_reading *r, const char *what)
{
    return ebb_fail(r->error, EBB_CORRUPT, "%s: %s", r->file->path, what);
}

// Finds data.pkl, and with it the folder.
static const struct ebb_zip_entry *find_pickle(struct torch_reading *r)
{
    for (int i = 0; i < r->zip.count; i++)
        if (ends_with(&r->zip.entries[i], "/data.pkl")) {
            r->root = r->zip.entries[i].name;
            r->root_length = r->zip.entries[i].name_length - strlen("data.pkl");
            return &r->zip.entries[i];
        }
    return NULL;
}

// Numbers are little-endian unless the file says something else.
static enum ebb_result check_kind(const struct torch_reading *r)
{
    char order[7] = "";
    const struct ebb_zip_entry *entry = find(r, "byteorder", strlen("byteorder"));
    uint64_t begin = 0;
    if (find(r, "constants.pkl", strlen("constants.pkl")))
        return ebb_fail(r->error, EBB_UNSUPPORTED, "%s: a TorchScript program, expected a state dict",
                        r->file->path);
    if (!entry)
        return EBB_OK;
    enum ebb_result result = ebb_zip_locate(&r->zip, entry, r->fd, r->file->path, &begin, r->error);
    if (result == EBB_OK && entry->size < sizeof(order) &&
        ebb_file_read_at(r->fd, order, (size_t)entry->size, (off_t)begin) == (ssize_t)entry->size &&
        strcmp(order, "little") == 0)
        return EBB_OK;
    return result != EBB_OK
               ? result
               : ebb_fail(r->error, EBB_UNSUPPORTED, "%s: its byteorder is not little", r->file->path);
}

static enum ebb_result load_pickle(const struct torch_reading *r, const struct ebb_zip_entry *entry,
                                   unsigned char **data)
{
    uint64_t begin = 0;
    if (entry->size > MOST_PICKLE)
        return ebb_fail(r->error, EBB_CORRUPT, "%s: data.pkl has %llu bytes, expected at most %d",
                        r->file->path, (unsigned long long)entry->size, MOST_PICKLE);
    enum ebb_result result = ebb_zip_locate(&r->zip, entry, r->fd, r->file->path, &begin, r->error);
    if (result == EBB_OK && !(*data = malloc((size_t)entry->size + 1)))
        result = ebb_fail(r->error, EBB_OUT_OF_MEMORY, "%s: no memory", r->file->path);
    if (result == EBB_OK && lseek(r->fd, (off_t)begin, SEEK_SET) < 0)
        result = ebb_fail(r->error, EBB_UNREADABLE, "%s: it cannot be read from its middle", r->file->path);
    if (result == EBB_OK)
        result = ebb_file_read(r->fd, *data, (size_t)entry->size, r->file->path, r->error);
    return result;
}

// Numbers from the first to the last that the tensor has, its strides considered; false: too many to count.
static bool span_of(const struct ebb_pickle_tensor *t, uint64_t *span)
{
    *span = 1;
    for (int i = 0; i < t->rank; i++) {
        uint64_t more;
        if (t->shape[i] == 0) {
            *span = 0;
            return true;
        }
        if (__builtin_mul_overflow(t->shape[i] - 1, t->stride[i], &more) ||
            __builtin_add_overflow(*span, more, span))
            return false;
    }
    return true;
}

// Whether the numbers do not lie in the order of the shape. Where a dimension is 1, its stride means nothing.
static bool is_strided(const struct ebb_pickle_tensor *t)
{
    uint64_t step = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != step)
            return true;
        if (__builtin_mul_overflow(step, t->shape[i], &step))
            return true;
    }
    return false;
}

static enum ebb_result refuse_tensor(const struct torch_reading *r, const struct ebb_stored_tensor *tensor,
                                     const char *what)
{
    char shown[96];
    return ebb_fail(r->error, EBB_CORRUPT, "%s: tensor \"%s\" %s", r->file->path,
                    ebb_stored_tensor_printable(tensor->name, shown), what);
}

// Finds a tensor's bytes in its storage, which is an entry of the zip.
static enum ebb_result place(const struct torch_reading *r, const struct ebb_pickle_tensor *from,
                             struct ebb_stored_tensor *tensor)
{
    char name[256] = "data/";
    uint64_t begin = 0, span = 0, end = 0, bytes = from->bits / 8, all = 0;
    if (from->storage_length > 200)
        return refuse_tensor(r, tensor, "has a storage whose name is too long");
    memcpy(name + 5, from->storage, from->storage_length);
    const struct ebb_zip_entry *entry = find(r, name, 5 + from->storage_length);
    if (!entry)
        return refuse_tensor(r, tensor, "has no storage in the file");
    enum ebb_result result = ebb_zip_locate(&r->zip, entry, r->fd, r->file->path, &begin, r->error);
    if (result != EBB_OK)
        return result;
    if (__builtin_mul_overflow(from->numbers, bytes, &all) || all != entry->size)
        return refuse_tensor(r, tensor, "has a storage of another size than it says");
    if (!span_of(from, &span) || __builtin_add_overflow(from->offset, span, &end) || end > from->numbers)
        return refuse_tensor(r, tensor, "reaches beyond its storage");
    tensor->begin = begin + from->offset * bytes;
    tensor->end = tensor->begin + span * bytes;
    return ebb_stored_tensor_size(tensor, &all)
               ? EBB_OK
               : refuse_tensor(r, tensor, "has more numbers than can be counted");
}

_Static_assert((int)EBB_PICKLE_RANK == (int)EBB_STORED_TENSOR_RANK, "shapes are copied");

static enum ebb_result take(const struct torch_reading *r, const struct ebb_pickle_tensor *from,
                            struct ebb_stored_tensor *tensor)
{
    *tensor = (struct ebb_stored_tensor){
        .name = strndup(from->name, from->name_length),
        .dtype = from->dtype,
        .bits = from->bits,
        .rank = from->rank,
        .strided = is_strided(from),
    };
    memcpy(tensor->shape, from->shape, sizeof(tensor->shape));
    memcpy(tensor->stride, from->stride, sizeof(tensor->stride));
    if (!tensor->name)
        return ebb_fail(r->error, EBB_OUT_OF_MEMORY, "%s: no memory", r->file->path);
    return place(r, from, tensor);
}

static int by_begin(const void *a, const void *b)
{
    const struct ebb_stored_tensor *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

static enum ebb_result take_all(const struct torch_reading *r, const struct ebb_pickle_tensor *from,
                                int count)
{
    struct ebb_tensor_file *file = r->file;
    enum ebb_result result = EBB_OK;
    if (count == 0)
        return refuse(r, "a state dict without tensors");
    if (!(file->tensors = ebb_alloc((size_t)count, sizeof(*file->tensors))))
        return ebb_fail(r->error, EBB_OUT_OF_MEMORY, "%s: no memory", file->path);
    for (int i = 0; result == EBB_OK && i < count; i++)
        result = take(r, &from[i], &file->tensors[file->count++]);
    if (result == EBB_OK)
        qsort(file->tensors, (size_t)file->count, sizeof(*file->tensors), by_begin);
    return result;
}

static enum ebb_result read_all(struct torch_reading *r)
{
    unsigned char *data = NULL;
    struct ebb_pickle_tensor *tensors = NULL;
    int count = 0;
    const struct ebb_zip_entry *pickle = find_pickle(r);
    if (!pickle)
        return refuse(r, "a zip without data.pkl, expected a file of PyTorch's torch.save()");
    enum ebb_result result = check_kind(r);
    if (result == EBB_OK)
        result = load_pickle(r, pickle, &data);
    if (result == EBB_OK)
        result = ebb_pickle_read(data, (size_t)pickle->size, r->file->path, EBB_MOST_TENSORS, &tensors,
                                 &count, r->error);
    if (result == EBB_OK)
        result = take_all(r, tensors, count);
    free(tensors);
    free(data);
    return result;
}

enum ebb_result ebb_torch_file_read(struct ebb_tensor_file *file, int fd, struct ebb_error *error)
{
    struct torch_reading r = {.file = file, .fd = fd, .error = error};
    enum ebb_result result = ebb_zip_open(&r.zip, fd, (uint64_t)file->info.st_size, file->path, error);
    if (result == EBB_OK)
        result = read_all(&r);
    ebb_zip_clear(&r.zip);
    return result;
}
