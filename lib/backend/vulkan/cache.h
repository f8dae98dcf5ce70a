// SPDX-License-Identifier: LGPL-2.1-or-later
// Compiled pipelines on disk, in $XDG_CACHE_HOME/ebb or ~/.cache/ebb, a file per device and driver. The
// head of a file is checked before the driver reads the rest; a file that does not fit is ignored and
// replaced. Where no file can be written, pipelines are compiled each time: a line in the log, no error.
#ifndef EBB_BACKEND_VULKAN_CACHE_H
#define EBB_BACKEND_VULKAN_CACHE_H

#include "backend/vulkan/device.h"

extern const struct ebb_vk_part ebb_vk_cache_part;

#endif
