// SPDX-License-Identifier: LGPL-2.1-or-later
// Text encoders against transformers (tests/golden/make_text_encoders.py).
#include <math.h>
#include <stdlib.h>

#include <ebb/net.h>
#include <jansson.h>

#include "model/language.h"
#include "model/network.h"
#include "npy.h"
#include "test.h"

enum { MOST_IDS = 4096 };

static void golden(char path[600], const char *folder, const char *name)
{
    snprintf(path, 600, "%s/golden/text/%s/%s", getenv("EBB_TEST_DATA"), folder, name);
}

// (n, tokens) ids.
static void read_ids(const char *folder, int shape[2], int *ids)
{
    char path[600];
    golden(path, folder, "text.json");
    json_t *root = json_load_file(path, 0, NULL), *rows = json_object_get(root, "ids");
    REQUIRE(json_array_size(rows) > 0);
    shape[0] = (int)json_array_size(rows);
    shape[1] = (int)json_array_size(json_array_get(rows, 0));
    REQUIRE(shape[0] * shape[1] <= MOST_IDS);
    for (int i = 0; i < shape[0] * shape[1]; i++)
        ids[i] = (int)json_integer_value(
            json_array_get(json_array_get(rows, (size_t)(i / shape[1])), (size_t)(i % shape[1])));
    json_decref(root);
}

// In 16 bits, 10 of a number are kept.
static double tolerance(const struct ebb_device *device)
{
    return strstr(ebb_device_description(device), "16-bit") ? 1e-2 : 1e-5;
}

// max|difference| / max|reference| with the golden file, over the rows whose token is seen.
static double error_of(const char *folder, const char *name, const float *values, const int *ids, int pad,
                       size_t rows)
{
    char path[600];
    int shape[4];
    size_t count = 0;
    double difference = 0, reference = 0;
    golden(path, folder, name);
    float *want = npy_read(path, shape, &count);
    REQUIRE(want && count > 0);
    for (size_t i = 0; i < count; i++) {
        if (ids && ids[i / (count / rows)] == pad)
            continue;
        difference = larger(difference, isfinite(values[i]) ? fabs((double)values[i] - want[i]) : INFINITY);
        reference = larger(reference, fabs(want[i]));
    }
    free(want);
    return difference / reference;
}

static struct ebb_device *open_device(const char *name)
{
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create(name, 2, NULL, &error);
    if (!device && strcmp(name, "vulkan") == 0 && !getenv("EBB_REQUIRE_VULKAN"))
        SKIP("%s", error.message);
    if (!device)
        TEST_FAIL("%s", error.message);
    return device;
}

// A pad's own state is not compared: nobody looks at it, and the mask's value decides what it is.
static void compare(struct ebb_device *device, const char *name, int pad)
{
    char path[600];
    int ids[MOST_IDS], shape[2], last_shape[3], pooled_shape[2];
    struct ebb_error error = {0};
    golden(path, name, "");
    struct ebb_net *net = ebb_net_open(path, device, &error);
    if (!net)
        TEST_FAIL("%s", error.message);
    read_ids(name, shape, ids);
    REQUIRE(ebb_net_text_shape(net, shape, last_shape, pooled_shape, &error) == EBB_OK);
    size_t rows = (size_t)shape[0] * (size_t)shape[1];
    float *last = calloc(rows * (size_t)last_shape[2], sizeof(float));
    float *pooled = calloc((size_t)shape[0] * (size_t)pooled_shape[1] + 1, sizeof(float));
    for (int round = 0; round < 2; round++) // the second without a new plan
        if (ebb_net_run_text(net, shape, ids, last, pooled, &error) != EBB_OK)
            TEST_FAIL("%s: %s", name, error.message);
    double wrong = error_of(name, "last.npy", last, ids, pad, rows);
    double wrong_pooled = pooled_shape[1] ? error_of(name, "pooled.npy", pooled, NULL, 0, 1) : 0;
    printf("# %s on %s: %.2e, of the texts %.2e\n", name, ebb_device_kind(device), wrong, wrong_pooled);
    REQUIRE_NEAR(wrong, 0, tolerance(device), name);
    REQUIRE_NEAR(wrong_pooled, 0, tolerance(device), name);
    free(last);
    free(pooled);
    ebb_net_close(&net);
}

static void compare_all(const char *device_name)
{
    static const struct {
        const char *name;
        int pad;
    } nets[] = {{"clip", -1},    {"clip-gelu", -1}, {"clip-projection", -1},
                {"clap", 1},     {"clap-model", 1}, {"t5", 0},
                {"t5-gated", 0}, {"gpt2", -1},      {"gpt2-head", -1}};
    struct ebb_device *device = open_device(device_name);
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
        compare(device, nets[i].name, nets[i].pad);
    ebb_device_destroy(&device);
}

TEST(ref_equals_transformers)
{
    compare_all("ref");
}

TEST(cpu_equals_transformers)
{
    compare_all("cpu");
}

