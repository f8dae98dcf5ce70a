// SPDX-License-Identifier: LGPL-2.1-or-later
// The Vulkan loader. It is opened at run time, so the library works without one. Two tables hold Vulkan's
// functions; they are filled from the lists below, and a missing function is an error that names it.
#ifndef EBB_BACKEND_VULKAN_INSTANCE_H
#define EBB_BACKEND_VULKAN_INSTANCE_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>

// ---- EBB_VULKAN=validate,gpuassisted,fp32,fp16,nofuse,nocoop,nosplit: debugging aids, read once ----

struct ebb_vk_options {
    bool validate;    // the Khronos validation layer with synchronization validation, if it is installed
    bool fp32;        // no 16-bit storage
    bool fp16;        // 16-bit storage on software devices too, where it gains nothing
    bool nofuse;      // graphs run unfused
    bool nocoop;      // no cooperative matrices
    bool nosplit;     // K is never cut in parts
    bool gpuassisted; // with `validate`: GPU-assisted validation instead of that of synchronization
    char unknown[64]; // the first unknown word; "": none
};

const struct ebb_vk_options *ebb_vk_options(void);

// ---- VK_KHR_cooperative_matrix ----
// Declared here, as far as Ebb uses it, because the headers of Debian 12 do not have it. The names are
// Ebb's own, so they do not clash with newer headers. Layouts and numbers are those of the registry.

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

// ---- the loader and its functions ----

#define VK_INSTANCE_FUNCTIONS(X)                                                                             \
    X(DestroyInstance)                                                                                       \
    X(EnumeratePhysicalDevices)                                                                              \
    X(EnumerateDeviceExtensionProperties)                                                                    \
    X(GetPhysicalDeviceProperties2)                                                                          \
    X(GetPhysicalDeviceFeatures2)                                                                            \
    X(GetPhysicalDeviceMemoryProperties)                                                                     \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                                \
    X(CreateDevice)                                                                                          \
    X(GetDeviceProcAddr)

#define VK_DEVICE_FUNCTIONS(X)                                                                               \
    X(DestroyDevice)                                                                                         \
    X(GetDeviceQueue)                                                                                        \
    X(DeviceWaitIdle)                                                                                        \
    X(AllocateMemory)                                                                                        \
    X(FreeMemory)                                                                                            \
    X(MapMemory)                                                                                             \
    X(CreateBuffer)                                                                                          \
    X(DestroyBuffer)                                                                                         \
    X(GetBufferMemoryRequirements)                                                                           \
    X(BindBufferMemory)                                                                                      \
    X(CreateShaderModule)                                                                                    \
    X(DestroyShaderModule)                                                                                   \
    X(CreateDescriptorSetLayout)                                                                             \
    X(DestroyDescriptorSetLayout)                                                                            \
    X(CreatePipelineLayout)                                                                                  \
    X(DestroyPipelineLayout)                                                                                 \
    X(CreatePipelineCache)                                                                                   \
    X(DestroyPipelineCache)                                                                                  \
    X(GetPipelineCacheData)                                                                                  \
    X(CreateComputePipelines)                                                                                \
    X(DestroyPipeline)                                                                                       \
    X(CreateDescriptorPool)                                                                                  \
    X(ResetDescriptorPool)                                                                                   \
    X(DestroyDescriptorPool)                                                                                 \
    X(AllocateDescriptorSets)                                                                                \
    X(UpdateDescriptorSets)                                                                                  \
    X(CreateCommandPool)                                                                                     \
    X(DestroyCommandPool)                                                                                    \
    X(AllocateCommandBuffers)                                                                                \
    X(FreeCommandBuffers)                                                                                    \
    X(BeginCommandBuffer)                                                                                    \
    X(EndCommandBuffer)                                                                                      \
    X(ResetCommandBuffer)                                                                                    \
    X(CmdBindPipeline)                                                                                       \
    X(CmdBindDescriptorSets)                                                                                 \
    X(CmdPushConstants)                                                                                      \
    X(CmdDispatch)                                                                                           \
    X(CmdPipelineBarrier)                                                                                    \
    X(CmdCopyBuffer)                                                                                         \
    X(CmdUpdateBuffer)                                                                                       \
    X(CmdFillBuffer)                                                                                         \
    X(CmdResetQueryPool)                                                                                     \
    X(CmdWriteTimestamp)                                                                                     \
    X(CreateQueryPool)                                                                                       \
    X(DestroyQueryPool)                                                                                      \
    X(GetQueryPoolResults)                                                                                   \
    X(CreateSemaphore)                                                                                       \
    X(DestroySemaphore)                                                                                      \
    X(WaitSemaphores)                                                                                        \
    X(GetSemaphoreCounterValue)                                                                              \
    X(QueueSubmit)

struct ebb_vk_instance_table {
#define X(name) PFN_vk##name name;
    VK_INSTANCE_FUNCTIONS(X)
#undef X
};

struct ebb_vk_device_table {
#define X(name) PFN_vk##name name;
    VK_DEVICE_FUNCTIONS(X)
#undef X
};

// The instance: a process has one, made on first use and kept, because many drivers cannot be unloaded
// safely. NULL: there is no loader, no driver or no instance; `error` says which.
struct ebb_vk_instance {
    VkInstance handle;
    struct ebb_vk_instance_table vk;
    ebb_vk_coop_query coop_query; // NULL: the loader does not know the extension
    bool validating;              // the Khronos layer is on (EBB_VULKAN=validate)
};
const struct ebb_vk_instance *ebb_vk_instance(struct ebb_error *error);

// Number of warnings and errors of the validation layer so far; writes the first one to `first`.
int ebb_vk_validation_messages(char *first, size_t size);

enum ebb_result ebb_vk_load_device_table(const struct ebb_vk_instance *instance, VkDevice device,
                                         struct ebb_vk_device_table *table, struct ebb_error *error);

// "out of device memory"; a static string.
const char *ebb_vk_result_name(VkResult result);

// The ebb_result for a VkResult.
enum ebb_result ebb_vk_result(VkResult result);

#endif
