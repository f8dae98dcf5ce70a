// EBB_VULKAN=validate,fp32,fp16,nofuse,nocoop: debugging aids, read once. (Times per operation: ebb_device_profile().)
#ifndef EBB_BACKEND_VULKAN_OPTIONS_H
#define EBB_BACKEND_VULKAN_OPTIONS_H

#include <stdbool.h>

struct ebb_vk_options {
    bool validate;   // the Khronos validation layer with synchronization validation, if it is installed
    bool fp32;       // no 16-bit storage
    bool fp16;       // 16-bit storage on software devices too, where it gains nothing
    bool nofuse;     // graphs run unfused
    bool nocoop;     // no cooperative matrices
};

const struct ebb_vk_options *ebb_vk_options(void);

#endif
