// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/tensor_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/file.h"
#include "base/file_kind.h"
#include "diffusers/safetensors.h"
#include "diffusers/torch_file.h"

const char *ebb_stored_tensor_printable(const char *name, char out[96])
{
    size_t i = 0;
    for (; name[i] && i < 92; i++)
        out[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '?' : name[i];
    strcpy(out + i, name[i] ? "..." : "");
    return out;
}

bool ebb_stored_tensor_size(const struct ebb_stored_tensor *tensor, uint64_t *bytes)
{
    uint64_t total = tensor->bits;
    for (int i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(total, tensor->shape[i], &total))
            return false;
    *bytes = total / 8;
    return total % 8 == 0;
}

void ebb_stored_tensor_gather(const struct ebb_stored_tensor *tensor, const unsigned char *from,
                              unsigned char *to)
{
    uint64_t index[EBB_STORED_TENSOR_RANK] = {0}, size = tensor->bits / 8, bytes = 0;
    if (!ebb_stored_tensor_size(tensor, &bytes))
        return;
    for (uint64_t done = 0, at = 0; done < bytes; done += size) {
        memcpy(to + done, from + at * size, size);
        for (int i = tensor->rank - 1; i >= 0; i--) {
            at += tensor->stride[i];
            if (++index[i] < tensor->shape[i])
                break;
            at -= tensor->stride[i] * tensor->shape[i];
            index[i] = 0;
        }
    }
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

static bool is_pytorch(const char *path)
{
    return ends_with(path, ".bin") || ends_with(path, ".pt") || ends_with(path, ".ckpt");
}

// Each format by its content; what contradicts the name is called what it is.
static enum ebb_result read_header(struct ebb_tensor_file *file, int fd, struct ebb_error *error)
{
    unsigned char head[EBB_FILE_KIND_BYTES] = {0};
    ssize_t count = ebb_file_read_at(fd, head, sizeof(head), 0);
    if (count < 0)
        return ebb_fail(error, EBB_UNREADABLE, "%s: %s", file->path, strerror(errno));
    enum ebb_file_kind kind = ebb_file_kind_of(head, count > 0 ? (size_t)count : 0);
    bool safetensors = !is_pytorch(file->path);
    if (kind == (safetensors ? EBB_FILE_SAFETENSORS : EBB_FILE_ZIP) || kind == EBB_FILE_UNKNOWN)
        return safetensors ? ebb_safetensors_read(file, fd, error) : ebb_torch_file_read(file, fd, error);
    return ebb_fail(error, EBB_CORRUPT, "%s: %s, expected %s", file->path, ebb_file_kind_words(kind),
                    safetensors ? "a safetensors file" : "a file of PyTorch's (a zip with a pickle in it)");
}

enum ebb_result ebb_tensor_file_open(struct ebb_tensor_file *file, const char *path, struct ebb_error *error)
{
    *file = (struct ebb_tensor_file){.path = strdup(path)};
    if (!file->path)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    error = EBB_ERROR(error);
    int fd = ebb_file_open(path, &file->info, error);
    if (fd < 0)
        return error->code;
    enum ebb_result result = read_header(file, fd, error);
    close(fd);
    return result;
}

void ebb_tensor_file_clear(struct ebb_tensor_file *file)
{
    for (int i = 0; i < file->count; i++)
        free(file->tensors[i].name);
    free(file->tensors);
    free(file->path);
    *file = (struct ebb_tensor_file){0};
}
