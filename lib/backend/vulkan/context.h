// One logical device, shared by everything in the process that uses the same physical device: queue, memory, pipelines
// and the command stream. `lock` guards all of it; the functions here expect it held unless they say otherwise.
//
// Commands are recorded into the open command buffer, in order, with a barrier between dependent ones, and handed to
// the queue in chunks small enough for watchdogs; a timeline semaphore counts the chunks. Nothing waits but
// ebb_vk_finish(). What is known beforehand is recorded ahead into command buffers of its own (tape.c).
#ifndef EBB_BACKEND_VULKAN_CONTEXT_H
#define EBB_BACKEND_VULKAN_CONTEXT_H

#include <pthread.h>
#include <stdint.h>

#include <ebb/log.h>

#include "backend/vulkan/select.h"

enum { EBB_VK_RING = 8 }; // command buffers in flight

// A piece of one of the large memory blocks, with a buffer of its own on it.
struct ebb_vk_memory {
    VkBuffer buffer;
    VkDeviceMemory block;
    VkDeviceSize offset, size;
    void *mapped; // NULL: not visible to the host
    uint64_t id;  // never used twice: descriptor sets are found by it, a VkBuffer's value may come back
};

struct ebb_vk_block;
struct ebb_vk_pipeline;
struct ebb_vk_sets;
struct ebb_vk_timing;

struct ebb_vk {
    const struct ebb_vk_physical *physical;
    const struct ebb_vk_instance *instance;
    VkDevice device;
    struct ebb_vk_device_table vk;
    pthread_mutex_t lock;
    int references; // guarded by the list's lock in context.c
    struct ebb_vk *next;
    uint32_t coop;  // side of the cooperative matrices in use; 0: none
    bool fp16;      // activations and weights are stored in 16 bits
    struct ebb_error failure; // code != EBB_OK: the device is lost; every later call says so

    VkQueue queue;
    VkCommandPool pool;
    VkCommandBuffer ring[EBB_VK_RING];
    uint64_t ring_value[EBB_VK_RING]; // timeline value after which the slot is free again
    int slot;
    bool open;         // ring[slot] is being recorded
    uint64_t recorded; // cost of what is in it
    uint64_t chunk_cost; // at which it is submitted
    char latest[80];     // the last op recorded, or handed to the queue: for messages
    VkSemaphore timeline;
    uint64_t submitted; // value the last submit will signal

    VkPhysicalDeviceMemoryProperties memory;
    struct ebb_vk_block *blocks;
    struct ebb_vk_memory staging; // host visible, for uploads and reads; grows
    uint64_t next_id;
    VkPipelineCache cache;
    struct ebb_vk_pipeline *pipelines;
    VkDescriptorSetLayout set_layout[2]; // what belongs to a program, what is given to run()
    VkPipelineLayout layout;
    struct ebb_vk_sets *sets; // of blend and measure; NULL: nobody did either yet
    struct ebb_vk_timing *timing; // NULL: nobody profiled it yet
    struct ebb_vk_memory measured; // partial results of measure
};

// Opens (or refers to) the device; `log` may be NULL. Takes no lock itself.
struct ebb_vk *ebb_vk_open(const struct ebb_vk_physical *physical, const struct ebb_log *log, struct ebb_error *error);
struct ebb_vk *ebb_vk_share(struct ebb_vk *vk); // one more owner
void ebb_vk_close(struct ebb_vk **vk);

// Turns a VkResult into our result, names what was being done, and remembers a lost device.
enum ebb_result ebb_vk_check(struct ebb_vk *vk, VkResult result, const char *doing, struct ebb_error *error);

// ---- memory.c ----
enum ebb_vk_where { EBB_VK_DEVICE, EBB_VK_HOST };
enum ebb_result ebb_vk_allocate(struct ebb_vk *vk, enum ebb_vk_where where, VkDeviceSize size, struct ebb_vk_memory *out,
                                struct ebb_error *error);
void ebb_vk_release(struct ebb_vk *vk, struct ebb_vk_memory *memory); // copes with zeros; waits for the device first
void ebb_vk_free_blocks(struct ebb_vk *vk);
enum ebb_result ebb_vk_upload(struct ebb_vk *vk, const struct ebb_vk_memory *to, VkDeviceSize offset, const void *data,
                              VkDeviceSize size, struct ebb_error *error);
enum ebb_result ebb_vk_download(struct ebb_vk *vk, const struct ebb_vk_memory *from, VkDeviceSize offset, void *data,
                                VkDeviceSize size, struct ebb_error *error);

// ---- record.c ----
// The open command buffer, or NULL with an error.
VkCommandBuffer ebb_vk_commands(struct ebb_vk *vk, struct ebb_error *error);
// Everything recorded before is visible to what follows. Whoever depends on something puts one in front of itself.
void ebb_vk_barrier(struct ebb_vk *vk, VkCommandBuffer commands);
// What a dispatch of so many floating-point operations counts: it costs something even when it does nothing.
uint64_t ebb_vk_cost(uint64_t flops);
// Counts `flops` of work recorded; submits when the chunk is full.
enum ebb_result ebb_vk_recorded(struct ebb_vk *vk, uint64_t flops, struct ebb_error *error);
enum ebb_result ebb_vk_submit(struct ebb_vk *vk, struct ebb_error *error);
// Submits and waits until the device has done everything.
enum ebb_result ebb_vk_finish(struct ebb_vk *vk, struct ebb_error *error);
// For command buffers of others: begun, ended, handed to the queue. vk->submitted is then the value that tells it is done.
enum ebb_result ebb_vk_begin(struct ebb_vk *vk, VkCommandBuffer commands, VkCommandBufferUsageFlags flags, struct ebb_error *error);
enum ebb_result ebb_vk_end(struct ebb_vk *vk, VkCommandBuffer commands, struct ebb_error *error);
enum ebb_result ebb_vk_queue(struct ebb_vk *vk, VkCommandBuffer commands, struct ebb_error *error);
// Waits for a value of the timeline; the lock must NOT be held.
enum ebb_result ebb_vk_wait(struct ebb_vk *vk, uint64_t value, struct ebb_error *error);

void ebb_vk_timing_free(struct ebb_vk *vk); // timing.c

// ---- cache.c ---- the pipeline cache on disk: $XDG_CACHE_HOME/ebb, a file per device and driver
VkPipelineCache ebb_vk_cache_open(struct ebb_vk *vk, const struct ebb_log *log);
void ebb_vk_cache_save(struct ebb_vk *vk);

#endif
