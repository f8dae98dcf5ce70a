// SPDX-License-Identifier: LGPL-2.1-or-later
// The command stream. Commands are recorded in order into the open command buffer, with a barrier between
// dependent ones. They are submitted in chunks that are short enough for a driver's watchdog; a timeline
// semaphore counts the chunks. Only ebb_vk_finish() and ebb_vk_wait() wait. The caller holds the lock,
// unless a comment says otherwise.
#ifndef EBB_BACKEND_VULKAN_RECORD_H
#define EBB_BACKEND_VULKAN_RECORD_H

#include "backend/backend.h"
#include "backend/vulkan/device.h"

extern const struct ebb_vk_part ebb_vk_record_part;

// The open command buffer; `commands` is set on success alone.
enum ebb_result ebb_vk_commands(struct ebb_vk *vk, VkCommandBuffer *commands, struct ebb_error *error);
// A barrier: commands recorded later see the results of all earlier ones. It is recorded in front of a
// command that depends on earlier ones.
void ebb_vk_barrier(struct ebb_vk *vk, VkCommandBuffer commands);
// The cost of a dispatch of `flops` floating-point operations; a dispatch without operations costs
// something too.
uint64_t ebb_vk_cost(uint64_t flops);
// Counts `flops` of work recorded; submits when the chunk is full.
enum ebb_result ebb_vk_recorded(struct ebb_vk *vk, uint64_t flops, struct ebb_error *error);
enum ebb_result ebb_vk_submit(struct ebb_vk *vk, struct ebb_error *error);
// Submits and waits until the device has done everything.
enum ebb_result ebb_vk_finish(struct ebb_vk *vk, struct ebb_error *error);
// Begin, end and submit command buffers outside the stream. The buffer is done when the timeline reaches the
// value that vk->submitted has after the submit.
enum ebb_result ebb_vk_begin(struct ebb_vk *vk, VkCommandBuffer commands, VkCommandBufferUsageFlags flags,
                             struct ebb_error *error);
enum ebb_result ebb_vk_end(struct ebb_vk *vk, VkCommandBuffer commands, struct ebb_error *error);
enum ebb_result ebb_vk_queue(struct ebb_vk *vk, VkCommandBuffer commands, struct ebb_error *error);
// Waits for a value of the timeline; the lock must NOT be held.
enum ebb_result ebb_vk_wait(struct ebb_vk *vk, uint64_t value, struct ebb_error *error);

// ---- dispatches ----

enum { EBB_VK_PUSH_WORDS = 32, EBB_VK_PATCHES = 8 };

struct ebb_vk_dispatch {
    VkPipeline pipeline;
    VkDescriptorSet inside;
    uint32_t push[EBB_VK_PUSH_WORDS];
    uint32_t push_size; // bytes
    struct {
        uint32_t word;   // index of a word of `push`
        uint32_t stride; // floats that are added to it at each step
    } patch[EBB_VK_PATCHES];
    int patches;
    uint32_t groups[3];
    struct ebb_weight *weight; // the packed weight at binding 2; NULL: none
    uint32_t partial;          // index of the word of `push` for the place of partial sums; 0: none
    uint64_t flops;
    char name[80]; // of its op, for profiles
};

// Records a barrier and a dispatch into `commands`.
void ebb_vk_encode(struct ebb_vk *vk, VkCommandBuffer commands, const struct ebb_vk_dispatch *dispatch,
                   VkDescriptorSet outside, int step);

// Records a barrier and a dispatch into the open command buffer.
enum ebb_result ebb_vk_record(struct ebb_vk *vk, const struct ebb_vk_dispatch *dispatch,
                              VkDescriptorSet outside, int step, struct ebb_error *error);

// ---- times ----

// ebb_vk_record() between two timestamps.
enum ebb_result ebb_vk_timed(struct ebb_vk *vk, const struct ebb_vk_dispatch *dispatch,
                             VkDescriptorSet outside, int step, struct ebb_error *error);
// Passes the measured times to ebb_profile_add(). Takes the lock.
void ebb_vk_collect(struct ebb_device *device);

#endif
