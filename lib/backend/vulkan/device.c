// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/device.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

// ---- physical devices ----

// Limits that the shaders need. They are below the minima that Vulkan guarantees, except where a comment
// says so.
enum {
    NEED_INVOCATIONS = 128,    // in a workgroup; guaranteed
    NEED_SHARED = 16384,       // bytes; guaranteed
    NEED_PUSH_CONSTANTS = 128, // bytes; guaranteed
    // In a stage. Vulkan guarantees 4; the drivers that people use have 16 and more.
    NEED_STORAGE_BUFFERS = EBB_VK_INSIDE + EBB_VK_OUTSIDES,
};

static struct ebb_vk_physical *the_list;
static atomic_bool the_list_stands; // the loader is in memory already: to look at its list costs nothing
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

// A queue family for compute. One without graphics is preferred: it does not disturb the desktop.
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

// The cooperative matrices that conv_coop.comp uses: square, with 16-bit operands and 32-bit sums, within a
// subgroup. The size of the subgroup must fit too: a workgroup of 128 covers a tile of 64 x 64, and each of
// its subgroups a block of 2 x 2 matrices.
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
        bool types = m->a == EBB_VK_COMPONENT_FLOAT16 && m->b == m->a && m->c == EBB_VK_COMPONENT_FLOAT32 &&
                     m->result == m->c;
        bool square = (m->m == 16 || m->m == 8) && m->n == m->m && m->k == m->m;
        uint32_t across = TILE / (2 * (m->m ? m->m : 1));
        if (types && square && m->scope == EBB_VK_SCOPE_SUBGROUP &&
            p->subgroup * across * across == THREADS && m->m > found)
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
        if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) &&
            memory.memoryHeaps[i].size > most)
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

static void check(struct ebb_vk_physical *p, uint32_t api, bool queue,
                  const VkPhysicalDeviceVulkan12Features *features)
{
    if (api < VK_API_VERSION_1_2)
        snprintf(p->lacks, sizeof(p->lacks), "Vulkan 1.2 (it has %u.%u)", VK_API_VERSION_MAJOR(api),
                 VK_API_VERSION_MINOR(api));
    else if (!queue)
        snprintf(p->lacks, sizeof(p->lacks), "a compute queue");
    else if (!features->timelineSemaphore)
        snprintf(p->lacks, sizeof(p->lacks), "timeline semaphores");
    else
        ebb_vk_check_limits(p);
}

static void describe(const struct ebb_vk_instance *instance, struct ebb_vk_physical *p)
{
    VkPhysicalDeviceSubgroupProperties subgroup = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
                                               .pNext = &subgroup};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &driver};
    instance->vk.GetPhysicalDeviceProperties2(p->handle, &properties);
    VkPhysicalDeviceVulkan12Features v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceVulkan11Features v11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                            .pNext = &v12};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &v11};
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
    atomic_store(&the_list_stands, true);
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

// "0: NVIDIA H200, 1: llvmpipe (lacks ...)", as far as there is room.
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

// Whether a driver of the kernel has a GPU. The loader opens the drivers of all makers, software among them:
// that takes tens of megabytes, which are spared where there is nothing to find.
bool ebb_vk_has_device_file(void)
{
#ifdef __linux__
    static const char *const files[] = {
        "/dev/dri/renderD128", "/dev/dri/card0", "/dev/nvidiactl", "/dev/nvidia0", "/dev/nvgpu",
        "/dev/nvmap",          "/dev/dxg",       "/dev/kgsl-3d0",  "/dev/mali0",   "/dev/pvr_sync"};
    bool found = false;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        found |= access(files[i], F_OK) == 0;
    return found;
#else
    return true;
#endif
}

const struct ebb_vk_physical *ebb_vk_select_auto(struct ebb_error *error)
{
    const struct ebb_vk_physical *list;
    if (!atomic_load(&the_list_stands) && !ebb_vk_has_device_file()) {
        ebb_fail(error, EBB_NO_DEVICE, "no GPU: the system has no device file of one");
        return NULL;
    }
    if (!ebb_vk_physicals(&list, error))
        return NULL;

    const struct ebb_vk_physical *p = best(false);
    if (!p)
        ebb_fail(error, EBB_NO_DEVICE, "no usable GPU among the Vulkan devices (%s%s)", the_list[0].name,
                 the_list[0].software ? " is software" : "");
    return p;
}

