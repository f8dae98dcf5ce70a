// One safetensors file: its header, checked in every respect before anything is made of it.
#ifndef EBB_MODEL_SAFETENSORS_H
#define EBB_MODEL_SAFETENSORS_H

#include <stdint.h>
#include <sys/stat.h>

#include <ebb/error.h>

enum { EBB_TENSOR_RANK = 8 };

struct ebb_tensor {
    char *name;        // as stored; opaque
    const char *dtype; // "F32"; a static string
    int rank;
    uint64_t shape[EBB_TENSOR_RANK];
    uint64_t begin, end; // bytes from the start of the data
};

struct ebb_safetensors {
    char *path;
    struct stat info;    // of the file whose header was read
    uint64_t data_start; // bytes from the start of the file
    struct ebb_tensor *tensors; // by `begin`: each begins where the one before ended
    int count;
};

// Reads and checks the header. `file` is to be cleared also after a failure.
enum ebb_result ebb_safetensors_open(struct ebb_safetensors *file, const char *path, struct ebb_error *error);
void ebb_safetensors_clear(struct ebb_safetensors *file);

// Copies `name` for a message: control characters become '?', long names are cut.
const char *ebb_tensor_printable(const char *name, char out[96]);

#endif
