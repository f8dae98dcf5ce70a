// SPDX-License-Identifier: LGPL-2.1-or-later
// PyTorch's files (tests/golden/make_torch_files.py): each gives the bits of its safetensors twin, and what
// is no state dict is refused, by name, with nothing run.
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diffusers/network_class.h"
#include "diffusers/pickle.h"
#include "diffusers/tensor_file.h"
#include "diffusers/weight_files.h"
#include "test.h"

static const char *golden(const char *name, const char *more)
{
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/golden/torch/%s%s", getenv("EBB_TEST_DATA"), name, more);
    return path;
}

// A network of a folder with its weights.
struct network {
    struct ebb_json_file config;
    const struct ebb_network_class *class;
    void *net;
    struct ebb_weight_files *files;
};

static void load(struct network *n, const char *folder)
{
    struct ebb_error error = {0};
    if (ebb_json_read_in(&n->config, folder, "config.json", NULL, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
    n->class = ebb_network_class_of(&n->config, EBB_ROLE_UNET);
    REQUIRE(n->class && (n->net = n->class->create(&n->config)) != NULL);
    n->files = ebb_weight_files_open(folder, &error);
    if (!n->files || ebb_weight_files_bind(n->files, n->class->weights(n->net), NULL, &error) != EBB_OK ||
        ebb_weight_files_load(n->files, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
}

static void clear(struct network *n)
{
    n->class->destroy(n->net);
    ebb_weight_files_close(&n->files);
    ebb_json_close(&n->config);
}

// Held as the file has them, or as float32.
static bool same_bits(const struct ebb_weight *a, const struct ebb_weight *b)
{
    size_t depth = (size_t)a->kh * (size_t)a->kw * (size_t)a->cin, count = depth * (size_t)a->cout;
    if (a->cout != b->cout || a->kh != b->kh || a->kw != b->kw || a->cin != b->cin || !a->data != !b->data)
        return false;
    if (a->data)
        return memcmp(a->data, b->data, count * sizeof(float)) == 0;
    return a->panels.number == b->panels.number &&
           memcmp(a->panels.data, b->panels.data,
                  ebb_panels_numbers(depth, a->cout) * ebb_number_size(a->panels.number)) == 0;
}

TEST(a_file_of_pytorch_and_its_safetensors_twin_give_the_same_bits)
{
    static const char *const names[] = {"plain",      "half",        "bfloat16", "double",
                                        "legacy",     "one-storage", "strided",  "parameters",
                                        "checkpoint", "variant",     "shards"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct network a, b;
        load(&a, golden(names[i], "/pytorch"));
        load(&b, golden(names[i], "/safetensors"));
        REQUIRE(strstr(ebb_weight_files_name(b.files, 0), ".safetensors"));
        REQUIRE(!strstr(ebb_weight_files_name(a.files, 0), ".safetensors"));
        const struct ebb_weights *x = a.class->weights(a.net), *y = b.class->weights(b.net);
        REQUIRE(x->count == y->count && x->count > 40);
        for (int k = 0; k < x->count; k++)
            if (!same_bits(&x->items[k]->weight, &y->items[k]->weight))
                TEST_FAIL("%s: %s differs", names[i], x->items[k]->weight.name);
        clear(&a);
        clear(&b);
    }
}

static void refused(const char *path, const char *words)
{
    struct ebb_error error = {0};
    struct ebb_tensor_file file;
    enum ebb_result result = ebb_tensor_file_open(&file, path, &error);
    ebb_tensor_file_clear(&file);
    if (result == EBB_OK || result != error.code)
        TEST_FAIL("%s is opened", path);
    if (!strstr(error.message, words) || !strstr(error.message, strrchr(path, '/') + 1))
        TEST_FAIL("%s: %s, expected: %s", path, error.message, words);
}

TEST(files_that_are_no_state_dict_are_refused_by_name)
{
    char line[300];
    int count = 0;
    FILE *list = fopen(golden("bad/words.tsv", ""), "r");
    REQUIRE(list != NULL);
    while (fgets(line, sizeof(line), list)) {
        char *words = strchr(line, '\t');
        REQUIRE(words != NULL);
        *words++ = 0;
        words[strcspn(words, "\n")] = 0;
        refused(golden("bad/", line), words);
        count++;
    }
    fclose(list);
    REQUIRE(count >= 55);
}

static void refused_pickle(const void *data, size_t size, const char *words)
{
    struct ebb_error error = {0};
    struct ebb_pickle_tensor *tensors;
    int count;
    if (ebb_pickle_read(data, size, "x.bin", 100, &tensors, &count, &error) == EBB_OK)
        TEST_FAIL("read, expected: %s", words);
    if (!strstr(error.message, words))
        TEST_FAIL("%s, expected: %s", error.message, words);
    REQUIRE(tensors == NULL && count == 0);
}

TEST(pickles_that_ask_for_too_much_end_soon)
{
    enum { MANY = 1100000 };
    char *data = malloc(MANY + 4);
    REQUIRE(data != NULL);
    memcpy(data, "\x80\2", 2);
    memset(data + 2, 'N', MANY);
    memcpy(data + 2 + MANY, ".", 2);
    refused_pickle(data, MANY + 3, "more than a state dict can need");
    memset(data + 2, '(', MANY / 2);
    memset(data + 2 + MANY / 2, 't', MANY / 2);
    refused_pickle(data, MANY + 3, "something else than a state dict");
    free(data);
    // A list that holds itself, and a dict that holds itself beside too many keys.
    refused_pickle("\x80\2]q\0h\0a.", 9, "something else than a state dict");
    refused_pickle("", 0, "it ends early");
    refused_pickle(".", 1, "a value is missing");
}

TEST(names_say_which_format_and_the_content_must_agree)
{
    char folder[] = "/tmp/ebb-torch-XXXXXX", path[600], line[1400];
    REQUIRE(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/model.safetensors", folder);
    snprintf(line, sizeof(line), "cp '%s' '%s'", golden("plain/pytorch/diffusion_pytorch_model.bin", ""),
             path);
    REQUIRE(system(line) == 0);
    refused(path, "a zip, as PyTorch writes, expected a safetensors file");
    snprintf(line, sizeof(line), "rm -r '%s'", folder);
    REQUIRE(system(line) == 0);
}

// Each file with every byte of its zip and pickle spoilt in turn: refused or read, never worse.
TEST(spoilt_bytes_do_no_harm)
{
    enum { MOST = 4096 };
    char path[] = "/tmp/ebb-spoilt-XXXXXX.bin";
    unsigned char data[MOST];
    int fd = mkstemps(path, 4);
    FILE *file = fopen(golden("bad/storage-size.bin", ""), "rb"); // whole but for one number
    REQUIRE(fd >= 0 && file != NULL);
    size_t size = fread(data, 1, MOST, file);
    fclose(file);
    REQUIRE(size > 100 && size < MOST && pwrite(fd, data, size, 0) == (ssize_t)size);
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit++) {
            unsigned char spoilt = data[i] ^ (unsigned char)(1 << bit);
            struct ebb_tensor_file read;
            struct ebb_error error = {0};
            REQUIRE(pwrite(fd, &spoilt, 1, (off_t)i) == 1);
            enum ebb_result result = ebb_tensor_file_open(&read, path, &error);
            REQUIRE(result == error.code && (result == EBB_OK || *error.message));
            ebb_tensor_file_clear(&read);
            REQUIRE(pwrite(fd, &data[i], 1, (off_t)i) == 1);
        }
    close(fd);
    unlink(path);
}

TEST_MAIN