// ---- logical devices ----

// Devices in use. Who opens a device a second time shares it.
static pthread_mutex_t opened_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ebb_vk *opened;

enum ebb_result ebb_vk_check(struct ebb_vk *vk, VkResult result, const char *doing, struct ebb_error *error)
{
    if (vk->failure.code != EBB_OK)
        return ebb_fail(error, vk->failure.code, "%s", vk->failure.message);
    if (result == VK_SUCCESS)
        return EBB_OK;

    enum ebb_result code = ebb_vk_result(result);
    if (result == VK_ERROR_DEVICE_LOST || result == VK_TIMEOUT)
        ebb_fail(&vk->failure, code, "%s: device lost while %s", vk->physical->name, doing);
    // Work that was submitted before must end before its memory is given back. A lost device answers at once;
    // a device that hangs is not asked.
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
                                            .vulkanMemoryModelDeviceScope = vk->coop != 0};
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

static void destroy(struct ebb_vk *vk)
{
    if (vk->vk.DestroyDevice) {
        int count = 0;
        while (vk->parts[count])
            count++;
        vk->vk.DeviceWaitIdle(vk->device);
        while (count > 0)
            vk->parts[--count]->close(vk);
        vk->vk.DestroyDevice(vk->device, NULL);
    }
    pthread_mutex_destroy(&vk->lock);
    free(vk);
}

static struct ebb_vk *create(const struct ebb_vk_physical *physical, const struct ebb_vk_part *const *parts,
                             const struct ebb_log *log, struct ebb_error *error)
{
    struct ebb_vk *vk = calloc(1, sizeof(*vk));
    if (!vk) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory to open %s", physical->name);
        return NULL;
    }
    vk->physical = physical;
    vk->instance = ebb_vk_instance(NULL);
    vk->parts = parts;
    vk->references = 1;
    const struct ebb_vk_options *options = ebb_vk_options();
    vk->fp16 = physical->fp16 && !options->fp32 && (options->fp16 || !physical->software);
    vk->coop = vk->fp16 && !options->nocoop ? physical->coop : 0;
    pthread_mutex_init(&vk->lock, NULL);
    enum ebb_result result = create_device(vk, error);
    for (int i = 0; parts[i] && result == EBB_OK; i++)
        if (parts[i]->open)
            result = parts[i]->open(vk, log, error);
    if (result == EBB_OK)
        return vk;
    destroy(vk);
    return NULL;
}

struct ebb_vk *ebb_vk_open(const struct ebb_vk_physical *physical, const struct ebb_vk_part *const *parts,
                           const struct ebb_log *log, struct ebb_error *error)
{
    pthread_mutex_lock(&opened_lock);
    struct ebb_vk *vk = opened;
    // A lost device is not given out again.
    while (vk && (vk->physical != physical || vk->failure.code != EBB_OK))
        vk = vk->next;
    if (vk) {
        vk->references++;
    } else if ((vk = create(physical, parts, log, error))) {
        vk->next = opened;
        opened = vk;
    }
    pthread_mutex_unlock(&opened_lock);
    return vk;
}

struct ebb_vk *ebb_vk_share(struct ebb_vk *vk)
{
    pthread_mutex_lock(&opened_lock);
    vk->references++;
    pthread_mutex_unlock(&opened_lock);
    return vk;
}

void ebb_vk_close(struct ebb_vk **pointer)
{
    struct ebb_vk *vk = *pointer;
    *pointer = NULL;
    if (!vk)
        return;

    pthread_mutex_lock(&opened_lock);
    if (--vk->references == 0) {
        struct ebb_vk **link = &opened;
        while (*link != vk)
            link = &(*link)->next;
        *link = vk->next;
    } else {
        vk = NULL;
    }
    pthread_mutex_unlock(&opened_lock);
    if (vk)
        destroy(vk);
}
