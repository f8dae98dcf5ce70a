// SPDX-License-Identifier: LGPL-2.1-or-later
// The header of a safetensors file.
#ifndef EBB_DIFFUSERS_SAFETENSORS_H
#define EBB_DIFFUSERS_SAFETENSORS_H

#include "diffusers/tensor_file.h"

// Reads and checks the header. `file` has its path and info; `fd` stands at the file's start.
enum ebb_result ebb_safetensors_read(struct ebb_tensor_file *file, int fd, struct ebb_error *error);

#endif
