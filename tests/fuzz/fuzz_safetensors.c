// SPDX-License-Identifier: LGPL-2.1-or-later
// The header of a safetensors file: tensors fill the file without holes.
#include "diffusers/safetensors.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    struct ebb_error error = {0};
    struct ebb_tensor_file file = {.path = strdup(path)};
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && file.path && fstat(fd, &file.info) == 0);
    enum ebb_result result = ebb_safetensors_read(&file, fd, &error);
    check_error(result, &error);
    uint64_t at = 0;
    for (int i = 0; result == EBB_OK && i < file.count; i++) {
        CHECK(file.tensors[i].begin == at && file.tensors[i].end >= at);
        CHECK(file.tensors[i].rank <= EBB_STORED_TENSOR_RANK);
        at = file.tensors[i].end;
    }
    CHECK(result != EBB_OK || at + file.data_start == size);
    close(fd);
    ebb_tensor_file_clear(&file);
    return 0;
}
