#include "backend/vulkan/select.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/kernel.h"
#include "base/base.h"

// What the shaders rely on; below the minima that Vulkan guarantees except where the comment says so.
enum {
    NEED_INVOCATIONS = 128,      // in a workgroup; guaranteed
    NEED_SHARED = 16384,         // bytes; guaranteed
    NEED_STORAGE_BUFFERS = EBB_VK_INSIDE + EBB_VK_OUTSIDES, // in a stage; guaranteed are 4, drivers in use have 16 and more
    NEED_PUSH_CONSTANTS = 128,   // bytes; guaranteed
};

static struct ebb_vk_physical *the_list;
static size_t the_count;
static struct ebb_error the_failure;
static pthread_once_t the_once = PTHREAD_ONCE_INIT;

static bool has_extension(const struct ebb_vk_instance *instance, VkPhysicalDevice device, const char *name)
{
    uint32_t count = 0;
    if (instance->vk.EnumerateDeviceExtensionProperties(device, NULL, &count, NULL) != VK_SUCCESS || !count)
        return false;
    VkExtensionProperties *list = ebb_alloc(count, sizeof(*list));
    bool found = false;
    if (list && instance->vk.EnumerateDeviceExtensionProperties(device, NULL, &count, list) >= VK_SUCCESS)
        for (uint32_t i = 0; i < count; i++)
            found |= strcmp(list[i].extensionName, name) == 0;
    free(list);
    return found;
}

// A queue family for compute, one without graphics first: it leaves the desktop alone.
static bool find_queue(const struct ebb_vk_instance *instance, struct ebb_vk_physical *p)
{
    VkQueueFamilyProperties families[16];
    uint32_t count = 16;
    instance->vk.GetPhysicalDeviceQueueFamilyProperties(p->handle, &count, families);
    for (int graphics = 0; graphics < 2; graphics++)
        for (uint32_t i = 0; i < count; i++)
            if ((families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) &&
                !!(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT) == graphics) {
                p->queue_family = i;
                return true;
            }
    return false;
}

// Square matrices, 16-bit operands, 32-bit sums, within a subgroup; and subgroups of the size with which a workgroup of
// 128 covers the shader's tile of 64 x 64 in blocks of 2 x 2 matrices.
static uint32_t find_coop(const struct ebb_vk_instance *instance, const struct ebb_vk_physical *p)
{
    enum { TILE = 64, THREADS = 128, MOST = 64 };
    struct ebb_vk_coop_properties list[MOST];
    uint32_t count = MOST, found = 0;
    for (uint32_t i = 0; i < MOST; i++)
        list[i] = (struct ebb_vk_coop_properties){.type = EBB_VK_COOP_PROPERTIES};
    if (!p->fp16 || !instance->coop_query || !has_extension(instance, p->handle, EBB_VK_COOP_EXTENSION) ||
        instance->coop_query(p->handle, &count, list) < VK_SUCCESS)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct ebb_vk_coop_properties *m = &list[i];
        bool types = m->a == EBB_VK_COMPONENT_FLOAT16 && m->b == m->a && m->c == EBB_VK_COMPONENT_FLOAT32 && m->result == m->c;
        bool square = (m->m == 16 || m->m == 8) && m->n == m->m && m->k == m->m;
        uint32_t across = TILE / (2 * (m->m ? m->m : 1));
        if (types && square && m->scope == EBB_VK_SCOPE_SUBGROUP && p->subgroup * across * across == THREADS && m->m > found)
            found = m->m;
    }
    return found;
}

static uint64_t device_memory(const struct ebb_vk_instance *instance, VkPhysicalDevice device)
{
    VkPhysicalDeviceMemoryProperties memory;
    instance->vk.GetPhysicalDeviceMemoryProperties(device, &memory);
    uint64_t most = 0;
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) && memory.memoryHeaps[i].size > most)
            most = memory.memoryHeaps[i].size;
    return most;
}

void ebb_vk_check_limits(struct ebb_vk_physical *p)
{
    if (p->limits.maxComputeWorkGroupInvocations < NEED_INVOCATIONS)
        snprintf(p->lacks, sizeof(p->lacks), "%d invocations in a workgroup", NEED_INVOCATIONS);
    else if (p->limits.maxComputeSharedMemorySize < NEED_SHARED)
        snprintf(p->lacks, sizeof(p->lacks), "%d bytes of shared memory", NEED_SHARED);
    else if (p->limits.maxPerStageDescriptorStorageBuffers < NEED_STORAGE_BUFFERS)
        snprintf(p->lacks, sizeof(p->lacks), "%d storage buffers in a stage", NEED_STORAGE_BUFFERS);
    else if (p->limits.maxPushConstantsSize < NEED_PUSH_CONSTANTS)
        snprintf(p->lacks, sizeof(p->lacks), "%d bytes of push constants", NEED_PUSH_CONSTANTS);
}

static void check(struct ebb_vk_physical *p, uint32_t api, bool queue, const VkPhysicalDeviceVulkan12Features *features)
{
    if (api < VK_API_VERSION_1_2)
        snprintf(p->lacks, sizeof(p->lacks), "Vulkan 1.2 (it has %u.%u)", VK_API_VERSION_MAJOR(api), VK_API_VERSION_MINOR(api));
    else if (!queue)
        snprintf(p->lacks, sizeof(p->lacks), "a compute queue");
    else if (!features->timelineSemaphore)
        snprintf(p->lacks, sizeof(p->lacks), "timeline semaphores");
    else
        ebb_vk_check_limits(p);
}

