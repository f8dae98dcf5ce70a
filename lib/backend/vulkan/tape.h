// SPDX-License-Identifier: LGPL-2.1-or-later
// Tapes on Vulkan: recorded into command buffers; playing submits them in chunks.
#ifndef EBB_BACKEND_VULKAN_TAPE_H
#define EBB_BACKEND_VULKAN_TAPE_H

#include "backend/backend.h"

enum ebb_result ebb_vk_tape_record(struct ebb_device *device, const struct ebb_tape_entry *entries,
                                   size_t count, void **recorded, struct ebb_error *error);
enum ebb_result ebb_vk_tape_play(struct ebb_device *device, void *recorded, ebb_tape_tell tell, void *user,
                                 struct ebb_error *error);
void ebb_vk_tape_erase(struct ebb_device *device, void *recorded);

#endif
