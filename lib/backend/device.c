// SPDX-License-Identifier: LGPL-2.1-or-later
// Devices by name. Arguments are checked here, once for all backends.
#include <ebb/device.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/base.h"

#ifdef HAVE_VULKAN
static const struct ebb_backend *const gpu = &ebb_backend_vulkan;
#else
static const struct ebb_backend *const gpu = NULL;
#endif
static const struct ebb_backend *const host[] = {&ebb_backend_cpu, &ebb_backend_ref, NULL};

static struct ebb_device *open_backend(const struct ebb_backend *backend, const char *which, int threads,
                                       const struct ebb_log *log, struct ebb_error *error)
{
    struct ebb_device *device = ebb_alloc(1, sizeof(*device));
    if (!device) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a device");
        return NULL;
    }
    device->backend = backend;
    device->log = log;
    device->references = 1;
    device->threads = threads;
    if (backend->open(device, which, threads, error) == EBB_OK)
        return device;
    free(device);
    return NULL;
}

// The CPU in place of a GPU, saying why.
static struct ebb_device *open_fallback(const char *why, int threads, const struct ebb_log *log,
                                        enum ebb_log_level level, struct ebb_error *error)
{
    struct ebb_device *device = open_backend(&ebb_backend_cpu, NULL, threads, log, error);
    if (!device)
        return NULL;
    snprintf(device->fallback, sizeof(device->fallback), "%.*s", (int)sizeof(device->fallback) - 1, why);
    ebb_logf(log, level, "device auto: %s (%s)", device->description, device->fallback);
    return device;
}

// "auto": the best usable GPU, otherwise the CPU.
static struct ebb_device *open_auto(int threads, const struct ebb_log *log, struct ebb_error *error)
{
    struct ebb_error why = {0};
    struct ebb_device *device = gpu ? open_backend(gpu, "auto", threads, log, &why) : NULL;
    if (!gpu)
        ebb_fail(&why, EBB_NO_DEVICE, "this build has no Vulkan backend");
    if (!device)
        return open_fallback(why.message, threads, log, EBB_LOG_INFO, error);
    device->automatic = true;
    ebb_logf(log, EBB_LOG_INFO, "device auto: %s", device->description);
    return device;
}

struct ebb_device *ebb_device_retreat(const struct ebb_device *device, const char *why)
{
    return device->automatic ? open_fallback(why, device->threads, device->log, EBB_LOG_WARNING, NULL) : NULL;
}

static struct ebb_device *no_vulkan(const char *name, struct ebb_error *error)
{
    ebb_fail(error, EBB_NO_DEVICE, "device %s: this build has no Vulkan backend", name);
    return NULL;
}

struct ebb_device *ebb_device_create(const char *name, int threads, const struct ebb_log *log,
                                     struct ebb_error *error)
{
    if (threads < 0 || threads > 1024) {
        ebb_fail(error, EBB_INVALID, "threads is %d, expected 0 (physical cores) to 1024", threads);
        return NULL;
    }
    if (!name || strcmp(name, "auto") == 0)
        return open_auto(threads, log, error);

    size_t length = strcspn(name, ":");
    const char *which = name[length] ? name + length + 1 : NULL;
    for (int i = 0; host[i]; i++)
        if (strlen(host[i]->kind) == length && strncmp(name, host[i]->kind, length) == 0)
            return open_backend(host[i], which, threads, log, error);
    if (length == strlen("vulkan") && strncmp(name, "vulkan", length) == 0)
        return gpu ? open_backend(gpu, which, threads, log, error) : no_vulkan(name, error);
    ebb_fail(error, EBB_NO_DEVICE, "there is no device \"%s\"; there are auto, cpu, ref, vulkan", name);
    return NULL;
}

struct ebb_device *ebb_device_share(struct ebb_device *device)
{
    __atomic_add_fetch(&device->references, 1, __ATOMIC_RELAXED);
    return device;
}

void ebb_device_destroy(struct ebb_device **device)
{
    struct ebb_device *gone = device ? *device : NULL;
    if (!gone)
        return;
    *device = NULL;
    if (__atomic_sub_fetch(&gone->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    gone->backend->close(gone);
    free(gone->profile.entries);
    free(gone);
}

const char *ebb_device_kind(const struct ebb_device *device)
{
    return device->backend->kind;
}

const char *ebb_device_description(const struct ebb_device *device)
{
    return device->description;
}

const char *ebb_device_fallback(const struct ebb_device *device)
{
    return device->fallback[0] ? device->fallback : NULL;
}

const struct ebb_log *ebb_device_log(const struct ebb_device *device)
{
    return device->log;
}

size_t ebb_device_list(struct ebb_device_info *infos, size_t capacity)
{
    size_t count = 0;
    struct ebb_device *cpu = open_backend(&ebb_backend_cpu, NULL, 0, NULL, NULL);
    if (count < capacity) {
        struct ebb_device_info *info = &infos[count];
        memset(info, 0, sizeof(*info));
        snprintf(info->name, sizeof(info->name), "cpu");
        snprintf(info->description, sizeof(info->description), "%s", cpu ? cpu->description : "cpu");
        info->usable = true;
    }
    ebb_device_destroy(&cpu);
    count++;
    size_t left = count < capacity ? capacity - count : 0;
    return count + (gpu ? gpu->list(left ? infos + count : NULL, left) : 0);
}

bool ebb_device_has_gpu(void)
{
    enum { MOST = 16 };
    struct ebb_device_info infos[MOST];
    size_t count = gpu && gpu->may_list() ? gpu->list(infos, MOST) : 0;
    bool found = false;
    for (size_t i = 0; i < count && i < MOST; i++)
        found |= !infos[i].software;
    return found;
}
