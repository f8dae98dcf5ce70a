#include "backend/vulkan/call.h"

#include <stdio.h>
#include <string.h>

#include "backend/vulkan/sets.h"

enum ebb_result ebb_vk_call_make(struct ebb_vk *vk, enum ebb_vk_shader shader, const void *push, size_t size, size_t groups,
                                 struct ebb_vk_call *call, struct ebb_error *error)
{
    enum { ROW = 65535 };
    static const struct ebb_vk_specs none;
    struct ebb_vk_dispatch *d = &call->dispatch;
    *d = (struct ebb_vk_dispatch){.push_size = (uint32_t)size,
                                  .groups = {(uint32_t)(groups < ROW ? groups : ROW), (uint32_t)((groups + ROW - 1) / ROW), 1},
                                  .flops = groups * 1024};
    memcpy(d->push, push, size);
    snprintf(d->name, sizeof(d->name), "%s", shader == EBB_VK_BLEND ? "blend" : shader == EBB_VK_THRESHOLD ? "threshold" : "measure");
    return (d->pipeline = ebb_vk_pipeline_get(vk, shader, &none, error)) ? EBB_OK : EBB_DEVICE_FAILED;
}

enum ebb_result ebb_vk_call_record(struct ebb_vk *vk, struct ebb_vk_call *call, struct ebb_error *error)
{
    enum { SETS = 512 };
    if (!vk->sets && !(vk->sets = ebb_vk_sets_create(vk, SETS, error)))
        return EBB_OUT_OF_MEMORY;
    VkDescriptorSet found[2];
    enum ebb_result result = ebb_vk_sets_find(vk, vk->sets, call->inside, call->outside, found, error);
    call->dispatch.inside = found[0];
    return result == EBB_OK ? ebb_vk_record(vk, &call->dispatch, found[1], 0, error) : result;
}
