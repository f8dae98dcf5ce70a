// SPDX-License-Identifier: LGPL-2.1-or-later
// The push constants of all shaders, as structs: shaders/push.h, which C and GLSL share.
#ifndef EBB_BACKEND_VULKAN_PUSH_CONSTANTS_H
#define EBB_BACKEND_VULKAN_PUSH_CONSTANTS_H

#include <stdint.h>

typedef uint32_t uint; // as the shaders spell it
#include "push.h"

#endif
