// SPDX-License-Identifier: LGPL-2.1-or-later
// Every block and option of the networks against what diffusers and transformers computed
// (tests/golden/make_nets.py, tests/golden/make_vocoders.py).
#include <dirent.h>
#include <math.h>
#include <stdlib.h>

#include <ebb/net.h>
#include <jansson.h>

#include "graph/node.h"
#include "model/network.h"
#include "nets/unet2d.h"
#include "npy.h"
#include "test.h"

// Largest difference by largest value. Of 16 bits, each value that is stored loses half a thousandth.
static const double SINGLE = 1e-5, HALF = 1e-2;

static void golden(char path[600], const char *name)
{
    snprintf(path, 600, "%s/golden/nets/%s", getenv("EBB_TEST_DATA"), name);
}

static void largest(const float *a, const float *b, size_t count, double *difference, double *reference)
{
    *difference = *reference = 0;
    for (size_t i = 0; i < count; i++) {
        *difference = larger(*difference, isfinite(a[i]) ? fabs((double)a[i] - b[i]) : INFINITY);
        *reference = larger(*reference, fabs(b[i]));
    }
}

struct network_inputs {
    struct ebb_net_inputs plain;
    int labels[8];
    float vector[256], states[2][256], masks[2][32];
};

// A list of numbers; NULL where there is none.
static const float *read_numbers(json_t *list, float *values, size_t room)
{
    REQUIRE(json_array_size(list) <= room);
    for (size_t i = 0; i < json_array_size(list); i++)
        values[i] = (float)json_number_value(json_array_get(list, i));
    return list ? values : NULL;
}

static void read_inputs(const char *path, struct network_inputs *in)
{
    json_t *root = json_load_file(path, 0, NULL);
    REQUIRE(root != NULL);
    *in = (struct network_inputs){
        .plain = {.timestep = json_number_value(json_object_get(root, "timestep"))}};
    json_t *labels = json_object_get(root, "labels"), *texts = json_object_get(root, "texts");
    for (size_t i = 0; i < json_array_size(labels); i++)
        in->labels[i] = (int)json_integer_value(json_array_get(labels, i));
    in->plain.labels = labels ? in->labels : NULL;
    in->plain.class_vector = read_numbers(json_object_get(root, "class_vector"), in->vector, 256);
    for (size_t i = 0; i < json_array_size(texts); i++) {
        json_t *text = json_array_get(texts, i);
        in->plain.text[i].states = read_numbers(json_object_get(text, "states"), in->states[i], 256);
        in->plain.text[i].tokens = (int)json_integer_value(json_object_get(text, "tokens"));
        in->plain.text[i].mask = read_numbers(json_object_get(text, "mask"), in->masks[i], 32);
    }
    json_decref(root);
}

// Runs one stored pass twice (the second time without a new plan); the error relative to the largest value.
static double run_pass(struct ebb_net *net, enum ebb_net_pass pass, const char *folder, const char *name)
{
    char path[700];
    int in_shape[4], out_shape[4], shape[4];
    size_t in_count, out_count;
    struct network_inputs inputs;
    struct ebb_error error = {0};
    snprintf(path, sizeof(path), "%s/%s.json", folder, name);
    read_inputs(path, &inputs);
    snprintf(path, sizeof(path), "%s/%s.in.npy", folder, name);
    float *input = npy_read(path, in_shape, &in_count);
    snprintf(path, sizeof(path), "%s/%s.out.npy", folder, name);
    float *expected = npy_read(path, out_shape, &out_count);
    REQUIRE(input && expected);

    REQUIRE(ebb_net_shape(net, pass, in_shape, shape, &error) == EBB_OK);
    REQUIRE(memcmp(shape, out_shape, sizeof(shape)) == 0);
    float *output = malloc(out_count * sizeof(*output));
    double worst = 0;
    for (int i = 0; i < 2; i++) {
        double difference, reference;
        memset(output, 0xff, out_count * sizeof(*output));
        if (ebb_net_run(net, pass, in_shape, input, &inputs.plain, output, &error))
            TEST_FAIL("%s %s: %s", folder, name, error.message);
        largest(output, expected, out_count, &difference, &reference);
        worst = larger(worst, difference / reference);
    }
    free(output);
    free(expected);
    free(input);
    return worst;
}

