#include "backend/vulkan/context.h"

// A chunk of about this much work is submitted: long enough to hide the submit, short against watchdogs (seconds) even
// on a device that does 50 GFLOP/s.
static const uint64_t chunk_flops = 2000000000;
static const uint64_t wait_ns = 60000000000; // longer than any chunk may take: then the device counts as lost

static enum ebb_result wait_for(struct ebb_vk *vk, uint64_t value, struct ebb_error *error)
{
    VkSemaphoreWaitInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                .semaphoreCount = 1,
                                .pSemaphores = &vk->timeline,
                                .pValues = &value};
    VkResult result = vk->vk.WaitSemaphores(vk->device, &info, wait_ns);
    return ebb_vk_check(vk, result == VK_TIMEOUT ? VK_ERROR_DEVICE_LOST : result, "waiting for the device", error);
}

VkCommandBuffer ebb_vk_commands(struct ebb_vk *vk, struct ebb_error *error)
{
    VkCommandBuffer commands = vk->ring[vk->slot];
    if (vk->open)
        return commands;
    if (ebb_vk_check(vk, VK_SUCCESS, "recording", error) != EBB_OK ||
        wait_for(vk, vk->ring_value[vk->slot], error) != EBB_OK)
        return NULL;

    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                     .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    if (ebb_vk_check(vk, vk->vk.BeginCommandBuffer(commands, &info), "beginning a command buffer", error) != EBB_OK)
        return NULL;
    vk->open = true;
    vk->recorded = 0;
    ebb_vk_barrier(vk); // what earlier chunks wrote is visible to this one
    return commands;
}

void ebb_vk_barrier(struct ebb_vk *vk)
{
    const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                         VK_ACCESS_TRANSFER_WRITE_BIT,
    };
    if (vk->open)
        vk->vk.CmdPipelineBarrier(vk->ring[vk->slot], stages, stages, 0, 1, &barrier, 0, NULL, 0, NULL);
}

enum ebb_result ebb_vk_recorded(struct ebb_vk *vk, uint64_t flops, struct ebb_error *error)
{
    vk->recorded += flops;
    return vk->recorded > chunk_flops ? ebb_vk_submit(vk, error) : EBB_OK;
}

enum ebb_result ebb_vk_submit(struct ebb_vk *vk, struct ebb_error *error)
{
    if (!vk->open)
        return ebb_vk_check(vk, VK_SUCCESS, "submitting", error);

    // The host reads what was copied to staging after the semaphore: make it visible.
    VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_SHADER_WRITE_BIT,
                               .dstAccessMask = VK_ACCESS_HOST_READ_BIT};
    VkCommandBuffer commands = vk->ring[vk->slot];
    vk->vk.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                              VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, NULL, 0, NULL);
    vk->open = false;
    VkResult result = vk->vk.EndCommandBuffer(commands);
    if (result == VK_SUCCESS) {
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
        result = vk->vk.QueueSubmit(vk->queue, 1, &info, VK_NULL_HANDLE);
        if (result == VK_SUCCESS) {
            vk->submitted = vk->ring_value[vk->slot] = value;
            vk->slot = (vk->slot + 1) % EBB_VK_RING;
        }
    }
    return ebb_vk_check(vk, result, "submitting to the queue", error);
}

enum ebb_result ebb_vk_finish(struct ebb_vk *vk, struct ebb_error *error)
{
    enum ebb_result result = ebb_vk_submit(vk, error);
    return result == EBB_OK ? wait_for(vk, vk->submitted, error) : result;
}
