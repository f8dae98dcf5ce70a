// SPDX-License-Identifier: LGPL-2.1-or-later
// A pickle of PyTorch's that holds a state dict. Python would run what a pickle says. Nothing is run here:
// the opcodes of a state dict move descriptions about, the names that it may ask for are listed, and
// everything else is refused by name.
#ifndef EBB_DIFFUSERS_PICKLE_H
#define EBB_DIFFUSERS_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>

enum { EBB_PICKLE_RANK = 8 };

struct ebb_pickle_tensor {
    const char *name, *storage; // bytes of the pickle, not ended by a 0; the storage is an entry of the zip
    size_t name_length, storage_length;
    const char *dtype; // "F32"; a static string
    unsigned bits;     // of one number
    uint64_t numbers;  // that the storage has
    uint64_t offset;   // of the first number in the storage
    int rank;
    uint64_t shape[EBB_PICKLE_RANK], stride[EBB_PICKLE_RANK];
};

// The tensors of the state dict in `data`, at most `most`; the caller frees them. Entries that are no tensors
// are left out. `path` is for messages.
enum ebb_result ebb_pickle_read(const unsigned char *data, size_t size, const char *path, int most,
                                struct ebb_pickle_tensor **tensors, int *count, struct ebb_error *error);

#endif