static int check_folder(const char *folder, const char *device_name, double bound)
{
    static const struct {
        enum ebb_net_pass pass;
        const char *name;
    } passes[] = {{EBB_NET_FORWARD, "forward"}, {EBB_NET_ENCODE, "encode"}, {EBB_NET_DECODE, "decode"}};
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create(device_name, 2, NULL, &error);
    if (!device)
        TEST_FAIL("%s", error.message);
    struct ebb_net *net = ebb_net_open(folder, device, &error);
    if (!net)
        TEST_FAIL("%s: %s", folder, error.message);

    int bad = 0, coder = strcmp(ebb_net_class(net), "AutoencoderKL") == 0;
    for (int i = coder ? 1 : 0; i < (coder ? 3 : 1); i++) {
        double worst = run_pass(net, passes[i].pass, folder, passes[i].name);
        printf("# %-3s %-24s %-7s %.1e\n", device_name, strrchr(folder, '/') + 1, passes[i].name, worst);
        bad += !(worst <= bound);
    }
    ebb_net_close(&net);
    ebb_device_destroy(&device);
    return bad;
}

static void check_all(const char *device, double bound)
{
    char path[600];
    int checked = 0, bad = 0;
    golden(path, "");
    DIR *folder = opendir(path);
    REQUIRE(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        golden(path, entry->d_name);
        bad += check_folder(path, device, bound);
        checked++;
    }
    closedir(folder);
    REQUIRE(checked >= 29);
    REQUIRE(bad == 0);
}

TEST(ref_equals_diffusers)
{
    check_all("ref", SINGLE);
}

TEST(cpu_equals_diffusers)
{
    check_all("cpu", SINGLE);
}

TEST(vulkan_equals_diffusers)
{
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("vulkan", 0, NULL, &error);
    if (!device && !getenv("EBB_REQUIRE_VULKAN"))
        SKIP("%s", error.message);
    bool half = device && strstr(ebb_device_description(device), "16-bit");
    ebb_device_destroy(&device);
    check_all("vulkan", half ? HALF : SINGLE);
}

static struct ebb_net *open_golden(const char *name, struct ebb_device **device)
{
    char path[600];
    golden(path, name);
    *device = ebb_device_create("ref", 1, NULL, NULL);
    return ebb_net_open(path, *device, NULL);
}

TEST(without_a_device_the_library_chooses_one)
{
    char path[600];
    int out[4];
    golden(path, "plain");
    struct ebb_net *net = ebb_net_open(path, NULL, NULL);
    REQUIRE(net != NULL);
    REQUIRE(ebb_net_shape(net, EBB_NET_FORWARD, (int[]){1, 1, 8, 4}, out, NULL) == EBB_OK);
    ebb_net_close(&net);
}

TEST(sizes_that_do_not_fit_are_refused_with_their_number)
{
    struct ebb_device *device;
    struct ebb_net *net = open_golden("plain", &device);
    struct ebb_error error = {0};
    int out[4];
    REQUIRE(net != NULL);
    REQUIRE(ebb_net_shape(net, EBB_NET_FORWARD, (int[]){1, 1, 7, 4}, out, &error) == EBB_INVALID);
    REQUIRE(strstr(error.message, "height") && strstr(error.message, "7") &&
            strstr(error.message, "multiple of 2"));
    REQUIRE(ebb_net_shape(net, EBB_NET_FORWARD, (int[]){1, 3, 4, 4}, out, &error) == EBB_INVALID);
    REQUIRE(strstr(error.message, "channel count"));
    REQUIRE(ebb_net_shape(net, EBB_NET_FORWARD, (int[]){0, 1, 4, 4}, out, &error) == EBB_INVALID);
    REQUIRE(ebb_net_shape(net, EBB_NET_DECODE, (int[]){1, 1, 4, 4}, out, &error) == EBB_WRONG_TYPE);
    ebb_net_close(&net);
    ebb_device_destroy(&device);
}

TEST(labels_and_timesteps_are_checked)
{
    struct ebb_device *device;
    struct ebb_net *net = open_golden("classes", &device);
    struct ebb_error error = {0};
    float in[2 * 8 * 12] = {0}, out[2 * 8 * 12];
    const int shape[4] = {1, 2, 8, 12};
    REQUIRE(net != NULL);
    struct ebb_net_inputs inputs = {.timestep = 1, .labels = (int[]){5}};
    REQUIRE(ebb_net_run(net, EBB_NET_FORWARD, shape, in, &inputs, out, &error) == EBB_INVALID);
    REQUIRE(strstr(error.message, "label 5"));
    inputs = (struct ebb_net_inputs){.timestep = NAN};
    REQUIRE(ebb_net_run(net, EBB_NET_FORWARD, shape, in, &inputs, out, &error) == EBB_INVALID);
    inputs.timestep = 1;
    REQUIRE(ebb_net_run(net, EBB_NET_FORWARD, shape, in, &inputs, out, &error) == EBB_OK);
    ebb_net_close(&net);
    ebb_device_destroy(&device);
}

