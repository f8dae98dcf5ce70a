// Which physical devices there are, and which of them can be used: every feature and limit we rely on is written down
// in select.c, and nowhere else.
#ifndef EBB_BACKEND_VULKAN_SELECT_H
#define EBB_BACKEND_VULKAN_SELECT_H

#include "backend/vulkan/vk.h"

struct ebb_vk_physical {
    VkPhysicalDevice handle;
    int index; // N of "vulkan:N": the driver's own order
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    char driver[VK_MAX_DRIVER_NAME_SIZE + VK_MAX_DRIVER_INFO_SIZE + 2];
    VkPhysicalDeviceType type;
    bool software;        // a CPU posing as a GPU
    uint64_t memory;      // bytes of the largest device-local heap
    uint32_t queue_family; // one with compute
    bool fp16;            // 16-bit storage and arithmetic conversions
    uint32_t coop;        // side of the cooperative matrices conv_coop.comp can use here; 0: none
    VkPhysicalDeviceLimits limits;
    uint32_t subgroup;
    uint8_t cache_uuid[VK_UUID_SIZE];
    uint32_t vendor, device, driver_version;
    char lacks[128]; // what it is missing, in words; empty: usable
};

// Fills `lacks` from `limits`.
void ebb_vk_check_limits(struct ebb_vk_physical *physical);

// All physical devices, in the driver's order; owned by the process. Returns how many.
size_t ebb_vk_physicals(const struct ebb_vk_physical **list, struct ebb_error *error);

// "vulkan", "vulkan:N" or "vulkan:NAME" (a part of the name, any case); NULL with an error that lists what there is.
// Plain "vulkan" takes the best usable one: discrete, integrated, virtual, then software.
const struct ebb_vk_physical *ebb_vk_select(const char *name, struct ebb_error *error);

// What "auto" may take: the best usable one that is not software; NULL with the reason.
const struct ebb_vk_physical *ebb_vk_select_auto(struct ebb_error *error);

#endif
