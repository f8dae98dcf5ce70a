// SPDX-License-Identifier: LGPL-2.1-or-later
// A .npy file: the first byte chooses floats or whole numbers. What is written of it is read again as the
// same.
#include "../../tools/npy.h"
#include "fuzz.h"

static void check(const struct npy *a)
{
    size_t count = 1;
    CHECK(a->dims >= 0 && a->dims <= NPY_DIMS && a->values);
    for (int i = 0; i < a->dims; i++)
        count *= a->shape[i];
    CHECK(count == a->count);
}

static void check_written(const struct npy *a)
{
    static char path[300];
    struct npy again = {0};
    snprintf(path, sizeof(path), "%s/written.npy", fuzz_folder());
    CHECK(npy_write(path, a->values, a->dims, a->shape) == TOOL_OK);
    CHECK(npy_read(path, &again) == TOOL_OK && again.dims == a->dims && again.count == a->count);
    CHECK(memcmp(again.shape, a->shape, sizeof(a->shape[0]) * (size_t)a->dims) == 0);
    CHECK(memcmp(again.values, a->values, a->count * sizeof(float)) == 0);
    npy_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { ONE_IN = 64 }; // writing costs much more than reading
    struct npy a = {0};
    if (size == 0)
        return 0;
    tool_say_at_most(0);
    const char *path = fuzz_file(data + 1, size - 1);
    int code = data[0] & 1 ? npy_read_ids(path, &a) : npy_read(path, &a);
    CHECK(code == TOOL_OK || code == TOOL_UNREADABLE || code == TOOL_FAILED);
    if (code == TOOL_OK)
        check(&a);
    if (code == TOOL_OK && data[0] >= 256 - 256 / ONE_IN)
        check_written(&a);
    npy_clear(&a);
    return 0;
}
