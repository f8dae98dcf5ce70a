// SPDX-License-Identifier: LGPL-2.1-or-later
// What a file of weights holds: its tensors, by name, with their places. safetensors.c and torch_file.c read
// it from their formats; every field is checked before it is used.
#ifndef EBB_DIFFUSERS_TENSOR_FILE_H
#define EBB_DIFFUSERS_TENSOR_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <ebb/error.h>

enum { EBB_STORED_TENSOR_RANK = 8 };
enum { EBB_MOST_TENSORS = 20000 }; // of a model

struct ebb_stored_tensor {
    char *name;        // as stored; opaque
    const char *dtype; // "F32"; a static string
    unsigned bits;     // of one number
    int rank;
    uint64_t shape[EBB_STORED_TENSOR_RANK];
    uint64_t begin, end; // bytes from the start of the data
    // With `strided`, neighbours along dimension i lie stride[i] numbers apart, from `begin` on, and `end` is
    // after the last. Otherwise the numbers lie in the order of the shape.
    bool strided;
    uint64_t stride[EBB_STORED_TENSOR_RANK];
};

struct ebb_tensor_file {
    char *path;
    struct stat info;                  // of the file when the header was read
    uint64_t data_start;               // bytes from the start of the file
    struct ebb_stored_tensor *tensors; // by `begin`
    int count;
    bool packed; // each tensor begins where the one before ended, and the last ends with the file
};

// Reads and checks the header of a file of either format: which one, its first bytes say, and they must be
// those of its name's. The caller clears `file`, after a failure too.
enum ebb_result ebb_tensor_file_open(struct ebb_tensor_file *file, const char *path, struct ebb_error *error);
void ebb_tensor_file_clear(struct ebb_tensor_file *file);

// Bytes of a tensor that lies in the order of its shape. False: that is not a whole, countable number.
bool ebb_stored_tensor_size(const struct ebb_stored_tensor *tensor, uint64_t *bytes);

// Puts the numbers of a strided tensor, read from `begin` to `end` into `from`, in the order of its shape.
void ebb_stored_tensor_gather(const struct ebb_stored_tensor *tensor, const unsigned char *from,
                              unsigned char *to);

// Copies `name` for a message: control characters become '?', long names are cut.
const char *ebb_stored_tensor_printable(const char *name, char out[96]);

#endif