static void describe(const struct ebb_vk_instance *instance, struct ebb_vk_physical *p)
{
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
                                               .pNext = &subgroup};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
    instance->vk.GetPhysicalDeviceProperties2(p->handle, &properties);
    VkPhysicalDeviceVulkan12Features v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceVulkan11Features v11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &v12};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &v11};
    if (properties.properties.apiVersion >= VK_API_VERSION_1_2)
        instance->vk.GetPhysicalDeviceFeatures2(p->handle, &features);

    memcpy(p->name, properties.properties.deviceName, sizeof(p->name));
    snprintf(p->driver, sizeof(p->driver), "%s %s", driver.driverName, driver.driverInfo);
    p->type = properties.properties.deviceType;
    p->software = p->type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    p->memory = device_memory(instance, p->handle);
    p->fp16 = v11.storageBuffer16BitAccess && v12.shaderFloat16;
    p->limits = properties.properties.limits;
    p->subgroup = subgroup.subgroupSize;
    p->coop = v12.vulkanMemoryModel && v12.vulkanMemoryModelDeviceScope ? find_coop(instance, p) : 0;
    memcpy(p->cache_uuid, properties.properties.pipelineCacheUUID, VK_UUID_SIZE);
    p->vendor = properties.properties.vendorID;
    p->device = properties.properties.deviceID;
    p->driver_version = properties.properties.driverVersion;
    check(p, properties.properties.apiVersion, find_queue(instance, p), &v12);
}

static void list_physicals(void)
{
    const struct ebb_vk_instance *instance = ebb_vk_instance(&the_failure);
    if (!instance)
        return;

    uint32_t count = 0;
    VkResult result = instance->vk.EnumeratePhysicalDevices(instance->handle, &count, NULL);
    VkPhysicalDevice *handles = result == VK_SUCCESS && count ? ebb_alloc(count, sizeof(*handles)) : NULL;
    the_list = handles ? ebb_alloc(count, sizeof(*the_list)) : NULL;
    if (the_list && instance->vk.EnumeratePhysicalDevices(instance->handle, &count, handles) >= VK_SUCCESS)
        for (uint32_t i = 0; i < count; i++) {
            the_list[i].handle = handles[i];
            the_list[i].index = (int)i;
            describe(instance, &the_list[i]);
            the_count++;
        }
    free(handles);
    if (!the_count)
        ebb_fail(&the_failure, EBB_NO_DEVICE, "the Vulkan loader found no driver%s%s", result ? ": " : "",
                 result ? ebb_vk_result_name(result) : "");
}

size_t ebb_vk_physicals(const struct ebb_vk_physical **list, struct ebb_error *error)
{
    pthread_once(&the_once, list_physicals);
    if (!the_count)
        ebb_fail(error, the_failure.code, "%s", the_failure.message);
    *list = the_list;
    return the_count;
}

static int rank(const struct ebb_vk_physical *p)
{
    switch (p->type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return 4;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return 3;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return 0;
    default: return 1;
    }
}

static const struct ebb_vk_physical *best(bool software)
{
    const struct ebb_vk_physical *found = NULL;
    for (size_t i = 0; i < the_count; i++) {
        const struct ebb_vk_physical *p = &the_list[i];
        if (!p->lacks[0] && (software || !p->software) && (!found || rank(p) > rank(found)))
            found = p;
    }
    return found;
}

static const struct ebb_vk_physical *named(const char *name)
{
    char *end;
    long number = strtol(name, &end, 10);
    if (*name && !*end)
        return number >= 0 && (size_t)number < the_count ? &the_list[number] : NULL;
    for (size_t i = 0; i < the_count; i++)
        if (*name && strcasestr(the_list[i].name, name))
            return &the_list[i];
    return NULL;
}

// "0: NVIDIA H200, 1: llvmpipe (lacks ...)", as much as fits.
static void write_list(char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < the_count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu: %s", i ? ", " : "", i, the_list[i].name);
}

const struct ebb_vk_physical *ebb_vk_select(const char *name, struct ebb_error *error)
{
    const struct ebb_vk_physical *list;
    if (!ebb_vk_physicals(&list, error))
        return NULL;

    const char *which = strchr(name, ':');
    const struct ebb_vk_physical *p = which ? named(which + 1) : best(true);
    char all[256];
    write_list(all, sizeof(all));
    if (!p)
        ebb_fail(error, EBB_NO_DEVICE, "no usable Vulkan device \"%s\"; there is %s", name, all);
    else if (p->lacks[0])
        ebb_fail(error, EBB_NO_DEVICE, "Vulkan device %d (%s) lacks %s", p->index, p->name, p->lacks);
    return p && !p->lacks[0] ? p : NULL;
}

const struct ebb_vk_physical *ebb_vk_select_auto(struct ebb_error *error)
{
    const struct ebb_vk_physical *list;
    if (!ebb_vk_physicals(&list, error))
        return NULL;

    const struct ebb_vk_physical *p = best(false);
    if (!p)
        ebb_fail(error, EBB_NO_DEVICE, "no usable GPU among the Vulkan devices (%s%s)", the_list[0].name,
                 the_list[0].software ? " is software" : "");
    return p;
}
