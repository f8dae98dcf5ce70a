// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

// ---- waiting ----

// A device that finishes nothing for this long counts as lost. A software driver on a busy machine may take
// long for one dispatch.
static uint64_t patience_ns(const struct ebb_vk *vk)
{
    return vk->physical->software ? 600000000000 : 60000000000;
}

// A timeline that moves means that the device is at work.
static VkResult wait_for(struct ebb_vk *vk, uint64_t value)
{
    VkSemaphoreWaitInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                .semaphoreCount = 1,
                                .pSemaphores = &vk->timeline,
                                .pValues = &value};
    uint64_t seen = 0, now = 0;
    VkResult result = VK_TIMEOUT;
    for (bool moves = true; result == VK_TIMEOUT && moves; seen = now) {
        result = vk->vk.WaitSemaphores(vk->device, &info, patience_ns(vk));
        if (result == VK_TIMEOUT)
            moves = vk->vk.GetSemaphoreCounterValue(vk->device, vk->timeline, &now) == VK_SUCCESS &&
                    now > seen;
    }
    return result;
}

// ebb_vk_check() with the name of the op that was submitted last.
static enum ebb_result check_latest(struct ebb_vk *vk, VkResult result, const char *doing,
                                    struct ebb_error *error)
{
    char text[160];
    snprintf(text, sizeof(text), "%s (%s)", doing, vk->latest[0] ? vk->latest : "no op yet");
    return ebb_vk_check(vk, result, text, error);
}

enum ebb_result ebb_vk_wait(struct ebb_vk *vk, uint64_t value, struct ebb_error *error)
{
    VkResult waited = wait_for(vk, value);
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = check_latest(vk, waited, "waiting for the device", error);
    pthread_mutex_unlock(&vk->lock);
    return result;
}

// ---- recording and submitting ----

// Waits for the slot: its previous work may still run.
static enum ebb_result open_slot(struct ebb_vk *vk, struct ebb_error *error)
{
    enum ebb_result result = ebb_vk_check(vk, VK_SUCCESS, "recording", error);
    if (result == EBB_OK)
        result = check_latest(vk, wait_for(vk, vk->ring_value[vk->slot]), "waiting for the device", error);
    if (result == EBB_OK)
        result = ebb_vk_begin(vk, vk->ring[vk->slot], VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, error);
    if (result == EBB_OK) {
        vk->open = true;
        vk->recorded = 0;
    }
    return result;
}

enum ebb_result ebb_vk_commands(struct ebb_vk *vk, VkCommandBuffer *commands, struct ebb_error *error)
{
    enum ebb_result result = vk->open ? EBB_OK : open_slot(vk, error);
    if (result == EBB_OK)
        *commands = vk->ring[vk->slot];
    return result;
}

enum ebb_result ebb_vk_begin(struct ebb_vk *vk, VkCommandBuffer commands, VkCommandBufferUsageFlags flags,
                             struct ebb_error *error)
{
    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, .flags = flags};
    return ebb_vk_check(vk, vk->vk.BeginCommandBuffer(commands, &info), "beginning a command buffer", error);
}

void ebb_vk_barrier(struct ebb_vk *vk, VkCommandBuffer commands)
{
    const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                         VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
    };
    vk->vk.CmdPipelineBarrier(commands, stages, stages, 0, 1, &barrier, 0, NULL, 0, NULL);
}

uint64_t ebb_vk_cost(uint64_t flops)
{
    return flops + 1000000;
}

enum ebb_result ebb_vk_recorded(struct ebb_vk *vk, uint64_t flops, struct ebb_error *error)
{
    vk->recorded += ebb_vk_cost(flops);
    return vk->recorded > vk->chunk_cost ? ebb_vk_submit(vk, error) : EBB_OK;
}