// Runs a golden network on zeros; the error's words, which must be there.
static void refuses(const char *name, const int shape[4], const struct ebb_net_inputs *inputs,
                    const char *words)
{
    static float in[512], out[512];
    struct ebb_device *device;
    struct ebb_net *net = open_golden(name, &device);
    struct ebb_error error = {0};
    REQUIRE(net != NULL);
    if (ebb_net_run(net, EBB_NET_FORWARD, shape, in, inputs, out, &error) == EBB_OK ||
        !strstr(error.message, words))
        TEST_FAIL("%s: \"%s\", expected \"%s\"", name, error.message, words);
    ebb_net_close(&net);
    ebb_device_destroy(&device);
}

TEST(texts_and_masks_are_checked)
{
    static const float zeros[64];
    const struct ebb_net_text text = {zeros, 3, NULL}, masked = {zeros, 1, zeros}, empty = {zeros, 0, NULL};
    const int small[4] = {1, 2, 4, 4};
    refuses("cross", small, NULL, "needs text 1, states of 6 numbers");
    refuses("cross", small, &(struct ebb_net_inputs){.text = {text, text}}, "text 2 was given");
    refuses("cross", small, &(struct ebb_net_inputs){.text = {empty}}, "number of tokens");
    refuses("plain", (int[]){1, 1, 4, 4}, &(struct ebb_net_inputs){.text = {text}}, "text 1 was given");
    refuses("no-cross", (int[]){1, 1, 4, 4}, &(struct ebb_net_inputs){.text = {text}}, "text 1 was given");
    refuses("audioldm2", small, &(struct ebb_net_inputs){.text = {text}},
            "needs text 2, states of 5 numbers");
    refuses("simple-cross", (int[]){1, 2, 4, 4}, &(struct ebb_net_inputs){.text = {masked}},
            "SimpleCrossAttn");
    refuses("simple-cross", (int[]){1, 2, 6, 4}, &(struct ebb_net_inputs){.text = {masked}},
            "its level 1 has 3 x 2");
}

TEST(more_shapes_than_plans_are_kept)
{
    struct ebb_device *device;
    struct ebb_net *net = open_golden("plain", &device);
    float in[2 * 24] = {1}, out[2 * 24], first[4] = {0};
    REQUIRE(net != NULL);
    for (int round = 0; round < 2; round++)
        for (int w = 2; w <= 24; w += 2) {
            REQUIRE(ebb_net_run(net, EBB_NET_FORWARD, (int[]){1, 1, 2, w}, in, NULL, out, NULL) == EBB_OK);
            if (w == 2 && round == 0)
                memcpy(first, out, sizeof(first));
            if (w == 2)
                REQUIRE(memcmp(first, out, sizeof(first)) == 0);
        }
    ebb_net_close(&net);
    ebb_device_destroy(&device);
}

// Convolutions by the network's first weight in a graph of this size.
static int first_convolutions(const struct ebb_unet *unet, int side)
{
    struct ebb_error error = {0};
    struct ebb_graph *g = ebb_graph_create();
    const struct ebb_unet_shape shape = {.n = 1, .h = side, .w = side};
    if (ebb_unet_build(unet, g, &shape, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
    int count = 0;
    for (const struct ebb_node *node = g->first; node; node = node->next)
        count += node->weight && strcmp(node->weight->name, "conv_in.weight") == 0;
    ebb_graph_destroy(&g);
    return count;
}

TEST(a_large_first_skip_is_made_again_and_not_kept)
{
    static const char *const names[] = {"odd-size", "no-cross"};
    for (int i = 0; i < 2; i++) {
        char path[600];
        golden(path, names[i]);
        struct ebb_network *network = ebb_network_open(path, EBB_ROLE_UNET, NULL);
        const struct ebb_unet *unet = ebb_network_unet(network);
        REQUIRE(unet && first_convolutions(unet, 64) == 1 && first_convolutions(unet, 2048) == 2);
        ebb_network_close(&network);
    }
}

TEST_MAIN
