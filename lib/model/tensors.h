// The weights of one network on disk: diffusion_pytorch_model.safetensors or its shards. Opening reads and checks the
// headers; loading reads, checks and converts the numbers.
#ifndef EBB_MODEL_TENSORS_H
#define EBB_MODEL_TENSORS_H

#include <ebb/error.h>

#include "nets/weights.h"

struct ebb_tensors;

// Opens the weights in a component's folder. NULL on failure.
struct ebb_tensors *ebb_tensors_open(const char *folder, struct ebb_error *error);
void ebb_tensors_close(struct ebb_tensors **tensors);

// The files' tensors and the network's must be the same set with the same shapes; the first that differs is named.
// The weights stay the caller's and outlive a load.
enum ebb_result ebb_tensors_bind(struct ebb_tensors *tensors, struct ebb_weights *weights, struct ebb_error *error);

// Reads all bound tensors into their weights, as float32 and (cout, kh, kw, cin); checks the sums that are expected.
enum ebb_result ebb_tensors_load(struct ebb_tensors *tensors, struct ebb_error *error);

// The same files, unchanged on disk between the two openings, with the same sums expected.
bool ebb_tensors_same(const struct ebb_tensors *a, const struct ebb_tensors *b);

// The files by name: the sum one should have (before loading; copied); the sum it has, as expected or as read, "" while
// neither is known. ebb_tensors_add_sums() reads those that nobody stated; loading then checks them, too.
int ebb_tensors_files(const struct ebb_tensors *tensors);
const char *ebb_tensors_file_name(const struct ebb_tensors *tensors, int index);
void ebb_tensors_expect(struct ebb_tensors *tensors, int index, const char *sum);
enum ebb_result ebb_tensors_add_sums(struct ebb_tensors *tensors, struct ebb_error *error);
const char *ebb_tensors_sum(const struct ebb_tensors *tensors, int index);

#endif
