// What all engine tests start with: a tiny model on a device.
#ifndef EBB_TEST_ENGINE_H
#define EBB_TEST_ENGINE_H

#include <stdio.h>
#include <stdlib.h>

#include <ebb/ebb.h>

#include "test.h"

static inline struct ebb_model *open_at(const char *path)
{
    const char *device_name = getenv("EBB_TEST_DEVICE");
    struct ebb_error error;
    struct ebb_device *device = ebb_device_create(device_name ? device_name : "cpu", 1, NULL, &error);
    if (!device)
        TEST_FAIL("%s", error.message);
    struct ebb_model *model = ebb_model_open(path, &error);
    if (!model)
        TEST_FAIL("%s", error.message);
    enum ebb_result result = ebb_model_load(model, device, &error);
    if (result != EBB_OK)
        TEST_FAIL("%s", error.message);
    ebb_device_destroy(&device);
    return model;
}

static inline struct ebb_model *open_tiny(const char *name)
{
    const char *data = getenv("EBB_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof(path), "%s/models/%s", data ? data : "tests", name);
    return open_at(path);
}

#define REQUIRE_OK(call)                                                                                                 \
    do {                                                                                                                 \
        struct ebb_error error_ = {EBB_OK, ""};                                                                          \
        struct ebb_error *e = &error_;                                                                                   \
        if ((call) != EBB_OK)                                                                                            \
            TEST_FAIL("%s: %s", #call, error_.message);                                                                  \
    } while (0)

#endif
