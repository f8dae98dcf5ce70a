// VK_KHR_cooperative_matrix, as far as we use it: the headers of Debian 12 do not have it yet. Names are ours, so that newer
// headers do not clash; layouts and numbers are those of the registry.
#ifndef EBB_BACKEND_VULKAN_COOP_H
#define EBB_BACKEND_VULKAN_COOP_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#define EBB_VK_COOP_EXTENSION "VK_KHR_cooperative_matrix"

enum {
    EBB_VK_COOP_FEATURES = 1000506000,   // VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR
    EBB_VK_COOP_PROPERTIES = 1000506001, // VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR
    EBB_VK_COMPONENT_FLOAT16 = 0,
    EBB_VK_COMPONENT_FLOAT32 = 1,
    EBB_VK_SCOPE_SUBGROUP = 3,
};

struct ebb_vk_coop_features {
    int type;
    void *next;
    VkBool32 matrix, robust_access;
};

struct ebb_vk_coop_properties {
    int type;
    void *next;
    uint32_t m, n, k;
    int a, b, c, result;
    VkBool32 saturating;
    int scope;
};

typedef VkResult(VKAPI_PTR *ebb_vk_coop_query)(VkPhysicalDevice device, uint32_t *count,
                                               struct ebb_vk_coop_properties *properties);

#endif
