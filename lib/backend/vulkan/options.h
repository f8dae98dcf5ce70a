// EBB_VULKAN=validate,gpuassisted,fp32,fp16,nofuse,nocoop,nosplit: debugging aids, read once. (Times per operation: ebb_device_profile().)
#ifndef EBB_BACKEND_VULKAN_OPTIONS_H
#define EBB_BACKEND_VULKAN_OPTIONS_H

#include <stdbool.h>

struct ebb_vk_options {
    bool validate;   // the Khronos validation layer with synchronization validation, if it is installed
    bool fp32;       // no 16-bit storage
    bool fp16;       // 16-bit storage on software devices too, where it gains nothing
    bool nofuse;     // graphs run unfused
    bool nocoop;     // no cooperative matrices
    bool nosplit;    // K is never cut in parts
    bool gpuassisted; // with `validate`: GPU-assisted validation instead of that of synchronization
    char unknown[64]; // the first word that is none of these
};

const struct ebb_vk_options *ebb_vk_options(void);

#endif
