// SPDX-License-Identifier: LGPL-2.1-or-later
// A file of PyTorch's: the zip, then the pickle in it; each tensor lies within the file.
#include "diffusers/torch_file.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    struct ebb_error error = {0};
    struct ebb_tensor_file file = {.path = strdup(path)};
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && file.path && fstat(fd, &file.info) == 0);
    enum ebb_result result = ebb_torch_file_read(&file, fd, &error);
    check_error(result, &error);
    for (int i = 0; result == EBB_OK && i < file.count; i++) {
        const struct ebb_stored_tensor *tensor = &file.tensors[i];
        uint64_t bytes = 0;
        CHECK(tensor->begin <= tensor->end && tensor->end <= size && tensor->name && tensor->dtype);
        CHECK(ebb_stored_tensor_size(tensor, &bytes));
        CHECK(tensor->strided || bytes == tensor->end - tensor->begin);
        if (!tensor->strided || bytes > 1 << 20)
            continue;
        unsigned char *ordered = malloc(bytes + 1), *from = malloc(tensor->end - tensor->begin + 1);
        memcpy(from, data + tensor->begin, tensor->end - tensor->begin);
        ebb_stored_tensor_gather(tensor, from, ordered);
        free(ordered);
        free(from);
    }
    close(fd);
    ebb_tensor_file_clear(&file);
    return 0;
}
