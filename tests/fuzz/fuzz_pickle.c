// SPDX-License-Identifier: LGPL-2.1-or-later
// The pickle of a state dict.
#include "diffusers/pickle.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ebb_pickle_tensor *tensors;
    struct ebb_error error = {0};
    int count;
    enum ebb_result result = ebb_pickle_read(data, size, "fuzz", 1000, &tensors, &count, &error);
    check_error(result, &error);
    for (int i = 0; i < count; i++) {
        const struct ebb_pickle_tensor *t = &tensors[i];
        const char *begin = (const char *)data, *end = begin + size;
        CHECK(t->name >= begin && t->name_length <= (size_t)(end - t->name));
        CHECK(t->storage >= begin && t->storage_length <= (size_t)(end - t->storage));
        CHECK(t->rank >= 0 && t->rank <= EBB_PICKLE_RANK && t->dtype && t->bits % 8 == 0);
    }
    free(tensors);
    return 0;
}
