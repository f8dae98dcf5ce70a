// SPDX-License-Identifier: LGPL-2.1-or-later
// The backend's table.
#include <stdio.h>
#include <string.h>

#include "backend/vulkan/buffer_ops.h"
#include "backend/vulkan/cache.h"
#include "backend/vulkan/memory.h"
#include "backend/vulkan/program.h"
#include "backend/vulkan/tape.h"
#include "base/base.h"

// In the order of opening. They are closed in reverse: memory waits for the stream when it is given back.
static const struct ebb_vk_part *const parts[] = {
    &ebb_vk_record_part, &ebb_vk_pipeline_part,   &ebb_vk_cache_part,
    &ebb_vk_memory_part, &ebb_vk_buffer_ops_part, NULL,
};

static void describe(const struct ebb_vk *vk, char *text, size_t size)
{
    snprintf(text, size, "vulkan:%d: %.90s (%.90s)%s%s", vk->physical->index, vk->physical->name,
             vk->physical->driver, vk->fp16 ? ", 16-bit storage" : ", 32-bit storage",
             vk->coop ? ", cooperative matrices" : "");
}

static enum ebb_result open_physical(struct ebb_device *device, const struct ebb_vk_physical *physical,
                                     struct ebb_error *error)
{
    struct ebb_vk *vk = physical ? ebb_vk_open(physical, parts, device->log, error) : NULL;
    if (!vk)
        return EBB_NO_DEVICE;
    device->state = vk;
    device->memory = physical->memory;
    if (ebb_vk_options()->unknown[0])
        ebb_logf(device->log, EBB_LOG_WARNING,
                 "EBB_VULKAN: there is no \"%s\"; there are validate, gpuassisted, fp32, fp16, nofuse, "
                 "nocoop, nosplit (times: ebb bench --profile)",
                 ebb_vk_options()->unknown);
    if (ebb_vk_options()->validate && !vk->instance->validating)
        ebb_logf(device->log, EBB_LOG_WARNING,
                 "EBB_VULKAN=validate: the Khronos validation layer is not installed");
    device->unfused = ebb_vk_options()->nofuse;
    describe(vk, device->description, sizeof(device->description));
    return EBB_OK;
}

static enum ebb_result vulkan_open(struct ebb_device *device, const char *which, int threads,
                                   struct ebb_error *error)
{
    char name[256];
    if (which && strcmp(which, "auto") == 0)
        return open_physical(device, ebb_vk_select_auto(error), error);
    snprintf(name, sizeof(name), which ? "vulkan:%s" : "vulkan", which ? which : "");
    return open_physical(device, ebb_vk_select(name, error), error);
}

// Reports the messages of the validation layer, if it was asked for.
static void report_validation(const struct ebb_device *device)
{
    char first[400];
    int count = ebb_vk_validation_messages(first, sizeof(first));
    if (count)
        ebb_logf(device->log, EBB_LOG_WARNING, "%d messages of the validation layer, the first: %s", count,
                 first);
}

static void vulkan_close(struct ebb_device *device)
{
    struct ebb_vk *vk = device->state;
    if (ebb_vk_options()->validate)
        report_validation(device);
    ebb_vk_close(&vk);
}

static size_t vulkan_list(struct ebb_device_info *infos, size_t capacity)
{
    const struct ebb_vk_physical *list;
    size_t count = ebb_vk_physicals(&list, NULL);
    for (size_t i = 0; i < count && i < capacity; i++) {
        const struct ebb_vk_physical *p = &list[i];
        infos[i] = (struct ebb_device_info){.memory = p->memory,
                                            .usable = !p->lacks[0],
                                            .software = p->software};
        snprintf(infos[i].name, sizeof(infos[i].name), "vulkan:%d", p->index);
        snprintf(infos[i].description, sizeof(infos[i].description), "%.60s (%.60s)%s%s%s%.60s", p->name,
                 p->driver, p->fp16 ? ", fp16" : "", p->coop ? ", cooperative matrix" : "",
                 p->lacks[0] ? ", lacks " : "", p->lacks);
    }
    return count;
}

const struct ebb_backend ebb_backend_vulkan = {
    .kind = "vulkan",
    .open = vulkan_open,
    .close = vulkan_close,
    .list = vulkan_list,
    .may_list = ebb_vk_has_device_file,
    .buffer_create = ebb_vk_buffer_create,
    .buffer_destroy = ebb_vk_buffer_destroy,
    .write = ebb_vk_buffer_write,
    .read = ebb_vk_buffer_read,
    .blend = ebb_vk_blend,
    .threshold = ebb_vk_threshold,
    .sum_squares = ebb_vk_sum_squares,
    .prepare = ebb_vk_prepare,
    .run = ebb_vk_run,
    .release = ebb_vk_program_release,
    .collect = ebb_vk_collect,
    .record = ebb_vk_tape_record,
    .play = ebb_vk_tape_play,
    .erase = ebb_vk_tape_erase,
};
