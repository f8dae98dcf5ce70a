// SPDX-License-Identifier: LGPL-2.1-or-later
// A file of PyTorch's torch.save(), since version 1.6: a zip with a pickle and the tensors' numbers.
#ifndef EBB_DIFFUSERS_TORCH_FILE_H
#define EBB_DIFFUSERS_TORCH_FILE_H

#include "diffusers/tensor_file.h"

// Reads and checks the list of tensors. `file` has its path and info.
enum ebb_result ebb_torch_file_read(struct ebb_tensor_file *file, int fd, struct ebb_error *error);

#endif
