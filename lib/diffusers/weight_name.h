// SPDX-License-Identifier: LGPL-2.1-or-later
// Which file of a component's folder holds its weights. Folders hold them under the names of two libraries,
// in two formats, whole or in shards, and in variants ("fp16").
#ifndef EBB_DIFFUSERS_WEIGHT_NAME_H
#define EBB_DIFFUSERS_WEIGHT_NAME_H

#include <stdbool.h>

enum { EBB_WEIGHT_NAME = 256 };

struct ebb_weight_name {
    char name[EBB_WEIGHT_NAME];
    bool index; // it lists shards
};

// The variant that the environment's EBB_VARIANT asks for, where the folder has it; then the plain files;
// then any variant. safetensors come before PyTorch's. False: there is none, and `found` has the usual name.
bool ebb_weight_name_find(const char *folder, struct ebb_weight_name *found);

#endif
