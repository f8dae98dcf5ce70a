// SPDX-License-Identifier: LGPL-2.1-or-later
// The text files of a model's folder that belong to no network: the first byte chooses one, the rest is its
// content. The folder is a copy of tests/models/tiny-sfx.
#include <ebb/model.h>

#include "fuzz.h"

static const char *const names[] = {"ebb.json", "model_index.json", "mel/mel_config.json",
                                    "scheduler/scheduler_config.json"};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char line[1000];
    const char *data = getenv("EBB_TEST_DATA");
    CHECK(data != NULL);
    snprintf(line, sizeof(line),
             "cp -r '%s/models/tiny-sfx/.' '%s' && mkdir -p '%s/mel' && cp -r '%s' '%s.kept'", data,
             fuzz_folder(), fuzz_folder(), fuzz_folder(), fuzz_folder());
    CHECK(system(line) == 0);
    return 0;
}

// What was there before, or nothing.
static void restore(const char *name)
{
    char kept[300], path[300];
    static uint8_t data[1 << 16];
    snprintf(kept, sizeof(kept), "%s.kept/%s", fuzz_folder(), name);
    snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
    int fd = open(kept, O_RDONLY);
    ssize_t size = fd < 0 ? -1 : read(fd, data, sizeof(data));
    if (fd >= 0)
        close(fd);
    if (size >= 0)
        fuzz_put(name, data, (size_t)size);
    else
        unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *name = names[data[0] % NAMES];
    struct ebb_error error = {0};
    fuzz_put(name, data + 1, size - 1);
    struct ebb_model *model = ebb_model_open(fuzz_folder(), &error);
    CHECK(model || (error.code != EBB_OK && *error.message));
    if (model) {
        const struct ebb_model_info *info = ebb_model_info(model);
        CHECK(info->name && info->sampler && info->steps > 0);
        for (int i = 0; i < info->label_count; i++)
            CHECK(ebb_model_label(model, i)->name);
        ebb_model_find_label(model, "rian", &error);
    }
    ebb_model_close(&model);
    restore(name);
    return 0;
}
