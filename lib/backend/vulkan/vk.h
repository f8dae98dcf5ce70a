// The Vulkan loader, opened at run time: without one the library still works. Function pointers live in two tables,
// filled from the lists below, so that a missing function is found at start and named.
#ifndef EBB_BACKEND_VULKAN_VK_H
#define EBB_BACKEND_VULKAN_VK_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>

#include "backend/vulkan/coop.h"

#define VK_INSTANCE_FUNCTIONS(X)                                                                                         \
    X(DestroyInstance)                                                                                                   \
    X(EnumeratePhysicalDevices)                                                                                          \
    X(EnumerateDeviceExtensionProperties)                                                                                \
    X(GetPhysicalDeviceProperties2)                                                                                      \
    X(GetPhysicalDeviceFeatures2)                                                                                        \
    X(GetPhysicalDeviceMemoryProperties)                                                                                 \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                                            \
    X(CreateDevice)                                                                                                      \
    X(GetDeviceProcAddr)

#define VK_DEVICE_FUNCTIONS(X)                                                                                           \
    X(DestroyDevice)                                                                                                     \
    X(GetDeviceQueue)                                                                                                    \
    X(DeviceWaitIdle)                                                                                                    \
    X(AllocateMemory)                                                                                                    \
    X(FreeMemory)                                                                                                        \
    X(MapMemory)                                                                                                         \
    X(CreateBuffer)                                                                                                      \
    X(DestroyBuffer)                                                                                                     \
    X(GetBufferMemoryRequirements)                                                                                       \
    X(BindBufferMemory)                                                                                                  \
    X(CreateShaderModule)                                                                                                \
    X(DestroyShaderModule)                                                                                               \
    X(CreateDescriptorSetLayout)                                                                                         \
    X(DestroyDescriptorSetLayout)                                                                                        \
    X(CreatePipelineLayout)                                                                                              \
    X(DestroyPipelineLayout)                                                                                             \
    X(CreatePipelineCache)                                                                                               \
    X(DestroyPipelineCache)                                                                                              \
    X(GetPipelineCacheData)                                                                                              \
    X(CreateComputePipelines)                                                                                            \
    X(DestroyPipeline)                                                                                                   \
    X(CreateDescriptorPool)                                                                                              \
    X(ResetDescriptorPool)                                                                                                \
    X(DestroyDescriptorPool)                                                                                             \
    X(AllocateDescriptorSets)                                                                                            \
    X(UpdateDescriptorSets)                                                                                              \
    X(CreateCommandPool)                                                                                                 \
    X(DestroyCommandPool)                                                                                                \
    X(AllocateCommandBuffers)                                                                                            \
    X(FreeCommandBuffers)                                                                                                \
    X(BeginCommandBuffer)                                                                                                \
    X(EndCommandBuffer)                                                                                                  \
    X(ResetCommandBuffer)                                                                                                \
    X(CmdBindPipeline)                                                                                                   \
    X(CmdBindDescriptorSets)                                                                                             \
    X(CmdPushConstants)                                                                                                  \
    X(CmdDispatch)                                                                                                       \
    X(CmdPipelineBarrier)                                                                                                \
    X(CmdCopyBuffer)                                                                                                     \
    X(CmdUpdateBuffer)                                                                                                   \
    X(CmdFillBuffer)                                                                                                     \
    X(CmdResetQueryPool)                                                                                                 \
    X(CmdWriteTimestamp)                                                                                                 \
    X(CreateQueryPool)                                                                                                   \
    X(DestroyQueryPool)                                                                                                  \
    X(GetQueryPoolResults)                                                                                               \
    X(CreateSemaphore)                                                                                                   \
    X(DestroySemaphore)                                                                                                  \
    X(WaitSemaphores)                                                                                                    \
    X(GetSemaphoreCounterValue)                                                                                          \
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

// The process's one instance, made on first use and kept: drivers dislike being unloaded. NULL when there is no loader,
// no driver or no instance; `error` says which.
struct ebb_vk_instance {
    VkInstance handle;
    struct ebb_vk_instance_table vk;
    ebb_vk_coop_query coop_query; // NULL: the loader does not know the extension
    bool validating; // the Khronos layer is on (EBB_VULKAN=validate)
};
const struct ebb_vk_instance *ebb_vk_instance(struct ebb_error *error);

// Warnings and errors of the validation layer so far; writes the first one.
int ebb_vk_validation_messages(char *first, size_t size);

enum ebb_result ebb_vk_load_device_table(const struct ebb_vk_instance *instance, VkDevice device,
                                         struct ebb_vk_device_table *table, struct ebb_error *error);

// "out of device memory"; a static string.
const char *ebb_vk_result_name(VkResult result);

// The ebb_result a VkResult stands for.
enum ebb_result ebb_vk_result(VkResult result);

#endif
