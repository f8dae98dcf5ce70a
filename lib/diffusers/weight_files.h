// SPDX-License-Identifier: LGPL-2.1-or-later
// The weight files of one network: safetensors or PyTorch's, one file or shards. Opening reads and checks the
// headers; loading reads, checks and converts the numbers.
#ifndef EBB_DIFFUSERS_WEIGHT_FILES_H
#define EBB_DIFFUSERS_WEIGHT_FILES_H

#include <ebb/error.h>

#include "nets/weights.h"

struct ebb_weight_files;

// Opens the weights in a component's folder. NULL on failure.
struct ebb_weight_files *ebb_weight_files_open(const char *folder, struct ebb_error *error);
void ebb_weight_files_close(struct ebb_weight_files **tensors);

// The name that a tensor of the file has among the network's weights; NULL: it is nobody's.
typedef const char *(*ebb_tensor_name)(const char *name, char out[256]);

// Binds the files' tensors to the network's weights. Both must have the same names, once `rename` (may be
// NULL) has been at the files' ones, and the same shapes; the error names the first that differs. The weights
// belong to the caller and must outlive a load.
enum ebb_result ebb_weight_files_bind(struct ebb_weight_files *tensors, struct ebb_weights *weights,
                                      ebb_tensor_name rename, struct ebb_error *error);

// Reads all bound tensors into their weights, as float32 in (cout, kh, kw, cin) order, and checks the
// expected sums.
enum ebb_result ebb_weight_files_load(struct ebb_weight_files *tensors, struct ebb_error *error);

// Whether both are the same files, unchanged on disk between the two openings, with the same expected sums.
bool ebb_weight_files_same(const struct ebb_weight_files *a, const struct ebb_weight_files *b);

// Bytes that the weights take once they are loaded: matrices in the file's numbers, all else in 32 bits.
uint64_t ebb_weight_files_bytes(const struct ebb_weight_files *tensors);

// The files by index, and their SHA-256 sums. ebb_weight_files_expect() states the sum that a file must
// have, before loading, which checks it; the text is copied. ebb_weight_files_add_sums() reads the files
// whose sum is not stated. ebb_weight_files_sum() is the sum as stated or read, "" while it is not known.
int ebb_weight_files_count(const struct ebb_weight_files *tensors);
const char *ebb_weight_files_name(const struct ebb_weight_files *tensors, int index);
void ebb_weight_files_expect(struct ebb_weight_files *tensors, int index, const char *sum);
enum ebb_result ebb_weight_files_add_sums(struct ebb_weight_files *tensors, struct ebb_error *error);
const char *ebb_weight_files_sum(const struct ebb_weight_files *tensors, int index);

#endif