TEST(vulkan_equals_transformers)
{
    compare_all("vulkan");
}

// ---- AudioLDM 2's language model ----

static struct ebb_network *open_network(const char *name, int role, struct ebb_device *device)
{
    char path[600];
    struct ebb_error error = {0};
    golden(path, "language", name);
    struct ebb_network *network = ebb_network_open(path, role, &error);
    if (!network || ebb_network_load(&network, device, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
    return network;
}

static float *read_array(const char *name, int shape[4])
{
    char path[600];
    size_t count = 0;
    golden(path, "language", name);
    float *values = npy_read(path, shape, &count);
    REQUIRE(values && count > 0);
    return values;
}

static void read_mask(int text, bool *seen)
{
    char path[600];
    golden(path, "language", "mask.json");
    json_t *root = json_load_file(path, 0, NULL);
    json_t *row = json_array_get(json_object_get(root, "mask"), (size_t)text);
    REQUIRE(json_array_size(row) == 7);
    for (size_t i = 0; i < 7; i++)
        seen[i] = json_integer_value(json_array_get(row, i)) == 1;
    json_decref(root);
}

static void go_on(const char *device_name)
{
    struct ebb_error error = {0};
    struct ebb_device *device = open_device(device_name);
    struct ebb_network *projection = open_network("projection_model", EBB_ROLE_TEXT_PROJECTION, device);
    struct ebb_network *model = open_network("language_model", EBB_ROLE_LANGUAGE, device);
    int first_shape[4], second_shape[4], shape[4];
    float *first = read_array("first.npy", first_shape), *second = read_array("second.npy", second_shape);
    float *want = read_array("states.npy", shape), next[8 * 24];
    REQUIRE(shape[0] == 2 && shape[1] == 8 && shape[2] == 24);
    struct ebb_language_size size = {{first_shape[1], second_shape[1]}, 8};
    struct ebb_language *language = ebb_language_create(device, ebb_network_text_projection(projection),
                                                        ebb_network_text(model), &size, &error);
    if (!language)
        TEST_FAIL("%s", error.message);
    for (int text = 0; text < 2; text++) {
        bool seen[7];
        read_mask(text, seen);
        const float *states[] = {first + text * first_shape[1] * first_shape[2],
                                 second + text * second_shape[1] * second_shape[2]};
        double difference = 0, reference = 0;
        if (ebb_language_run(language, states, seen, next, &error) != EBB_OK)
            TEST_FAIL("%s", error.message);
        for (int i = 0; i < 8 * 24; i++) {
            difference = larger(difference, fabs((double)next[i] - want[text * 8 * 24 + i]));
            reference = larger(reference, fabs(want[text * 8 * 24 + i]));
        }
        printf("# text %d on %s: %.2e\n", text, device_name, difference / reference);
        REQUIRE_NEAR(difference / reference, 0, tolerance(device), "states");
    }
    ebb_language_destroy(&language);
    ebb_network_close(&projection);
    ebb_network_close(&model);
    ebb_device_destroy(&device);
    free(first);
    free(second);
    free(want);
}

TEST(audioldm2s_states_go_on_as_in_its_pipeline)
{
    go_on("ref");
    go_on("cpu");
}

TEST(what_does_not_fit_is_refused)
{
    char path[600];
    struct ebb_error error = {0};
    struct ebb_device *device = open_device("ref");
    golden(path, "clip", "");
    struct ebb_net *net = ebb_net_open(path, device, &error);
    REQUIRE(net != NULL);
    float last[12 * 32], pooled[32];
    const int good[] = {58, 3, 59}, high[] = {58, 60, 59}, low[] = {58, -1, 59};
    REQUIRE(ebb_net_run_text(net, (int[]){1, 3}, good, last, pooled, &error) == EBB_OK);
    REQUIRE(ebb_net_run_text(net, (int[]){1, 3}, high, last, pooled, &error) == EBB_INVALID);
    REQUIRE(strstr(error.message, "60") && strstr(error.message, "59"));
    REQUIRE(ebb_net_run_text(net, (int[]){1, 3}, low, last, pooled, &error) == EBB_INVALID);
    REQUIRE(ebb_net_run_text(net, (int[]){1, 13}, good, last, pooled, &error) == EBB_INVALID);
    REQUIRE(strstr(error.message, "13") && strstr(error.message, "12"));
    REQUIRE(ebb_net_run_text(net, (int[]){1, 0}, good, last, pooled, &error) == EBB_INVALID);
    REQUIRE(ebb_net_run_text(net, (int[]){0, 3}, good, last, pooled, &error) == EBB_INVALID);
    int out[4];
    REQUIRE(ebb_net_shape(net, EBB_NET_FORWARD, (int[]){1, 1, 1, 1}, out, &error) == EBB_WRONG_TYPE);
    ebb_net_close(&net);
    ebb_device_destroy(&device);
}

TEST_MAIN
