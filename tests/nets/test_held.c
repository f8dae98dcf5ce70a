// SPDX-License-Identifier: LGPL-2.1-or-later
// How weights are held: those of a file in 16 bits stay so, and give the bits of the same numbers in 32.
#include <stdlib.h>

#include <ebb/net.h>
#include <jansson.h>

#include "../model/scratch.h"
#include "model/network.h"
#include "npy.h"

enum { HEADER = 8 };
static const char *const weight_names[] = {"diffusion_pytorch_model.safetensors", "model.safetensors"};

struct held_file {
    unsigned char *data;
    size_t size, header; // bytes; of the JSON
};

static struct held_file read_weights(const char **name)
{
    struct held_file file = {0};
    *name = weight_names[access(scratch_path(weight_names[0]), F_OK) != 0];
    FILE *in = fopen(scratch_path(*name), "rb");
    REQUIRE(in && fseek(in, 0, SEEK_END) == 0);
    file.size = (size_t)ftell(in);
    rewind(in);
    file.data = malloc(file.size);
    REQUIRE(file.data && fread(file.data, 1, file.size, in) == file.size);
    fclose(in);
    for (int i = HEADER - 1; i >= 0; i--)
        file.header = file.header << 8 | file.data[i];
    return file;
}

static void write_weights(const char *name, json_t *root, const unsigned char *data, size_t size)
{
    char *header = json_dumps(root, JSON_COMPACT);
    size_t length = strlen(header);
    unsigned char *all = calloc(1, HEADER + length + size);
    REQUIRE(all != NULL);
    for (int i = 0; i < HEADER; i++)
        all[i] = (unsigned char)(length >> (8 * i));
    memcpy(all + HEADER, header, length);
    memcpy(all + HEADER + length, data, size);
    scratch_write(name, all, HEADER + length + size);
    free(all);
    free(header);
}

// Cuts the F32 numbers of the scratch folder's file to 8 bits: bfloat16's. They stay F32 with zeros behind,
// or become BF16.
static void cut_weights(bool narrow)
{
    const char *name, *key;
    json_t *tensor;
    struct held_file file = read_weights(&name);
    json_t *root = json_loadb((char *)file.data + HEADER, file.header, 0, NULL);
    unsigned char *numbers = file.data + HEADER + file.header;
    size_t bytes = file.size - HEADER - file.header;
    for (size_t i = 0; i < bytes / 4; i++) {
        if (narrow)
            memmove(numbers + 2 * i, numbers + 4 * i + 2, 2);
        else
            memset(numbers + 4 * i, 0, 2);
    }
    json_object_foreach(root, key, tensor)
    {
        json_t *offsets = json_object_get(tensor, "data_offsets");
        for (size_t i = 0; narrow && i < json_array_size(offsets); i++)
            json_array_set_new(offsets, i, json_integer(json_integer_value(json_array_get(offsets, i)) / 2));
        if (offsets)
            REQUIRE(strcmp(json_string_value(json_object_get(tensor, "dtype")), "F32") == 0);
        if (narrow && offsets)
            json_object_set_new(tensor, "dtype", json_string("BF16"));
    }
    write_weights(name, root, numbers, narrow ? bytes / 2 : bytes);
    json_decref(root);
    free(file.data);
}

// Bytes that the weights of the scratch folder take.
static uint64_t held(struct ebb_device *device)
{
    struct ebb_error error = {0};
    struct ebb_network *network = ebb_network_open(scratch, ~0, &error);
    if (!network || ebb_network_load(&network, device, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
    uint64_t bytes = ebb_weight_files_bytes(network->files);
    ebb_network_close(&network);
    return bytes;
}

static float *run_text(struct ebb_net *net, size_t *count)
{
    enum { TOKENS = 6 };
    static const int shape[2] = {1, TOKENS}, ids[TOKENS] = {3, 9, 4, 11, 5, 2};
    int last[3], pooled[2];
    REQUIRE(ebb_net_text_shape(net, shape, last, pooled, NULL) == EBB_OK);
    size_t states = (size_t)last[1] * (size_t)last[2];
    *count = states + (size_t)pooled[1];
    float *out = calloc(*count, sizeof(*out));
    REQUIRE(ebb_net_run_text(net, shape, ids, out, pooled[1] ? out + states : NULL, NULL) == EBB_OK);
    return out;
}

static float *run_forward(struct ebb_net *net, size_t *count)
{
    int in[4], out[4];
    size_t in_count;
    float *x = npy_read(scratch_path("forward.in.npy"), in, &in_count);
    const struct ebb_net_inputs inputs = {.timestep = 500};
    REQUIRE(x && ebb_net_shape(net, EBB_NET_FORWARD, in, out, NULL) == EBB_OK);
    *count = (size_t)out[0] * (size_t)out[1] * (size_t)out[2] * (size_t)out[3];
    float *y = calloc(*count, sizeof(*y));
    REQUIRE(ebb_net_run(net, EBB_NET_FORWARD, in, x, &inputs, y, NULL) == EBB_OK);
    free(x);
    return y;
}

static float *run_net(struct ebb_device *device, bool text, size_t *count)
{
    struct ebb_error error = {0};
    struct ebb_net *net = ebb_net_open(scratch, device, &error);
    if (!net)
        TEST_FAIL("%s", error.message);
    float *out = (text ? run_text : run_forward)(net, count);
    ebb_net_close(&net);
    return out;
}

static void compare(struct ebb_device *device, const char *folder, bool text, bool stays)
{
    uint64_t bytes[2];
    size_t count[2];
    float *out[2];
    for (int narrow = 0; narrow < 2; narrow++) {
        scratch_make(folder);
        cut_weights(narrow);
        bytes[narrow] = held(device);
        out[narrow] = run_net(device, text, &count[narrow]);
    }
    printf("# %s: %llu and %llu bytes\n", folder, (unsigned long long)bytes[0], (unsigned long long)bytes[1]);
    REQUIRE(count[0] == count[1] && memcmp(out[0], out[1], count[0] * sizeof(float)) == 0);
    REQUIRE(stays ? (double)bytes[1] < 0.65 * (double)bytes[0] : bytes[1] == bytes[0]);
    free(out[0]);
    free(out[1]);
    scratch_remove();
}

// Of tiny networks, what stays in 32 bits (biases, norms) is not little. A weight that is yet to be
// multiplied by its length is no longer one of 16 bits.
TEST(sixteen_bits_stay_and_give_the_bits_of_thirty_two)
{
    static const struct {
        const char *folder;
        bool text, stays;
    } cases[] = {{"golden/nets/vocoder-wide", false, true},
                 {"golden/nets/vocoder-norm", false, false},
                 {"golden/nets/film", false, true},
                 {"golden/text/clip", true, true},
                 {"golden/text/t5", true, true},
                 {"golden/text/gpt2", true, true}};
    struct ebb_device *device = ebb_device_create("cpu", 2, NULL, NULL);
    REQUIRE(device != NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        compare(device, cases[i].folder, cases[i].text, cases[i].stays);
    ebb_device_destroy(&device);
}

TEST_MAIN
