#include <stdio.h>

#include "backend/vulkan/context.h"

// With nothing done for so long the device counts as lost. A software driver on a busy machine takes its time over one
// dispatch.
static uint64_t patience_ns(const struct ebb_vk *vk)
{
    return vk->physical->software ? 600000000000 : 60000000000;
}

// As long as the timeline moves, the device is at work.
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
            moves = vk->vk.GetSemaphoreCounterValue(vk->device, vk->timeline, &now) == VK_SUCCESS && now > seen;
    }
    return result;
}

// ebb_vk_check(), naming the op that was the last to be handed over.
static enum ebb_result check_latest(struct ebb_vk *vk, VkResult result, const char *doing, struct ebb_error *error)
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

VkCommandBuffer ebb_vk_commands(struct ebb_vk *vk, struct ebb_error *error)
{
    VkCommandBuffer commands = vk->ring[vk->slot];
    if (vk->open)
        return commands;
    if (ebb_vk_check(vk, VK_SUCCESS, "recording", error) != EBB_OK ||
        check_latest(vk, wait_for(vk, vk->ring_value[vk->slot]), "waiting for the device", error) != EBB_OK ||
        ebb_vk_begin(vk, commands, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, error) != EBB_OK)
        return NULL;
    vk->open = true;
    vk->recorded = 0;
    return commands;
}

enum ebb_result ebb_vk_begin(struct ebb_vk *vk, VkCommandBuffer commands, VkCommandBufferUsageFlags flags, struct ebb_error *error)
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
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                         VK_ACCESS_TRANSFER_WRITE_BIT,
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
    result = check_latest(vk, vk->vk.QueueSubmit(vk->queue, 1, &info, VK_NULL_HANDLE), "submitting to the queue", error);
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
    if (result != EBB_OK)
        return result;
    vk->ring_value[vk->slot] = vk->submitted;
    vk->slot = (vk->slot + 1) % EBB_VK_RING;
    return EBB_OK;
}

enum ebb_result ebb_vk_finish(struct ebb_vk *vk, struct ebb_error *error)
{
    enum ebb_result result = ebb_vk_submit(vk, error);
    if (vk->failure.code != EBB_OK)
        return result;
    // What was submitted before runs on, whatever became of the last chunk.
    enum ebb_result waited = check_latest(vk, wait_for(vk, vk->submitted), "waiting for the device", result == EBB_OK ? error : NULL);
    return result == EBB_OK ? waited : result;
}