enum ebb_result ebb_vk_end(struct ebb_vk *vk, VkCommandBuffer commands, struct ebb_error *error)
{
    // The host reads what was copied to staging after the semaphore: make it visible.
    VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_SHADER_WRITE_BIT,
                               .dstAccessMask = VK_ACCESS_HOST_READ_BIT};
    vk->vk.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                              VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, NULL, 0, NULL);
    return ebb_vk_check(vk, vk->vk.EndCommandBuffer(commands), "ending a command buffer", error);
}

enum ebb_result ebb_vk_queue(struct ebb_vk *vk, VkCommandBuffer commands, struct ebb_error *error)
{
    enum ebb_result result = ebb_vk_check(vk, VK_SUCCESS, "submitting to the queue", error);
    if (result != EBB_OK)
        return result;
    uint64_t value = vk->submitted + 1;
    VkTimelineSemaphoreSubmitInfo timeline = {.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                              .signalSemaphoreValueCount = 1,
                                              .pSignalSemaphoreValues = &value};
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                         .pNext = &timeline,
                         .commandBufferCount = 1,
                         .pCommandBuffers = &commands,
                         .signalSemaphoreCount = 1,
                         .pSignalSemaphores = &vk->timeline};
    result = check_latest(vk, vk->vk.QueueSubmit(vk->queue, 1, &info, VK_NULL_HANDLE),
                          "submitting to the queue", error);
    if (result == EBB_OK)
        vk->submitted = value;
    return result;
}

enum ebb_result ebb_vk_submit(struct ebb_vk *vk, struct ebb_error *error)
{
    if (!vk->open)
        return ebb_vk_check(vk, VK_SUCCESS, "submitting", error);

    VkCommandBuffer commands = vk->ring[vk->slot];
    vk->open = false;
    enum ebb_result result = ebb_vk_end(vk, commands, error);
    if (result == EBB_OK)
        result = ebb_vk_queue(vk, commands, error);
    if (result == EBB_OK) {
        vk->ring_value[vk->slot] = vk->submitted;
        vk->slot = (vk->slot + 1) % EBB_VK_RING;
    }
    return result;
}

enum ebb_result ebb_vk_finish(struct ebb_vk *vk, struct ebb_error *error)
{
    enum ebb_result result = ebb_vk_submit(vk, error);
    if (vk->failure.code != EBB_OK)
        return result;
    // Earlier chunks run on even if the last one failed.
    VkResult waited = wait_for(vk, vk->submitted);
    enum ebb_result done = check_latest(vk, waited, "waiting for the device",
                                        result == EBB_OK ? error : NULL);
    if (result == EBB_OK)
        result = done;
    return result;
}

// ---- dispatches ----

void ebb_vk_encode(struct ebb_vk *vk, VkCommandBuffer commands, const struct ebb_vk_dispatch *d,
                   VkDescriptorSet outside, int step)
{
    uint32_t push[EBB_VK_PUSH_WORDS];
    memcpy(push, d->push, sizeof(push));
    for (int i = 0; i < d->patches; i++)
        push[d->patch[i].word] += (uint32_t)step * d->patch[i].stride;
    VkDescriptorSet sets[2] = {d->inside, outside};
    ebb_vk_barrier(vk, commands);
    vk->vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, d->pipeline);
    vk->vk.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, vk->layout, 0, 2, sets, 0, NULL);
    vk->vk.CmdPushConstants(commands, vk->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, d->push_size, push);
    vk->vk.CmdDispatch(commands, d->groups[0], d->groups[1], d->groups[2]);
}

enum ebb_result ebb_vk_record(struct ebb_vk *vk, const struct ebb_vk_dispatch *d, VkDescriptorSet outside,
                              int step, struct ebb_error *error)
{
    VkCommandBuffer commands;
    enum ebb_result result = ebb_vk_commands(vk, &commands, error);
    if (result != EBB_OK)
        return result;

    ebb_vk_encode(vk, commands, d, outside, step);
    memcpy(vk->latest, d->name, sizeof(vk->latest));
    return ebb_vk_recorded(vk, d->flops, error);
}

// ---- times: timestamps around dispatches while a device is profiled ----

