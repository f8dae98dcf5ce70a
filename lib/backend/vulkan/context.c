#include "backend/vulkan/context.h"

#include <stdlib.h>

#include "backend/vulkan/buffer.h"
#include "backend/vulkan/kernel.h"
#include "backend/vulkan/options.h"
#include "backend/vulkan/sets.h"
#include "base/base.h"

// Devices in use; a second opening of the same one shares it.
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ebb_vk *list;

enum ebb_result ebb_vk_check(struct ebb_vk *vk, VkResult result, const char *doing, struct ebb_error *error)
{
    if (vk->failure.code != EBB_OK)
        return ebb_fail(error, vk->failure.code, "%s", vk->failure.message);
    if (result == VK_SUCCESS)
        return EBB_OK;

    enum ebb_result code = ebb_vk_result(result);
    if (result == VK_ERROR_DEVICE_LOST || result == VK_TIMEOUT)
        ebb_fail(&vk->failure, code, "%s: device lost while %s", vk->physical->name, doing);
    // Nothing waits for it from now on: what was submitted before must not run into memory that is given back. A lost device
    // answers at once; one that hangs is not asked.
    if (result == VK_ERROR_DEVICE_LOST && vk->vk.DeviceWaitIdle)
        vk->vk.DeviceWaitIdle(vk->device);
    return ebb_fail(error, code, "%s: %s while %s", vk->physical->name, ebb_vk_result_name(result), doing);
}

static enum ebb_result create_device(struct ebb_vk *vk, struct ebb_error *error)
{
    const struct ebb_vk_physical *p = vk->physical;
    const float priority = 1;
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = p->queue_family,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    const char *extension = EBB_VK_COOP_EXTENSION;
    struct ebb_vk_coop_features coop = {.type = EBB_VK_COOP_FEATURES, .matrix = VK_TRUE};
    VkPhysicalDeviceVulkan12Features v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                            .pNext = vk->coop ? &coop : NULL,
                                            .timelineSemaphore = VK_TRUE,
                                            .shaderFloat16 = vk->fp16,
                                            .vulkanMemoryModel = vk->coop != 0,
                                            .vulkanMemoryModelDeviceScope = vk->coop != 0}; // atomics of measures
    VkPhysicalDeviceVulkan11Features v11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                            .pNext = &v12,
                                            .storageBuffer16BitAccess = vk->fp16};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &v11,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .enabledExtensionCount = vk->coop != 0,
                               .ppEnabledExtensionNames = &extension};
    VkResult result = vk->instance->vk.CreateDevice(p->handle, &info, NULL, &vk->device);
    if (result != VK_SUCCESS)
        return ebb_fail(error, EBB_NO_DEVICE, "%s cannot be opened: %s", p->name, ebb_vk_result_name(result));
    return ebb_vk_load_device_table(vk->instance, vk->device, &vk->vk, error);
}

// How much work is submitted at once, in flops: long enough to hide the submit, short against watchdogs (seconds) even on
// a device that does 50 GFLOP/s, or one with memory of its own that does 500.
static uint64_t chunk_cost(const struct ebb_vk_physical *physical)
{
    return physical->type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ? 20000000000 : 2000000000;
}

static enum ebb_result create_stream(struct ebb_vk *vk, struct ebb_error *error)
{
    vk->vk.GetDeviceQueue(vk->device, vk->physical->queue_family, 0, &vk->queue);
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                    .queueFamilyIndex = vk->physical->queue_family};
    VkResult result = vk->vk.CreateCommandPool(vk->device, &pool, NULL, &vk->pool);
    if (result == VK_SUCCESS) {
        VkCommandBufferAllocateInfo buffers = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                               .commandPool = vk->pool,
                                               .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                               .commandBufferCount = EBB_VK_RING};
        result = vk->vk.AllocateCommandBuffers(vk->device, &buffers, vk->ring);
    }
    if (result == VK_SUCCESS) {
        VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                          .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
        VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type};
        result = vk->vk.CreateSemaphore(vk->device, &semaphore, NULL, &vk->timeline);
    }
    return ebb_vk_check(vk, result, "making a command stream", error);
}

static void destroy(struct ebb_vk *vk)
{
    if (vk->vk.DestroyDevice) {
        vk->vk.DeviceWaitIdle(vk->device);
        ebb_vk_release(vk, &vk->staging);
        ebb_vk_release(vk, &vk->measured);
        ebb_vk_sets_destroy(vk, &vk->sets);
        ebb_vk_timing_free(vk);
        ebb_vk_free_blocks(vk);
        ebb_vk_cache_save(vk);
        ebb_vk_pipelines_free(vk);
        vk->vk.DestroyPipelineCache(vk->device, vk->cache, NULL);
        vk->vk.DestroySemaphore(vk->device, vk->timeline, NULL);
        vk->vk.DestroyCommandPool(vk->device, vk->pool, NULL);
        vk->vk.DestroyDevice(vk->device, NULL);
    }
    pthread_mutex_destroy(&vk->lock);
    free(vk);
}

static struct ebb_vk *create(const struct ebb_vk_physical *physical, const struct ebb_log *log, struct ebb_error *error)
{
    struct ebb_vk *vk = calloc(1, sizeof(*vk));
    if (!vk) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory opening %s", physical->name);
        return NULL;
    }
    vk->physical = physical;
    vk->instance = ebb_vk_instance(NULL);
    vk->references = 1;
    vk->chunk_cost = chunk_cost(physical);
    const struct ebb_vk_options *options = ebb_vk_options();
    vk->fp16 = physical->fp16 && !options->fp32 && (options->fp16 || !physical->software);
    vk->coop = vk->fp16 && !options->nocoop ? physical->coop : 0;
    pthread_mutex_init(&vk->lock, NULL);
    vk->instance->vk.GetPhysicalDeviceMemoryProperties(physical->handle, &vk->memory);
    if (create_device(vk, error) != EBB_OK || create_stream(vk, error) != EBB_OK ||
        ebb_vk_pipelines_init(vk, error) != EBB_OK) {
        destroy(vk);
        return NULL;
    }
    vk->cache = ebb_vk_cache_open(vk, log);
    return vk;
}

struct ebb_vk *ebb_vk_open(const struct ebb_vk_physical *physical, const struct ebb_log *log, struct ebb_error *error)
{
    pthread_mutex_lock(&list_lock);
    struct ebb_vk *vk = list;
    while (vk && (vk->physical != physical || vk->failure.code != EBB_OK)) // a lost device is not given out again
        vk = vk->next;
    if (vk) {
        vk->references++;
    } else if ((vk = create(physical, log, error))) {
        vk->next = list;
        list = vk;
    }
    pthread_mutex_unlock(&list_lock);
    return vk;
}

struct ebb_vk *ebb_vk_share(struct ebb_vk *vk)
{
    pthread_mutex_lock(&list_lock);
    vk->references++;
    pthread_mutex_unlock(&list_lock);
    return vk;
}

void ebb_vk_close(struct ebb_vk **pointer)
{
    struct ebb_vk *vk = *pointer;
    *pointer = NULL;
    if (!vk)
        return;

    pthread_mutex_lock(&list_lock);
    if (--vk->references == 0) {
        struct ebb_vk **link = &list;
        while (*link != vk)
            link = &(*link)->next;
        *link = vk->next;
    } else {
        vk = NULL;
    }
    pthread_mutex_unlock(&list_lock);
    if (vk)
        destroy(vk);
}
