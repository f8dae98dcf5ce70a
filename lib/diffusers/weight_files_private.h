// SPDX-License-Identifier: LGPL-2.1-or-later
// What the files of the weights share: weight_files.c opens them, weight_files_bind.c finds the tensor of
// every weight, weight_files_load.c reads them.
#ifndef EBB_DIFFUSERS_WEIGHT_FILES_PRIVATE_H
#define EBB_DIFFUSERS_WEIGHT_FILES_PRIVATE_H

#include <sys/stat.h>

#include "diffusers/tensor_file.h"
#include "diffusers/weight_files.h"

struct ebb_tensor_target {     // of a tensor
    struct ebb_wanted *wanted; // NULL: not for us
    bool lengths;              // it holds the lengths of the weight's rows, not the weight
};

struct ebb_weight_file { // one of the model's, or a shard of one
    char *name;
    struct ebb_tensor_file header;
    struct ebb_tensor_target *targets; // per tensor
    char expected[65], sum[65];
};

struct ebb_weight_files {
    char *folder;
    struct ebb_weight_file *parts;
    int count, room;
    const struct ebb_weights *weights; // that the files are bound to; borrowed
};

// Whether it is one file, and nobody has written it meanwhile.
bool ebb_weight_file_same(const struct stat *a, const struct stat *b);
// SHA-256 of the whole file.
enum ebb_result ebb_weight_file_sum(const struct ebb_weight_file *part, char sum[65],
                                    struct ebb_error *error);

#endif
