// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/instance.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

// ---- options ----

static struct ebb_vk_options the_options;
static pthread_once_t options_once = PTHREAD_ONCE_INIT;

static const struct {
    const char *word;
    size_t offset;
} words[] = {
    {"validate", offsetof(struct ebb_vk_options, validate)},
    {"fp32", offsetof(struct ebb_vk_options, fp32)},
    {"fp16", offsetof(struct ebb_vk_options, fp16)},
    {"nofuse", offsetof(struct ebb_vk_options, nofuse)},
    {"nocoop", offsetof(struct ebb_vk_options, nocoop)},
    {"nosplit", offsetof(struct ebb_vk_options, nosplit)},
    {"gpuassisted", offsetof(struct ebb_vk_options, gpuassisted)},
};

static void read_word(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i].word) == length && strncmp(words[i].word, word, length) == 0) {
            *(bool *)((char *)&the_options + words[i].offset) = true;
            return;
        }
    if (!the_options.unknown[0])
        snprintf(the_options.unknown, sizeof(the_options.unknown), "%.*s", (int)length, word);
}

static void read_options(void)
{
    const char *text = getenv("EBB_VULKAN");
    while (text && *text) {
        size_t length = strcspn(text, ",");
        read_word(text, length);
        text += length + (text[length] == ',');
    }
}

const struct ebb_vk_options *ebb_vk_options(void)
{
    pthread_once(&options_once, read_options);
    return &the_options;
}

// ---- results ----

const char *ebb_vk_result_name(VkResult result)
{
    static const struct {
        VkResult result;
        const char *name;
    } names[] = {
        {VK_SUCCESS, "success"},
        {VK_NOT_READY, "not ready"},
        {VK_TIMEOUT, "timeout"},
        {VK_INCOMPLETE, "incomplete"},
        {VK_ERROR_OUT_OF_HOST_MEMORY, "out of host memory"},
        {VK_ERROR_OUT_OF_DEVICE_MEMORY, "out of device memory"},
        {VK_ERROR_INITIALIZATION_FAILED, "initialization failed"},
        {VK_ERROR_DEVICE_LOST, "device lost"},
        {VK_ERROR_MEMORY_MAP_FAILED, "memory cannot be mapped"},
        {VK_ERROR_LAYER_NOT_PRESENT, "layer not present"},
        {VK_ERROR_EXTENSION_NOT_PRESENT, "extension not present"},
        {VK_ERROR_FEATURE_NOT_PRESENT, "feature not present"},
        {VK_ERROR_INCOMPATIBLE_DRIVER, "no usable driver"},
        {VK_ERROR_TOO_MANY_OBJECTS, "too many objects"},
        {VK_ERROR_FRAGMENTED_POOL, "fragmented pool"},
        {VK_ERROR_OUT_OF_POOL_MEMORY, "out of pool memory"},
        {VK_ERROR_INVALID_SHADER_NV, "invalid shader"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].result == result)
            return names[i].name;
    return "unknown Vulkan error";
}

enum ebb_result ebb_vk_result(VkResult result)
{
    switch (result) {
    case VK_SUCCESS: return EBB_OK;
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_TOO_MANY_OBJECTS: return EBB_OUT_OF_MEMORY;
    default: return EBB_DEVICE_FAILED;
    }
}

// ---- the instance ----

static struct ebb_vk_instance the_instance;
static struct ebb_error the_failure; // the reason why there is no instance, for every later call
static pthread_once_t the_once = PTHREAD_ONCE_INIT;

static bool has_layer(PFN_vkEnumerateInstanceLayerProperties enumerate, const char *name)
{
    uint32_t count = 0;
    if (enumerate(&count, NULL) != VK_SUCCESS || !count)
        return false;
    VkLayerProperties *layers = ebb_alloc(count, sizeof(*layers));
    bool found = false;
    if (layers && enumerate(&count, layers) >= VK_SUCCESS)
        for (uint32_t i = 0; i < count; i++)
            found |= strcmp(layers[i].layerName, name) == 0;
    free(layers);
    return found;
}

// Receives messages of the validation layer, counts them and keeps the first. The layer may call from any
// thread.
static pthread_mutex_t message_lock = PTHREAD_MUTEX_INITIALIZER;
static int message_count;
static char first_message[512];

static VKAPI_ATTR VkBool32 VKAPI_CALL take_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                   VkDebugUtilsMessageTypeFlagsEXT types,
                                                   const VkDebugUtilsMessengerCallbackDataEXT *data,
                                                   void *user)
{
    pthread_mutex_lock(&message_lock);
    if (message_count++ == 0)
        snprintf(first_message, sizeof(first_message), "%s", data->pMessage);
    pthread_mutex_unlock(&message_lock);
    return VK_FALSE;
}

int ebb_vk_validation_messages(char *first, size_t size)
{
    pthread_mutex_lock(&message_lock);
    int count = message_count;
    snprintf(first, size, "%s", first_message);
    pthread_mutex_unlock(&message_lock);
    return count;
}

