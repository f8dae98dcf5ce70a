// SPDX-License-Identifier: LGPL-2.1-or-later
// Physical devices, and a logical device on each that is in use. A process has one logical device for each
// physical device: its queue, memory, pipelines and command stream are shared. `lock` guards all of a
// device.
#ifndef EBB_BACKEND_VULKAN_DEVICE_H
#define EBB_BACKEND_VULKAN_DEVICE_H

#include <pthread.h>
#include <stdint.h>

#include <ebb/log.h>

#include "backend/vulkan/instance.h"

// Storage buffers that a shader sees: five that belong to the program, four that are given to run().
enum { EBB_VK_INSIDE = 5, EBB_VK_OUTSIDES = 4 };

// ---- physical devices: device.c checks that they have all features and limits that the backend needs ----

struct ebb_vk_physical {
    VkPhysicalDevice handle;
    int index; // N of "vulkan:N": the driver's own order
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    char driver[VK_MAX_DRIVER_NAME_SIZE + VK_MAX_DRIVER_INFO_SIZE + 2];
    VkPhysicalDeviceType type;
    bool software;         // a driver that computes on the CPU
    uint64_t memory;       // bytes of the largest device-local heap
    uint32_t queue_family; // one with compute
    bool fp16;             // 16-bit storage and arithmetic conversions
    uint32_t coop;         // side of the cooperative matrices conv_coop.comp can use here; 0: none
    VkPhysicalDeviceLimits limits;
    uint32_t subgroup;
    uint8_t cache_uuid[VK_UUID_SIZE];
    uint32_t vendor, device, driver_version;
    char lacks[128]; // features that are missing, in words; empty: usable
};

// Fills `lacks` from `limits`.
void ebb_vk_check_limits(struct ebb_vk_physical *physical);

// All physical devices, in the driver's order; owned by the process. Returns how many.
size_t ebb_vk_physicals(const struct ebb_vk_physical **list, struct ebb_error *error);

// The device named "vulkan", "vulkan:N" or "vulkan:NAME" (a part of the name, any case); NULL with an error
// that lists the devices. "vulkan" alone is the best usable device: discrete, integrated, virtual, then
// software.
const struct ebb_vk_physical *ebb_vk_select(const char *name, struct ebb_error *error);

// Whether the system has a GPU's device file. Does not open the loader.
bool ebb_vk_has_device_file(void);

// The device of "auto": the best usable one that is not software; NULL with the reason.
const struct ebb_vk_physical *ebb_vk_select_auto(struct ebb_error *error);

// ---- logical devices ----

struct ebb_vk;

// A part of the backend with state on every device. Parts are opened in order with the device, and closed
// in reverse order before it. close() must accept a part that was never opened.
struct ebb_vk_part {
    enum ebb_result (*open)(struct ebb_vk *vk, const struct ebb_log *log,
                            struct ebb_error *error); // NULL: nothing to do
    void (*close)(struct ebb_vk *vk);
};

// A piece of one of the large memory blocks, with a buffer of its own on it (memory.h).
struct ebb_vk_memory {
    VkBuffer buffer;
    VkDeviceMemory block;
    VkDeviceSize offset, size;
    void *mapped; // NULL: not visible to the host
    uint64_t id;  // never used twice; finds descriptor sets, because a VkBuffer's value may be used again
};

enum { EBB_VK_RING = 8 }; // command buffers in flight

struct ebb_vk {
    const struct ebb_vk_physical *physical;
    const struct ebb_vk_instance *instance;
    const struct ebb_vk_part *const *parts; // up to a NULL
    VkDevice device;
    struct ebb_vk_device_table vk;
    pthread_mutex_t lock;
    int references; // guarded by the list's lock in device.c
    struct ebb_vk *next;
    uint32_t coop;            // side of the cooperative matrices in use; 0: none
    bool fp16;                // activations and weights are stored in 16 bits
    struct ebb_error failure; // code != EBB_OK: the device is lost; every later call says so

    // record.c
    VkQueue queue;
    VkCommandPool pool;
    VkCommandBuffer ring[EBB_VK_RING];
    uint64_t ring_value[EBB_VK_RING]; // timeline value after which the slot is free again
    int slot;
    bool open;           // ring[slot] is being recorded
    uint64_t recorded;   // cost of its commands
    uint64_t chunk_cost; // cost at which it is submitted
    char latest[80];     // the op recorded or submitted last, for messages
    VkSemaphore timeline;
    uint64_t submitted;           // value the last submit will signal
    struct ebb_vk_timing *timing; // NULL until the device is profiled

    // memory.c
    VkPhysicalDeviceMemoryProperties memory;
    struct ebb_vk_block *blocks;
    struct ebb_vk_memory staging; // host visible, for uploads and reads; grows
    uint64_t next_id;

    // pipeline.c and cache.c
    VkPipelineCache cache;
    struct ebb_vk_pipeline *pipelines;
    VkDescriptorSetLayout set_layout[2]; // of a program's own buffers; of the buffers given to run()
    VkPipelineLayout layout;

    // buffer_ops.c
    struct ebb_vk_sets *sets;          // NULL before the first operation
    struct ebb_vk_memory partial_sums; // of a sum of squares
};

// Opens the device, or adds a reference to it if it is open; `log` may be NULL. Does not take the device's
// lock.
struct ebb_vk *ebb_vk_open(const struct ebb_vk_physical *physical, const struct ebb_vk_part *const *parts,
                           const struct ebb_log *log, struct ebb_error *error);
struct ebb_vk *ebb_vk_share(struct ebb_vk *vk); // one more owner
void ebb_vk_close(struct ebb_vk **vk);

// Turns a VkResult into an ebb_result. `doing` names the work for the message. A lost device is recorded in
// vk->failure. The lock is held.
enum ebb_result ebb_vk_check(struct ebb_vk *vk, VkResult result, const char *doing, struct ebb_error *error);

#endif