// When the pool is full, dispatches are not measured until the entries are collected.
enum { MOST = 8192 }; // dispatches

struct ebb_vk_timing {
    VkQueryPool pool;
    int count;
    char op[MOST][80];
};

static enum ebb_result create_timing(struct ebb_vk *vk, struct ebb_error *error)
{
    struct ebb_vk_timing *timing = ebb_alloc(1, sizeof(*timing));
    if (!timing)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for timestamps");
    VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                  .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                  .queryCount = 2 * MOST};
    VkResult result = vk->vk.CreateQueryPool(vk->device, &info, NULL, &timing->pool);
    if (result != VK_SUCCESS)
        free(timing);
    else
        vk->timing = timing;
    return ebb_vk_check(vk, result, "making a query pool", error);
}

enum ebb_result ebb_vk_timed(struct ebb_vk *vk, const struct ebb_vk_dispatch *d, VkDescriptorSet outside,
                             int step, struct ebb_error *error)
{
    enum ebb_result result = vk->timing ? EBB_OK : create_timing(vk, error);
    if (result == EBB_OK && vk->timing->count == MOST)
        return ebb_vk_record(vk, d, outside, step, error);
    VkCommandBuffer commands;
    if (result == EBB_OK)
        result = ebb_vk_commands(vk, &commands, error);
    if (result != EBB_OK)
        return result;

    uint32_t query = 2 * (uint32_t)vk->timing->count;
    vk->vk.CmdResetQueryPool(commands, vk->timing->pool, query, 2);
    vk->vk.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, vk->timing->pool, query);
    snprintf(vk->timing->op[vk->timing->count], sizeof(vk->timing->op[0]), "%s", d->name);
    vk->timing->count++;
    ebb_vk_encode(vk, commands, d, outside, step);
    vk->vk.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, vk->timing->pool, query + 1);
    return ebb_vk_recorded(vk, d->flops, error);
}

void ebb_vk_collect(struct ebb_device *device)
{
    struct ebb_vk *vk = device->state;
    pthread_mutex_lock(&vk->lock);
    struct ebb_vk_timing *timing = vk->timing;
    if (timing && timing->count && ebb_vk_finish(vk, NULL) == EBB_OK) {
        double tick = 1e-9 * (double)vk->physical->limits.timestampPeriod;
        for (int i = 0; i < timing->count; i++) {
            uint64_t stamp[2];
            if (vk->vk.GetQueryPoolResults(vk->device, timing->pool, 2 * (uint32_t)i, 2, sizeof(stamp), stamp,
                                           sizeof(stamp[0]), VK_QUERY_RESULT_64_BIT) == VK_SUCCESS)
                ebb_profile_add(device, timing->op[i], tick * (double)stamp[0],
                                tick * (double)(stamp[1] - stamp[0]));
        }
        timing->count = 0;
    }
    pthread_mutex_unlock(&vk->lock);
}

// ---- the part of a device ----

// The work of one chunk, in flops. A chunk takes long enough to hide the cost of submitting it. It is short
// compared with the seconds of a watchdog, even on a device of 50 GFLOP/s (of 500, if it has its own memory).
static uint64_t chunk_cost(const struct ebb_vk_physical *physical)
{
    return physical->type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ? 20000000000 : 2000000000;
}

static enum ebb_result open_stream(struct ebb_vk *vk, const struct ebb_log *log, struct ebb_error *error)
{
    vk->chunk_cost = chunk_cost(vk->physical);
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

static void close_stream(struct ebb_vk *vk)
{
    if (vk->timing)
        vk->vk.DestroyQueryPool(vk->device, vk->timing->pool, NULL);
    free(vk->timing);
    vk->timing = NULL;
    vk->vk.DestroySemaphore(vk->device, vk->timeline, NULL);
    vk->vk.DestroyCommandPool(vk->device, vk->pool, NULL);
}

const struct ebb_vk_part ebb_vk_record_part = {open_stream, close_stream};