static enum ebb_result load_instance_table(PFN_vkGetInstanceProcAddr get)
{
#define X(name)                                                                                              \
    the_instance.vk.name = (PFN_vk##name)get(the_instance.handle, "vk" #name);                               \
    if (!the_instance.vk.name)                                                                               \
        return ebb_fail(&the_failure, EBB_NO_DEVICE, "the Vulkan loader lacks vk" #name);
    VK_INSTANCE_FUNCTIONS(X)
#undef X
    the_instance.coop_query = (ebb_vk_coop_query)get(the_instance.handle,
                                                     "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    return EBB_OK;
}

// dlsym() returns functions as object pointers; C has no cast from those to functions.
static PFN_vkGetInstanceProcAddr loader_entry(void *library)
{
    void *symbol = dlsym(library, "vkGetInstanceProcAddr");
    PFN_vkGetInstanceProcAddr get = NULL;
    memcpy(&get, &symbol, sizeof(get));
    return get;
}

static VkResult create_instance(PFN_vkGetInstanceProcAddr get, PFN_vkCreateInstance create, bool validate)
{
    const char *layer = "VK_LAYER_KHRONOS_validation", *extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    const VkValidationFeatureEnableEXT more =
        ebb_vk_options()->gpuassisted ? VK_VALIDATION_FEATURE_ENABLE_GPU_ASSISTED_EXT
                                      : VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    VkDebugUtilsMessengerCreateInfoEXT messages = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = take_message};
    VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                        .pNext = &messages,
                                        .enabledValidationFeatureCount = 1,
                                        .pEnabledValidationFeatures = &more};
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                     .pEngineName = "ebb",
                                     .apiVersion = VK_API_VERSION_1_2};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pNext = validate ? &features : NULL,
                                 .pApplicationInfo = &application,
                                 .enabledLayerCount = validate,
                                 .ppEnabledLayerNames = &layer,
                                 .enabledExtensionCount = validate,
                                 .ppEnabledExtensionNames = &extension};
    VkResult result = create(&info, NULL, &the_instance.handle);
    if (result != VK_SUCCESS || !validate)
        return result;

    PFN_vkCreateDebugUtilsMessengerEXT listen = (PFN_vkCreateDebugUtilsMessengerEXT)
        get(the_instance.handle, "vkCreateDebugUtilsMessengerEXT");
    VkDebugUtilsMessengerEXT messenger; // kept as long as the instance: for good
    return listen ? listen(the_instance.handle, &messages, NULL, &messenger) : VK_ERROR_EXTENSION_NOT_PRESENT;
}

static void open_instance(void)
{
    void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    PFN_vkGetInstanceProcAddr get = library ? loader_entry(library) : NULL;
    if (!get) {
        ebb_fail(&the_failure, EBB_NO_DEVICE, "there is no Vulkan loader (libvulkan.so.1) on this machine");
        return;
    }

    PFN_vkCreateInstance create = (PFN_vkCreateInstance)get(NULL, "vkCreateInstance");
    PFN_vkEnumerateInstanceVersion version = (PFN_vkEnumerateInstanceVersion)
        get(NULL, "vkEnumerateInstanceVersion");
    PFN_vkEnumerateInstanceLayerProperties layers = (PFN_vkEnumerateInstanceLayerProperties)
        get(NULL, "vkEnumerateInstanceLayerProperties");
    uint32_t api = VK_API_VERSION_1_0;
    if (!create || !version || !layers || version(&api) != VK_SUCCESS || api < VK_API_VERSION_1_2) {
        ebb_fail(&the_failure, EBB_NO_DEVICE, "the Vulkan loader speaks %u.%u, 1.2 is needed",
                 VK_API_VERSION_MAJOR(api), VK_API_VERSION_MINOR(api));
        return;
    }

    the_instance.validating = ebb_vk_options()->validate && has_layer(layers, "VK_LAYER_KHRONOS_validation");
    VkResult result = create_instance(get, create, the_instance.validating);
    if (result != VK_SUCCESS) {
        the_instance.handle = NULL;
        ebb_fail(&the_failure, EBB_NO_DEVICE, "no Vulkan instance: %s", ebb_vk_result_name(result));
        return;
    }
    if (load_instance_table(get) != EBB_OK)
        the_instance.handle = NULL;
}

const struct ebb_vk_instance *ebb_vk_instance(struct ebb_error *error)
{
    pthread_once(&the_once, open_instance);
    if (the_instance.handle)
        return &the_instance;

    ebb_fail(error, the_failure.code, "%s", the_failure.message);
    return NULL;
}

enum ebb_result ebb_vk_load_device_table(const struct ebb_vk_instance *instance, VkDevice device,
                                         struct ebb_vk_device_table *table, struct ebb_error *error)
{
#define X(name)                                                                                              \
    table->name = (PFN_vk##name)instance->vk.GetDeviceProcAddr(device, "vk" #name);                          \
    if (!table->name)                                                                                        \
        return ebb_fail(error, EBB_NO_DEVICE, "the Vulkan driver lacks vk" #name);
    VK_DEVICE_FUNCTIONS(X)
#undef X
    return EBB_OK;
}
