// SPDX-License-Identifier: LGPL-2.1-or-later
// The index of weights in several files, two of which are there.
#include "diffusers/weight_files.h"
#include "fuzz.h"
#include "memory_files.h"

static const struct {
    const char *path, *header;
    size_t bytes; // of its tensors
} shards[] = {
    {"weights/a.safetensors",
     "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
     "\"y\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[8,10]}}",
     10},
    {"weights/b.safetensors", "{\"z\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0},
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t files[sizeof(shards) / sizeof(shards[0])][300];
    for (size_t i = 0; i < sizeof(shards) / sizeof(shards[0]); i++) {
        const uint64_t length = strlen(shards[i].header);
        memcpy(files[i], &length, sizeof(length)); // little endian, as the processor is
        memcpy(files[i] + sizeof(length), shards[i].header, length);
        memory_file_put(shards[i].path, files[i], sizeof(length) + length + shards[i].bytes);
    }
    memory_file_put("weights/diffusion_pytorch_model.safetensors", NULL, 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ebb_error error = {0};
    memory_file_put("weights/diffusion_pytorch_model.safetensors.index.json", data, size);
    struct ebb_weight_files *files = ebb_weight_files_open("weights", &error);
    CHECK(files || (error.code != EBB_OK && *error.message));
    CHECK(!files || (ebb_weight_files_count(files) > 0 && ebb_weight_files_count(files) <= 2));
    for (int i = 0; files && i < ebb_weight_files_count(files); i++)
        CHECK(strstr("a.safetensors b.safetensors", ebb_weight_files_name(files, i)));
    ebb_weight_files_close(&files);
    return 0;
}
