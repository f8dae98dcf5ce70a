// SPDX-License-Identifier: LGPL-2.1-or-later
// config.json of a network of any class: what is accepted makes a network that lists its weights.
#include "diffusers/network_class.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ebb_error error = {0};
    struct ebb_json_file file;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    enum ebb_result result = ebb_json_parse(&file, "config.json", text, size, EBB_JSON_PYTHON, &error);
    free(text);
    check_error(result, &error);
    if (result != EBB_OK)
        return 0;
    const struct ebb_network_class *class = ebb_network_class_of(&file, ~0);
    void *net = class ? class->create(&file) : NULL;
    CHECK(net || (error.code != EBB_OK && *error.message));
    if (net) {
        const struct ebb_weights *weights = class->weights(net);
        CHECK(weights && weights->count > 0 && !weights->failed);
        class->destroy(net);
    }
    ebb_json_close(&file);
    return 0;
}
