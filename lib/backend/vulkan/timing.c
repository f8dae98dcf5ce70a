// Timestamps around dispatches while a device is profiled. When the pool is full, the rest goes unmeasured until the
// entries are collected.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/profile.h"
#include "backend/vulkan/program.h"
#include "base/base.h"

enum { MOST = 8192 }; // dispatches

struct ebb_vk_timing {
    VkQueryPool pool;
    int count;
    char op[MOST][80];
};

void ebb_vk_timing_free(struct ebb_vk *vk)
{
    if (vk->timing)
        vk->vk.DestroyQueryPool(vk->device, vk->timing->pool, NULL);
    free(vk->timing);
    vk->timing = NULL;
}

static enum ebb_result create(struct ebb_vk *vk, struct ebb_error *error)
{
    struct ebb_vk_timing *timing = ebb_alloc(1, sizeof(*timing));
    if (!timing)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "out of memory for timestamps");
    VkQueryPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = 2 * MOST};
    VkResult result = vk->vk.CreateQueryPool(vk->device, &info, NULL, &timing->pool);
    if (result != VK_SUCCESS)
        free(timing);
    else
        vk->timing = timing;
    return ebb_vk_check(vk, result, "making a query pool", error);
}

enum ebb_result ebb_vk_timed(struct ebb_vk *vk, const struct ebb_vk_dispatch *d, VkDescriptorSet outside, int step,
                             struct ebb_error *error)
{
    enum ebb_result result = vk->timing ? EBB_OK : create(vk, error);
    if (result != EBB_OK || vk->timing->count == MOST)
        return result == EBB_OK ? ebb_vk_record(vk, d, outside, step, error) : result;
    VkCommandBuffer commands = ebb_vk_commands(vk, error);
    if (!commands)
        return EBB_DEVICE_FAILED;

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
            if (vk->vk.GetQueryPoolResults(vk->device, timing->pool, 2 * (uint32_t)i, 2, sizeof(stamp), stamp, sizeof(stamp[0]),
                                           VK_QUERY_RESULT_64_BIT) == VK_SUCCESS)
                ebb_profile_add(device, timing->op[i], tick * (double)stamp[0], tick * (double)(stamp[1] - stamp[0]));
        }
        timing->count = 0;
    }
    pthread_mutex_unlock(&vk->lock);
}
