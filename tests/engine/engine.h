// What all engine tests start with: a tiny model on a device.
#ifndef EBB_TEST_ENGINE_H
#define EBB_TEST_ENGINE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

// A sound, to be freed.
static inline float *make(struct ebb_model *model, const struct ebb_generate_params *p, size_t *count)
{
    *count = ebb_generate_length(model, p);
    float *samples = calloc(*count, sizeof(float));
    REQUIRE(samples);
    REQUIRE_OK(ebb_generate(model, p, samples, *count, e));
    return samples;
}

// Whether two settings, perhaps of two models, give the same samples.
static inline bool same(struct ebb_model *one, const struct ebb_generate_params *a, struct ebb_model *two,
                        const struct ebb_generate_params *b)
{
    size_t m, n;
    float *x = make(one, a, &m), *y = make(two, b, &n);
    bool equal = m == n && memcmp(x, y, n * sizeof(float)) == 0;
    free(x);
    free(y);
    return equal;
}

// A progress callback that stops the call at call `stop_at`, if that is not 0.
struct count {
    int calls, stop_at;
    double last;
    bool falls;
};

static inline bool count_calls(void *user, double fraction)
{
    struct count *c = user;
    c->falls = c->falls || fraction < c->last;
    c->last = fraction;
    return ++c->calls != c->stop_at;
}

#endif
